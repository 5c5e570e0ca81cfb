import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { EVENTS, SECRETS } from '../../../shared/api/core.ts';
import { HOOKS, type Hook } from '../../../shared/api/longshore.ts';
import { type DeliveryAnswer, deliver } from '../../../worker/controllers/hook-delivery.ts';
import { createHookInbox } from '../../../worker/controllers/hook-inbox.ts';
import type { HookDelivery } from '../../../worker/rpc.ts';
import { controlPlane, errorsOf, type TestPlane } from './control-plane.ts';

const KEY = 'a key that nobody guesses';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sign = (body: string, key = KEY): string => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;

function started(spec: Partial<Hook['spec']> = {}): TestPlane {
  const plane = controlPlane();
  plane.do((objects) => {
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
      },
    });
    objects.create(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'default' },
      data: { secret: btoa(KEY) },
    });
    objects.create(HOOKS, {
      apiVersion: 'longshore.dev/v1',
      kind: 'Hook',
      metadata: { name: 'ship', namespace: 'default' },
      spec: {
        signature: 'hmac',
        secretRef: { name: 'key' },
        target: { deployment: 'web', container: 'main' },
        ...spec,
      },
    });
  });
  return plane;
}

interface Asked {
  body?: string;
  id?: string;
  name?: string;
  headers?: Record<string, string>;
}

function send(
  plane: TestPlane,
  { body = '{"image":"nginx:2"}', id = 'd1', name = 'ship', headers }: Asked = {},
): Promise<DeliveryAnswer> {
  const delivery: HookDelivery = {
    namespace: 'default',
    name,
    deliveryId: id,
    headers: headers ?? { 'x-longshore-signature': sign(body), 'content-type': 'application/json' },
    body: bytes(body),
  };
  return deliver({ transact: plane.do, inbox: createHookInbox(plane.sql) }, delivery);
}

const imageOf = (plane: TestPlane) =>
  plane.do((objects) => objects.get(DEPLOYMENTS, 'default', 'web')?.spec.template.spec.containers[0]?.image ?? null);
const hookOf = (plane: TestPlane) => plane.do((objects) => objects.get(HOOKS, 'default', 'ship') ?? null);
const eventsOf = (plane: TestPlane) =>
  plane
    .do((objects) => objects.list(EVENTS))
    .filter((each) => each.source?.component === 'hook-controller')
    .map((each) => [each.involvedObject.kind, each.type, each.reason, each.message])
    .sort();

