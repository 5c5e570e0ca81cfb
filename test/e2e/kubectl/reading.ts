/** Basic commands, the intermediate ones: `explain`, `get`, `edit` and `delete`. */
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX } from '../../support/images.ts';
import { type Group, rowsOf } from './world.ts';

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: httpd
          image: ${BUSYBOX}
          command: [sh, -c, "mkdir -p /www; echo 'it works' > /www/index.html; exec httpd -f -p 8080 -h /www"]
          ports: [{ containerPort: 8080, name: http }]
          readinessProbe: { tcpSocket: { port: http }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
`;

const map = (name: string, size: number, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data: { size: String(size) },
});

export const reading: Group = {
  name: 'reading',
  define(world) {
    test('explain explains one field', async () => {
      const text = await world.run(['explain', 'deployment.spec.strategy.rollingUpdate.maxSurge']);
      expect(text).toMatch(
        /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: maxSurge <IntOrString>\n+DESCRIPTION:\n/,
      );
      expect(await world.run(['explain', 'pod.spec.restartPolicy'])).toContain(
        'ENUM:\n    Always\n    Never\n    OnFailure\n',
      );
      expect((await world.attempt(['explain', 'pod.spec.nothing'])).stderr).toBe(
        'error: field "nothing" does not exist\n',
      );
    });

    test('get prints tables as upstream does', async () => {
      await world.run(['apply', '-f', '-'], WEB);
      await world.run(['rollout', 'status', 'deployment/web', '--timeout=60s']);
      const head = async (...args: string[]) => rowsOf(await world.run(['get', ...args]))[0];
      const pods = (await world.run(['get', 'pods'])).split('\n');
      expect(pods[0]).toMatch(/^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE$/);
      expect(pods[1]).toMatch(/^web-[0-9a-z]+-[0-9a-z]{5}\s+1\/1\s+Running\s+0\s+\S+$/);
      expect(await head('deployments')).toEqual(['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE']);
      expect((await world.run(['get', 'deploy', 'web'])).split('\n')[1]).toMatch(/^web\s+1\/1\s+1\s+1\s+\S+$/);
      expect(await head('svc')).toEqual(['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE']);
      expect((await world.run(['get', 'svc', 'web'])).split('\n')[1]).toMatch(
        /^web\s+LoadBalancer\s+10\.\d+\.\d+\.\d+\s+\S+\s+80:3\d{4}\/TCP\s+\S+$/,
      );
      expect(await head('rs')).toEqual(['NAME', 'DESIRED', 'CURRENT', 'READY', 'AGE']);
      const wide = await head('pods', '-o', 'wide');
      expect(wide).toEqual([
        ...['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE', 'IP', 'NODE', 'NOMINATED NODE', 'READINESS GATES'],
      ]);
      expect((await world.kubectl.run(['get', 'nodes', 'm1'])).split('\n')[1]).toMatch(
        /^m1\s+Ready\s+<none>\s+\S+\s+v1\.\d+\.\d+/,
      );
      expect(await head('endpointslices')).toEqual(['NAME', 'ADDRESSTYPE', 'PORTS', 'ENDPOINTS', 'AGE']);
      expect(
        (await world.run(['get', 'all']))
          .split('\n')
          .filter((line) => /^(pod|service|deployment.apps|replicaset.apps)\//.test(line)),
      ).toHaveLength(4);
    });

    test('get prints in each form', async () => {
      for (const object of [map('one', 3, { tier: 'back' }), map('two', 1, { tier: 'front' }), map('three', 2)]) {
        await world.run(['create', '-f', '-'], JSON.stringify(object));
      }
      const get = (...args: string[]) => world.run(['get', ...args]);
      expect(await get('cm/one', '-o', 'jsonpath={.metadata.name}={.data.size}')).toBe('one=3');
      expect(await get('cm', '-l', 'tier', '-o', 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}')).toBe(
        'one\ntwo\n',
      );
      expect(await get('cm/one', '-o', 'go-template={{.data.size}}')).toBe('3');
      const columns = 'custom-columns=NAME:.metadata.name,SIZE:.data.size,NONE:.data.none';
      expect(rowsOf(await get('cm', 'one', 'two', '-o', columns))).toEqual([
        ['NAME', 'SIZE', 'NONE'],
        ['one', '3', '<none>'],
        ['two', '1', '<none>'],
      ]);
      const bySize = ['--sort-by=.data.size'];
      expect(rowsOf(await get('cm', '-l', 'tier', ...bySize)).map((row) => row[0])).toEqual(['NAME', 'two', 'one']);
      expect(await get('cm', 'one', 'two', 'three', ...bySize, '-o', 'name')).toBe(
        'configmap/two\nconfigmap/three\nconfigmap/one\n',
      );
      expect(await get('cm/one', 'svc/web', '-o', 'name')).toBe('configmap/one\nservice/web\n');
      expect(await get('cm', '-l', 'tier in (back)', '-o', 'name')).toBe('configmap/one\n');
      expect(await get('cm', '-l', 'tier notin (back),tier', '-o', 'name')).toBe('configmap/two\n');
      expect(await get('cm', '--field-selector=metadata.name=two', '-o', 'name')).toBe('configmap/two\n');
      expect(
        rowsOf(await get('cm', '-l', 'tier', '-L', 'tier', '--show-labels', '--no-headers')).map((row) => row.slice(3)),
      ).toEqual([
        ['back', 'tier=back'],
        ['front', 'tier=front'],
      ]);
      expect(await get('cm/one', '-o', 'yaml')).toMatch(
        /^apiVersion: v1\ndata:\n {2}size: "3"\nkind: ConfigMap\nmetadata:\n/,
      );
      expect(await get('cm/one', '-o', 'json')).toMatch(/^\{\n {4}"apiVersion": "v1",\n {4}"data": \{\n/);
      const paged = [
        'cm',
        '--chunk-size=1',
        '--sort-by=.metadata.name',
        '--no-headers',
        '-o',
        'custom-columns=N:.metadata.name',
      ];
      const names = (await get(...paged)).trim().split('\n');
      expect(names).toEqual([...names].sort());
      expect(names).toEqual(expect.arrayContaining(['kube-root-ca.crt', 'one', 'three', 'two']));
    });

    test('get sees all namespaces, subresources and files', async () => {
      const all = rowsOf(await world.kubectl.run(['get', 'cm', '-A', '-l', 'tier=back']));
      expect(all[0]).toEqual(['NAMESPACE', 'NAME', 'DATA', 'AGE']);
      expect(all.map((row) => row.slice(0, 2))).toContainEqual([world.namespace, 'one']);
      expect(
        await world.run(['get', 'deployment/web', '--subresource=status', '-o', 'jsonpath={.status.replicas}']),
      ).toBe('1');
      expect(rowsOf(await world.run(['get', 'deployment', 'web', '--subresource=scale']))).toEqual([
        ['NAME', 'DESIRED', 'AVAILABLE', 'AGE'],
        ['web', '1', '1', expect.stringMatching(/^\d+m?\d*s$/)],
      ]);
      expect(await world.run(['get', '-f', world.file('one.json', JSON.stringify(map('one', 3))), '-o', 'name'])).toBe(
        'configmap/one\n',
      );
      expect(await world.run(['get', 'cm', 'nobody', '--ignore-not-found'])).toBe('');
      expect(await world.attempt(['get', 'cm', 'nobody'])).toMatchObject({
        code: 1,
        stderr: 'Error from server (NotFound): configmaps "nobody" not found\n',
      });
      expect((await world.attempt(['get', 'secrets', '--field-selector=type=none'])).stderr).toBe(
        `No resources found in ${world.namespace} namespace.\n`,
      );
      expect((await world.attempt(['get', 'nonsense'])).stderr).toBe(
        'error: the server doesn\'t have a resource type "nonsense"\n',
      );
    });

    test('get --raw reads the API, a page of a pod and of a Service, and the kubelet', async () => {
      const raw = (path: string) => world.run(['get', '--raw', path]);
      const within = `/api/v1/namespaces/${world.namespace}`;
      expect(JSON.parse(await raw(`${within}/configmaps/one`))).toMatchObject({ data: { size: '3' } });
      expect(await raw('/readyz')).toBe('ok');
      const pod = (
        await world.run(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}'])
      ).trim();
      expect(await raw(`${within}/pods/${pod}:8080/proxy/index.html`)).toBe('it works\n');
      expect(await raw(`${within}/pods/${pod}/proxy/`)).toBe('it works\n');
      expect(await raw(`${within}/services/web:http/proxy/index.html`)).toBe('it works\n');
      const missing = await world.attempt(['get', '--raw', `${within}/pods/${pod}:8080/proxy/nothing`]);
      expect(missing.code).toBe(1);
      expect(missing.stderr).toContain('the server could not find the requested resource');
      const closed = await world.attempt(['get', '--raw', `${within}/pods/${pod}:9/proxy/`]);
      expect(closed.stderr).toContain('error trying to reach service: ');
      expect(closed.stderr).toContain('ECONNREFUSED');
      expect(await raw('/api/v1/nodes/m1/proxy/healthz')).toBe('ok');
      const summary = JSON.parse(await raw('/api/v1/nodes/m1/proxy/stats/summary')) as {
        node: { nodeName: string; memory: { workingSetBytes: number } };
        pods: { podRef: { name: string }; containers: { name: string }[] }[];
      };
      expect(summary.node.nodeName).toBe('m1');
      expect(summary.node.memory.workingSetBytes).toBeGreaterThan(1_000_000);
      expect(summary.pods.find((each) => each.podRef.name === pod)?.containers.map((each) => each.name)).toEqual([
        'httpd',
      ]);
      expect(await raw('/api/v1/nodes/m1/proxy/metrics')).toMatch(
        new RegExp(
          `^container_cpu_usage_seconds_total\\{container="httpd",namespace="${world.namespace}",pod="${pod}"\\} \\d`,
          'm',
        ),
      );
    });

    test('get -w shows a scale as rows, and events with their types', async () => {
      const seen = { rows: '', events: '' };
      const watches = [
        ['rows', ['get', 'pods', '-w', '-l', 'app=web']],
        ['events', ['get', 'cm', '-w', '--output-watch-events', '-l', 'seen=yes']],
      ] as const;
      const children = watches.map(([to, args]) => {
        const child = world.kubectl.start(['-n', world.namespace, ...args]);
        child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          seen[to] += text;
        });
        return child;
      });
      try {
        await eventually('the first rows', () => seen.rows.split('\n').length > 2);
        expect(await world.run(['scale', 'deployment/web', '--replicas=2'])).toBe('deployment.apps/web scaled\n');
        await eventually(
          'a second pod running',
          () => new Set([...seen.rows.matchAll(/^(\S+)\s+1\/1\s+Running/gm)].map((row) => row[1])).size === 2,
          { describe: () => seen.rows },
        );
        expect(seen.rows).toMatch(/Pending/);
        expect(seen.rows).toMatch(/ContainerCreating/);
        await eventually('three events', async () => {
          await world.run(['create', '-f', '-'], JSON.stringify(map('watched', 1, { seen: 'yes' })));
          await world.run(['label', 'cm', 'watched', 'more=yes']);
          await world.run(['delete', 'cm', 'watched']);
          return ['ADDED', 'MODIFIED', 'DELETED'].every((type) =>
            new RegExp(`^${type} +watched `, 'm').test(seen.events),
          );
        });
      } finally {
        for (const child of children) child.kill();
      }
    });

    test('edit sends what the editor leaves, and nothing when it leaves all as it was', async () => {
      const edit = (editor: string, ...args: string[]) =>
        world.attempt(['edit', ...args], undefined, { env: { KUBE_EDITOR: editor } });
      expect(await edit(`sed -i 's/"3"/"4"/'`, 'cm/one')).toMatchObject({ code: 0, stdout: 'configmap/one edited\n' });
      expect(await world.field('cm/one', '{.data.size}')).toBe('4');
      expect(await edit('true', 'cm/one')).toMatchObject({ code: 0, stderr: 'Edit cancelled, no changes made.\n' });
      expect(await edit('sed -i "s/replicas: [0-9]*/replicas: 1/"', 'deployment/web', '-o', 'yaml')).toMatchObject({
        code: 0,
      });
      expect(await world.field('deployment/web', '{.spec.replicas}')).toBe('1');
      const status = await edit(
        'sed -i s/observedGeneration:.*/observedGeneration:\\ 1/',
        'deployment/web',
        '--subresource=status',
      );
      expect(status).toMatchObject({ code: 0, stdout: 'deployment.apps/web edited\n' });
    });

    test('delete deletes by name, by label, by file, and keeps what it is told to keep', async () => {
      expect(await world.run(['delete', 'cm', 'one'])).toMatch(/^configmap "one" deleted/);
      expect(await world.run(['delete', 'cm', '-l', 'tier=front'])).toMatch(/^configmap "two" deleted/);
      expect(await world.run(['delete', '-f', '-'], JSON.stringify(map('three', 2)))).toMatch(
        /^configmap "three" deleted/,
      );
      expect((await world.attempt(['delete', 'cm', 'three'])).stderr).toBe(
        'Error from server (NotFound): configmaps "three" not found\n',
      );
      expect(await world.run(['delete', 'cm', 'three', '--ignore-not-found'])).toBe('');
      expect(await world.run(['delete', 'svc', 'web', '--dry-run=server'])).toMatch(
        /^service "web" deleted .*\(server dry run\)|^service "web" deleted \(server dry run\)/,
      );
      const set = (await world.run(['get', 'rs', '-l', 'app=web', '-o', 'name'])).trim();
      expect(await world.run(['delete', 'deployment', 'web', '--cascade=orphan'])).toMatch(
        /^deployment\.apps "web" deleted/,
      );
      expect((await world.run(['get', 'rs', '-l', 'app=web', '-o', 'name'])).trim()).toBe(set);
      expect(await world.run(['delete', set, '--cascade=foreground'])).toMatch(/^replicaset\.apps "web-.*" deleted/);
      expect((await world.run(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim()).toBe('');
    });

    test('delete of a namespace ends all that is in it', async () => {
      const home = `${world.namespace}-going`;
      await world.run(['create', 'namespace', home]);
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'stays', namespace: home } };
      const containers = [{ name: 'main', image: BUSYBOX, command: ['sleep', '10000'] }];
      const spec = { terminationGracePeriodSeconds: 0, containers };
      await world.kubectl.run(['create', '-f', '-'], { input: JSON.stringify({ ...pod, spec }) });
      await world.kubectl.run(['wait', '-n', home, 'pod/stays', '--for=condition=Ready', '--timeout=60s']);
      expect(await world.lab.containers('m1', home)).toHaveLength(2);
      expect(await world.run(['delete', 'namespace', home])).toMatch(/^namespace "\S+" deleted/);
      expect((await world.attempt(['get', 'namespace', home])).stderr).toBe(
        `Error from server (NotFound): namespaces "${home}" not found\n`,
      );
      await eventually(
        'no container left on the minion',
        async () => (await world.lab.containers('m1', home)).length === 0,
      );
    });
  },
};
