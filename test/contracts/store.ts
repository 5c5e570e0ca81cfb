/**
 * What every Store keeps, run against each implementation and place (`test/worker/store`, `test/workerd/store`). The
 * harness says how a store is reached, dropped from memory and killed; the comparison with a plain model is
 * `store-properties.ts`.
 */
import { expect, test } from 'vitest';
import type { Sql } from '../../worker/store/sql.ts';
import {
  type Change,
  type IndexEntry,
  MAX_OBJECT_BYTES,
  type ObjectKey,
  RevisionMismatch,
  type Store,
  type Transaction,
  type WorkItem,
} from '../../worker/store/store.ts';

export interface StoreHarness {
  /** What the store takes for the time. */
  readonly clock: { nowMs: number };
  /** One synchronous turn with the store. */
  use<T>(body: (store: Store, sql: Sql) => T): Promise<T>;
  /** Drops everything from memory; the next `use` has a new instance over the same database. */
  reopen(): Promise<void>;
  /** Runs this in a transaction and dies before it commits. */
  crashIn(body: (transaction: Transaction) => void): Promise<void>;
  close(): Promise<void>;
}

export const keyOf = (name: string, namespace = 'default', resource = 'pods'): ObjectKey => ({
  resource,
  namespace,
  name,
});
export const label = (key: string, value: string): IndexEntry => ({ index: `label:${key}`, value });
export const text = (revision: number): string => `{"metadata":{"resourceVersion":"${revision}"}}`;

const put = (store: Store, key: ObjectKey, entries: readonly IndexEntry[] = [], expected?: number) =>
  store.transact((transaction) => transaction.put(key, entries, text, expected));
const remove = (store: Store, key: ObjectKey, expected?: number) =>
  store.transact((transaction) => transaction.delete(key, text, expected));
const names = (store: Store, query: Parameters<Store['list']>[0]): string[] =>
  [...store.list(query).items].map((each) => each.name);
const sinceOf = (store: Store, revision: number): string[] =>
  [...store.changesSince(revision)].map((each) => `${each.type} ${each.name} ${each.revision}`);

/** The Status code of what was thrown; fails when nothing was. */
function codeOf(body: () => unknown): number | string {
  try {
    body();
  } catch (error) {
    return (error as { code?: number }).code ?? (error as Error).message;
  }
  return 'nothing was thrown';
}

function mismatchOf(body: () => unknown): number {
  try {
    body();
  } catch (error) {
    if (error instanceof RevisionMismatch) return error.actual;
    throw error;
  }
  throw new Error('expected a RevisionMismatch');
}

