/**
 * What went wrong in etcd once, as its robustness tests list it: each as a scenario here, named with its issue. On the API's
 * watches where objects are concerned, on the etcd surface where that is where it happened; the object is dropped from
 * memory, reset, and compacted meanwhile. Source: https://github.com/etcd-io/etcd/tree/main/tests/robustness
 */
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import type { Cluster } from '../../../worker/cluster.ts';
import { linesOf } from '../../../worker/http/watch-frames.ts';
import type { WatchRequest } from '../../../worker/links/event-texts.ts';
import { Watches } from '../../../worker/links/watches.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';
import { objectSql } from '../../../worker/store/object-sql.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { bindings, TestApi } from '../support/api.ts';
import { etcdWatch } from '../support/etcd-watch.ts';
import { type EventReader, eventsOf } from '../support/events.ts';

const PATH = '/api/v1/namespaces/default/configmaps';
const map = (name: string, value = '') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { value },
});
const stubOf = (api: TestApi) =>
  bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster)) as unknown as DurableObjectStub<Cluster>;
const revisionOf = ({ metadata }: { metadata: { resourceVersion?: string } }) => Number(metadata.resourceVersion);
const storedRevision = async (api: TestApi) => revisionOf(await api.json<KubeList<ConfigMap>>('GET', PATH));
const create = (api: TestApi, name: string, value = '') =>
  api.json<ConfigMap>('POST', PATH, { body: map(name, value) });
const replace = (api: TestApi, name: string, value: string) =>
  api.json<ConfigMap>('PUT', `${PATH}/${name}`, { body: map(name, value) });

async function watch(api: TestApi, from: number, query = ''): Promise<EventReader> {
  return eventsOf(await api.fetch('GET', `${PATH}?watch=1&resourceVersion=${from}${query}`));
}

/** As a crash: what is in memory is gone, every socket is cut, what was not committed never was. */
async function crash(api: TestApi, before: (state: DurableObjectState) => void = () => undefined): Promise<void> {
  const crashed = runInDurableObject(stubOf(api), (_, state) => {
    before(state);
    state.abort('the object dies here');
  });
  await expect(crashed).rejects.toThrow('the object dies here');
}

const openStore = (state: DurableObjectState) =>
  new SqliteStore(objectSql(state.storage), { clock: Date.now, newEpoch: () => 'unused' });

const inStore = <T>(api: TestApi, body: (store: SqliteStore) => T): Promise<T> =>
  runInDurableObject(stubOf(api), (_, state) => body(openStore(state)));

// ---- The etcd surface ------------------------------------------------------------------------------------------------

const put = (api: TestApi, key: string, value: string) =>
  api.json<{ header: { revision: string } }>('POST', '/v3/kv/put', { body: { key: btoa(key), value: btoa(value) } });
const remove = (api: TestApi, key: string) =>
  api.json<{ header: { revision: string } }>('POST', '/v3/kv/deleterange', { body: { key: btoa(key) } });
const compact = (api: TestApi, revision: number) =>
  api.json('POST', '/v3/kv/compaction', { body: { revision: String(revision) } });
const keyRevision = async (api: TestApi) =>
  Number(
    (await api.json<{ header: { revision: string } }>('POST', '/v3/kv/range', { body: { key: btoa('a') } })).header
      .revision,
  );

describe('etcd#14370: a single node loses a write by a crash', () => {
  test('what was acknowledged is there after a crash at once', async () => {
    const api = new TestApi('etcd-14370');
    for (const name of ['a', 'b', 'c']) {
      const stored = await create(api, name, name);
      await crash(api);
      expect(await api.json('GET', `${PATH}/${name}`)).toEqual(stored);
    }
  });

  test('what a crash kept from being committed was never there', async () => {
    const api = new TestApi('etcd-14370-undone');
    const before = await storedRevision(api);
    await crash(api, (state) => {
      openStore(state).transact((transaction) => {
        transaction.put({ resource: 'configmaps', namespace: 'default', name: 'ghost' }, [], () => '{}');
        state.abort('the object dies here');
      });
    });
    expect(await api.code('GET', `${PATH}/ghost`)).toBe(404);
    expect(revisionOf(await create(api, 'next'))).toBe(before + 1);
  });
});

