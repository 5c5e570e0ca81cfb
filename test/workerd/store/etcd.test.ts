/** The etcd surface as a client sees it, through the Worker's routes, with the object evicted between steps. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import type { KeyspaceObject, PartsEnv } from '../support/parts-worker.ts';

const { KEYSPACE } = env as unknown as PartsEnv;
const DEADLINE_MS = 5000;

interface Cluster {
  stub: DurableObjectStub<KeyspaceObject>;
  post(path: string, body: unknown): Promise<{ code: number; body: unknown }>;
  open(path: string, body: string | ReadableStream<Uint8Array>): Promise<Lines>;
}

/** A streamed answer, line by line. */
interface Lines {
  next(): Promise<unknown>;
  cancel(): Promise<void>;
}

const fetchWorker = (url: string, init: RequestInit): Promise<Response> => {
  const worker = (exports as unknown as { default: Fetcher }).default;
  return worker.fetch(new Request(url, init));
};

function linesOf(response: Response): Lines {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  return {
    async next() {
      const deadline = AbortSignal.timeout(DEADLINE_MS);
      const late = new Promise<never>((_, reject) => {
        deadline.addEventListener('abort', () => reject(new Error(`no line in time; so far: ${JSON.stringify(rest)}`)));
      });
      while (!rest.includes('\n')) {
        const { value, done } = await Promise.race([reader.read(), late]);
        if (done) return undefined;
        rest += value;
      }
      const line = rest.slice(0, rest.indexOf('\n'));
      rest = rest.slice(line.length + 1);
      return JSON.parse(line);
    },
    cancel: () => reader.cancel(),
  };
}

function newCluster(): Cluster {
  const name = `${crypto.randomUUID()}.test`;
  return {
    stub: KEYSPACE.get(KEYSPACE.idFromName(name)),
    async post(path, body) {
      const answer = await fetchWorker(`https://${name}${path}`, { method: 'POST', body: JSON.stringify(body) });
      return { code: answer.status, body: await answer.json() };
    },
    async open(path, body) {
      const answer = await fetchWorker(`https://${name}${path}`, { method: 'POST', body });
      expect(answer.status).toBe(200);
      return linesOf(answer);
    },
  };
}

const put = (key: string, value: string, more: object = {}) => ({ key: btoa(key), value: btoa(value), ...more });
const header = (revision: string) => expect.objectContaining({ revision });
const ALL = { key: btoa('\0'), range_end: btoa('\0') };

test('values outlive the object’s memory', async () => {
  const { post, stub } = newCluster();
  expect(await post('/v3/kv/put', put('a', '1'))).toMatchObject({ code: 200, body: { header: { revision: '2' } } });
  await evictDurableObject(stub);
  const { body } = await post('/v3/kv/range', ALL);
  const kv = { key: btoa('a'), value: btoa('1'), create_revision: '2', mod_revision: '2', version: '1' };
  expect(body).toEqual({ header: header('2'), kvs: [kv], count: '1' });
});

test('bytes of every value come back, megabytes of them too', async () => {
  const { post } = newCluster();
  const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
  const value = everyByte.repeat(6000);
  expect((await post('/v3/kv/put', put(everyByte, value))).code).toBe(200);
  const { body } = await post('/v3/kv/range', { key: btoa(everyByte) });
  expect((body as { kvs: { value: string }[] }).kvs[0]?.value === btoa(value)).toBe(true);
  const tooLarge = await post('/v3/kv/put', put('a', 'x'.repeat(1_572_864)));
  expect(tooLarge).toMatchObject({ code: 400, body: { code: 3, message: 'etcdserver: request is too large' } });
});

test('what is not POST, or not a path of etcd, is refused as etcd does', async () => {
  const { post } = newCluster();
  const got = await fetchWorker('https://any.test/v3/kv/range', { method: 'GET' });
  expect([got.status, await got.text()]).toEqual([405, 'Method Not Allowed\n']);
  expect((await post('/v3/bogus', {})).code).toBe(404);
  expect(await post('/v3/auth/enable', {})).toMatchObject({ code: 501, body: { code: 12 } });
});

