/** Who asks, inside workerd: every kind of token, acting as others, and what a refused token costs. */
import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import { minionClaims } from '../../worker/http/tokens.ts';
import { bindings, HOST, TestApi, tokenOf } from './support/api.ts';

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const PODS = '/api/v1/namespaces/default/pods';
const WHOAMI = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

interface WhoAmI {
  status: { userInfo: { username: string; uid?: string; groups: string[]; extra?: Record<string, string[]> } };
}
const whoAmI = async (api: TestApi, ask: { token?: string; headers?: Record<string, string> } = {}) =>
  (await api.json<WhoAmI>('POST', WHOAMI, { ...ask, body: review })).status.userInfo;

const account = (name: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
async function requestToken(api: TestApi, name: string, spec: object = {}): Promise<string> {
  const answer = await api.json<{ status: { token: string } }>('POST', `${ACCOUNTS}/${name}/token`, {
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  });
  return answer.status.token;
}

test.each([
  ['a forged one', 'abc.def.ghi'],
  ['one for another cluster', undefined],
])('%s is refused, and wakes no object', async (_what, given) => {
  const api = new TestApi(`never-${_what.replaceAll(' ', '-')}`);
  const token = given ?? (await tokenOf({ subject: 'x', groups: [], cluster: 'other', lifetimeSeconds: 60 }));
  expect(await api.refusal('GET', PODS, { token })).toMatchObject({ http: 401, message: 'Unauthorized' });
  const made = (await listDurableObjectIds(bindings.CLUSTER)).map(String);
  expect(made).not.toContain(String(bindings.CLUSTER.idFromName(api.cluster)));
});

test('a guessed bootstrap token makes no cluster', async () => {
  const api = new TestApi('never-bootstrapped');
  expect(await api.code('GET', PODS, { token: 'abcdef.0123456789abcdef' })).toBe(401);
  const object = bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster));
  const tables = await runInDurableObject(object, (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'objects'").toArray(),
  );
  expect(tables).toEqual([]);
});