test('etcd#13766, etcd#14685: the revision is inconsistent after a crash under load', async () => {
  const api = new TestApi('etcd-13766');
  await create(api, 'first');
  const answers: Promise<number | undefined>[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 20; index += 1) {
      const answer = api.fetch('POST', PATH, { body: map(`r${round}-${index}`) });
      answers.push(
        answer.then(
          async (response) => {
            const text = await response.text();
            return response.status === 201 ? revisionOf(JSON.parse(text)) : undefined;
          },
          // Cut by the crash.
          () => undefined,
        ),
      );
    }
    await Promise.race(answers.slice(-20));
    await crash(api);
  }
  const acknowledged = (await Promise.all(answers)).filter((each) => each !== undefined);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  const { items } = await api.json<KubeList<ConfigMap>>('GET', PATH);
  const stored = new Set(items.map(revisionOf));
  for (const revision of acknowledged) expect(stored).toContain(revision);
  await inStore(api, (store) => {
    const told = [...store.changesSince(store.compactedRevision)].map((each) => each.revision);
    // Each revision once, none left out: what the log tells and what the store counts are one thing.
    expect(told).toEqual(Array.from(told, (_, index) => (told[0] ?? 0) + index));
    expect(store.revision).toBe(told.at(-1));
  });
});

test('etcd#15271: a watch goes back in time', async () => {
  const api = new TestApi('etcd-15271');
  let last = revisionOf(await create(api, 'a', '0'));
  let events = await watch(api, last);
  for (let round = 1; round <= 6; round += 1) {
    await replace(api, 'a', String(round));
    const { object } = await events.next();
    expect(revisionOf(object)).toBeGreaterThan(last);
    expect(object.data).toEqual({ value: String(round) });
    last = revisionOf(object);
    if (round % 2 === 1) {
      await api.evict();
      continue;
    }
    // Another instance answers from here on; the watcher resumes where it was.
    await crash(api);
    await expect(events.next()).rejects.toThrow();
    events = await watch(api, last);
  }
  await events.cancel();
});

describe('etcd#17247: an event is told twice', () => {
  test('watches that begin among writes of the same moment are told each event once', async () => {
    const api = new TestApi('etcd-17247');
    const from = revisionOf(await create(api, 'first'));
    const writing: Promise<ConfigMap>[] = [];
    const opening: Promise<EventReader>[] = [];
    for (let index = 0; index < 40; index += 1) {
      writing.push(create(api, `cm-${index}`));
      if (index % 4 === 0) opening.push(watch(api, from));
    }
    const written = (await Promise.all(writing)).map(revisionOf).sort((left, right) => left - right);
    const end = revisionOf(await create(api, 'end'));
    for (const events of await Promise.all(opening)) {
      expect(await revisionsUntil(events, end)).toEqual([...written, end]);
      await events.cancel();
    }
  });

  test('a long start, page by page, with writes between its pages', async () => {
    const api = new TestApi('etcd-17247-pages');
    await create(api, 'a-first');
    const pages = 1300;
    await inStore(api, (store) => {
      store.transact((transaction) => {
        for (let index = 0; index < pages; index += 1) {
          const name = `cm-${String(index).padStart(5, '0')}`;
          const metadata = { name, namespace: 'default', uid: `uid-${index}` };
          transaction.put({ resource: 'configmaps', namespace: 'default', name }, [], (revision) =>
            JSON.stringify({ ...map(name), metadata: { ...metadata, resourceVersion: String(revision) } }),
          );
        }
      });
    });
    const names = ['cm-00000', 'cm-00700', 'cm-01299'];
    const opened = watch(api, 0);
    const writing = Promise.all(names.map((name) => replace(api, name, 'changed')));
    const events = await opened;
    await writing;
    const end = revisionOf(await create(api, 'z-end'));
    const added = new Map<string, number>();
    const changes: string[] = [];
    for (let last = 0; last !== end; ) {
      const { type, object } = await events.next();
      const { name } = object.metadata;
      last = revisionOf(object);
      if (type !== 'ADDED') changes.push(`${type} ${name}`);
      else expect(added.has(name), `${name} was told already`).toBe(false);
      added.set(name, last);
    }
    await events.cancel();
    const { items } = await api.json<KubeList<ConfigMap>>('GET', PATH);
    expect(added.size).toBe(items.length);
    for (const item of items) expect(added.get(item.metadata.name)).toBe(revisionOf(item));
    expect(new Set(changes).size).toBe(changes.length);
  });
});

