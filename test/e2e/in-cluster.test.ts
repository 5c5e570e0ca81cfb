/**
 * The API from inside: pods and the hosts of minions reach the Service default/kubernetes, behind a NAT too, and trust what
 * answers through the files mounted in them. The client is the official one, configured as in any pod.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';

const run = promisify(execFile);
const CLIENT = new URL('../support/in-cluster-process.ts', import.meta.url).pathname;

let lab: Lab;
let kubectl: Kubectl;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'open' }, { name: 'inner', behind: 'nat' }] });
  const binary = findKubectls().at(-1);
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  kubectl = new Kubectl(binary, lab.kubeconfig);
  await kubectl.run(['apply', '-f', '-'], { input: OBJECTS });
  try {
    await kubectl.run(['-n', 'inside', 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=40s']);
  } catch (error) {
    throw new Error(`${String(error)}\n${await kubectl.run(['-n', 'inside', 'describe', 'pods'])}`, { cause: error });
  }
});
afterAll(async () => {
  await lab?.dispose();
});

const pod = (name: string, nodeName: string, more = '') => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: inside }
spec:
  nodeName: ${nodeName}
  serviceAccountName: reader
  terminationGracePeriodSeconds: 0
  ${more}
  containers:
    - name: main
      image: ${BUSYBOX}
      command: [sleep, '3600']
      volumeMounts: [{ name: access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }]
  volumes:
    - name: access
      projected:
        sources:
          - serviceAccountToken: { expirationSeconds: 3607, path: token }
          - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
          - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
---`;

/** Nothing about a token in its manifest: what it finds was mounted for it. */
const plain = `
apiVersion: v1
kind: Pod
metadata: { name: plain, namespace: inside }
spec:
  nodeName: inner
  serviceAccountName: reader
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: ${BUSYBOX}, command: [sleep, '3600'] }]
---`;

const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: { name: inside }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: reader, namespace: inside }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader, namespace: inside }
rules:
  - { apiGroups: [''], resources: [pods], verbs: [get, list, watch] }
  - { apiGroups: [''], resources: [pods/exec], verbs: [get, create] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader, namespace: inside }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
subjects: [{ kind: ServiceAccount, name: reader, namespace: inside }]
---${pod('near', 'open')}${pod('far', 'inner')}${pod('bare', 'inner', 'hostNetwork: true')}${plain}
`;

interface Answer {
  ok?: unknown;
  code?: number;
  body?: string;
  message?: string;
}

/** What the client says that runs with this pod's network and files. */
async function inside(minion: string, name: string, ...task: string[]): Promise<Answer> {
  const { docker } = lab.minion(minion);
  const id = (
    await docker(
      ...['ps', '-q', '--filter', `label=io.kubernetes.pod.name=${name}`],
      ...['--filter', 'label=io.kubernetes.container.name=main'],
    )
  ).trim();
  const pid = (await docker('inspect', '-f', '{{.State.Pid}}', id)).trim();
  const { stdout } = await run(
    'nsenter',
    [
      `--net=/proc/${pid}/ns/net`,
      '--',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      CLIENT,
      pid,
      ...task,
    ],
    { timeout: 60_000 },
  );
  return JSON.parse(stdout) as Answer;
}

describe.each([
  ['a pod', 'open', 'near'],
  ['a pod behind a NAT', 'inner', 'far'],
  ['a pod that asks for no token', 'inner', 'plain'],
  ['a pod on the network of a host behind a NAT', 'inner', 'bare'],
])('%s', (_, minion, name) => {
  test('finds the API at the address of its Service', async () => {
    expect(await inside(minion, name, 'whoAmI')).toMatchObject({
      ok: { server: 'https://10.96.0.1:443', namespace: 'inside' },
    });
  });

  test('reads what its service account may read, and no more', async () => {
    expect(await inside(minion, name, 'pods')).toEqual({ ok: ['bare', 'far', 'near', 'plain'] });
    const refused = await inside(minion, name, 'secrets');
    expect(refused.code).toBe(403);
    expect(JSON.parse(refused.body ?? '')).toMatchObject({
      reason: 'Forbidden',
      message:
        'secrets is forbidden: User "system:serviceaccount:inside:reader" cannot list resource "secrets" in API group "" in the namespace "inside"',
    });
  });

  test('watches', async () => {
    expect(await inside(minion, name, 'watch', 'near')).toEqual({ ok: 'ADDED' });
  });

  test('opens a shell elsewhere over a WebSocket', async () => {
    expect(await inside(minion, name, 'exec', 'near', 'main')).toEqual({
      ok: { status: 'Success', output: 'near\n' },
    });
  });
});

test('the file that pods trust holds the minion’s authority and the cluster’s', async () => {
  const ca = await kubectl.run(
    ['-n', 'inside', 'exec', 'near', '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'],
    {},
  );
  expect(ca.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(ca).toContain(lab.controlPlane.ca);
});

test('the API goes on answering pods after the agent was started again', async () => {
  const minion = lab.minion('inner');
  await minion.agent.stop();
  await minion.restartAgent();
  await kubectl.run(['wait', '--for=condition=Ready', 'node/inner', '--timeout=60s']);
  await expect
    .poll(async () => (await inside('inner', 'far', 'pods')).ok, { timeout: 30_000 })
    .toEqual(['bare', 'far', 'near', 'plain']);
  expect(await inside('inner', 'plain', 'pods')).toEqual({ ok: ['bare', 'far', 'near', 'plain'] });
});