export function storeContract(open: () => Promise<StoreHarness>): void {
  const withStore = (name: string, body: (harness: StoreHarness) => Promise<void>): void =>
    test(name, async () => {
      const harness = await open();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });

  withStore('an empty store is at revision 1, as an empty etcd', async ({ use }) => {
    await use((store) => {
      expect(store.revision).toBe(1);
      expect(store.compactedRevision).toBe(0);
      expect([...store.list({ resource: 'pods' }).items]).toEqual([]);
      expect([...store.changesSince(0)]).toEqual([]);
      expect(store.nextDueMs()).toBeUndefined();
    });
  });

  withStore('every write takes the next revision and keeps exactly the text it was given', async ({ use }) => {
    await use((store) => {
      const written = put(store, keyOf('a'), [label('app', 'web')], 0);
      expect(written).toEqual({ ...keyOf('a'), revision: 2, text: text(2) });
      expect(store.get(keyOf('a'))).toEqual(written);
      expect(remove(store, keyOf('a'), 2)).toEqual({ ...keyOf('a'), revision: 3, text: text(3) });
      expect(store.get(keyOf('a'))).toBeUndefined();
      expect(store.revision).toBe(3);
    });
  });

  withStore('text outside ASCII, and NUL-like escapes, come back as they were', async ({ use }) => {
    await use((store) => {
      const strange = '{"a":"é 漢字 😀 \\u0000 \\ud800"}';
      store.transact((transaction) => transaction.put(keyOf('a'), [], () => strange));
      expect(store.get(keyOf('a'))?.text).toBe(strange);
    });
  });

  withStore('compare-and-set writes only over the revision that was read', async ({ use }) => {
    await use((store) => {
      put(store, keyOf('a'), [], 0);
      expect(mismatchOf(() => put(store, keyOf('a'), [], 0))).toBe(2);
      expect(mismatchOf(() => put(store, keyOf('a'), [], 1))).toBe(2);
      expect(mismatchOf(() => put(store, keyOf('b'), [], 2))).toBe(0);
      expect(mismatchOf(() => remove(store, keyOf('a'), 7))).toBe(2);
      expect(mismatchOf(() => remove(store, keyOf('b')))).toBe(0);
      expect(store.revision).toBe(2);
      expect(put(store, keyOf('a'), [], 2).revision).toBe(3);
    });
  });

  withStore('an object over the limit is refused with 413, and one at the limit is kept', async ({ use }) => {
    await use((store) => {
      const write = (content: string) =>
        store.transact((transaction) => transaction.put(keyOf('a'), [], () => content));
      expect(codeOf(() => write('x'.repeat(MAX_OBJECT_BYTES + 1)))).toBe(413);
      expect(codeOf(() => write('é'.repeat(MAX_OBJECT_BYTES / 2 + 1)))).toBe(413);
      expect(store.revision).toBe(1);
      expect(write('é'.repeat(MAX_OBJECT_BYTES / 2)).revision).toBe(2);
      expect(store.get(keyOf('a'))?.text.length).toBe(MAX_OBJECT_BYTES / 2);
    });
  });

  withStore('a transaction that throws leaves no trace: no object, revision, event or work', async ({ use }) => {
    await use((store) => {
      const heard: Change[] = [];
      store.onCommit((changes) => heard.push(...changes));
      expect(() =>
        store.transact((transaction) => {
          transaction.put(keyOf('a'), [label('app', 'web')], text);
          transaction.enqueue('queue', 'a');
          throw new Error('on purpose');
        }),
      ).toThrow('on purpose');
      expect(store.revision).toBe(1);
      expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual([]);
      expect(store.nextDueMs()).toBeUndefined();
      expect(heard).toEqual([]);
      expect(put(store, keyOf('b')).revision).toBe(2);
    });
  });

  withStore('a write that follows a read of the same object finds it as it is then', async ({ use }) => {
    await use((store) => {
      put(store, keyOf('a'), [label('app', 'first')]);
      const read = (transaction: Transaction) => transaction.get(keyOf('a'))?.revision;
      store.transact((transaction) => {
        expect(read(transaction)).toBe(2);
        // Read again while it is written.
        const reading = (revision: number) => `${text(revision)}${' '.repeat(read(transaction) ?? 0)}`;
        transaction.put(keyOf('a'), [label('app', 'second')], reading, 2);
        expect(mismatchOf(() => transaction.put(keyOf('a'), [], text, 2))).toBe(3);
        expect(() =>
          store.transact((nested) => {
            nested.put(keyOf('a'), [label('app', 'third')], text, 3);
            expect(read(nested)).toBe(4);
            throw new Error('no');
          }),
        ).toThrow('no');
        transaction.put(keyOf('a'), [label('app', 'last')], text, 3);
      });
      const having = (value: string) => names(store, { resource: 'pods', having: [label('app', value)] });
      expect(['first', 'second', 'third', 'last'].map(having)).toEqual([[], [], [], ['a']]);
      const [change] = [...store.changesSince(3)];
      expect(change?.previousEntries).toEqual([label('app', 'second')]);
    });
  });

  withStore(
    'a nested transaction that throws undoes only itself, and its revisions are given again',
    async ({ use }) => {
      await use((store) => {
        const heard: string[] = [];
        store.onCommit((changes) => heard.push(...changes.map((each) => `${each.name} ${each.revision}`)));
        store.transact((outer) => {
          outer.put(keyOf('a'), [], text);
          outer.enqueue('queue', 'kept', 10);
          expect(() =>
            store.transact((inner) => {
              inner.put(keyOf('b'), [], text);
              inner.delete(keyOf('a'), text);
              inner.enqueue('queue', 'undone');
              inner.enqueue('queue', 'kept', 5);
              throw new Error('on purpose');
            }),
          ).toThrow('on purpose');
          expect(outer.revision).toBe(2);
          expect(outer.get(keyOf('a'))?.revision).toBe(2);
          outer.put(keyOf('c'), [], text);
        });
        expect(heard).toEqual(['a 2', 'c 3']);
        expect(store.dueWork(Number.MAX_SAFE_INTEGER, 10)).toEqual([
          { queue: 'queue', key: 'kept', dueMs: 10, attempts: 0 },
        ]);
      });
    },
  );

  withStore(
    'a transaction tells the revision of an object as it stands, whatever was undone in between',
    async ({ use }) => {
      await use((store) => {
        put(store, keyOf('a'));
        store.transact((outer) => {
          expect([outer.revisionOf(keyOf('a')), outer.revisionOf(keyOf('b'))]).toEqual([2, 0]);
          outer.get(keyOf('a'));
          outer.put(keyOf('b'), [label('app', 'web')], text);
          expect(outer.revisionOf(keyOf('b'))).toBe(3);
          expect(() =>
            store.transact((inner) => {
              inner.put(keyOf('b'), [label('app', 'undone')], text);
              inner.delete(keyOf('a'), text);
              expect([inner.revisionOf(keyOf('a')), inner.revisionOf(keyOf('b'))]).toEqual([0, 4]);
              throw new Error('on purpose');
            }),
          ).toThrow('on purpose');
          expect([outer.revisionOf(keyOf('a')), outer.revisionOf(keyOf('b'))]).toEqual([2, 3]);
          outer.put(keyOf('b'), [label('app', 'other')], text);
          outer.delete(keyOf('a'), text);
          expect([outer.revisionOf(keyOf('a')), outer.revisionOf(keyOf('b'))]).toEqual([0, 4]);
        });
        expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual([]);
        expect(names(store, { resource: 'pods', having: [label('app', 'undone')] })).toEqual([]);
        expect(names(store, { resource: 'pods', having: [label('app', 'other')] })).toEqual(['b']);
      });
    },
  );

  withStore('a write that failed half-way cannot be committed by a caller that swallows the error', async ({ use }) => {
    await use((store, sql) => {
      // The index already has the row that this write is going to add.
      sql.run('INSERT INTO entries VALUES (?, ?, ?, ?, ?)', 'pods', 'label:app', 'web', 'default', 'a');
      expect(() =>
        store.transact((transaction) => {
          transaction.put(keyOf('before'), [], text);
          expect(() => transaction.put(keyOf('a'), [label('app', 'web')], text)).toThrow();
        }),
      ).toThrow('failed half-way');
      expect(store.revision).toBe(1);
      expect(store.get(keyOf('before'))).toBeUndefined();
      expect(store.get(keyOf('a'))).toBeUndefined();
    });
  });

  withStore('a body that returns a promise is refused even where the types were got round', async ({ use }) => {
    await use((store) => {
      const body = (transaction: Transaction): unknown => {
        transaction.put(keyOf('a'), [], text);
        return Promise.resolve();
      };
      expect(() => store.transact(body as (transaction: Transaction) => number)).toThrow('promise');
      expect(store.revision).toBe(1);
    });
  });

  withStore('a transaction that outlived its body is of no use', async ({ use }) => {
    await use((store) => {
      let escaped: Transaction | undefined;
      store.transact((transaction) => {
        escaped = transaction;
      });
      expect(() => escaped?.put(keyOf('a'), [], text)).toThrow('over');
      store.transact(() => {
        expect(() => escaped?.put(keyOf('a'), [], text)).toThrow('over');
      });
    });
  });

  withStore('the time stands still during a transaction', async ({ use, clock }) => {
    await use((store) => {
      clock.nowMs = 1000;
      store.transact((transaction) => {
        clock.nowMs = 2000;
        store.transact((inner) => expect([transaction.nowMs, inner.nowMs]).toEqual([1000, 1000]));
      });
    });
  });

  withStore('listeners hear each commit once and in order, whatever one of them throws or writes', async ({ use }) => {
    await use((store) => {
      const reported: unknown[] = [];
      const { error } = console;
      console.error = (...parts: unknown[]) => reported.push(parts);
      try {
        const heard: string[] = [];
        store.onCommit(() => {
          throw new Error('a bad listener');
        });
        store.onCommit((changes) => {
          heard.push(`first ${changes.map((each) => each.revision)}`);
          if (changes.some((each) => each.name === 'cause')) put(store, keyOf('effect'));
        });
        store.onCommit((changes) => heard.push(`second ${changes.map((each) => each.revision)}`));
        store.transact((transaction) => {
          transaction.put(keyOf('a'), [], text);
          store.transact((inner) => inner.put(keyOf('cause'), [], text));
          expect(heard).toEqual([]);
        });
        expect(heard).toEqual(['first 2,3', 'second 2,3', 'first 4', 'second 4']);
        expect(reported).toHaveLength(2);
        expect(String(reported[0])).toContain('a bad listener');
      } finally {
        console.error = error;
      }
    });
  });

  withStore('what was asked for after the commit happens after it, and only then', async ({ use }) => {
    await use((store) => {
      const heard: string[] = [];
      store.onCommit(() => heard.push('listener'));
      store.transact((transaction) => {
        transaction.put(keyOf('a'), [], text);
        transaction.afterCommit(() => heard.push('outer'));
        expect(() =>
          store.transact((inner) => {
            inner.afterCommit(() => heard.push('undone'));
            throw new Error('on purpose');
          }),
        ).toThrow('on purpose');
        expect(heard).toEqual([]);
      });
      store.transact((transaction) => transaction.afterCommit(() => heard.push('without a change')));
      expect(heard).toEqual(['listener', 'outer', 'without a change']);
    });
  });

  // ---- Reading -----------------------------------------------------------------------------------------------------

  withStore('lists go by namespace and name, in code point order, one resource at a time', async ({ use }) => {
    await use((store) => {
      for (const name of ['b', '😀', 'a', '\uffee', 'a.b', 'B']) put(store, keyOf(name, 'two'));
      put(store, keyOf('z', 'one'));
      put(store, keyOf('z', 'one', 'pods.metrics.k8s.io'));
      expect(names(store, { resource: 'pods' })).toEqual(['z', 'B', 'a', 'a.b', 'b', '\uffee', '😀']);
      expect(names(store, { resource: 'pods', namespace: 'two', limit: 2 })).toEqual(['B', 'a']);
      expect(names(store, { resource: 'pods', after: { namespace: 'one', name: 'z' }, limit: 1 })).toEqual(['B']);
      expect(names(store, { resource: 'pods', namespace: 'one', after: { namespace: 'two', name: 'a' } })).toEqual([]);
      expect(names(store, { resource: 'pods', namespace: 'two', after: { namespace: 'one', name: 'z' } })).toHaveLength(
        6,
      );
      expect(store.count({ resource: 'pods' })).toBe(7);
      expect(store.count({ resource: 'pods', namespace: 'two' })).toBe(6);
    });
  });

  withStore(
    'objects are found by every entry they have, indexed or not, and by what a matcher says',
    async ({ use }) => {
      await use((store) => {
        const phase = (value: string): IndexEntry => ({ index: 'field:status.phase', value });
        const node = (value: string): IndexEntry => ({ index: 'field:spec.nodeName', value });
        put(store, keyOf('a'), [label('app', 'web'), phase('Running'), node('n1')]);
        put(store, keyOf('b'), [label('app', 'web'), label('app', 'web'), phase('Pending'), node('')]);
        put(store, keyOf('c', 'other'), [label('app', 'db'), phase('Running'), node('n1')]);
        expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual(['a', 'b']);
        expect(names(store, { resource: 'pods', having: [phase('Running')] })).toEqual(['a', 'c']);
        expect(names(store, { resource: 'pods', having: [phase('Running'), label('app', 'web')] })).toEqual(['a']);
        expect(names(store, { resource: 'pods', namespace: 'other', having: [node('n1')] })).toEqual(['c']);
        expect(names(store, { resource: 'pods', having: [node('')] })).toEqual(['b']);
        expect(store.count({ resource: 'pods', having: [node('n1')] })).toBe(2);
        expect(store.count({ resource: 'pods', namespace: 'default', having: [node('n1')] })).toBe(1);
        expect(store.count({ resource: 'pods', having: [node('n1'), phase('Running')] })).toBe(2);
        const matches = (entries: readonly IndexEntry[]) => !entries.some((each) => each.value === 'web');
        expect(names(store, { resource: 'pods', matches })).toEqual(['c']);
        expect(store.count({ resource: 'pods', matches })).toBe(1);
      });
    },
  );

  withStore('an index follows its object through changes and deletion', async ({ use }) => {
    await use((store) => {
      put(store, keyOf('a'), [label('app', 'web'), label('tier', 'front')]);
      put(store, keyOf('a'), [label('app', 'db'), label('tier', 'front')]);
      expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual([]);
      expect(names(store, { resource: 'pods', having: [label('app', 'db')] })).toEqual(['a']);
      remove(store, keyOf('a'));
      expect(names(store, { resource: 'pods', having: [label('tier', 'front')] })).toEqual([]);
      put(store, keyOf('a'), [label('tier', 'front')]);
      expect(names(store, { resource: 'pods', having: [label('tier', 'front')] })).toEqual(['a']);
    });
  });

  withStore(
    'pages continued at the first page’s revision show the objects as they were then',
    async ({ use, reopen }) => {
      await use((store) => {
        for (const name of ['a', 'b', 'd', 'e', 'f']) put(store, keyOf(name), [label('app', 'web')]);
      });
      const first = await use((store) => store.list({ resource: 'pods', limit: 2 }).revision);
      await use((store) => {
        remove(store, keyOf('d'));
        put(store, keyOf('c'), [label('app', 'web')]);
        put(store, keyOf('e'), [label('app', 'other')]);
        remove(store, keyOf('f'));
        put(store, keyOf('f'), [label('app', 'web')]);
        put(store, keyOf('f'), [label('app', 'web')]);
      });
      await reopen();
      await use((store) => {
        const rest = { resource: 'pods', after: { namespace: 'default', name: 'b' }, atRevision: first };
        expect(store.list(rest).revision).toBe(first);
        expect([...store.list(rest).items].map((each) => `${each.name} ${each.revision}`)).toEqual([
          'd 4',
          'e 5',
          'f 6',
        ]);
        expect(names(store, { ...rest, having: [label('app', 'web')] })).toEqual(['d', 'e', 'f']);
        expect(names(store, { ...rest, limit: 1 })).toEqual(['d']);
        expect(names(store, { resource: 'pods' })).toEqual(['a', 'b', 'c', 'e', 'f']);
      });
    },
  );

  withStore('changes come in order, with the entries before and after', async ({ use, reopen }) => {
    await use((store) => {
      put(store, keyOf('a'), [label('app', 'web')]);
      put(store, keyOf('b', 'other', 'services'), []);
      put(store, keyOf('a'), [label('app', 'db')]);
      remove(store, keyOf('a'));
      put(store, keyOf('a'), []);
    });
    await reopen();
    await use((store) => {
      expect(sinceOf(store, 1)).toEqual(['ADDED a 2', 'ADDED b 3', 'MODIFIED a 4', 'DELETED a 5', 'ADDED a 6']);
      expect(store.textBefore(4)).toBe(text(2));
      expect(store.textBefore(3), 'nothing was there').toBeUndefined();
      expect([...store.changesSince(3)][0]).toEqual({
        ...keyOf('a'),
        type: 'MODIFIED',
        revision: 4,
        text: text(4),
        entries: [label('app', 'db')],
        previousEntries: [label('app', 'web')],
      });
      for (const change of store.changesSince(1)) expect(store.changeAt(change.revision)).toEqual(change);
      expect(store.changeAt(store.revision + 1)).toBeUndefined();
      const [deleted, added] = [...store.changesSince(4)];
      expect(deleted).toMatchObject({ entries: [label('app', 'db')], previousEntries: [label('app', 'db')] });
      expect(added).toMatchObject({ entries: [], previousEntries: undefined });
      expect([...store.changesSince(1, { resource: 'services' })]).toHaveLength(1);
      expect([...store.changesSince(1, { resource: 'pods', namespace: 'other' })]).toEqual([]);
      expect([...store.changesSince(1, { namespace: 'other' })]).toHaveLength(1);
      expect([...store.changesSince(6)]).toEqual([]);
    });
  });

  withStore('what listeners hear is what the history later tells', async ({ use }) => {
    await use((store) => {
      const heard: Change[] = [];
      store.onCommit((changes) => heard.push(...changes));
      put(store, keyOf('a'), [label('b', '2'), label('a', '1'), label('b', '2')]);
      put(store, keyOf('a'), [label('a', '1')]);
      remove(store, keyOf('a'));
      expect(heard).toEqual([...store.changesSince(1)]);
    });
  });

  withStore('a revision ahead of the store is 504, for lists, changes and compaction', async ({ use }) => {
    await use((store) => {
      expect(codeOf(() => store.changesSince(2))).toBe(504);
      expect(codeOf(() => store.list({ resource: 'pods', atRevision: 2 }))).toBe(504);
      expect(codeOf(() => store.compact(2))).toBe(504);
    });
  });

  // ---- Compaction --------------------------------------------------------------------------------------------------

  withStore(
    'after compaction older revisions are 410, and the compacted one can still be read from',
    async ({ use }) => {
      await use((store, sql) => {
        put(store, keyOf('a'), [label('app', 'web')]);
        put(store, keyOf('b'));
        put(store, keyOf('a'), [label('app', 'db')]);
        remove(store, keyOf('b'));
        put(store, keyOf('c'));
        expect(store.compact(3)).toBe(false);
        expect(codeOf(() => store.changesSince(2))).toBe(410);
        expect(codeOf(() => store.list({ resource: 'pods', atRevision: 2 }))).toBe(410);
        expect(sinceOf(store, 3)).toEqual(['MODIFIED a 4', 'DELETED b 5', 'ADDED c 6']);
        expect([...store.changesSince(3)][0]?.previousEntries).toEqual([label('app', 'web')]);
        expect(names(store, { resource: 'pods', atRevision: 3 })).toEqual(['a', 'b']);
        store.compact(6);
        expect(names(store, { resource: 'pods' })).toEqual(['a', 'c']);
        expect(sql.all('SELECT revision FROM log')).toHaveLength(2);
        expect(store.compact(3)).toBe(false);
        expect(store.compactedRevision).toBe(6);
      });
    },
  );

  withStore('compaction goes in bounded steps, and every step leaves an exact history', async ({ use, reopen }) => {
    await use((store) => {
      for (let i = 0; i < 10; i += 1) put(store, keyOf(`p${i % 3}`));
      expect(store.compact(9, 3)).toBe(true);
      expect(store.compactedRevision).toBe(3);
      expect(names(store, { resource: 'pods', atRevision: 3 })).toEqual(['p0', 'p1']);
    });
    await reopen();
    await use((store) => {
      expect(store.compact(9, 3)).toBe(true);
      expect(store.compact(9, 3)).toBe(false);
      expect(store.compactedRevision).toBe(9);
      expect(sinceOf(store, 9)).toEqual(['MODIFIED p2 10', 'MODIFIED p0 11']);
    });
  });

  withStore(
    'the revision never goes back, even when the newest rows are deletions and compacted',
    async ({ use, reopen }) => {
      await use((store) => {
        put(store, keyOf('a'));
        put(store, keyOf('b'));
        remove(store, keyOf('b'));
        remove(store, keyOf('a'));
        store.compact(5);
        expect(store.revision).toBe(5);
      });
      await reopen();
      await use((store) => {
        expect(store.revision).toBe(5);
        expect([...store.changesSince(5)]).toEqual([]);
        expect(put(store, keyOf('c')).revision).toBe(6);
      });
    },
  );

  withStore('a deletion at the compacted revision is neither lost to later readers nor told twice', async ({ use }) => {
    await use((store) => {
      put(store, keyOf('a'));
      put(store, keyOf('b'));
      remove(store, keyOf('a'));
      put(store, keyOf('b'));
      store.compact(4);
      expect(names(store, { resource: 'pods', atRevision: 4 })).toEqual(['b']);
      expect(sinceOf(store, 4)).toEqual(['MODIFIED b 5']);
    });
  });

  withStore('history is found by time', async ({ use, clock }) => {
    await use((store) => {
      for (const nowMs of [1000, 2000, 2000, 3000]) {
        clock.nowMs = nowMs;
        put(store, keyOf('a'));
      }
      expect([999, 1000, 1999, 2000, 2999, 9999].map((time) => store.revisionAt(time))).toEqual([1, 2, 2, 4, 4, 5]);
      store.compact(4);
      expect(store.revisionAt(1000)).toBe(4);
    });
  });

  withStore('what was written longest ago is found first', async ({ use, clock }) => {
    await use((store) => {
      for (const [index, name] of ['c', 'a', 'b', 'c'].entries()) {
        clock.nowMs = 1000 + index;
        put(store, keyOf(name));
      }
      const oldest = (resource: string, limit: number) =>
        store.transact((transaction) =>
          transaction.oldest(resource, limit).map(({ name, writtenMs }) => `${name} ${writtenMs}`),
        );
      expect(oldest('pods', 2)).toEqual(['a 1001', 'b 1002']);
      expect(oldest('pods', 9)).toEqual(['a 1001', 'b 1002', 'c 1003']);
      expect(oldest('nodes', 9)).toEqual([]);
    });
  });

  // ---- Work --------------------------------------------------------------------------------------------------------

  const work = (key: string, dueMs: number, attempts = 0): WorkItem => ({ queue: 'queue', key, dueMs, attempts });

  withStore(
    'work comes back oldest first when it is due, and again until it is finished',
    async ({ use, reopen, clock }) => {
      clock.nowMs = 100;
      await use((store) =>
        store.transact((transaction) => {
          transaction.enqueue('queue', 'later', 300);
          transaction.enqueue('queue', 'now');
          transaction.enqueue('queue', 'early', 50);
        }),
      );
      await reopen();
      await use((store) => {
        expect(store.nextDueMs()).toBe(50);
        expect(store.dueWork(100, 10)).toEqual([work('early', 50), work('now', 100)]);
        expect(store.dueWork(100, 1)).toEqual([work('early', 50)]);
        store.finishWork(work('early', 50));
        expect(store.dueWork(1000, 10)).toEqual([work('now', 100), work('later', 300)]);
      });
    },
  );

  withStore('a key is on its queue once, with the earlier of two due times', async ({ use }) => {
    await use((store) => {
      store.transact((transaction) => {
        transaction.enqueue('queue', 'a', 300);
        transaction.enqueue('queue', 'a', 200);
        transaction.enqueue('queue', 'a', 400);
        transaction.enqueue('other', 'a', 250);
      });
      store.transact((transaction) => transaction.enqueue('queue', 'a', 350));
      expect(store.dueWork(1000, 10)).toEqual([work('a', 200), { ...work('a', 250), queue: 'other' }]);
      store.transact((transaction) => {
        transaction.enqueue('queue', 'a', 100);
        expect(store.dueWork(150, 10)).toEqual([work('a', 100)]);
        expect(store.dueWork(1000, 10)).toHaveLength(2);
        expect(store.nextDueMs()).toBe(100);
      });
      expect(store.nextDueMs()).toBe(100);
    });
  });

  withStore(
    'work that failed comes again later with its attempts counted, and a change brings it forward',
    async ({ use }) => {
      await use((store) => {
        store.transact((transaction) => transaction.enqueue('queue', 'a', 100));
        store.finishWork(work('a', 100), 500);
        expect(store.dueWork(499, 10)).toEqual([]);
        expect(store.dueWork(500, 10)).toEqual([work('a', 500, 1)]);
        store.transact((transaction) => transaction.enqueue('queue', 'a', 200));
        expect(store.dueWork(200, 10)).toEqual([work('a', 200, 1)]);
      });
    },
  );

  withStore('what is queued again while it is handled stays queued', async ({ use }) => {
    await use((store) => {
      store.transact((transaction) => transaction.enqueue('queue', 'a', 100));
      store.transact((transaction) => {
        store.finishWork(work('a', 100));
        expect(store.dueWork(1000, 10)).toEqual([]);
        transaction.enqueue('queue', 'a', 900);
      });
      expect(store.dueWork(1000, 10)).toEqual([work('a', 900)]);
    });
  });

  withStore('work finished in a transaction that rolls back is still there', async ({ use }) => {
    await use((store) => {
      store.transact((transaction) => transaction.enqueue('queue', 'a', 100));
      store.transact((transaction) => {
        transaction.enqueue('queue', 'b', 100);
        expect(() =>
          store.transact(() => {
            store.finishWork(work('a', 100));
            store.finishWork(work('b', 100));
            expect(store.dueWork(1000, 10)).toEqual([]);
            throw new Error('on purpose');
          }),
        ).toThrow('on purpose');
        store.finishWork(work('b', 100), 400);
      });
      expect(store.dueWork(1000, 10)).toEqual([work('a', 100), work('b', 400, 1)]);
    });
  });

  withStore('work queued and finished inside one outermost transaction is never written', async ({ use }) => {
    await use((store, sql) => {
      sql.run('CREATE TABLE written (n INTEGER)');
      sql.run('CREATE TRIGGER seen AFTER INSERT ON work BEGIN INSERT INTO written VALUES (1); END');
      store.transact((transaction) => {
        transaction.enqueue('queue', 'a');
        transaction.enqueue('queue', 'b', 2_000_000);
        for (const item of store.dueWork(transaction.nowMs, 10)) store.finishWork(item);
      });
      expect(sql.all('SELECT * FROM written')).toHaveLength(1);
      expect(store.dueWork(2_000_000, 10)).toEqual([work('b', 2_000_000)]);
    });
  });

  // ---- Nothing lost ------------------------------------------------------------------------------------------------

  withStore('an instance dropped from memory loses nothing', async ({ use, reopen }) => {
    const epoch = await use((store) => {
      put(store, keyOf('a'), [label('app', 'web')]);
      put(store, keyOf('b'));
      remove(store, keyOf('b'));
      return store.epoch;
    });
    await reopen();
    await use((store) => {
      expect(store.epoch).toBe(epoch);
      expect(store.revision).toBe(4);
      expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual(['a']);
      expect(sinceOf(store, 1)).toEqual(['ADDED a 2', 'ADDED b 3', 'DELETED b 4']);
    });
  });

  withStore('death inside a transaction leaves what was committed before, whole', async ({ use, crashIn }) => {
    await use((store) => put(store, keyOf('a'), [label('app', 'web')]));
    await crashIn((transaction) => {
      transaction.put(keyOf('a'), [label('app', 'db')], text);
      transaction.put(keyOf('b'), [], text);
      transaction.enqueue('queue', 'b');
    });
    await use((store) => {
      expect(store.revision).toBe(2);
      expect(names(store, { resource: 'pods', having: [label('app', 'web')] })).toEqual(['a']);
      expect(store.nextDueMs()).toBeUndefined();
      expect(put(store, keyOf('c')).revision).toBe(3);
    });
  });

  withStore('a database written by newer code is refused, not misread', async ({ use, reopen }) => {
    await use((_, sql) => sql.run('UPDATE meta SET version = 999'));
    await reopen();
    await expect(use((store) => store.revision)).rejects.toThrow('schema version 999');
  });
}