describe('etcd#17529: a starved stream loses events', () => {
  const LARGE = 'x'.repeat(400_000);

  test('a watcher that does not read is cut off, never told with gaps, and resumes where it was', async () => {
    const api = new TestApi('etcd-17529');
    const from = revisionOf(await create(api, 'a', '0'));
    const starved = await watch(api, from);
    const written: number[] = [];
    for (let index = 0; index < 50; index += 1) written.push(revisionOf(await replace(api, 'a', `${index}${LARGE}`)));
    const told = await revisionsUntilEnd(starved);
    expect(told.length).toBeLessThan(written.length);
    expect(told).toEqual(written.slice(0, told.length));
    const resumed = await watch(api, told.at(-1) ?? from);
    expect(await revisionsUntil(resumed, written.at(-1) ?? 0)).toEqual(written.slice(told.length));
    await resumed.cancel();
  });

  test('when history went on without it, it is told 410 and not what is left', async () => {
    const api = new TestApi('etcd-17529-compacted');
    const from = revisionOf(await create(api, 'a', '0'));
    await replace(api, 'a', '1');
    await replace(api, 'a', '2');
    await api.compact();
    const events = await watch(api, from);
    expect(await events.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    await expect(events.next()).rejects.toThrow('the watch ended');
  });
});

describe('etcd#17780: the revision decreases by a crash during compaction', () => {
  test('compaction takes the newest revision, a deletion, and the object dies', async () => {
    const api = new TestApi('etcd-17780');
    await put(api, 'a', '1');
    const keys = Number((await remove(api, 'a')).header.revision);
    await create(api, 'a');
    await api.json('DELETE', `${PATH}/a`);
    const newest = await storedRevision(api);
    for (const dies of ['before', 'within', 'after']) {
      await crash(api, (state) => {
        const store = openStore(state);
        if (dies === 'within') {
          state.storage.transactionSync(() => {
            store.compact(store.revision);
            state.abort('the object dies here');
          });
        } else if (dies === 'before') store.compact(store.revision);
      });
      if (dies === 'after') {
        await api.compact();
        await compact(api, keys);
        await crash(api);
      }
      expect(await storedRevision(api), dies).toBe(newest);
      expect(await keyRevision(api), dies).toBe(keys);
    }
    expect(revisionOf(await create(api, 'b'))).toBe(newest + 1);
    expect(Number((await put(api, 'b', '1')).header.revision)).toBe(keys + 1);
  });
});

describe('etcd#18089: an event is dropped when compacting at a delete', () => {
  test('the etcd surface: a watch from the compacted deletion is told it', async () => {
    const api = new TestApi('etcd-18089');
    for (const value of ['2', '3', '4']) await put(api, 'k', value);
    const deleted = Number((await remove(api, 'k')).header.revision);
    await put(api, 'k', '6');
    await compact(api, deleted);
    const events = await etcdWatch(api, [{ create_request: { key: btoa('k'), start_revision: String(deleted) } }]);
    expect(await events.told(2)).toEqual([`DELETE k ${deleted}`, `PUT k ${deleted + 1}`]);
    await events.cancel();
  });

  test('a watch of objects that slept over it is told the deletion, or 410, and never what came after it alone', async () => {
    const api = new TestApi('etcd-18089-objects');
    const made = revisionOf(await create(api, 'k'));
    await api.json('DELETE', `${PATH}/k`);
    const deleted = await storedRevision(api);
    const after = revisionOf(await create(api, 'k', 'again'));
    await inStore(api, (store) => store.compact(made));
    const events = await watch(api, made);
    expect(await events.told(2)).toEqual(['DELETED k', 'ADDED k']);
    await events.cancel();
    await inStore(api, (store) => store.compact(deleted));
    const tooOld = await watch(api, made);
    expect(await tooOld.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } });
    const late = await watch(api, deleted);
    expect(await revisionsUntil(late, after)).toEqual([after]);
    await late.cancel();
  });
});