describe('a cluster as issuer', () => {
  const api = new TestApi('issuer');

  test('publishes what verifies its service accounts’ tokens', async () => {
    const document = await api.json<Record<string, string>>('GET', '/.well-known/openid-configuration', {
      token: undefined,
    });
    expect(document).toMatchObject({
      issuer: `${HOST}/clusters/issuer`,
      id_token_signing_alg_values_supported: ['ES256'],
    });
    const path = (document.jwks_uri ?? '').slice(api.base.length);
    const keys = await api.json<JSONWebKeySet>('GET', path, { token: undefined });
    await api.json('POST', ACCOUNTS, { body: account('robot') });
    const token = await requestToken(api, 'robot', { audiences: ['vault'] });
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      issuer: document.issuer ?? '',
      audience: 'vault',
    });
    expect(payload).toMatchObject({
      sub: 'system:serviceaccount:default:robot',
      'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'robot' } },
    });
    expect(Object.keys(keys.keys[0] ?? {})).not.toContain('d');
  });

  test('a token for others does not open the API, but a review with their audience knows it', async () => {
    const token = await requestToken(api, 'robot', { audiences: ['vault'] });
    expect((await api.refusal('GET', PODS, { token })).http).toBe(401);
    const ask = async (audiences: string[]) =>
      (
        await api.json<{ status: object }>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
        })
      ).status;
    expect(await ask(['vault', 'other'])).toMatchObject({ authenticated: true, audiences: ['vault'] });
    expect(await ask([])).toMatchObject({ authenticated: false });
  });

  test('a bound token tells its pod and node, and ends with the pod', async () => {
    await api.json('POST', '/api/v1/nodes', { body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'm1' } } });
    const spec = { nodeName: 'm1', serviceAccountName: 'robot', containers: [{ name: 'main', image: 'nginx' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bound' }, spec };
    const { metadata } = await api.json<{ metadata: { uid: string } }>('POST', PODS, { body: pod });
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'bound', uid: metadata.uid };
    const token = await requestToken(api, 'robot', { boundObjectRef });
    expect(decodeJwt(token)['kubernetes.io']).toMatchObject({ pod: { uid: metadata.uid }, node: { name: 'm1' } });
    const { extra } = await whoAmI(api, { token });
    expect(extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': ['bound'],
      'authentication.kubernetes.io/node-name': ['m1'],
    });
    const wrong = { boundObjectRef: { ...boundObjectRef, uid: 'other' } };
    await expect(requestToken(api, 'robot', wrong)).rejects.toThrow('409');
    await api.evict();
    await api.json('DELETE', `${PODS}/bound?gracePeriodSeconds=0`);
    expect((await api.refusal('POST', WHOAMI, { token, body: review })).http).toBe(401);
    // What goes past REST judges the token too.
    expect((await api.refusal('GET', `${PODS}/bound/log`, { token })).http).toBe(401);
  });

  test('the token that a pod gets without asking is good for a year, as long as the pod is there', async () => {
    const spec = { serviceAccountName: 'robot', containers: [{ name: 'main', image: 'nginx' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'mounted' }, spec };
    const made = await api.json<Pod>('POST', PODS, { body: pod });
    const source = made.spec.volumes?.[0]?.projected?.sources?.[0]?.serviceAccountToken;
    const { expirationSeconds } = source ?? {};
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'mounted', uid: made.metadata.uid };
    const secondsOf = (token: string) => {
      const { exp = 0, iat = 0 } = decodeJwt(token);
      return exp - iat;
    };
    const token = await requestToken(api, 'robot', { expirationSeconds, boundObjectRef });
    expect(secondsOf(token)).toBe(365 * 24 * 3600);
    expect((await whoAmI(api, { token })).username).toBe('system:serviceaccount:default:robot');
    // Nobody else gets more than was asked for.
    expect(secondsOf(await requestToken(api, 'robot', { expirationSeconds }))).toBe(3607);
    expect(secondsOf(await requestToken(api, 'robot', { expirationSeconds: 3600, boundObjectRef }))).toBe(3600);
    const forVault = { expirationSeconds, boundObjectRef, audiences: ['vault'] };
    expect(secondsOf(await requestToken(api, 'robot', forVault))).toBe(3607);
    await api.json('DELETE', `${PODS}/mounted?gracePeriodSeconds=0`);
    expect((await api.refusal('POST', WHOAMI, { token, body: review })).http).toBe(401);
  });

  test('a minion gets tokens of its own pods, and no others', async () => {
    const pod = (name: string, nodeName: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { nodeName, serviceAccountName: 'robot', containers: [{ name: 'main', image: 'nginx' }] },
    });
    const mine = await api.json<Pod>('POST', PODS, { body: pod('mine', 'm1') });
    const theirs = await api.json<Pod>('POST', PODS, { body: pod('theirs', 'm2') });
    const token = await tokenOf(minionClaims(api.cluster, 'm1', 'machine'));
    const boundTo = ({ metadata }: Pod) => ({ apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid });
    const ask = (boundObjectRef?: object) => ({
      token,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef } },
    });
    const refusal = async (boundObjectRef?: object) =>
      (await api.refusal('POST', `${ACCOUNTS}/robot/token`, ask(boundObjectRef))).message;
    const refused = 'serviceaccounts "robot" is forbidden: node requested token';
    expect(await api.code('POST', `${ACCOUNTS}/robot/token`, ask(boundTo(mine)))).toBe(201);
    expect(await refusal()).toBe(`${refused} not bound to a pod`);
    expect(await refusal({ ...boundTo(mine), uid: undefined })).toBe(`${refused} with a pod binding without a uid`);
    expect(await refusal(boundTo(theirs))).toBe(`${refused} bound to a pod scheduled on a different node`);
  });

  test('a token bound to a secret ends with the secret', async () => {
    const secrets = '/api/v1/namespaces/default/secrets';
    await api.json('POST', secrets, { body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' } } });
    const token = await requestToken(api, 'robot', {
      boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'key' },
    });
    expect((await whoAmI(api, { token })).username).toBe('system:serviceaccount:default:robot');
    await api.json('DELETE', `${secrets}/key`);
    expect((await api.refusal('POST', WHOAMI, { token, body: review })).http).toBe(401);
  });
});

describe('a bootstrap token', () => {
  const api = new TestApi('bootstrap');
  const token = 'abcdef.0123456789abcdef';
  const make = (more: Record<string, string> = {}) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
      ...more,
    },
  });
  const path = '/api/v1/namespaces/kube-system/secrets';

  test('is who its Secret says, until the Secret goes', async () => {
    await api.json('POST', path, { body: make() });
    expect(await whoAmI(api, { token })).toEqual({
      username: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers:workers', 'system:bootstrappers', 'system:authenticated'],
    });
    expect((await api.refusal('POST', WHOAMI, { token: 'abcdef.0123456789abcdee', body: review })).http).toBe(401);
    await api.json('DELETE', `${path}/bootstrap-token-abcdef`);
    expect((await api.refusal('POST', WHOAMI, { token, body: review })).http).toBe(401);
  });

  test.each<[string, Record<string, string>]>([
    ['has ended', { expiration: '2020-01-01T00:00:00Z' }],
    ['is not for authentication', { 'usage-bootstrap-authentication': 'false' }],
    ['gives groups that are not its to give', { 'auth-extra-groups': 'system:masters' }],
  ])('is nobody’s when it %s', async (_what, more) => {
    await api.json('POST', path, { body: make(more) });
    expect((await api.refusal('POST', WHOAMI, { token, body: review })).http).toBe(401);
    await api.json('DELETE', `${path}/bootstrap-token-abcdef`);
  });

  test('guessing it ends after a few tries', async () => {
    await api.json('POST', path, { body: make() });
    for (let guess = 0; guess < 20; guess++) {
      const wrong = `abcdef.${String(guess).padStart(16, '0')}`;
      expect(await api.code('GET', PODS, { token: wrong })).toBe(401);
    }
    expect(await api.code('POST', WHOAMI, { token, body: review })).toBe(401);
  });
});

