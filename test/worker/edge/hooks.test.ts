import { describe, expect, test } from 'vitest';
import { type HookClusters, handleHook, MAX_BODY_BYTES, parseHookPath } from '../../../worker/edge/hooks.ts';
import type { HookDelivery } from '../../../worker/rpc.ts';

const SIGNATURE = `sha256=${'ab'.repeat(32)}`;

/** An environment whose Cluster objects write down what is delivered to them. */
function recording(): { env: HookClusters; delivered: [string, HookDelivery][] } {
  const delivered: [string, HookDelivery][] = [];
  const CLUSTER = {
    idFromName: (name: string) => name,
    get: (name: unknown) => ({
      deliver: async (delivery: HookDelivery) => {
        delivered.push([String(name), delivery]);
        return { code: 200, message: 'done' };
      },
    }),
  };
  return { env: { CLUSTER }, delivered };
}

const post = (
  path: string,
  headers: Record<string, string>,
  body: string | ReadableStream = '{"image":"a"}',
): Request =>
  new Request(`https://api.example.com${path}`, {
    method: 'POST',
    headers,
    body,
    ...(typeof body === 'string' ? {} : { duplex: 'half' }),
  } as RequestInit);

describe('the path of a hook', () => {
  test.each([
    ['/hooks/default/ship', { cluster: 'default', namespace: 'default', name: 'ship' }],
    ['/clusters/c1/hooks/team/ship.it', { cluster: 'c1', namespace: 'team', name: 'ship.it' }],
    ['/hooks/default', undefined],
    ['/hooks/default/ship/', undefined],
    ['/hooks/../ship', undefined],
    ['/hooks/Default/ship', undefined],
    ['/hooks/default/%2e%2e', undefined],
    [`/hooks/default/${'a.'.repeat(200)}a`, undefined],
  ])('%s is %j', (path, expected) => {
    expect(parseHookPath(path)).toEqual(expected);
  });
});

describe('a delivery', () => {
  test('reaches its cluster with what it takes to prove and to read it, and nothing else', async () => {
    const { env, delivered } = recording();
    const headers = {
      'X-Hub-Signature-256': SIGNATURE,
      'X-GitHub-Delivery': 'abc-1',
      'Content-Type': 'application/json',
      Cookie: 'c',
    };
    const response = await handleHook(post('/clusters/c1/hooks/team/ship', headers), env);
    expect([response.status, await response.json()]).toEqual([200, { message: 'done' }]);
    expect(delivered).toEqual([
      [
        'c1',
        {
          namespace: 'team',
          name: 'ship',
          deliveryId: 'abc-1',
          headers: { 'content-type': 'application/json', 'x-hub-signature-256': SIGNATURE },
          body: new TextEncoder().encode('{"image":"a"}'),
        },
      ],
    ]);
  });

  test('that has no name is known by its body', async () => {
    const { env, delivered } = recording();
    for (const body of ['a', 'b', 'a'])
      await handleHook(post('/hooks/default/ship', { 'X-Longshore-Signature': SIGNATURE }, body), env);
    const ids = delivered.map(([, delivery]) => delivery.deliveryId);
    expect(ids[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(ids[0]).toBe(ids[2]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test.each([
    ['without anything like a signature', '/hooks/default/ship', {}, 401],
    ['with a signature of another form', '/hooks/default/ship', { 'X-Hub-Signature-256': 'sha1=00' }, 401],
    ['to a path that is no hook', '/hooks/default/Ship', { 'X-Hub-Signature-256': SIGNATURE }, 404],
  ])('%s wakes no object', async (_name, path, headers, status) => {
    const { env, delivered } = recording();
    expect((await handleHook(post(path, headers as Record<string, string>), env)).status).toBe(status);
    expect(delivered).toEqual([]);
  });

  test('that is too large is refused, said so or not', async () => {
    const { env, delivered } = recording();
    const headers = { 'X-Hub-Signature-256': SIGNATURE };
    const large = 'x'.repeat(MAX_BODY_BYTES + 1);
    expect((await handleHook(post('/hooks/default/ship', headers, large), env)).status).toBe(413);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    expect((await handleHook(post('/hooks/default/ship', headers, endless), env)).status).toBe(413);
    expect(delivered).toEqual([]);
  });

  test('is a POST', async () => {
    const response = await handleHook(new Request('https://api.example.com/hooks/default/ship'), recording().env);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