test('etcd#19179: a watch opened at the compacted revision misses the deletes of that revision', async () => {
  const api = new TestApi('etcd-19179');
  for (const key of ['p/1', 'p/2', 'q']) await put(api, key, '1');
  const range = { key: btoa('p/'), range_end: btoa('p0') };
  const { header } = await api.json<{ header: { revision: string } }>('POST', '/v3/kv/deleterange', { body: range });
  await compact(api, Number(header.revision));
  await crash(api);
  const events = await etcdWatch(api, [{ create_request: { ...range, start_revision: header.revision } }]);
  expect(await events.told(2)).toEqual([`DELETE p/1 ${header.revision}`, `DELETE p/2 ${header.revision}`]);
  await events.cancel();
});

describe('etcd#20221: a watch from a future revision is told old events or notices', () => {
  test('the etcd surface: neither event nor progress before its start', async () => {
    const api = new TestApi('etcd-20221');
    const now = Number((await put(api, 'k', '1')).header.revision);
    const create_request = { key: btoa('k'), start_revision: String(now + 3), progress_notify: true };
    const events = await etcdWatch(api, [{ create_request }, { progress_request: {} }]);
    await api.evict();
    for (const value of ['2', '3', '4']) await put(api, 'k', value);
    expect(await events.next()).toMatchObject({ events: [{ kv: { mod_revision: String(now + 3) } }] });
    await events.cancel();
  });

  test('a watch of objects from the future is refused with 504, and begins once the revision is there', async () => {
    const api = new TestApi('etcd-20221-objects');
    const now = revisionOf(await create(api, 'a', '0'));
    const refused = await api.refusal('GET', `${PATH}?watch=1&resourceVersion=${now + 1}`);
    expect(refused).toMatchObject({ http: 504, reason: 'Timeout', message: expect.stringContaining('Too large') });
    await replace(api, 'a', '1');
    const events = await watch(api, now + 1);
    const next = revisionOf(await replace(api, 'a', '2'));
    expect(await revisionsUntil(events, next)).toEqual([next]);
    await events.cancel();
  });
});

test('etcd#20418: reads are stale after a pause', async () => {
  // What a pause did there is, here, an instance that slept through what another one wrote.
  const api = new TestApi('etcd-20418');
  await create(api, 'a', 'old');
  const list = await api.json<KubeList<ConfigMap>>('GET', PATH);
  await put(api, 'k', 'old');
  await inStore(api, (store) => {
    store.transact((transaction) => {
      const key = { resource: 'configmaps', namespace: 'default', name: 'a' };
      const { text } = transaction.get(key)!;
      const stored = JSON.parse(text) as ConfigMap;
      transaction.put(key, [], (revision) =>
        JSON.stringify({
          ...stored,
          metadata: { ...stored.metadata, resourceVersion: String(revision) },
          data: { value: 'new' },
        }),
      );
    });
  });
  const newest = revisionOf(list) + 1;
  expect(await api.json('GET', `${PATH}/a`)).toMatchObject({ data: { value: 'new' } });
  const now = await api.json<KubeList<ConfigMap>>('GET', PATH);
  expect(revisionOf(now)).toBe(newest);
  expect(now.items.find(({ metadata }) => metadata.name === 'a')).toMatchObject({ data: { value: 'new' } });
  const events = await watch(api, revisionOf(list));
  expect(await revisionsUntil(events, newest)).toEqual([newest]);
  await events.cancel();
  // Compare-and-set is judged by what is stored, too.
  const stale = { ...map('a', 'lost'), metadata: { name: 'a', resourceVersion: String(newest - 1) } };
  expect(await api.code('PUT', `${PATH}/a`, { body: stale })).toBe(409);
});

