/** The etcd surface of a whole cluster: who may use it, and that it lives beside the API. What it answers is in `store/`. */

import { runDurableObjectAlarm } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { minionClaims } from '../../worker/http/tokens.ts';
import { bindings, TestApi, tokenOf } from './support/api.ts';

const put = (key: string, value: string, more: object = {}) => ({ key: btoa(key), value: btoa(value), ...more });
const kvsOf = async (api: TestApi, key: string): Promise<number> => {
  const { count } = await api.json<{ count?: string }>('POST', '/v3/kv/range', { body: { key: btoa(key) } });
  return Number(count ?? 0);
};

test('an administrator keeps configuration in it, over evictions', async () => {
  const api = new TestApi('etcd-admin');
  await api.json('POST', '/v3/kv/put', { body: put('config/a', 'value') });
  await api.evict();
  const { kvs } = await api.json<{ kvs: unknown }>('POST', '/v3/kv/range', { body: { key: btoa('config/a') } });
  expect(kvs).toMatchObject([{ value: btoa('value'), mod_revision: '2' }]);
  const refused = await api.fetch('POST', '/v3/kv/put', { body: {} });
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { code: 3, message: 'etcdserver: key is not provided' },
  ]);
});

test('nobody gets in without a token, nor with a minion’s', async () => {
  const api = new TestApi('etcd-others');
  const minion = await tokenOf(minionClaims(api.cluster, 'n1', 'machine-1'));
  for (const token of [undefined, minion]) {
    for (const path of ['/v3/kv/range', '/v3/kv/put', '/v3/kv/txn', '/v3/lease/leases', '/v3/watch']) {
      const status = await api.refusal('POST', path, { body: put('a', '1'), token });
      expect(status, path).toMatchObject({ http: 403, reason: 'Forbidden' });
    }
  }
  expect(await kvsOf(api, 'a')).toBe(0);
});

test('an application’s service account gets in, until it is deleted', async () => {
  const api = new TestApi('etcd-application');
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app' } };
  await api.json('POST', accounts, { body: account });
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const issued = await api.json<{ status: { token: string } }>('POST', `${accounts}/app/token`, { body: request });
  const { token } = issued.status;
  expect(await api.code('POST', '/v3/kv/put', { body: put('a', '1'), token })).toBe(200);
  await api.json('DELETE', `${accounts}/app`);
  expect(await api.code('POST', '/v3/kv/put', { body: put('a', '2'), token })).toBe(401);
});

test('a watch is open at once, and tells what another client writes', async () => {
  const api = new TestApi('etcd-watch');
  const answer = await api.fetch('POST', '/v3/watch', { body: { create_request: { key: btoa('a') } } });
  expect(answer.status).toBe(200);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toContain('"created":true');
  await api.json('POST', '/v3/kv/put', { body: put('a', '1') });
  expect(JSON.parse((await reader.read()).value ?? '')).toMatchObject({
    result: { events: [{ kv: { key: btoa('a'), value: btoa('1') } }] },
  });
  await reader.cancel();
});

test('a lease sets the object’s alarm, and the alarm leaves a lease alone that has time left', async () => {
  const api = new TestApi('etcd-lease');
  await api.json('POST', '/v3/lease/grant', { body: { ID: '7', TTL: '60' } });
  await api.json('POST', '/v3/kv/put', { body: put('a', '1', { lease: '7' }) });
  const stub = bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster));
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await kvsOf(api, 'a')).toBe(1);
  await api.json('POST', '/v3/lease/revoke', { body: { ID: '7' } });
  expect(await kvsOf(api, 'a')).toBe(0);
});
