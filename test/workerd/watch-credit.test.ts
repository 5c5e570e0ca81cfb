/**
 * Clients who read slowly, or not at all: what is written for them stays within their credit, as the sockets' own attachments
 * say, nobody else waits for them, and what they are told in the end is whole and in order.
 */
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import type { Cluster } from '../../worker/cluster.ts';
import type { Attachment } from '../../worker/links/event-texts.ts';
import { CREDIT_BYTES } from '../../worker/links/watch-credit.ts';
import { objectSql } from '../../worker/store/object-sql.ts';
import { SqliteStore } from '../../worker/store/sqlite-store.ts';
import { eventually } from '../support/eventually.ts';
import { bindings, TestApi } from './support/api.ts';
import { etcdWatch } from './support/etcd-watch.ts';
import { type EventReader, eventsOf, type WatchEvent } from './support/events.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const INFORMER = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
const KILOBYTE = 1024;
/** What one message of the object may have above its credit: a page, and the last object of it. */
const MESSAGE_BYTES = 300 * KILOBYTE;

const map = (name: string, text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { text },
});
const nameAt = (index: number) => `m${String(index).padStart(5, '0')}`;
const revisionOf = ({ metadata }: { metadata: { resourceVersion?: string } }) => Number(metadata.resourceVersion);
const stubOf = (api: TestApi) =>
  bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster)) as unknown as DurableObjectStub<Cluster>;

/** Behind the back of the object, which nobody watches yet. */
async function fill(api: TestApi, count: number, bytes: number): Promise<void> {
  await api.json('GET', `${MAPS}?limit=1`);
  await runInDurableObject(stubOf(api), (_, state) => {
    const store = new SqliteStore(objectSql(state.storage), { clock: Date.now, newEpoch: () => 'unused' });
    store.transact((transaction) => {
      for (let index = 0; index < count; index += 1) {
        const object = map(nameAt(index), 'x'.repeat(bytes));
        transaction.put({ resource: 'configmaps', namespace: 'default', name: nameAt(index) }, [], (revision) =>
          JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }),
        );
      }
    });
  });
}

/** Of every watch that is open, in the order in which they were opened. */
const flows = (api: TestApi, tag = 'watch'): Promise<Pick<Attachment, 'flow' | 'behind'>[]> =>
  runInDurableObject(stubOf(api), (_, state) =>
    state
      .getWebSockets(tag)
      .map((socket) => socket.deserializeAttachment() as Attachment)
      .map(({ flow, behind }) => ({ flow, behind })),
  );

const replace = (api: TestApi, name: string, text: string) =>
  api.json<ConfigMap>('PUT', `${MAPS}/${name}`, { body: map(name, text) });

/** An informer's memory: each object's revision, told once each, until a bookmark. */
async function synced(events: EventReader): Promise<Map<string, number>> {
  const known = new Map<string, number>();
  for (;;) {
    const event = await events.next();
    if (event.type === 'BOOKMARK') return known;
    follow(known, event);
  }
}

function follow(known: Map<string, number>, { type, object }: WatchEvent): void {
  const { name } = object.metadata;
  const before = known.get(name);
  if (type === 'ERROR') throw new Error(`the watch was told ${JSON.stringify(object)}`);
  if ((type === 'ADDED') === (before !== undefined)) throw new Error(`${type} ${name}, known at ${before}`);
  if (before !== undefined && before >= revisionOf(object)) throw new Error(`${name} went back`);
  if (type === 'DELETED') known.delete(name);
  else known.set(name, revisionOf(object));
}

async function listed(api: TestApi): Promise<Map<string, number>> {
  const { items } = await api.json<{ items: ConfigMap[] }>('GET', MAPS);
  return new Map(items.map((item) => [item.metadata.name, revisionOf(item)]));
}