describe('impersonation', () => {
  const api = new TestApi('impersonation');

  test('an admin acts as anybody', async () => {
    const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'devs', 'impersonate-extra-reason': 'test' };
    expect(await whoAmI(api, { headers })).toEqual({
      username: 'bob',
      groups: ['devs', 'system:authenticated'],
      extra: { reason: ['test'] },
    });
    expect(await api.refusal('GET', PODS, { headers })).toMatchObject({
      http: 403,
      message: 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
    });
    expect((await api.refusal('GET', `${PODS}/x/log`, { headers })).http).toBe(403);
    const anonymous = { 'impersonate-user': 'system:anonymous' };
    expect((await api.refusal('GET', PODS, { headers: anonymous })).message).toContain('User "system:anonymous"');
  });

  test('others need the right for each part', async () => {
    await api.json('POST', ACCOUNTS, { body: account('robot') });
    const token = await requestToken(api, 'robot');
    const headers = { 'impersonate-user': 'bob' };
    expect((await api.refusal('POST', WHOAMI, { token, headers, body: review })).message).toBe(
      'users "bob" is forbidden: User "system:serviceaccount:default:robot" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await api.json('POST', `${rbac}/clusterroles`, {
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'as-bob' },
        rules: [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['bob'] }],
      },
    });
    await api.json('POST', `${rbac}/clusterrolebindings`, {
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'as-bob' },
        roleRef: { kind: 'ClusterRole', name: 'as-bob' },
        subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }],
      },
    });
    expect((await whoAmI(api, { token, headers })).username).toBe('bob');
    const more = { ...headers, 'impersonate-group': 'system:masters' };
    expect((await api.refusal('POST', WHOAMI, { token, headers: more, body: review })).message).toContain(
      'groups "system:masters" is forbidden',
    );
  });

  test('anonymous acts as nobody, and a group alone is no user', async () => {
    const headers = { 'impersonate-user': 'bob' };
    expect((await api.refusal('GET', PODS, { token: undefined, headers })).message).toContain(
      'User "system:anonymous" cannot impersonate resource "users"',
    );
    expect((await api.refusal('GET', PODS, { headers: { 'impersonate-group': 'devs' } })).http).toBe(500);
  });
});

test('changing what is not there takes the right to create it', async () => {
  const api = new TestApi('create-right');
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const grant = async (name: string, verbs: string[]) => {
    const rules = [{ verbs, apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'leases'] }];
    await api.json('POST', `${rbac}/roles`, { body: { apiVersion, kind: 'Role', metadata: { name }, rules } });
    const subjects = [{ kind: 'User', name: 'bob' }];
    const body = { apiVersion, kind: 'RoleBinding', metadata: { name }, subjects, roleRef: { kind: 'Role', name } };
    await api.json('POST', `${rbac}/rolebindings`, { body });
  };
  await grant('changer', ['patch', 'update']);
  const asBob = { 'impersonate-user': 'bob' };
  const apply = {
    headers: { ...asBob, 'content-type': 'application/apply-patch+yaml' },
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' }, data: { a: 'b' } },
  };
  const path = '/api/v1/namespaces/default/configmaps/made';
  expect(await api.refusal('PATCH', `${path}?fieldManager=bob`, apply)).toMatchObject({
    http: 403,
    message:
      'configmaps "made" is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"',
  });
  expect(await api.code('GET', path)).toBe(404);
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'made' }, spec: {} };
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases/made';
  expect((await api.refusal('PUT', leases, { headers: asBob, body: lease })).message).toContain('cannot create');
  await grant('maker', ['create']);
  expect(await api.code('PATCH', `${path}?fieldManager=bob`, apply)).toBe(201);
  expect(await api.code('PUT', leases, { headers: asBob, body: lease })).toBe(201);
});

test('SelfSubjectRulesReview lists the caller’s rules', async () => {
  const api = new TestApi('rules');
  const answer = await api.json<{
    status: { resourceRules: { resources: string[] }[]; nonResourceRules: object[]; incomplete: boolean };
  }>('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
    headers: { 'impersonate-user': 'bob' },
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace: 'default' },
    },
  });
  expect(answer.status.incomplete).toBe(false);
  expect(answer.status.resourceRules.map((each) => each.resources)).toEqual([
    ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    ['selfsubjectreviews'],
  ]);
  expect(answer.status.nonResourceRules).toHaveLength(2);
});