describe('a signed delivery', () => {
  test('changes the image, and leaves status and events behind', async () => {
    const plane = started();
    expect(await send(plane)).toEqual({
      code: 200,
      message: 'container main of deployment/web is set to image nginx:2',
    });
    expect(imageOf(plane)).toBe('nginx:2');
    expect(hookOf(plane)?.status).toMatchObject({
      url: 'https://127.0.0.1:6443/hooks/default/ship',
      lastDelivery: { id: 'd1', time: '2026-01-01T00:00:00Z', image: 'nginx:2', result: 'Deployed' },
    });
    const message = 'Delivery d1 of hook ship: container main of deployment/web is set to image nginx:2';
    expect(eventsOf(plane)).toEqual([
      ['Deployment', 'Normal', 'HookDeployed', message],
      ['Hook', 'Normal', 'HookDeployed', message],
    ]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('twice deploys once, even when something else was deployed in between', async () => {
    const plane = started();
    await send(plane);
    await send(plane, { id: 'd2', body: '{"image":"nginx:3"}' });
    const { revision } = plane.store;
    expect(await send(plane)).toMatchObject({ code: 200, message: expect.stringMatching(/^duplicate: /) });
    expect(imageOf(plane)).toBe('nginx:3');
    expect(plane.store.revision).toBe(revision);
  });

  test('is remembered when the object was dropped from memory', async () => {
    const plane = started();
    await send(plane);
    const again = controlPlane({ sql: plane.sql });
    expect(await send(again)).toMatchObject({ code: 200, message: expect.stringMatching(/^duplicate: /) });
  });

  test('of the image that is there already changes nothing and says so', async () => {
    const plane = started();
    expect(await send(plane, { body: '{"image":"nginx:1"}' })).toMatchObject({ code: 200 });
    expect(hookOf(plane)?.status?.lastDelivery?.result).toBe('Unchanged');
  });

  test("by GitHub is proved by GitHub's header, and its ping is answered", async () => {
    const plane = started({ signature: 'github', imagePointer: '/registry_package/image' });
    const body = '{"registry_package":{"image":"ghcr.io/a/b:2"}}';
    const headers = { 'x-hub-signature-256': sign(body), 'content-type': 'application/json' };
    expect(await send(plane, { body, headers: { ...headers, 'x-github-event': 'ping' } })).toEqual({
      code: 200,
      message: 'pong',
    });
    expect(imageOf(plane)).toBe('nginx:1');
    expect(await send(plane, { body, headers })).toMatchObject({ code: 200 });
    expect(imageOf(plane)).toBe('ghcr.io/a/b:2');
  });
});

describe('a delivery is turned away and changes nothing', () => {
  const body = '{"image":"nginx:2"}';
  test.each<[string, Record<string, string>]>([
    ['without a signature', {}],
    ['with another key', { 'x-longshore-signature': sign(body, 'another') }],
    ['with the signature of another body', { 'x-longshore-signature': sign('{}') }],
    ['with the signature in the header of another kind', { 'x-hub-signature-256': sign(body) }],
    ['with a signature cut short', { 'x-longshore-signature': sign(body).slice(0, -2) }],
  ])('%s', async (_name, headers) => {
    const plane = started();
    const { revision } = plane.store;
    expect(await send(plane, { body, headers })).toEqual({ code: 401, message: 'the signature does not match' });
    expect(plane.store.revision).toBe(revision);
    expect(imageOf(plane)).toBe('nginx:1');
  });

  test('when the Secret is missing, so that an empty key opens nothing', async () => {
    const plane = started({ secretRef: { name: 'missing' } });
    expect(await send(plane, { headers: { 'x-longshore-signature': sign('{"image":"nginx:2"}', '') } })).toMatchObject({
      code: 401,
    });
  });

  test('when there is no such hook', async () => {
    expect(await send(started(), { name: 'else' })).toEqual({ code: 404, message: 'not found' });
  });

  test('when the hook is suspended', async () => {
    const plane = started({ suspend: true });
    expect(await send(plane)).toMatchObject({ code: 409 });
    expect(imageOf(plane)).toBe('nginx:1');
  });

  test('when the key changes while it is being proved', async () => {
    const plane = started();
    const pending = send(plane);
    plane.do((objects) => {
      const secret = objects.get(SECRETS, 'default', 'key');
      if (secret !== undefined) objects.update(SECRETS, { ...secret, data: { secret: btoa('a new key') } });
    });
    expect(await pending).toMatchObject({ code: 401 });
    expect(imageOf(plane)).toBe('nginx:1');
  });
});

describe('a delivery that cannot be acted on is refused with a reason and recorded', () => {
  test.each<[string, Partial<Hook['spec']>, string, string]>([
    [
      'without its Deployment',
      { target: { deployment: 'gone', container: 'main' } },
      '{"image":"nginx:2"}',
      'Deployment "gone" does not exist',
    ],
    [
      'without its container',
      { target: { deployment: 'web', container: 'gone' } },
      '{"image":"nginx:2"}',
      'Deployment "web" has no container "gone"',
    ],
    ['without an image', {}, '{}', 'the body has nothing at /image'],
    ['with what is no image', {}, '{"image":"a b"}', '"a b" is not an image reference'],
  ])('%s', async (_name, spec, body, message) => {
    const plane = started(spec);
    expect(await send(plane, { body })).toEqual({ code: 422, message });
    expect(hookOf(plane)?.status?.lastDelivery).toMatchObject({ id: 'd1', result: 'Refused', message });
    expect(eventsOf(plane)).toContainEqual(['Hook', 'Warning', 'HookRefused', `Delivery d1 of hook ship: ${message}`]);
    expect(imageOf(plane)).toBe('nginx:1');
  });

  test('and acted on when it is sent again after the cause is gone', async () => {
    const plane = started({ target: { deployment: 'late', container: 'main' } });
    expect(await send(plane)).toMatchObject({ code: 422 });
    plane.do((objects) => {
      const web = objects.get(DEPLOYMENTS, 'default', 'web');
      if (web === undefined) throw new Error('no deployment');
      objects.create(DEPLOYMENTS, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'late', namespace: 'default' },
        spec: web.spec,
      });
    });
    expect(await send(plane)).toMatchObject({ code: 200 });
  });
});

test('the inbox keeps the newest deliveries of each hook', () => {
  const plane = started();
  const inbox = createHookInbox(plane.sql);
  for (let index = 0; index < 400; index += 1) inbox.add('hook', `d${index}`, index, { code: 200, message: '' });
  inbox.add('other', 'd0', 0, { code: 200, message: '' });
  expect(inbox.find('hook', 'd0')).toBeUndefined();
  expect(inbox.find('hook', 'd399')).toEqual({ code: 200, message: '' });
  expect(inbox.find('other', 'd0')).toBeDefined();
  expect(plane.sql.all<{ count: number }>('SELECT count(*) AS count FROM hook_deliveries')[0]?.count).toBe(257);
});

test('a hook says whether what it names is there', () => {
  const plane = started({ target: { deployment: 'late', container: 'main' } });
  const ready = () => hookOf(plane)?.status?.conditions?.map(({ type, status, reason }) => [type, status, reason]);
  expect(ready()).toEqual([['Ready', 'False', 'DeploymentMissing']]);
  plane.do((objects) => {
    const web = objects.get(DEPLOYMENTS, 'default', 'web');
    if (web === undefined) throw new Error('no deployment');
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'late', namespace: 'default' },
      spec: web.spec,
    });
  });
  expect(ready()).toEqual([['Ready', 'True', 'Ready']]);
  plane.do((objects) => objects.delete(SECRETS, 'default', 'key'));
  expect(ready()).toEqual([['Ready', 'False', 'SecretMissing']]);
});