describe('a client that does not read how its watch begins', () => {
  const COUNT = 1200;
  const BYTES = 10 * KILOBYTE;

  test('is written no more than its credit, whoever else is told everything at once; it goes on where it was when it reads, through a restart', async () => {
    const api = new TestApi('credit-start');
    await fill(api, COUNT, BYTES);
    const unread = await api.fetch('GET', `${MAPS}?${INFORMER}`);
    const before = await listed(api);
    const reading = eventsOf(await api.fetch('GET', `${MAPS}?${INFORMER}`));
    expect(await synced(reading)).toEqual(before);
    const [held, free] = await flows(api);
    expect(held?.flow.takenBytes).toBe(0);
    expect(held?.flow.writtenBytes).toBeGreaterThanOrEqual(CREDIT_BYTES);
    expect(held?.flow.writtenBytes).toBeLessThan(CREDIT_BYTES + MESSAGE_BYTES);
    expect(held?.behind).toBeDefined();
    expect(free?.flow.writtenBytes).toBeGreaterThan(COUNT * BYTES);
    expect(free?.behind).toBeUndefined();

    // Its present state is as of then; this comes behind it.
    await replace(api, nameAt(0), 'changed');
    await api.json('DELETE', `${MAPS}/${nameAt(COUNT - 1)}`);
    await api.evict();
    const made = await api.json<ConfigMap>('POST', MAPS, { body: map('new', '') });
    const events = eventsOf(unread);
    // Up to its bookmark it has everything that had happened by then.
    const known = await synced(events);
    while (known.get('new') !== revisionOf(made)) follow(known, await events.next());
    expect(known).toEqual(await listed(api));
    // And hears what happens.
    await api.json('DELETE', `${MAPS}/new`);
    expect(await events.told(1)).toEqual(['DELETED new']);
    await Promise.all([events.cancel(), reading.cancel()]);
  });

  test('is told 410 when the history that it needs is gone meanwhile', async () => {
    const api = new TestApi('credit-compacted');
    await fill(api, COUNT, BYTES);
    const unread = await api.fetch('GET', `${MAPS}?watch=1`);
    await eventually('all that it may be written', async () => {
      const [held] = await flows(api);
      return held !== undefined && held.flow.writtenBytes >= CREDIT_BYTES;
    });
    await api.json('DELETE', `${MAPS}/${nameAt(COUNT - 1)}`);
    await api.compact();
    const events = eventsOf(unread);
    let last = await events.next();
    while (last.type === 'ADDED') last = await events.next();
    expect(last).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    await expect(events.next()).rejects.toThrow('the watch ended');
  });
});

describe('a client that does not read what happens', () => {
  const LARGE = 'x'.repeat(100 * KILOBYTE);
  const CHANGES = 80;

  test('is dropped once it missed too much, having been written no more than its credit; others miss nothing, nor does it when it resumes', async () => {
    const api = new TestApi('credit-live');
    const from = revisionOf(await api.json<ConfigMap>('POST', MAPS, { body: map('a', '') }));
    const watch = () => api.fetch('GET', `${MAPS}?watch=1&resourceVersion=${from}`);
    const unread = await watch();
    const reading = eventsOf(await watch());
    const written: number[] = [];
    for (let change = 0; change < CHANGES; change += 1) {
      const made = revisionOf(await replace(api, 'a', `${change}${LARGE}`));
      written.push(made);
      expect(revisionOf((await reading.next()).object)).toBe(made);
    }
    await eventually('the end of who does not read', async () => (await flows(api)).length === 1);
    const left = eventsOf(unread);
    const told: number[] = [];
    await expect(
      (async () => {
        for (;;) told.push(revisionOf((await left.next()).object));
      })(),
    ).rejects.toThrow('the watch ended');
    expect(told).toEqual(written.slice(0, told.length));
    expect(told.length * LARGE.length).toBeLessThan(CREDIT_BYTES + MESSAGE_BYTES);
    const resumed = eventsOf(await api.fetch('GET', `${MAPS}?watch=1&resourceVersion=${told.at(-1) ?? from}`));
    for (const revision of written.slice(told.length)) {
      expect(revisionOf((await resumed.next()).object)).toBe(revision);
    }
    await Promise.all([resumed.cancel(), reading.cancel()]);
  });

  test('is not dropped for what one turn brings, and reads the rest from history', async () => {
    const api = new TestApi('credit-burst');
    const from = revisionOf(await api.json<ConfigMap>('POST', MAPS, { body: map('a', '') }));
    const unread = await api.fetch('GET', `${MAPS}?watch=1&resourceVersion=${from}`);
    const names = Array.from({ length: 40 }, (_, index) => nameAt(index));
    // They come together, and share turns.
    await Promise.all(names.map((name) => api.json('POST', MAPS, { body: map(name, LARGE) })));
    const [held] = await flows(api);
    expect(held?.behind).toBeDefined();
    expect(held?.flow.writtenBytes).toBeLessThan(CREDIT_BYTES + MESSAGE_BYTES + LARGE.length);
    const events = eventsOf(unread);
    expect((await events.told(names.length)).sort()).toEqual(names.map((name) => `ADDED ${name}`));
    await replace(api, 'a', 'small');
    expect(await events.told(1)).toEqual(['MODIFIED a']);
    await events.cancel();
  });
});

