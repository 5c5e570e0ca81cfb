/**
 * Three minions with engines of their own, two of them behind a NAT that nothing can dial into: pods talk over VXLAN where
 * it can reach, streams and public requests reach everywhere, and the loss of one minion is the loss of one minion.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, readyNodes, startLab } from '../support/lab.ts';

interface PodLike {
  metadata: { name: string; uid: string };
  spec: { nodeName?: string };
  status: { phase: string; podIP?: string; conditions?: { type: string; status: string }[] };
}

let lab: Lab;
let kubectl: Kubectl;

beforeAll(async () => {
  lab = await startLab({
    minions: [{ name: 'open' }, { name: 'inner-a', behind: 'nat' }, { name: 'inner-b', behind: 'nat' }],
  });
  const binary = findKubectls().at(-1);
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  kubectl = new Kubectl(binary, lab.kubeconfig);
});
afterAll(async () => {
  await lab?.dispose();
});

const everywhere = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
        - { key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
        - { key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
      containers:
        - name: httpd
          image: ${BUSYBOX}
          command: [sh, -c, 'hostname > /www/index.html; echo up; exec httpd -f -p 8080 -h /www']
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: LoadBalancer
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080 }]
`;

const pods = async (): Promise<PodLike[]> =>
  (await kubectl.json<{ items: PodLike[] }>(['get', 'pods', '-l', 'app=web'])).items;
const isReady = (pod: PodLike) =>
  pod.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
const exec = (pod: PodLike, ...command: string[]) => kubectl.run(['exec', pod.metadata.name, '--', ...command]);

/** Busybox's static wget cannot resolve names without shared libraries, and dies of it; nc needs none. */
const get = (from: PodLike, address: string, port = 8080) =>
  exec(from, 'sh', '-c', `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${address} ${port}`);

const LISTENED = 8099;
const DIAL = `
const socket = require('node:net').connect({ host: process.argv[1], port: ${LISTENED}, timeout: 2000 });
const say = (what) => { console.log(what); process.exit(0); };
socket.on('connect', () => say('connected')).on('timeout', () => say('nothing')).on('error', () => say('nothing'));`;

/** Whether a minion's host can open a connection to LISTENED at this address. */
const dial = async (from: string, address: string) =>
  (await lab.minion(from).host.exec(process.execPath, ['-e', DIAL, address])).trim();

function podOn(all: readonly PodLike[], node: string): PodLike {
  const pod = all.find((each) => each.spec.nodeName === node);
  if (pod === undefined) throw new Error(`no pod on ${node}: ${JSON.stringify(all.map((each) => each.spec.nodeName))}`);
  return pod;
}

describe('three minions, two behind a NAT', () => {
  test('each gets one pod of a Deployment of three', async () => {
    await kubectl.run(['apply', '-f', '-'], { input: everywhere });
    await kubectl.run(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    expect((await pods()).map((pod) => pod.spec.nodeName).sort()).toEqual(['inner-a', 'inner-b', 'open']);
  });

  test('nothing can dial in to a minion behind the NAT', async () => {
    const inner = lab.minion('inner-a').host;
    inner.spawn(process.execPath, ['-e', `require('node:net').createServer().listen(${LISTENED}, '0.0.0.0')`]);
    await eventually(
      'the neighbour behind the same NAT gets through',
      async () => (await dial('inner-b', inner.ip)) === 'connected',
    );
    expect(await dial('open', inner.ip)).toBe('nothing');
  });

  test('pods whose minions can reach each other talk over VXLAN, by address and by name', async () => {
    const all = await pods();
    const from = podOn(all, 'inner-a');
    const to = podOn(all, 'inner-b');
    expect(await get(from, to.status.podIP ?? '')).toContain(`\n${to.metadata.name}\n`);
    const clusterIP = await kubectl.run(['get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
    expect(await exec(from, 'nslookup', 'web.default.svc.cluster.local')).toContain(`Address: ${clusterIP}`);
    const forwarding = await lab.minion('inner-a').host.exec('bridge', ['fdb', 'show', 'dev', 'flannel.1']);
    expect(forwarding).toContain(lab.minion('inner-b').host.ip);
  });

  test('logs and exec reach all three', async () => {
    for (const pod of await pods()) {
      expect(await kubectl.run(['logs', pod.metadata.name])).toBe('up\n');
      expect(await exec(pod, 'hostname')).toBe(`${pod.metadata.name}\n`);
    }
  });

  test('the public URL reaches pods behind the NAT', async () => {
    const url = await kubectl.run(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.annotations.longshore\\.dev/url}']);
    const names = new Set<string>();
    await eventually('an answer of every pod', async () => {
      const answer = await lab.fetchPublic(url);
      expect(answer.status).toBe(200);
      names.add(answer.body.trim());
      return names.size === 3;
    });
  });

  test('a manifest file on a minion becomes a pod there, and goes with the file', async () => {
    const { manifestDir } = lab.minion('open').agent.config;
    const file = join(manifestDir, 'agentless.yaml');
    writeFileSync(
      file,
      `apiVersion: v1
kind: Pod
metadata: { name: agentless }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: '${BUSYBOX}', command: [sh, -c, 'echo from a file; exec sleep 100000'] }]
`,
    );
    const pod = () => kubectl.try(['get', 'pod', 'agentless-open', '-o', 'jsonpath={.status.phase}']);
    await eventually('the mirror of a running pod', async () => (await pod()).stdout === 'Running');
    expect(await kubectl.run(['logs', 'agentless-open'])).toBe('from a file\n');
    rmSync(file);
    await eventually('no mirror left', async () => (await pod()).stderr.includes('NotFound'));
  });

  test('a killed minion is found out, its pods move, the others go on', async () => {
    const before = await pods();
    const stays = podOn(before, 'inner-a');
    const url = await kubectl.run(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.annotations.longshore\\.dev/url}']);
    await lab.minion('inner-b').agent.kill();
    await eventually(
      'the minion NotReady',
      async () => !readyNodes((await lab.api('GET', '/api/v1/nodes')).body).includes('inner-b'),
      {
        timeoutMs: 60_000,
      },
    );
    await eventually(
      'three ready pods elsewhere',
      async () => (await pods()).filter((pod) => isReady(pod) && pod.spec.nodeName !== 'inner-b').length === 3,
      { timeoutMs: 60_000, describe: () => kubectl.run(['get', 'pods', '-o', 'wide']) },
    );
    expect((await pods()).find((pod) => pod.metadata.uid === stays.metadata.uid)).toBeDefined();
    for (let round = 0; round < 10; round++) expect((await lab.fetchPublic(url)).status).toBe(200);
  });

  test('a minion that comes back is Ready, and what had moved away is removed from it', async () => {
    await lab.minion('inner-b').restartAgent();
    await eventually(
      'three Ready minions',
      async () => readyNodes((await lab.api('GET', '/api/v1/nodes')).body).length === 3,
    );
    await eventually('no container of a moved pod', async () => {
      const here = (await pods()).filter((pod) => pod.spec.nodeName === 'inner-b').length;
      return (await lab.containers('inner-b', 'default')).length === here * 2;
    });
  });

  test('a minion that says goodbye is NotReady at once', async () => {
    await lab.minion('inner-b').agent.goodbye();
    await eventually(
      'the minion NotReady',
      async () => !readyNodes((await lab.api('GET', '/api/v1/nodes')).body).includes('inner-b'),
    );
    await lab.minion('inner-b').restartAgent();
    await eventually(
      'three Ready minions',
      async () => readyNodes((await lab.api('GET', '/api/v1/nodes')).body).length === 3,
    );
  });
});
