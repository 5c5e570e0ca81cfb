/** Commands of cluster management: `certificate`, `cluster-info`, `top`, `cordon`, `uncordon`, `drain` and `taint`. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX } from '../../support/images.ts';
import { type Group, rowsOf } from './world.ts';

const BUSY = `
apiVersion: v1
kind: Pod
metadata: { name: worker }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - { name: idle, image: ${BUSYBOX}, command: [sleep, "10000"] }
    - name: busy
      image: ${BUSYBOX}
      command: [sh, -c, 'while true; do :; done']
      resources: { limits: { cpu: 100m } }
`;

export const clusterManagement: Group = {
  name: 'cluster-management',
  define(world) {
    /** Nobody's machine: what is done to it hurts no other group. */
    const node = `node-${world.version.replace('.', '-')}`;
    const make = (object: object) => world.run(['create', '-f', '-'], JSON.stringify(object));

    beforeAll(async () => {
      await world.run(['apply', '-f', '-'], BUSY);
      await make({ apiVersion: 'v1', kind: 'Node', metadata: { name: node } });
    });

    test('certificate approve and deny decide a request', async () => {
      const request = execFileSync(
        'openssl',
        [
          ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
          ...['-subj', '/O=devs/CN=ann', '-keyout', world.path('key.pem')],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      ).toString('base64');
      const manifest = (name: string) => `apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: { name: ${name} }
spec:
  request: ${request}
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages: [client auth]
`;
      const [good, bad] = [`${world.namespace}-good`, `${world.namespace}-bad`];
      await world.run(['apply', '-f', '-'], `${manifest(good)}---\n${manifest(bad)}`);
      const rows = rowsOf(await world.run(['get', 'csr', good]));
      expect(rows[0]).toEqual(['NAME', 'AGE', 'SIGNERNAME', 'REQUESTOR', 'REQUESTEDDURATION', 'CONDITION']);
      expect(rows[1]?.slice(2)).toEqual(['kubernetes.io/kube-apiserver-client', 'kubernetes-admin', '24h', 'Pending']);
      expect(await world.run(['certificate', 'approve', good])).toBe(
        `certificatesigningrequest.certificates.k8s.io/${good} approved\n`,
      );
      expect(await world.run(['certificate', 'deny', bad])).toBe(
        `certificatesigningrequest.certificates.k8s.io/${bad} denied\n`,
      );
      expect(rowsOf(await world.run(['get', 'csr', good]))[1]?.at(-1)).toMatch(/^Approved/);
      expect(rowsOf(await world.run(['get', 'csr', bad]))[1]?.at(-1)).toBe('Denied');
      expect(await world.run(['describe', 'csr', good])).toMatch(/Common Name: +ann/);
    });

    test('[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info [Conformance]', async () => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out.
      const text = (await world.run(['cluster-info'])).replace(/\u001b\[[0-9;]*m/g, '');
      expect(text).toContain(`Kubernetes control plane is running at ${world.lab.controlPlane.url}`);
    });

    test('cluster-info dump writes what there is, a file a kind, and the logs', async () => {
      const folder = world.path('dump');
      await world.run(['wait', 'pod/worker', '--for=condition=Ready', '--timeout=60s']);
      const flags = [`--output-directory=${folder}`, `--namespaces=${world.namespace}`];
      expect(await world.run(['cluster-info', 'dump', ...flags])).toBe(`Cluster info dumped to ${folder}\n`);
      expect(readdirSync(folder).sort()).toEqual([world.namespace, 'nodes.json'].sort());
      expect(readdirSync(join(folder, world.namespace)).sort()).toEqual([
        ...['daemonsets.json', 'deployments.json', 'events.json', 'pods.json', 'replicasets.json'],
        ...['replication-controllers.json', 'services.json', 'worker'],
      ]);
      const pods = JSON.parse(readFileSync(join(folder, world.namespace, 'pods.json'), 'utf8')) as {
        items: { metadata: { name: string } }[];
      };
      expect(pods.items.map((pod) => pod.metadata.name)).toEqual(['worker']);
    });

    test('top shows what the node, the pod and its containers use', async () => {
      const top = (...args: string[]) =>
        eventually('metrics', async () => {
          const { code, stdout } = await world.attempt(['top', ...args]);
          return code === 0 && stdout;
        });
      const [heading = '', ...nodes] = (await top('node')).split('\n');
      expect(heading).toMatch(/^NAME +CPU\(cores\) +CPU(\(%\)|%) +MEMORY\(bytes\) +MEMORY(\(%\)|%) *$/);
      expect(nodes.find((row) => row.startsWith('m1 '))).toMatch(/^m1 +[1-9]\d*m +\d+% +\d+Mi +\d+% *$/);
      expect(await top('pod')).toMatch(/^worker +[1-9]\d*m +\d+Mi *$/m);
      const containers = await eventually(
        'the busy container at work, within its limit',
        async () => {
          const text = await world.run(['top', 'pod', 'worker', '--containers']);
          const cores = Number(/^worker +busy +(\d+)m/m.exec(text)?.[1] ?? 0);
          return cores > 50 && cores < 200 ? text : undefined;
        },
        { timeoutMs: 30_000 },
      );
      expect(containers).toMatch(/^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) *$/m);
      expect(containers).toMatch(/^worker +idle +\d+m +\d+Mi *$/m);
      await world.run(['delete', 'pod', 'worker']);
    });

    test('cordon, uncordon and taint say what they do, and do it once', async () => {
      expect(await world.run(['cordon', node])).toBe(`node/${node} cordoned\n`);
      expect(await world.run(['cordon', node])).toBe(`node/${node} already cordoned\n`);
      expect(await world.field(`node/${node}`, '{.spec.unschedulable}')).toBe('true');
      expect((await world.run(['get', 'node', node])).split('\n')[1]).toMatch(/,SchedulingDisabled/);
      expect(await world.run(['uncordon', node])).toBe(`node/${node} uncordoned\n`);
      expect(await world.run(['uncordon', node])).toBe(`node/${node} already uncordoned\n`);
      expect(await world.run(['taint', 'nodes', node, 'dedicated=ann:NoSchedule'])).toBe(`node/${node} tainted\n`);
      expect((await world.attempt(['taint', 'nodes', node, 'dedicated=bob:NoSchedule'])).stderr).toBe(
        `error: node ${node} already has dedicated taint(s) with same effect(s) and --overwrite is false\n`,
      );
      expect(await world.run(['taint', 'nodes', node, 'dedicated=bob:NoSchedule', '--overwrite'])).toBe(
        `node/${node} modified\n`,
      );
      expect(await world.field(`node/${node}`, '{.spec.taints[?(@.key=="dedicated")].value}')).toBe('bob');
      expect(await world.run(['taint', 'nodes', node, 'dedicated-'])).toBe(`node/${node} untainted\n`);
    });

    test('drain asks the disruption budget, and says whose pods it leaves', async () => {
      await make({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'guarded', labels: { app: 'guarded' } },
        spec: { nodeName: node, containers: [{ name: 'main', image: 'busybox' }] },
      });
      const status = (phase: string) =>
        world.run(['patch', 'pod', 'guarded', '--subresource=status', '-p', JSON.stringify({ status: { phase } })]);
      await status('Running');
      await world.run(['create', 'pdb', 'guard', '--selector=app=guarded', '--min-available=1']);
      const alone = await world.attempt(['drain', node]);
      expect(alone.stderr).toContain(
        `cannot delete Pods that declare no controller (use --force to override): ${world.namespace}/guarded`,
      );
      const drain = ['drain', node, '--force', '--ignore-daemonsets', '--timeout=1s'];
      const refused = await world.attempt(drain);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
      await status('Succeeded');
      expect(await world.run(drain)).toContain(`node/${node} drained`);
      expect(await world.run(['get', 'pod', 'guarded', '--ignore-not-found'])).toBe('');
      await world.run(['delete', 'node', node]);
    });
  },
};