describe('etcd#15220: a progress notice is ahead of its stream', () => {
  test('the etcd surface: a notice comes after everything that it covers', async () => {
    const api = new TestApi('etcd-15220');
    for (let index = 0; index < 30; index += 1) await put(api, `k${index % 3}`, String(index));
    const create_request = { key: btoa('k'), range_end: btoa('l'), start_revision: '2' };
    const events = await etcdWatch(api, [{ create_request }, { progress_request: {} }]);
    let told = 1;
    for (;;) {
      const message = await events.next();
      if (message.events === undefined) {
        expect(message).toMatchObject({ watch_id: '-1', header: { revision: String(told) } });
        break;
      }
      for (const { kv } of message.events) {
        expect(Number(kv.mod_revision)).toBe(told + 1);
        told += 1;
      }
    }
    expect(told).toBe(31);
    await events.cancel();
  });

  test('a bookmark names no revision of which the watcher was not told', async () => {
    const api = new TestApi('etcd-15220-bookmark');
    await create(api, 'made');
    const told = await runInDurableObject(stubOf(api), async (_, state) => {
      const store = openStore(state);
      let nowMs = 1_000_000;
      const catalog = catalogOf();
      const watches = new Watches({
        sockets: state,
        reader: store,
        catalog: () => catalog,
        nowMs: () => nowMs,
        later: (step) => step(),
        atTurnEnd: (step) => queueMicrotask(step),
        webhooks: { newUid: () => crypto.randomUUID(), post: () => Promise.reject(new Error('no webhook is called')) },
        log: (entry) => console.log(JSON.stringify(entry)),
      });
      store.onCommit((changes) => watches.publish(changes));
      const served = catalog.findResource('', 'v1', 'configmaps')!;
      const response = watches.accept({ ...WATCH, revision: store.revision }, served);
      const socket = response.webSocket!;
      const heard: { type: string; revision: number }[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.addEventListener('message', ({ data }) => {
        for (const line of linesOf(new Uint8Array(data as ArrayBuffer))) {
          const { type, object } = JSON.parse(line) as { type: string; object: ConfigMap };
          heard.push({ type, revision: revisionOf(object) });
        }
        const changes = heard.filter(({ type }) => type !== 'BOOKMARK').length;
        if (changes === 3 && changes < heard.length) resolve();
      });
      socket.binaryType = 'arraybuffer';
      socket.accept();
      const write = (name: string, ...after: (() => void)[]): void => {
        store.transact((transaction) => {
          transaction.put({ resource: 'configmaps', namespace: 'default', name }, [], (revision) =>
            JSON.stringify({ ...map(name), metadata: { name, resourceVersion: String(revision) } }),
          );
          for (const callback of after) transaction.afterCommit(callback);
        });
      };
      const later = () => {
        nowMs += 120_000;
        write('y');
      };
      // Both are committed before either is told.
      write('x', later, () => write('z'));
      await promise;
      return heard;
    });
    let known = 0;
    for (const { type, revision } of told) {
      if (type === 'BOOKMARK') expect(revision).toBeLessThanOrEqual(known);
      else {
        expect(revision).toBeGreaterThan(known);
        known = revision;
      }
    }
    expect(told.some(({ type }) => type === 'BOOKMARK')).toBe(true);
  });
});

// ---- Reading watches ---------------------------------------------------------------------------------------------------

const WATCH: Omit<WatchRequest, 'revision'> = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  namespace: 'default',
  labelSelector: '',
  fieldSelector: '',
  as: '',
  metaVersion: 'v1',
  include: 'Metadata',
  initial: false,
  endsInitial: false,
  bookmarks: true,
};

async function revisionsUntil(events: EventReader, end: number): Promise<number[]> {
  const told: number[] = [];
  while (told.at(-1) !== end) {
    const { type, object } = await events.next();
    if (type === 'ERROR') throw new Error(`the watch was told ${JSON.stringify(object)}`);
    told.push(revisionOf(object));
  }
  return told;
}

async function revisionsUntilEnd(events: EventReader): Promise<number[]> {
  const told: number[] = [];
  for (;;) {
    try {
      told.push(revisionOf((await events.next()).object));
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'the watch ended') throw error;
      return told;
    }
  }
}
