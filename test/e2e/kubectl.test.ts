/**
 * Real kubectl through the whole life of an application, against the control plane in workerd and a minion with an engine
 * of its own. What is asserted is what upstream's kubectl prints; every version from 1.31 on that the machine has is used.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';

const binaries = findKubectls();
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'm1' }] });
});
afterAll(async () => {
  await lab?.dispose();
});

const web = (version: string) => `
apiVersion: v1
kind: ConfigMap
metadata: { name: site }
data:
  index.html: "hello from ${version}\\n"
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: httpd
          image: ${BUSYBOX}
          command: [sh, -c, "echo serving; exec httpd -f -v -p 8080 -h /www"]
          ports: [{ containerPort: 8080, name: http }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
          volumeMounts: [{ name: site, mountPath: /www }]
        - name: sidecar
          image: ${BUSYBOX}
          command: [sh, -c, "while true; do wget -q -O - http://127.0.0.1:8080/ ; sleep 1; done"]
      volumes: [{ name: site, configMap: { name: site } }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: LoadBalancer
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http }]
`;

test('there is a kubectl to test with', () => {
  expect(binaries.map((binary) => binary.version)).not.toEqual([]);
});

describe.each(binaries)('kubectl $version', (binary) => {
  const namespace = `k${binary.version.replace('.', '-')}`;
  let kubectl: Kubectl;
  const run = (args: string[], input?: string) => kubectl.run(['-n', namespace, ...args], { input });
  const attempt = (args: string[], input?: string) => kubectl.try(['-n', namespace, ...args], { input });
  const podNames = async () =>
    (await run(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim().split('\n').filter(Boolean);

  beforeAll(() => {
    kubectl = new Kubectl(binary, lab.kubeconfig);
  });

  test('creates a namespace, once', async () => {
    expect(await kubectl.run(['create', 'namespace', namespace])).toBe(`namespace/${namespace} created\n`);
    const again = await kubectl.try(['create', 'namespace', namespace]);
    expect(again).toMatchObject({
      code: 1,
      stderr: `Error from server (AlreadyExists): namespaces "${namespace}" already exists\n`,
    });
  });

  test('applies a manifest of three objects, and says unchanged the second time', async () => {
    expect(await run(['apply', '-f', '-'], web('one'))).toBe(
      'configmap/site created\ndeployment.apps/web created\nservice/web created\n',
    );
    expect(await run(['apply', '-f', '-'], web('one'))).toBe(
      'configmap/site unchanged\ndeployment.apps/web unchanged\nservice/web unchanged\n',
    );
  });

  test('follows the rollout to its end', async () => {
    expect(await run(['rollout', 'status', 'deployment/web', '--timeout=60s'])).toContain(
      'deployment "web" successfully rolled out',
    );
  });

  test('prints tables as upstream does', async () => {
    const pods = (await run(['get', 'pods'])).split('\n');
    expect(pods[0]).toMatch(/^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE$/);
    expect(pods[1]).toMatch(/^web-[0-9a-z]+-[0-9a-z]{5}\s+2\/2\s+Running\s+0\s+\d+s$/);
    expect((await run(['get', 'deployments'])).split('\n')[0]).toMatch(/^NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE$/);
    expect((await run(['get', 'deploy', 'web'])).split('\n')[1]).toMatch(/^web\s+2\/2\s+2\s+2\s+\d+s$/);
    expect((await run(['get', 'svc'])).split('\n')[0]).toMatch(
      /^NAME\s+TYPE\s+CLUSTER-IP\s+EXTERNAL-IP\s+PORT\(S\)\s+AGE$/,
    );
    expect((await run(['get', 'svc', 'web'])).split('\n')[1]).toMatch(
      /^web\s+LoadBalancer\s+10\.\d+\.\d+\.\d+\s+\S+\s+80:3\d{4}\/TCP\s+\d+s$/,
    );
    expect((await run(['get', 'rs'])).split('\n')[0]).toMatch(/^NAME\s+DESIRED\s+CURRENT\s+READY\s+AGE$/);
    expect((await run(['get', 'pods', '-o', 'wide'])).split('\n')[0]).toMatch(
      /^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\s+IP\s+NODE\s+NOMINATED NODE\s+READINESS GATES$/,
    );
    expect((await kubectl.run(['get', 'nodes'])).split('\n')[1]).toMatch(/^m1\s+Ready\s+<none>\s+\S+\s+v1\.\d+\.\d+/);
    expect((await run(['get', 'endpointslices'])).split('\n')[0]).toMatch(
      /^NAME\s+ADDRESSTYPE\s+PORTS\s+ENDPOINTS\s+AGE$/,
    );
    expect(
      (await run(['get', 'all']))
        .split('\n')
        .filter((line) => /^(pod|service|deployment.apps|replicaset.apps)\//.test(line)),
    ).toHaveLength(5);
  });

  test('watches: a scale shows up as rows', async () => {
    const watch = kubectl.start(['-n', namespace, 'get', 'pods', '-w', '-l', 'app=web']);
    let seen = '';
    watch.stdout?.setEncoding('utf8').on('data', (text: string) => {
      seen += text;
    });
    await eventually('the first rows', () => seen.split('\n').length > 2);
    expect(await run(['scale', 'deployment/web', '--replicas=3'])).toBe('deployment.apps/web scaled\n');
    await eventually(
      'a third pod running',
      () => new Set([...seen.matchAll(/^(\S+)\s+2\/2\s+Running/gm)].map((row) => row[1])).size === 3,
      {
        describe: () => seen,
      },
    );
    expect(seen).toMatch(/Pending/);
    expect(seen).toMatch(/ContainerCreating/);
    watch.kill();
    expect(await run(['scale', 'deployment/web', '--replicas=2'])).toBe('deployment.apps/web scaled\n');
    await eventually('two pods', async () => (await podNames()).length === 2);
  });

  test('describes what is there, events included', async () => {
    const [pod = ''] = await podNames();
    const described = await run(['describe', pod]);
    for (const part of [
      'Node:             m1/',
      'Controlled By:  ReplicaSet/web-',
      'Readiness:',
      'Successfully assigned',
      'Started container',
    ]) {
      expect(described).toContain(part);
    }
    expect(await run(['describe', 'deployment', 'web'])).toContain('ScalingReplicaSet');
    expect(await run(['describe', 'service', 'web'])).toMatch(/Endpoints:\s+10\.244\.\d+\.\d+:8080/);
    const node = await kubectl.run(['describe', 'node', 'm1']);
    expect(node).toMatch(/Ready\s+True/);
    expect(node).toContain('Allocated resources:');
  });

  test('reads logs, of one container, of the last lines, and as they come', async () => {
    const [pod = ''] = await podNames();
    expect(await run(['logs', pod, '-c', 'httpd', '--tail=-1'])).toContain('serving');
    expect(await run(['logs', pod, '-c', 'sidecar', '--tail=2'])).toBe('hello from one\nhello from one\n');
    expect(await run(['logs', '-l', 'app=web', '-c', 'sidecar', '--tail=1', '--prefix'])).toMatch(
      /^\[pod\/web-.*\/sidecar\] hello from one$/m,
    );
    const follow = kubectl.start(['-n', namespace, 'logs', '-f', pod, '-c', 'sidecar', '--tail=1']);
    let lines = 0;
    follow.stdout?.setEncoding('utf8').on('data', (text: string) => {
      lines += text.split('\n').length - 1;
    });
    await eventually('three lines as they come', () => lines >= 3);
    follow.kill();
    const wrong = await attempt(['logs', pod, '-c', 'none']);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('container none is not valid for pod');
  });

  test('executes: output, input, exit code, terminal', async () => {
    const [pod = ''] = await podNames();
    expect(await run(['exec', pod, '-c', 'httpd', '--', 'cat', '/www/index.html'])).toBe('hello from one\n');
    expect(await run(['exec', '-i', pod, '-c', 'httpd', '--', 'sh', '-c', 'wc -c'], 'x'.repeat(300_000))).toBe(
      '300000\n',
    );
    const failed = await attempt(['exec', pod, '-c', 'httpd', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(failed).toMatchObject({ code: 7, stdout: 'out\n' });
    expect(failed.stderr).toContain('err\n');
    expect(failed.stderr).toContain('command terminated with exit code 7');
    const missing = await attempt(['exec', pod, '-c', 'httpd', '--', 'no-such-program']);
    expect(missing.code).not.toBe(0);
    const terminal = await lab.inTerminal(
      kubectl,
      ['-n', namespace, 'exec', '-it', pod, '-c', 'httpd', '--', 'sh'],
      'tty; exit 3\n',
    );
    expect(terminal.output).toContain('/dev/pts/');
    expect(terminal.code).toBe(3);
  });

  test('copies files both ways', async () => {
    const [pod = ''] = await podNames();
    const folder = mkdtempSync(join(tmpdir(), 'longshore-cp-'));
    try {
      const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) % 256));
      writeFileSync(join(folder, 'up.bin'), bytes);
      const name = pod.replace('pod/', '');
      await run(['cp', join(folder, 'up.bin'), `${name}:/tmp/up.bin`, '-c', 'httpd']);
      await run(['cp', `${name}:/tmp/up.bin`, join(folder, 'down.bin'), '-c', 'httpd']);
      expect(readFileSync(join(folder, 'down.bin')).equals(bytes)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('forwards a port', async () => {
    const [pod = ''] = await podNames();
    const forward = kubectl.start(['-n', namespace, 'port-forward', pod, ':8080']);
    let said = '';
    forward.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    forward.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    try {
      const port = await eventually(
        'the local port',
        () => /Forwarding from 127\.0\.0\.1:(\d+) -> 8080/.exec(said)?.[1],
        { describe: () => said },
      );
      for (let round = 0; round < 3; round++) {
        const response = await fetch(`http://127.0.0.1:${port}/`);
        expect(await response.text()).toBe('hello from one\n');
      }
    } finally {
      forward.kill();
    }
  });

  test('updates an image, follows, looks at the history and goes back', async () => {
    const before = (await run(['get', 'rs', '-o', 'name'])).trim();
    expect(await run(['set', 'image', 'deployment/web', `sidecar=${lab.otherImage}`])).toBe(
      'deployment.apps/web image updated\n',
    );
    expect(await run(['rollout', 'status', 'deployment/web', '--timeout=90s'])).toContain('successfully rolled out');
    expect((await run(['get', 'rs', '-o', 'name'])).trim().split('\n')).toHaveLength(2);
    expect(await run(['rollout', 'history', 'deployment/web'])).toMatch(/^1\s+.*\n2\s/m);
    expect(await run(['rollout', 'undo', 'deployment/web'])).toBe('deployment.apps/web rolled back\n');
    expect(await run(['rollout', 'status', 'deployment/web', '--timeout=90s'])).toContain('successfully rolled out');
    const sets = await kubectl.json<{ items: { metadata: { name: string }; spec: { replicas: number } }[] }>([
      '-n',
      namespace,
      'get',
      'rs',
    ]);
    expect(
      sets.items.filter((set) => set.spec.replicas === 2).map((set) => `replicaset.apps/${set.metadata.name}`),
    ).toEqual([before]);
    expect(await run(['rollout', 'restart', 'deployment/web'])).toBe('deployment.apps/web restarted\n');
    await run(['rollout', 'status', 'deployment/web', '--timeout=90s']);
  });

  test('publishes the Service to the outside', async () => {
    const url = await eventually('the URL', async () => {
      const text = await run(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.annotations.longshore\\.dev/url}']);
      return text === '' ? undefined : text;
    });
    expect(await lab.fetchPublic(url)).toMatchObject({ status: 200, body: 'hello from one\n' });
  });

  test('creates small things by command (protobuf bodies)', async () => {
    expect(await run(['create', 'configmap', 'settings', '--from-literal=a=1', '--from-literal=b=two'])).toBe(
      'configmap/settings created\n',
    );
    expect(await run(['get', 'configmap', 'settings', '-o', 'jsonpath={.data.b}'])).toBe('two');
    expect(await run(['create', 'secret', 'generic', 'key', '--from-literal=password=hunter2'])).toBe(
      'secret/key created\n',
    );
    expect(await run(['get', 'secret', 'key', '-o', 'jsonpath={.data.password}'])).toBe('aHVudGVyMg==');
    expect(await run(['create', 'serviceaccount', 'robot'])).toBe('serviceaccount/robot created\n');
    expect((await run(['create', 'token', 'robot'])).trim().split('.')).toHaveLength(3);
    expect(await run(['create', 'service', 'clusterip', 'quiet', '--tcp=80:8080'])).toBe('service/quiet created\n');
    expect(await run(['create', 'deployment', 'one', `--image=${BUSYBOX}`, '--replicas=0'])).toBe(
      'deployment.apps/one created\n',
    );
    expect(await kubectl.run(['auth', 'can-i', 'create', 'pods', '-n', namespace])).toBe('yes\n');
    expect(await kubectl.run(['auth', 'whoami'])).toContain('system:masters');
  });

  test('patches in three ways, labels, annotates, and selects by it', async () => {
    await run(['patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"b":null,"c":"3"}}']);
    await run([
      'patch',
      'configmap',
      'settings',
      '--type=json',
      '-p',
      '[{"op":"test","path":"/data/a","value":"1"},{"op":"add","path":"/data/d","value":"4"}]',
    ]);
    expect(JSON.parse(await run(['get', 'configmap', 'settings', '-o', 'jsonpath={.data}']))).toEqual({
      a: '1',
      c: '3',
      d: '4',
    });
    await run([
      'patch',
      'deployment',
      'one',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"busybox","env":[{"name":"A","value":"1"}]}]}}}}',
    ]);
    expect(
      await run(['get', 'deployment', 'one', '-o', 'jsonpath={.spec.template.spec.containers[*].env[0].value}']),
    ).toBe('1');
    const containers = await kubectl.json<{ spec: { template: { spec: { containers: { name: string }[] } } } }>([
      '-n',
      namespace,
      'get',
      'deployment',
      'one',
    ]);
    expect(containers.spec.template.spec.containers.map((container) => container.name)).toEqual(['busybox']);
    expect(await run(['label', 'configmap', 'settings', 'tier=back'])).toBe('configmap/settings labeled\n');
    expect(await run(['annotate', 'configmap', 'settings', 'note=x'])).toBe('configmap/settings annotated\n');
    expect(await run(['get', 'configmap', '-l', 'tier in (back)', '-o', 'name'])).toBe('configmap/settings\n');
    expect(await run(['get', 'configmap', '--field-selector', 'metadata.name=settings', '-o', 'name'])).toBe(
      'configmap/settings\n',
    );
  });

  test('changes nothing on a dry run, and shows differences', async () => {
    expect(await run(['create', 'configmap', 'ghost', '--dry-run=server', '--from-literal=a=1'])).toBe(
      'configmap/ghost created (server dry run)\n',
    );
    expect((await attempt(['get', 'configmap', 'ghost'])).stderr).toBe(
      'Error from server (NotFound): configmaps "ghost" not found\n',
    );
    const different = await attempt(['diff', '-f', '-'], web('two'));
    expect(different.code).toBe(1);
    expect(different.stdout).toMatch(/^-\s+hello from one\n\+\s+hello from two$/m);
  });

  test('applies on the server: conflicts, force, differences, and the move from its own apply', async () => {
    const map = (value: string) => `
apiVersion: v1
kind: ConfigMap
metadata: { name: shared }
data: { value: "${value}" }
`;
    const apply = (value: string, ...more: string[]) =>
      attempt(['apply', '--server-side', ...more, '-f', '-'], map(value));
    expect((await apply('1')).stdout).toBe('configmap/shared serverside-applied\n');
    await run([
      'patch',
      'configmap',
      'shared',
      '--type=merge',
      '-p',
      '{"data":{"value":"2"}}',
      '--field-manager=other',
    ]);
    const refused = await apply('3');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^error: Apply failed with 1 conflict: conflict with "other" using v1( at \S+)?: \.data\.value\n/,
    );
    expect((await apply('3', '--force-conflicts')).stdout).toBe('configmap/shared serverside-applied\n');
    const different = await attempt(['diff', '--server-side', '-f', '-'], map('4'));
    expect([different.code, different.stdout]).toEqual([
      1,
      expect.stringMatching(/^- {2}value: "3"\n\+ {2}value: "4"$/m),
    ]);
    const shown = ['get', 'configmap', 'shared', '-o', 'yaml'];
    expect(await run(shown)).not.toContain('managedFields');
    expect(await run([...shown, '--show-managed-fields'])).toMatch(/manager: kubectl\n\s+operation: Apply/);
    await run(['delete', 'configmap', 'shared']);
    await run(['apply', '-f', '-'], map('5'));
    expect((await apply('6')).stdout).toBe('configmap/shared serverside-applied\n');
    const moved = await kubectl.json<{ metadata: { managedFields: { manager: string }[] } }>([
      '-n',
      namespace,
      ...['get', 'configmap', 'shared', '--show-managed-fields'],
    ]);
    expect(moved.metadata.managedFields.map((entry) => entry.manager)).toEqual(['kubectl', 'kubectl-last-applied']);
    await run(['delete', 'configmap', 'shared']);
  });

  test('validates on the server and says which field is unknown', async () => {
    const bad = await attempt(['apply', '-f', '-'], web('one').replace('replicas: 2', 'replicas: 2\n  replicaz: 3'));
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('strict decoding error: unknown field "spec.replicaz"');
  });

  test('knows what there is: api-resources, api-versions, explain, version', async () => {
    const resources = await kubectl.run(['api-resources']);
    for (const line of [
      /^pods\s+po\s+v1\s+true\s+Pod$/m,
      /^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment$/m,
      /^hooks\s+.*longshore\.dev\/v1\s+true\s+Hook$/m,
    ]) {
      expect(resources).toMatch(line);
    }
    expect(await kubectl.run(['api-versions'])).toContain('apps/v1\n');
    expect(await kubectl.run(['explain', 'deployment.spec.strategy'])).toMatch(/FIELDS?:/);
    expect(await kubectl.run(['version'])).toContain('Server Version: v1.36');
  });

  test('lists in pages and sorts', async () => {
    const names = await run([
      'get',
      'configmaps',
      '--chunk-size=1',
      '--sort-by=.metadata.name',
      '-o',
      'custom-columns=N:.metadata.name',
      '--no-headers',
    ]);
    expect(names.trim().split('\n')).toEqual([...names.trim().split('\n')].sort());
    expect(names).toContain('settings');
  });

  test('runs a pod to its end and waits for it', async () => {
    expect(
      await run(['run', 'once', `--image=${BUSYBOX}`, '--restart=Never', '--', 'sh', '-c', 'echo done; exit 4']),
    ).toBe('pod/once created\n');
    await run(['wait', 'pod/once', '--for=jsonpath={.status.phase}=Failed', '--timeout=60s']);
    expect(await run(['logs', 'once'])).toBe('done\n');
    expect((await run(['get', 'pod', 'once'])).split('\n')[1]).toMatch(/^once\s+0\/1\s+Error\s+0\s+\d+s$/);
    expect(
      await run(['run', '-i', '--rm', 'asks', `--image=${BUSYBOX}`, '--restart=Never', '-q', '--', 'cat'], 'back\n'),
    ).toContain('back');
  });

  test('deletes, and everything that belongs to it goes too', async () => {
    expect(await run(['delete', 'deployment', 'web'])).toMatch(/^deployment\.apps "web" deleted/);
    await eventually('no pod of web left', async () => (await podNames()).length === 0);
    expect((await run(['get', 'rs', '-l', 'app=web', '-o', 'name'])).trim()).toBe('');
    await kubectl.run(['delete', 'namespace', namespace], { timeoutMs: 90_000 });
    expect((await kubectl.try(['get', 'namespace', namespace])).stderr).toBe(
      `Error from server (NotFound): namespaces "${namespace}" not found\n`,
    );
    await eventually(
      'no container left on the minion',
      async () => (await lab.containers('m1', namespace)).length === 0,
      {
        describe: async () => (await lab.containers('m1', namespace)).join('\n'),
      },
    );
  });
});
