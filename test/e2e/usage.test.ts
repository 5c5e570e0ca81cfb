/**
 * What the API reaches on a minion besides streams: pods, Services and the kubelet through the proxies, and what they use,
 * with every kubectl that is here, and a real pod that works hard.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';

const binaries = findKubectls();
let lab: Lab;

const OBJECTS = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: httpd
      image: ${BUSYBOX}
      command: [sh, -c, "echo 'it works' > /www/index.html; exec httpd -f -p 8080 -h /www"]
      ports: [{ containerPort: 8080, name: http }]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
    - name: busy
      image: ${BUSYBOX}
      command: [sh, -c, 'while true; do :; done']
      resources: { limits: { cpu: 200m } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
`;

beforeAll(async () => {
  const [binary] = binaries;
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  lab = await startLab({ minions: [{ name: 'inner', behind: 'nat' }] });
  const kubectl = new Kubectl(binary, lab.kubeconfig);
  await kubectl.run(['apply', '-f', '-'], { input: OBJECTS });
  await kubectl.run(['wait', '--for=condition=Ready', 'pod/web', '--timeout=60s']);
});
afterAll(async () => {
  await lab?.dispose();
});

describe.each(binaries)('kubectl $version', (binary) => {
  const kubectl = () => new Kubectl(binary, lab.kubeconfig);
  const raw = (path: string) => kubectl().run(['get', '--raw', path]);

  test('get --raw reads a page of a pod and of a Service', async () => {
    expect(await raw('/api/v1/namespaces/default/pods/web:8080/proxy/index.html')).toBe('it works\n');
    expect(await raw('/api/v1/namespaces/default/pods/web/proxy/')).toBe('it works\n');
    expect(await raw('/api/v1/namespaces/default/services/web:http/proxy/index.html')).toBe('it works\n');
  });

  test('a page that is not there is the pod’s own answer', async () => {
    const { code, stderr } = await kubectl().try([
      'get',
      '--raw',
      '/api/v1/namespaces/default/pods/web:8080/proxy/nothing',
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('the server could not find the requested resource');
  });

  test('a port where nobody listens is said as upstream says it', async () => {
    const { stderr } = await kubectl().try(['get', '--raw', '/api/v1/namespaces/default/pods/web:9/proxy/']);
    expect(stderr).toContain('error trying to reach service: ');
    expect(stderr).toContain('ECONNREFUSED');
  });

  test('get --raw reads the kubelet', async () => {
    expect(await raw('/api/v1/nodes/inner/proxy/healthz')).toBe('ok');
    const summary = JSON.parse(await raw('/api/v1/nodes/inner/proxy/stats/summary')) as {
      node: { nodeName: string; memory: { workingSetBytes: number } };
      pods: { podRef: { name: string }; containers: { name: string }[] }[];
    };
    expect(summary.node.nodeName).toBe('inner');
    expect(summary.node.memory.workingSetBytes).toBeGreaterThan(1_000_000);
    expect(summary.pods.find((each) => each.podRef.name === 'web')?.containers.map((each) => each.name)).toEqual([
      'busy',
      'httpd',
    ]);
    expect(await raw('/api/v1/nodes/inner/proxy/metrics')).toMatch(
      /^container_cpu_usage_seconds_total\{container="busy",namespace="default",pod="web"\} \d/m,
    );
  });

  test('proxy leads a browser to a Service', async () => {
    const child = kubectl().start(['proxy', '--port=0']);
    try {
      const [said] = (await once(child.stdout ?? child, 'data')) as [Buffer];
      const port = /127\.0\.0\.1:(\d+)/.exec(said.toString())?.[1];
      const page = await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/default/services/web:80/proxy`);
      expect(page.url).toMatch(/\/proxy\/$/);
      expect(await page.text()).toBe('it works\n');
    } finally {
      child.kill();
    }
  });

  test('top shows what the node and the containers use', async () => {
    const [heading = '', row = ''] = (await kubectl().run(['top', 'nodes'])).split('\n');
    expect(heading).toMatch(/^NAME +CPU\(cores\) +CPU(\(%\)|%) +MEMORY\(bytes\) +MEMORY(\(%\)|%) *$/);
    expect(row).toMatch(/^inner +[1-9]\d*m +\d+% +\d+Mi +\d+% *$/);
    expect(await kubectl().run(['top', 'pods'])).toMatch(/^web +[1-9]\d*m +\d+Mi *$/m);
    const containers = await eventually(
      'the busy container at its limit',
      async () => {
        const text = await kubectl().run(['top', 'pods', '--containers']);
        const cores = Number(/^web +busy +(\d+)m/m.exec(text)?.[1] ?? 0);
        return cores > 100 && cores < 300 ? text : undefined;
      },
      { timeoutMs: 30_000 },
    );
    expect(containers).toMatch(/^web +httpd +\d+m +\d+Mi *$/m);
  });
});