test('a watch tells what happens, goes on while the object sleeps, and ends with the client', async () => {
  const { post, open, stub } = newCluster();
  await post('/v3/kv/put', put('a', '1'));
  const watch = await open(
    '/v3/watch',
    JSON.stringify({ create_request: { ...ALL, start_revision: '2', prev_kv: true } }),
  );
  expect(await watch.next()).toEqual({ result: { header: header('2'), created: true } });
  const first = { key: btoa('a'), value: btoa('1'), create_revision: '2', mod_revision: '2', version: '1' };
  expect(await watch.next()).toEqual({ result: { header: header('2'), events: [{ kv: first }] } });

  await evictDurableObject(stub);
  await post('/v3/kv/txn', {
    success: [{ request_put: put('a', '2') }, { request_put: put('b', '1') }],
  });
  expect(await watch.next()).toEqual({
    result: {
      header: header('3'),
      events: [
        { kv: { ...first, value: btoa('2'), mod_revision: '3', version: '2' }, prev_kv: first },
        { kv: { ...first, key: btoa('b'), create_revision: '3', mod_revision: '3' } },
      ],
    },
  });

  await post('/v3/kv/deleterange', { key: btoa('a') });
  expect(await watch.next()).toMatchObject({
    result: { events: [{ type: 'DELETE', kv: { key: btoa('a'), mod_revision: '4' }, prev_kv: { value: btoa('2') } }] },
  });

  await watch.cancel();
  const closed = async (): Promise<number> =>
    runInDurableObject(stub, (_, state) => state.getWebSockets().filter((each) => each.readyState === 1).length);
  for (let tries = 0; (await closed()) > 0; tries += 1) {
    if (tries > 200) throw new Error('the socket of a watch whose client has gone is still open');
    // It is noticed when something is written to it, at the latest what keeps it alive.
    await post('/v3/kv/put', put('a', String(tries)));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

test('one stream carries several watches, made and cancelled while it runs', async () => {
  const { post, open } = newCluster();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const say = (message: unknown) => writer.write(new TextEncoder().encode(JSON.stringify(message)));
  const opening = open('/v3/watch', readable);
  await say({ create_request: { key: btoa('a'), watch_id: '5' } });
  const watch = await opening;
  expect(await watch.next()).toEqual({ result: { header: header('1'), watch_id: '5', created: true } });
  await say({ createRequest: { key: btoa('b'), filters: ['NODELETE'] } });
  expect(await watch.next()).toEqual({ result: { header: header('1'), created: true } });
  await say({ create_request: { key: btoa('c'), watch_id: 5 } });
  expect(await watch.next()).toMatchObject({
    result: { watch_id: '-1', canceled: true, cancel_reason: 'mvcc: duplicate watch ID provided on the WatchStream' },
  });
  await say({ create_request: { key: btoa('c'), range_end: btoa('a') } });
  expect(await watch.next()).toMatchObject({
    result: { watch_id: '-1', cancel_reason: 'mvcc: watcher range is empty' },
  });

  await post('/v3/kv/put', put('b', '1'));
  expect(await watch.next()).toMatchObject({
    result: { header: { revision: '2' }, events: [{ kv: { key: btoa('b') } }] },
  });
  await post('/v3/kv/deleterange', { key: btoa('b') });
  await say({ progress_request: {} });
  expect(await watch.next()).toEqual({ result: { header: header('3'), watch_id: '-1' } });
  await say({ cancel_request: { watch_id: '5' } });
  expect(await watch.next()).toEqual({ result: { header: header('3'), watch_id: '5', canceled: true } });
  await post('/v3/kv/put', put('a', '1'));
  await post('/v3/kv/put', put('b', '2'));
  expect(await watch.next()).toMatchObject({ result: { events: [{ kv: { key: btoa('b'), mod_revision: '5' } }] } });
  await watch.cancel();
});

test('a watch from a compacted revision is cancelled, one from a future revision waits', async () => {
  const { post, open } = newCluster();
  for (const value of ['1', '2', '3']) await post('/v3/kv/put', put('a', value));
  await post('/v3/kv/compaction', { revision: '3' });
  const old = await open('/v3/watch', JSON.stringify({ create_request: { key: btoa('a'), start_revision: 2 } }));
  await old.next();
  expect(await old.next()).toMatchObject({ result: { canceled: true, compact_revision: '3' } });
  const compacted = await open('/v3/watch', JSON.stringify({ create_request: { key: btoa('a'), start_revision: 3 } }));
  await compacted.next();
  expect(await compacted.next()).toMatchObject({
    result: { events: [{ kv: { mod_revision: '3' } }, { kv: { mod_revision: '4' } }] },
  });
  const future = await open('/v3/watch', JSON.stringify({ create_request: { key: btoa('a'), start_revision: 6 } }));
  await future.next();
  await post('/v3/kv/put', put('a', 'too early'));
  await post('/v3/kv/put', put('a', 'in time'));
  expect(await future.next()).toMatchObject({ result: { events: [{ kv: { mod_revision: '6' } }] } });
  for (const each of [old, compacted, future]) await each.cancel();
});

test('a watch request that is not JSON ends its stream with an error', async () => {
  const { open } = newCluster();
  const watch = await open('/v3/watch', 'nonsense');
  expect(await watch.next()).toMatchObject({ code: 2, message: expect.stringContaining('invalid character') });
  expect(await watch.next()).toBeUndefined();
  const wrong = await open('/v3/watch', '{"create_request":5}');
  expect(await wrong.next()).toMatchObject({ code: 3 });
  expect(await wrong.next()).toBeUndefined();
});

test('keepalive answers each message of its stream', async () => {
  const { post, open } = newCluster();
  await post('/v3/lease/grant', { ID: '7', TTL: 60 });
  const stream = await open('/v3/lease/keepalive', '{"ID":7}{"ID":"7"}\n{"ID":8}');
  expect(await stream.next()).toMatchObject({ result: { ID: '7', TTL: '60' } });
  expect(await stream.next()).toMatchObject({ result: { ID: '7', TTL: '60' } });
  expect(await stream.next()).toEqual({ result: { header: header('1'), ID: '8' } });
  expect(await stream.next()).toBeUndefined();
});

test('a lease that ends deletes its keys and tells the watchers, though the object slept', async () => {
  const { post, open, stub } = newCluster();
  await post('/v3/lease/grant', { ID: '7', TTL: 60 });
  await post('/v3/kv/put', put('a', '1', { lease: '7' }));
  await post('/v3/kv/put', put('b', '1', { lease: '7' }));
  const watch = await open('/v3/watch', JSON.stringify({ create_request: ALL }));
  await watch.next();
  await evictDurableObject(stub);
  await runInDurableObject(stub, (object) => {
    expect(object.runDue(0)).toBe(0);
    // Kept alive at 30 s, so that its deadline at 60 s only looks, and waits on.
    object.aheadMs = 30_000;
    expect(object.rpc.leases.keepAlive('7')).toBe(60);
    expect(object.runDue(61_000)).toBe(1);
    expect(object.rpc.leases.find('7')).toBeDefined();
    expect(object.runDue(89_000)).toBe(0);
    expect(object.runDue(91_000)).toBe(1);
  });
  const gone = (key: string) => ({ type: 'DELETE', kv: { key: btoa(key), mod_revision: '4' } });
  expect(await watch.next()).toEqual({ result: { header: header('4'), events: [gone('a'), gone('b')] } });
  await runInDurableObject(stub, (object) => expect(object.store.nextDueMs()).toBeUndefined());
  await watch.cancel();
});
