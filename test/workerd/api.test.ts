/** The API over HTTP, inside workerd, with the Cluster object evicted between steps. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigMap, Pod } from '../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { joinClaims, minionClaims, serviceAccountClaims } from '../../worker/http/tokens.ts';
import { TestApi, tokenOf } from './support/api.ts';

const configMap = (name: string, data: Record<string, string> = { key: 'value' }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const pod = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx' }], ...more },
});
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';

describe('a cluster', () => {
  const api = new TestApi('life');

  test('has its namespaces and services from the first request on, and over evictions', async () => {
    const names = async () =>
      (await api.json<KubeList<KubeObject>>('GET', '/api/v1/namespaces')).items.map((each) => each.metadata.name);
    expect(await names()).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system']);
    await api.evict();
    expect(await names()).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system']);
    const dns = await api.json<{ spec: { clusterIP: string } }>(
      'GET',
      '/api/v1/namespaces/kube-system/services/kube-dns',
    );
    expect(dns.spec.clusterIP).toBe('10.96.0.10');
  });

  test('keeps an object through create, update, patch and delete', async () => {
    const created = await api.json<ConfigMap>('POST', CONFIG_MAPS, { body: configMap('a') });
    expect(created.metadata).toMatchObject({
      name: 'a',
      namespace: 'default',
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    await api.evict();
    const read = await api.json<ConfigMap>('GET', `${CONFIG_MAPS}/a`);
    expect(read).toEqual(created);
    const put = await api.json<ConfigMap>('PUT', `${CONFIG_MAPS}/a`, { body: { ...read, data: { key: 'other' } } });
    expect(Number(put.metadata.resourceVersion)).toBeGreaterThan(Number(read.metadata.resourceVersion));
    await api.evict();
    const patched = await api.json<ConfigMap>('PATCH', `${CONFIG_MAPS}/a`, {
      body: { data: { more: 'x', key: null } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(patched.data).toEqual({ more: 'x' });
    const again = await api.json<ConfigMap>('PATCH', `${CONFIG_MAPS}/a`, {
      body: { data: { more: 'x' } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    });
    expect(again.metadata.resourceVersion).toBe(patched.metadata.resourceVersion);
    await api.evict();
    const gone = await api.json<{ status: string; details: object }>('DELETE', `${CONFIG_MAPS}/a`);
    expect(gone).toMatchObject({
      status: 'Success',
      details: { name: 'a', kind: 'configmaps', uid: created.metadata.uid },
    });
    expect(await api.code('GET', `${CONFIG_MAPS}/a`)).toBe(404);
  });

  test('dry runs leave nothing', async () => {
    const dry = await api.json<ConfigMap>('POST', `${CONFIG_MAPS}?dryRun=All`, { body: configMap('dry') });
    expect(dry.metadata.uid).not.toBe('');
    expect(dry.metadata.resourceVersion).toBeUndefined();
    expect(await api.code('GET', `${CONFIG_MAPS}/dry`)).toBe(404);
  });

  test('answers every request with an Audit-ID, the given one if there is one', async () => {
    const answer = await api.fetch('GET', '/version', { headers: { 'audit-id': 'mine' } });
    expect(answer.headers.get('audit-id')).toBe('mine');
    expect(answer.headers.get('x-kubernetes-pf-flowschema-uid')).toMatch(/^[0-9a-f-]{36}$/);
    await answer.text();
    const other = await api.fetch('GET', CONFIG_MAPS);
    await other.text();
    expect(other.headers.get('audit-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('lists in pages that all show the first one’s moment', async () => {
    for (const name of ['p1', 'p2', 'p3']) await api.json('POST', CONFIG_MAPS, { body: configMap(name) });
    const first = await api.json<KubeList<ConfigMap>>('GET', `${CONFIG_MAPS}?limit=2`);
    expect(first.metadata.remainingItemCount).toBe(
      1 + first.items.filter((each) => !each.metadata.name.startsWith('p')).length,
    );
    await api.json('POST', CONFIG_MAPS, { body: configMap('p9') });
    await api.evict();
    const second = await api.json<KubeList<ConfigMap>>(
      'GET',
      `${CONFIG_MAPS}?limit=9&continue=${first.metadata.continue}`,
    );
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const names = [...first.items, ...second.items]
      .map((each) => each.metadata.name)
      .filter((name) => name.startsWith('p'));
    expect(names).toEqual(['p1', 'p2', 'p3']);
  });

  test('shows tables and bare metadata to who asks for them', async () => {
    await api.json('POST', PODS, { body: pod('shown') });
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = await api.json<{
      kind: string;
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[]; object: KubeObject }[];
    }>('GET', `${PODS}/shown`, { headers: { accept } });
    expect(table.kind).toBe('Table');
    expect(table.columnDefinitions.slice(0, 3).map((each) => each.name)).toEqual(['Name', 'Ready', 'Status']);
    expect(table.rows[0]?.cells.slice(0, 3)).toEqual(['shown', '0/1', 'Pending']);
    expect(table.rows[0]?.object.kind).toBe('PartialObjectMetadata');
    const metadata = await api.json<KubeList<KubeObject>>('GET', PODS, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    expect(metadata.kind).toBe('PartialObjectMetadataList');
    expect(Object.keys(metadata.items[0] ?? {})).toEqual(['kind', 'apiVersion', 'metadata']);
  });

  test('does not serve itself over plain HTTP', async () => {
    const token = await tokenOf({ subject: 'x', groups: ['system:masters'], cluster: 'life', lifetimeSeconds: 60 });
    const { exports } = await import('cloudflare:workers');
    const answer = await (exports as { default: Fetcher }).default.fetch(
      'http://api.test/clusters/life/api/v1/namespaces',
      {
        headers: { authorization: `Bearer ${token}` },
      },
    );
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('Client sent an HTTP request to an HTTPS server.');
  });
});

describe('a watch', () => {
  const api = new TestApi('watch');

  interface Event {
    type: string;
    object: KubeObject;
  }

  /** The next events of a stream; blank lines are keep-alive. */
  function reader(response: Response) {
    const lines: string[] = [];
    let rest = '';
    const stream = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    return {
      async next(): Promise<Event> {
        while (lines.length === 0) {
          const { done, value } = (await stream?.read()) ?? { done: true, value: '' };
          if (done) throw new Error('the watch ended');
          rest += value;
          const parts = rest.split('\n');
          rest = parts.pop() ?? '';
          lines.push(...parts.filter((line) => line !== ''));
        }
        return JSON.parse(lines.shift() ?? '') as Event;
      },
      cancel: () => stream?.cancel(),
    };
  }

  test('begins with what there is, goes on with what happens, and sleeps through evictions', async () => {
    await api.json('POST', CONFIG_MAPS, { body: configMap('before') });
    const response = await api.fetch('GET', `${CONFIG_MAPS}?watch=true&fieldSelector=metadata.name!=kube-root-ca.crt`);
    expect(response.headers.get('content-type')).toBe('application/json');
    const events = reader(response);
    expect(await events.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'before' } } });
    await api.evict();
    await api.json('POST', CONFIG_MAPS, { body: configMap('after') });
    expect(await events.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'after' } } });
    await api.evict();
    await api.json('DELETE', `${CONFIG_MAPS}/before`);
    expect(await events.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'before' } } });
    await events.cancel();
  });

  test('turns what begins or ceases to match its selector into ADDED and DELETED', async () => {
    const list = await api.json<KubeList<Pod>>('GET', PODS);
    const from = list.metadata.resourceVersion;
    const events = reader(
      await api.fetch('GET', `${PODS}?watch=1&labelSelector=app%3Dweb,tier&resourceVersion=${from}`),
    );
    await api.json('POST', PODS, { body: pod('labelled') });
    const label = (tier: string | null) =>
      api.json('PATCH', `${PODS}/labelled`, {
        body: { metadata: { labels: { tier } } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await label('front');
    expect(await events.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'labelled' } } });
    await label('back');
    expect(await events.next()).toMatchObject({ type: 'MODIFIED', object: { metadata: { labels: { tier: 'back' } } } });
    await label(null);
    expect(await events.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'labelled' } } });
    await events.cancel();
  });

  test('ends the initial events with a bookmark that says so', async () => {
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const events = reader(await api.fetch('GET', `/api/v1/namespaces?${query}`));
    for (let count = 0; count < 4; count++) expect((await events.next()).type).toBe('ADDED');
    const mark = await events.next();
    expect(mark).toMatchObject({
      type: 'BOOKMARK',
      object: {
        kind: 'Namespace',
        apiVersion: 'v1',
        metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } },
      },
    });
    expect(Number(mark.object.metadata.resourceVersion)).toBeGreaterThan(0);
    await events.cancel();
  });

  test('tells a table’s columns once', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const events = reader(await api.fetch('GET', '/api/v1/namespaces?watch=1', { headers: { accept } }));
    const columns = async () => (await events.next()).object as unknown as { kind: string; columnDefinitions: unknown };
    expect(await columns()).toMatchObject({ kind: 'Table', columnDefinitions: expect.arrayContaining([]) });
    expect((await columns()).columnDefinitions).toBeNull();
    await events.cancel();
  });

  test('ends when its time is over', async () => {
    const response = await api.fetch('GET', `${CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion=0`);
    expect(await response.text()).toContain('"type":"ADDED"');
  });

  test.each([
    [
      'sendInitialEvents=true',
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      'resourceVersionMatch=NotOlderThan',
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
  ])('refuses %s', async (query, why) => {
    const status = await api.refusal('GET', `${CONFIG_MAPS}?watch=1&${query}`);
    expect(status).toMatchObject({
      http: 422,
      reason: 'Invalid',
      message: `ListOptions.meta.k8s.io "" is invalid: ${why}`,
    });
  });
});

