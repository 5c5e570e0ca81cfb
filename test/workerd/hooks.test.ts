/** Webhook deploys through the whole Worker, with the Cluster object evicted between steps. */
import { runInDurableObject } from 'cloudflare:test';
import { beforeAll, expect, test } from 'vitest';
import type { Deployment } from '../../shared/api/apps.ts';
import type { Event } from '../../shared/api/core.ts';
import type { Hook } from '../../shared/api/longshore.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { objectSql } from '../../worker/store/object-sql.ts';
import { isEmpty } from '../../worker/store/schema.ts';
import { bindings, TestApi } from './support/api.ts';

const api = new TestApi('hooked');
const HOOKS = '/apis/longshore.dev/v1/namespaces/default/hooks';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const KEY = 'a key that nobody guesses';

async function sign(body: string, key = KEY): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const imported = await crypto.subtle.importKey('raw', bytes(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytes(body)));
  return `sha256=${Array.from(signature, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** As GitHub sends it: no token. */
async function send(
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ code: number; message: string }> {
  const response = await api.fetch('POST', path, {
    token: undefined,
    raw: body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { code: response.status, ...((await response.json()) as { message: string }) };
}

const imageOf = async () =>
  (await api.json<Deployment>('GET', `${DEPLOYMENTS}/web`)).spec.template.spec.containers[0]?.image;

beforeAll(async () => {
  await api.json('POST', '/api/v1/namespaces/default/secrets', {
    body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { secret: KEY } },
  });
  await api.json('POST', DEPLOYMENTS, {
    body: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
      },
    },
  });
  await api.json('POST', HOOKS, {
    body: {
      apiVersion: 'longshore.dev/v1',
      kind: 'Hook',
      metadata: { name: 'ship' },
      spec: { secretRef: { name: 'key' }, target: { deployment: 'web', container: 'main' } },
    },
  });
});

test('a hook says where its deliveries are sent, and that it is ready', async () => {
  const hook = await api.json<Hook>('GET', `${HOOKS}/ship`);
  expect(hook.status?.url).toMatch(/\/clusters\/hooked\/hooks\/default\/ship$/);
  expect(hook.status?.conditions?.map(({ type, status }) => [type, status])).toEqual([['Ready', 'True']]);
});

test('a bad signature is 401 and changes nothing', async () => {
  const body = '{"image":"evil:1"}';
  const before = await api.json<Hook>('GET', `${HOOKS}/ship`);
  const signature = await sign(body, 'another key');
  expect(await send('/hooks/default/ship', body, { 'x-hub-signature-256': signature })).toMatchObject({ code: 401 });
  expect(await send('/hooks/default/ship', body, {})).toMatchObject({ code: 401 });
  expect(await imageOf()).toBe('nginx:1');
  expect(await api.json<Hook>('GET', `${HOOKS}/ship`)).toEqual(before);
});

test('a hook that does not exist is 404', async () => {
  const headers = { 'x-hub-signature-256': await sign('{}') };
  expect(await send('/hooks/default/none', '{}', headers)).toMatchObject({ code: 404 });
});

test('a signed delivery deploys once, and is remembered over evictions', async () => {
  const body = '{"image":"nginx:2"}';
  const headers = { 'x-hub-signature-256': await sign(body), 'x-github-delivery': 'delivery-1' };
  expect(await send('/hooks/default/ship', body, headers)).toMatchObject({ code: 200 });
  expect(await imageOf()).toBe('nginx:2');
  await api.evict();
  const later = '{"image":"nginx:3"}';
  expect(
    await send('/hooks/default/ship', later, {
      'x-hub-signature-256': await sign(later),
      'x-github-delivery': 'delivery-2',
    }),
  ).toMatchObject({ code: 200 });
  await api.evict();
  expect(await send('/hooks/default/ship', body, headers)).toMatchObject({
    code: 200,
    message: expect.stringMatching(/^duplicate: /),
  });
  expect(await imageOf()).toBe('nginx:3');
  const events = await api.json<KubeList<Event>>('GET', '/api/v1/namespaces/default/events');
  const recorded = events.items
    .filter((each) => each.reason === 'HookDeployed')
    .map((each) => each.involvedObject.kind);
  expect(recorded.sort()).toEqual(['Deployment', 'Deployment', 'Hook', 'Hook']);
});

test('a delivery to a cluster that nobody made finds nothing, and makes none', async () => {
  const stranger = new TestApi('never-made');
  const response = await stranger.fetch('POST', '/hooks/default/ship', {
    token: undefined,
    raw: '{}',
    headers: { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}`, 'x-github-delivery': '1' },
  });
  expect([response.status, await response.json()]).toEqual([404, { message: 'not found' }]);
  const object = bindings.CLUSTER.get(bindings.CLUSTER.idFromName('never-made'));
  await runInDurableObject(object as never, (_instance, state) => expect(isEmpty(objectSql(state.storage))).toBe(true));
});
