/** ConfigMaps and Secrets: each test does what the conformance line of its name says. */
import { expect, test } from 'vitest';
import type { ConfigMap } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { eventsOf } from '../support/events.ts';

const api = new TestApi('configuration');
const MERGE = { 'content-type': 'application/merge-patch+json' };
const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';

test('[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]', async () => {
  const labels = { 'test-configmap-static': 'true' };
  const events = eventsOf(await api.fetch('GET', `${MAPS}?watch=1&labelSelector=test-configmap-static%3Dtrue`));
  await api.json('POST', MAPS, { body: { metadata: { name: 'life', labels }, data: { valueName: 'value' } } });
  expect(await events.told(1)).toEqual(['ADDED life']);
  await api.json('PATCH', `${MAPS}/life`, {
    body: { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } },
    headers: MERGE,
  });
  expect(await events.next()).toMatchObject({ type: 'MODIFIED', object: { data: { valueName: 'value1' } } });
  const read = await api.json<ConfigMap>('GET', `${MAPS}/life`);
  expect(read.metadata.labels).toEqual({ ...labels, 'test-configmap': 'patched' });
  const all = await api.json<KubeList<ConfigMap>>(
    'GET',
    '/api/v1/configmaps?labelSelector=test-configmap-static%3Dtrue',
  );
  expect(all.items.map((each) => each.metadata.name)).toEqual(['life']);
  const deleted = await api.json<KubeList<ConfigMap>>('DELETE', `${MAPS}?labelSelector=test-configmap-static%3Dtrue`);
  expect(deleted).toMatchObject({ kind: 'ConfigMapList', items: [{ metadata: { name: 'life' } }] });
  expect(await events.told(1)).toEqual(['DELETED life']);
  const left = await api.json<KubeList<ConfigMap>>('GET', `${MAPS}?labelSelector=test-configmap-static%3Dtrue`);
  expect(left.items).toEqual([]);
  await events.cancel();
});

test('[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]', async () => {
  const refusal = await api.refusal('POST', MAPS, { body: { metadata: { name: 'empty' }, data: { '': 'value-1' } } });
  expect(refusal).toMatchObject({ http: 422, reason: 'Invalid' });
  expect(refusal.message).toContain('data[]: Invalid value: ""');
});

test('[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]', async () => {
  const body = { metadata: { name: 'empty' }, data: { '': btoa('value-1\n') } };
  const refusal = await api.refusal('POST', SECRETS, { body });
  expect(refusal).toMatchObject({ http: 422, reason: 'Invalid' });
  expect(refusal.message).toContain('data[]: Invalid value: ""');
});

test('[sig-node] Secrets should patch a secret [Conformance]', async () => {
  const labels = { testsecret: 'true' };
  await api.json('POST', SECRETS, { body: { metadata: { name: 'patched', labels }, data: { key: btoa('value') } } });
  const all = await api.json<KubeList<ConfigMap>>('GET', '/api/v1/secrets?labelSelector=testsecret%3Dtrue');
  expect(all.items.map((each) => each.metadata.name)).toEqual(['patched']);
  await api.json('PATCH', `${SECRETS}/patched`, {
    body: { metadata: { labels: { 'testsecret-constant': 'patched' } }, data: { key: btoa('value1') } },
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
  });
  const read = await api.json<ConfigMap>('GET', `${SECRETS}/patched`);
  expect(read.data).toEqual({ key: btoa('value1') });
  expect(read.metadata.labels).toEqual({ ...labels, 'testsecret-constant': 'patched' });
  await api.json('DELETE', `${SECRETS}?labelSelector=testsecret%3Dtrue`);
  const left = await api.json<KubeList<ConfigMap>>('GET', '/api/v1/secrets?labelSelector=testsecret%3Dtrue');
  expect(left.items).toEqual([]);
});

async function staysAsItIs(path: string, name: string, data: Record<string, string>): Promise<void> {
  const put = (object: object) => api.fetch('PUT', `${path}/${name}`, { body: object });
  await api.json('POST', path, { body: { metadata: { name }, data } });
  const changed = await api.json<ConfigMap>('PATCH', `${path}/${name}`, {
    body: { data: { more: data.key } },
    headers: MERGE,
  });
  const frozen = await api.json<ConfigMap>('PUT', `${path}/${name}`, { body: { ...changed, immutable: true } });
  for (const object of [
    { ...frozen, data: { ...frozen.data, key: data.other } },
    { ...frozen, immutable: false },
  ]) {
    const answer = await put(object);
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain('field is immutable when `immutable` is set');
  }
  const labelled = await put({ ...frozen, metadata: { ...frozen.metadata, labels: { a: 'b' } } });
  expect(labelled.status).toBe(200);
  await labelled.text();
  expect(await api.code('DELETE', `${path}/${name}`)).toBe(200);
}

test('[sig-storage] ConfigMap should be immutable if `immutable` field is set [Conformance]', async () => {
  await staysAsItIs(MAPS, 'immutable', { key: 'value', other: 'x' });
});

test('[sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]', async () => {
  await staysAsItIs(SECRETS, 'immutable', { key: btoa('value'), other: btoa('x') });
});