describe('who may', () => {
  const api = new TestApi('may');
  let minion: string;
  beforeAll(async () => {
    minion = await tokenOf(minionClaims('may', 'm1', 'machine-1'));
  });

  test('anonymous gets health and version, and nothing else', async () => {
    for (const path of ['/version', '/healthz', '/livez/ping', '/readyz?verbose']) {
      expect(await api.code('GET', path, { token: undefined }), path).toBe(200);
    }
    for (const path of ['/api', '/apis', '/openapi/v3', '/metrics', '/v3/kv/range', '/longshore/link']) {
      expect(await api.code('GET', path, { token: undefined }), path).toBe(403);
    }
    expect(await api.refusal('GET', PODS, { token: undefined })).toMatchObject({
      http: 403,
      message:
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"',
      details: { kind: 'pods' },
    });
  });

  test.each<[string, () => Promise<string> | string]>([
    ['no token at all', () => 'nonsense'],
    ['a token of another cluster', () => tokenOf(minionClaims('other', 'm1', 'x'))],
    ['an expired one', () => tokenOf(minionClaims('may', 'm1', 'x', 60), Date.now() - 3_600_000)],
    ['one that begins tomorrow', () => tokenOf(minionClaims('may', 'm1', 'x'), Date.now() + 86_400_000)],
    [
      'one whose claims were changed',
      async () => {
        const [head, , signature] = (await tokenOf(minionClaims('may', 'm1', 'x'))).split('.');
        const claims = btoa(
          JSON.stringify({
            sub: 'admin',
            'longshore.dev/groups': ['system:masters'],
            'longshore.dev/cluster': 'may',
            exp: 9e9,
          }),
        );
        return `${head}.${claims.replaceAll('=', '')}.${signature}`;
      },
    ],
    ['an unsigned one', () => `${btoa('{"alg":"none"}')}.${btoa('{"sub":"admin"}')}.`],
    [
      'one of a service account that does not exist',
      () =>
        tokenOf(
          serviceAccountClaims('may', { namespace: 'default', serviceaccount: { name: 'ghost', uid: 'x' } }, 600),
        ),
    ],
  ])('refuses %s', async (_what, token) => {
    const status = await api.refusal('GET', '/api/v1/namespaces', { token: await token() });
    expect(status).toMatchObject({ http: 401, reason: 'Unauthorized', message: 'Unauthorized' });
  });

  test('a join token opens the join and nothing else; a node’s name stays with its machine', async () => {
    const token = await tokenOf(joinClaims('may', 'abc'));
    expect((await api.refusal('GET', '/api/v1/nodes', { token })).http).toBe(403);
    const { token: joined } = await api.json<{ token: string }>('POST', '/longshore/join', {
      token,
      body: { node: 'm1', machineId: 'machine-1' },
    });
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'm1' }, spec: {} };
    await api.json('POST', '/api/v1/nodes', { token: joined, body: node });
    await api.json('PATCH', '/api/v1/nodes/m1/status', {
      token: joined,
      body: { status: { nodeInfo: { machineID: 'machine-1' } } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await api.json('POST', '/longshore/join', { token, body: { node: 'm1', machineId: 'machine-1' } });
    expect(
      await api.refusal('POST', '/longshore/join', { token, body: { node: 'm1', machineId: 'machine-2' } }),
    ).toMatchObject({
      http: 409,
      reason: 'AlreadyExists',
    });
  });

  test('a minion writes its own node and no other', async () => {
    const other = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'm2' }, spec: {} };
    expect(await api.refusal('POST', '/api/v1/nodes', { token: minion, body: other })).toMatchObject({ http: 403 });
    await api.json('POST', '/api/v1/nodes', { body: other });
    expect((await api.refusal('PATCH', '/api/v1/nodes/m2/status', { token: minion, body: {} })).http).toBe(403);
    expect((await api.refusal('DELETE', '/api/v1/nodes/m2', { token: minion })).http).toBe(403);
  });

  test('a minion writes the status of its own pods, and reads only the secrets that they use', async () => {
    const secret = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { a: 'b' } });
    await api.json('POST', '/api/v1/namespaces/default/secrets', { body: secret('used') });
    await api.json('POST', '/api/v1/namespaces/default/secrets', { body: secret('other') });
    const volumes = [{ name: 's', secret: { secretName: 'used' } }];
    await api.json('POST', PODS, { body: pod('mine', { nodeName: 'm1', volumes }) });
    await api.json('POST', PODS, { body: pod('theirs', { nodeName: 'm2' }) });
    const status = (name: string) => ({
      token: minion,
      body: { status: { phase: 'Running' } },
      headers: { 'content-type': 'application/merge-patch+json' },
      path: `${PODS}/${name}/status`,
    });
    const mine = status('mine');
    expect(await api.json<Pod>('PATCH', mine.path, mine)).toMatchObject({ status: { phase: 'Running' } });
    const theirs = status('theirs');
    expect((await api.refusal('PATCH', theirs.path, theirs)).http).toBe(403);
    await api.json('GET', '/api/v1/namespaces/default/secrets/used', { token: minion });
    expect(await api.refusal('GET', '/api/v1/namespaces/default/secrets/other', { token: minion })).toMatchObject({
      http: 403,
      message:
        'secrets "other" is forbidden: User "system:node:m1" cannot get resource "secrets" in API group "" in the namespace "default"',
    });
    expect((await api.refusal('GET', '/api/v1/secrets', { token: minion })).http).toBe(403);
  });

  test('a service account’s token is minted, reviewed, and ends with its account', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await api.json('POST', accounts, {
      body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
    });
    const { status } = await api.json<{ status: { token: string } }>('POST', `${accounts}/robot/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } },
    });
    const review = () =>
      api.json<{ status: { authenticated: boolean; user: { username: string } } }>(
        'POST',
        '/apis/authentication.k8s.io/v1/tokenreviews',
        {
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: status.token } },
        },
      );
    expect((await review()).status).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:default:robot' },
    });
    expect((await api.refusal('GET', PODS, { token: status.token })).message).toBe(
      'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    await api.evict();
    await api.json('DELETE', `${accounts}/robot`);
    expect((await review()).status).toMatchObject({ authenticated: false });
    expect((await api.refusal('GET', PODS, { token: status.token })).http).toBe(401);
  });

  test('can-i answers as the authorizer would decide', async () => {
    const ask = (token: string | undefined, resource: string) =>
      api.json<{ status: { allowed: boolean } }>('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        ...(token === undefined ? {} : { token }),
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes: { verb: 'delete', resource, namespace: 'default' } },
        },
      });
    expect((await ask(undefined, 'pods')).status.allowed).toBe(true);
    expect((await ask(minion, 'secrets')).status.allowed).toBe(false);
  });
});

test('a kind on its way out says so with every answer, and what takes its place', async () => {
  const api = new TestApi('deprecated');
  for (const path of ['endpoints', 'endpoints/kubernetes', 'endpoints?watch=1&timeoutSeconds=1']) {
    const answer = await api.fetch('GET', `/api/v1/namespaces/default/${path}`);
    await answer.text();
    expect(answer.headers.get('warning'), path).toBe(
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
  }
});