test('a client that leaves, with much unread or at its next event, leaves no socket behind', async () => {
  const api = new TestApi('credit-gone');
  await fill(api, 500, 10 * KILOBYTE);
  const unread = await api.fetch('GET', `${MAPS}?watch=1`);
  const idle = await api.fetch('GET', `${MAPS}?watch=1&fieldSelector=metadata.name%3Dlate`);
  await eventually('all that it may be written', async () =>
    (await flows(api)).some(({ flow }) => flow.writtenBytes >= CREDIT_BYTES),
  );
  expect(await flows(api)).toHaveLength(2);
  await unread.body?.cancel();
  await eventually('one socket', async () => (await flows(api)).length === 1);
  await idle.body?.cancel();
  // It is noticed when something is written to it, at the latest what keeps it alive.
  await api.json('POST', MAPS, { body: map('late', '') });
  await eventually('no socket', async () => (await flows(api)).length === 0);
});

describe('a client of the etcd surface that does not read', () => {
  const CHANGES = 30;
  const LARGE = 'x'.repeat(60 * KILOBYTE);
  const put = async (api: TestApi, key: string, value: string) => {
    const body = { key: btoa(key), value: btoa(value) };
    return (await api.json<{ header: { revision: string } }>('POST', '/v3/kv/put', { body })).header.revision;
  };
  /** In base64, with key and numbers around it. */
  const EVENT_BYTES = (LARGE.length * 4) / 3 + KILOBYTE;

  test('is written no more than its credit, and told the rest from history when it reads, through a restart', async () => {
    const api = new TestApi('credit-etcd');
    const unread = await etcdWatch(api, [{ create_request: { key: btoa('a') } }]);
    const reading = await etcdWatch(api, [{ create_request: { key: btoa('a') } }]);
    const written: string[] = [];
    for (let change = 0; change < CHANGES; change += 1) {
      written.push(`PUT a ${await put(api, 'a', `${change}${LARGE}`)}`);
      expect(await reading.told(1)).toEqual(written.slice(-1));
    }
    const [held] = await flows(api, 'etcd');
    expect(held?.flow.writtenBytes).toBeGreaterThanOrEqual(CREDIT_BYTES);
    expect(held?.flow.writtenBytes).toBeLessThan(CREDIT_BYTES + EVENT_BYTES);
    const past = await etcdWatch(api, [
      { create_request: { key: btoa('a'), start_revision: (written[0] ?? '').split(' ')[2] } },
    ]);
    await api.evict();
    expect(await unread.told(written.length)).toEqual(written);
    expect(await past.told(written.length)).toEqual(written);
    const last = `PUT a ${await put(api, 'a', 'small')}`;
    for (const watch of [unread, reading, past]) {
      expect(await watch.told(1)).toEqual([last]);
      await watch.cancel();
    }
  });

  test('is told that it is cancelled when what it needs is compacted meanwhile', async () => {
    const api = new TestApi('credit-etcd-compacted');
    const watch = await etcdWatch(api, [{ create_request: { key: btoa('a') } }]);
    let revision = '';
    for (let change = 0; change < CHANGES; change += 1) revision = await put(api, 'a', `${change}${LARGE}`);
    await api.json('POST', '/v3/kv/compaction', { body: { revision } });
    let message = await watch.next();
    while (message.canceled !== true) message = await watch.next();
    expect(message).toMatchObject({ canceled: true, compact_revision: revision });
    await watch.cancel();
  });
});
