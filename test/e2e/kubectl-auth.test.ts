/** Real kubectl and who may: roles, bindings, can-i, acting as others, tokens, certificates. Needs no minion. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

let plane: ControlPlane;
let folder: string;

beforeAll(async () => {
  plane = await startControlPlane();
  folder = mkdtempSync(join(tmpdir(), 'longshore-auth-'));
});
afterAll(async () => {
  await plane?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs of blanks are how kubectl lines its columns up. */
const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));

describe.each(findKubectls())('kubectl $version', (binary) => {
  let kubectl: Kubectl;
  const namespace = `auth-${binary.version.replace('.', '-')}`;
  const here = ['-n', namespace];
  const robot = `system:serviceaccount:${namespace}:robot`;

  beforeAll(async () => {
    kubectl = new Kubectl(binary, plane.kubeconfigPath);
    await kubectl.run(['create', 'namespace', namespace]);
    await kubectl.run([...here, 'create', 'serviceaccount', 'robot']);
  });

  test('create makes roles and bindings, and get shows them', async () => {
    const pods = ['--verb=get,list', '--resource=pods'];
    expect(await kubectl.run([...here, 'create', 'role', 'reader', ...pods])).toBe(
      'role.rbac.authorization.k8s.io/reader created\n',
    );
    const bound = ['--role=reader', `--serviceaccount=${namespace}:robot`, '--user=ann'];
    expect(await kubectl.run([...here, 'create', 'rolebinding', 'reader', ...bound])).toBe(
      'rolebinding.rbac.authorization.k8s.io/reader created\n',
    );
    const name = `${namespace}-reader`;
    expect(await kubectl.run(['create', 'clusterrole', name, ...pods])).toContain('created');
    const wide = [`--clusterrole=${name}`, '--group=ops'];
    expect(await kubectl.run(['create', 'clusterrolebinding', name, ...wide])).toContain('created');
    const [head, row] = rowsOf(await kubectl.run([...here, 'get', 'role']));
    expect(head).toEqual(['NAME', 'CREATED AT']);
    expect(row?.[0]).toBe('reader');
    expect(row?.[1]).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z$/);
    const table = rowsOf(await kubectl.run([...here, 'get', 'rolebinding', '-o', 'wide']));
    expect(table[0]).toEqual(['NAME', 'ROLE', 'AGE', 'USERS', 'GROUPS', 'SERVICEACCOUNTS']);
    expect(table[1]).toEqual(expect.arrayContaining(['reader', 'Role/reader', 'ann', `${namespace}/robot`]));
    expect(await kubectl.run([...here, 'describe', 'rolebinding', 'reader'])).toMatch(/ServiceAccount +robot/);
    expect(await kubectl.run([...here, 'set', 'subject', 'rolebinding', 'reader', '--user=bob'])).toContain(
      'subjects updated',
    );
  });

  test('auth can-i answers for oneself and for others', async () => {
    const can = (...args: string[]) => kubectl.try([...here, 'auth', 'can-i', ...args]);
    expect(await can('*', '*', '--all-namespaces')).toMatchObject({ code: 0, stdout: 'yes\n' });
    expect(await can('list', 'pods', `--as=${robot}`)).toMatchObject({ code: 0, stdout: 'yes\n' });
    expect(await can('delete', 'pods', `--as=${robot}`)).toMatchObject({ code: 1, stdout: 'no\n' });
    expect(await can('list', 'pods', '--as=eve', '--as-group=ops')).toMatchObject({ code: 0, stdout: 'yes\n' });
    expect(await can('get', '/healthz', '--as=eve')).toMatchObject({ code: 0, stdout: 'yes\n' });
    expect(await can('get', '/metrics', '--as=eve')).toMatchObject({ code: 1, stdout: 'no\n' });
    const list = (await can('--list', `--as=${robot}`)).stdout;
    expect(list).toMatch(/pods +\[\] +\[\] +\[get list\]/);
    expect(list).toMatch(/selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]/);
  });

  test('auth whoami says who one is, and whom one acts as', async () => {
    expect(await kubectl.run(['auth', 'whoami'])).toMatch(/Username +kubernetes-admin/);
    const other = await kubectl.run(['auth', 'whoami', '--as=ann', '--as-group=devs', '--as-uid=7']);
    expect(other).toMatch(/Username +ann/);
    expect(other).toMatch(/UID +7/);
    expect(other).toMatch(/Groups +\[devs system:authenticated\]/);
  });

  test('a created token opens what its account may, and nothing else', async () => {
    const token = (await kubectl.run([...here, 'create', 'token', 'robot', '--duration=15m'])).trim();
    // The kubeconfig has a token of its own, which would go before one that is given.
    const config = join(folder, `${namespace}.kubeconfig`);
    writeFileSync(config, readFileSync(plane.kubeconfigPath, 'utf8').replaceAll(plane.adminToken, token));
    const asRobot = new Kubectl(binary, config);
    expect(await asRobot.run(['auth', 'whoami'])).toContain(robot);
    expect(await asRobot.run([...here, 'get', 'pods'])).toBe('');
    const refused = await asRobot.try([...here, 'get', 'secrets']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toBe(
      `Error from server (Forbidden): secrets is forbidden: User "${robot}" cannot list resource "secrets" in API group "" in the namespace "${namespace}"\n`,
    );
  });

  test('auth reconcile makes what is missing, and knows when there is nothing to do', async () => {
    const file = join(folder, `${namespace}.yaml`);
    writeFileSync(
      file,
      `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reconciled, namespace: ${namespace} }
rules:
  - { apiGroups: [""], resources: [configmaps], verbs: [get] }
`,
    );
    expect(await kubectl.run(['auth', 'reconcile', '-f', file])).toContain('reconciled');
    const rules = await kubectl.json<{ rules: object[] }>([...here, 'get', 'role', 'reconciled']);
    expect(rules.rules).toEqual([{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }]);
    expect((await kubectl.try(['auth', 'reconcile', '-f', file])).code).toBe(0);
  });

  test('certificate approve and deny decide a request', async () => {
    const request = execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-subj',
        '/O=devs/CN=ann',
        '-keyout',
        join(folder, 'key.pem'),
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
    const [good, bad] = [`${namespace}-good`, `${namespace}-bad`];
    await kubectl.run(['apply', '-f', '-'], { input: `${manifest(good)}---\n${manifest(bad)}` });
    const rows = rowsOf(await kubectl.run(['get', 'csr', good]));
    expect(rows[0]).toEqual(['NAME', 'AGE', 'SIGNERNAME', 'REQUESTOR', 'REQUESTEDDURATION', 'CONDITION']);
    expect(rows[1]?.slice(2)).toEqual(['kubernetes.io/kube-apiserver-client', 'kubernetes-admin', '24h', 'Pending']);
    expect(await kubectl.run(['certificate', 'approve', good])).toBe(
      `certificatesigningrequest.certificates.k8s.io/${good} approved\n`,
    );
    expect(await kubectl.run(['certificate', 'deny', bad])).toContain('denied');
    expect(rowsOf(await kubectl.run(['get', 'csr', good]))[1]?.at(-1)).toBe('Approved');
    expect(rowsOf(await kubectl.run(['get', 'csr', bad]))[1]?.at(-1)).toBe('Denied');
    expect(await kubectl.run(['describe', 'csr', good])).toMatch(/Common Name: +ann/);
  });
});
