/** Many watchers of the same: what is done once for all of them, and what a turn's commits become. */
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import type { Cluster } from '../../worker/cluster.ts';
import { linesOf } from '../../worker/http/watch-frames.ts';
import type { WatchRequest } from '../../worker/links/event-texts.ts';
import { Watches } from '../../worker/links/watches.ts';
import { catalogOf, type ServedResource } from '../../worker/resources/catalog.ts';
import { objectSql } from '../../worker/store/object-sql.ts';
import { SqliteStore } from '../../worker/store/sqlite-store.ts';
import { bindings } from './support/api.ts';

const REQUEST: WatchRequest = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  namespace: undefined,
  labelSelector: '',
  fieldSelector: '',
  as: '',
  metaVersion: 'v1',
  include: 'Metadata',
  revision: 0,
  initial: false,
  endsInitial: false,
  bookmarks: false,
};

interface World {
  store: SqliteStore;
  /** The messages that a new watcher gets, each as its lines. */
  watch(request?: Partial<WatchRequest>): { messages: string[][]; heard(lines: number): Promise<void> };
  write(name: string, labels?: Record<string, string>): void;
  /** How often an object was written for watchers. */
  written(): number;
}

/** Watchers of ConfigMaps as they would be of a resource whose served form has to be written, which can be counted. */
const inWorld = <T>(name: string, body: (world: World) => Promise<T>): Promise<T> => {
  const stub = bindings.CLUSTER.get(bindings.CLUSTER.idFromName(name)) as unknown as DurableObjectStub<Cluster>;
  return runInDurableObject(stub, (_, state) => {
    const store = new SqliteStore(objectSql(state.storage), { clock: Date.now, newEpoch: () => 'unused' });
    const catalog = catalogOf();
    let written = 0;
    const plain = catalog.findResource('', 'v1', 'configmaps');
    if (plain === undefined) throw new Error('configmaps are not served');
    const served: ServedResource = {
      ...plain,
      convert: {
        fromStored: (object) => {
          written += 1;
          return object;
        },
        toStored: (object) => object,
      },
    };
    const watches = new Watches({
      sockets: state,
      reader: store,
      catalog: () => catalog,
      nowMs: Date.now,
      later: (step) => step(),
      atTurnEnd: (step) => queueMicrotask(step),
      webhooks: { newUid: () => crypto.randomUUID(), post: () => Promise.reject(new Error('no webhook is called')) },
      log: (entry) => console.log(JSON.stringify(entry)),
    });
    store.onCommit((changes) => watches.publish(changes));
    return body({
      store,
      watch(request) {
        const socket = watches.accept({ ...REQUEST, revision: store.revision, ...request }, served).webSocket;
        if (socket === null) throw new Error('no socket came');
        const messages: string[][] = [];
        let wake = () => {};
        socket.binaryType = 'arraybuffer';
        socket.addEventListener('message', ({ data }) => {
          messages.push(linesOf(new Uint8Array(data as ArrayBuffer)));
          wake();
        });
        socket.accept();
        return {
          messages,
          async heard(lines) {
            while (messages.flat().length < lines) {
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            }
          },
        };
      },
      write(of, labels = {}) {
        const entries = Object.entries(labels).map(([key, value]) => ({ index: `label:${key}`, value }));
        store.transact((transaction) =>
          transaction.put({ resource: 'configmaps', namespace: 'default', name: of }, entries, (revision) =>
            JSON.stringify({ kind: 'ConfigMap', metadata: { name: of, labels, resourceVersion: String(revision) } }),
          ),
        );
      },
      written: () => written,
    });
  });
};

const told = (lines: readonly string[]) =>
  lines.map((line) => {
    const { type, object } = JSON.parse(line) as { type: string; object: { metadata: { name: string } } };
    return `${type} ${object.metadata.name}`;
  });

describe('watchers of the same', () => {
  test('are told by one text, written once an event', () =>
    inWorld('fan-out-once', async (world) => {
      const watchers = Array.from({ length: 20 }, () => world.watch());
      for (const name of ['a', 'b', 'c']) world.write(name);
      for (const { heard, messages } of watchers) {
        await heard(3);
        expect(told(messages.flat())).toEqual(['ADDED a', 'ADDED b', 'ADDED c']);
      }
      expect(world.written()).toBe(3);
    }));

  test('hear what one turn commits in one message', () =>
    inWorld('fan-out-turn', async (world) => {
      const { heard, messages } = world.watch();
      for (const name of ['a', 'b', 'a']) world.write(name);
      await heard(3);
      expect(messages.map(told)).toEqual([['ADDED a', 'ADDED b', 'MODIFIED a']]);
    }));

  test('hear nothing twice when they come between a commit and the end of its turn', () =>
    inWorld('fan-out-between', async (world) => {
      const early = world.watch();
      world.write('a');
      const late = world.watch({ revision: 0 });
      world.write('b');
      for (const { heard, messages } of [early, late]) {
        await heard(2);
        expect(told(messages.flat())).toEqual(['ADDED a', 'ADDED b']);
      }
      world.write('c');
      await Promise.all([early.heard(3), late.heard(3)]);
      expect(told(late.messages.flat())).toEqual(told(early.messages.flat()));
    }));
});

test('watchers of other selections hear each their own, in order', () =>
  inWorld('fan-out-selections', async (world) => {
    const red = world.watch({ labelSelector: 'colour=red' });
    const blue = world.watch({ labelSelector: 'colour=blue' });
    const elsewhere = world.watch({ namespace: 'elsewhere' });
    const all = world.watch();
    world.write('a', { colour: 'red' });
    world.write('b', { colour: 'blue' });
    world.write('a', { colour: 'blue' });
    await Promise.all([red.heard(2), blue.heard(2), all.heard(3)]);
    expect(told(red.messages.flat())).toEqual(['ADDED a', 'DELETED a']);
    expect(told(blue.messages.flat())).toEqual(['ADDED b', 'ADDED a']);
    expect(told(all.messages.flat())).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a']);
    expect(elsewhere.messages).toEqual([]);
  }));
