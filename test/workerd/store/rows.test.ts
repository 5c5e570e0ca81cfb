/** What the store costs, in rows written, counted by the platform itself: a change here is a change of somebody's bill. */
import { runInDurableObject } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { KeyspaceRpc } from '../../../worker/store/keyspace-rpc.ts';
import { type ObjectStorage, objectSql } from '../../../worker/store/object-sql.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import type { IndexEntry, ObjectKey } from '../../../worker/store/store.ts';
import { bareObject } from '../support/bare-object.ts';

interface Meter {
  store: SqliteStore;
  rpc: KeyspaceRpc;
  /** Rows written by this. */
  cost(body: () => void): number;
}

function meter(storage: DurableObjectStorage): Meter {
  let cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const metered: ObjectStorage = {
    sql: {
      exec: (statement: string, ...parameters: unknown[]) => {
        const cursor = storage.sql.exec(statement, ...parameters);
        cursors.push(cursor);
        return cursor;
      },
    } as unknown as SqlStorage,
    transactionSync: (body) => storage.transactionSync(body),
  };
  const sql = objectSql(metered);
  const options = { clock: () => 1000, newEpoch: () => 'epoch', newLeaseId: () => '1' };
  const store = new SqliteStore(sql, options);
  return {
    store,
    rpc: new KeyspaceRpc(store, sql, options),
    cost(body) {
      cursors = [];
      body();
      return cursors.reduce((rows, cursor) => rows + cursor.rowsWritten, 0);
    },
  };
}

const POD: ObjectKey = { resource: 'pods', namespace: 'default', name: 'a' };
const ENTRIES: IndexEntry[] = [
  { index: 'label:app', value: 'web' },
  { index: 'owner', value: 'uid' },
  { index: 'field:spec.nodeName', value: '' },
  { index: 'field:status.phase', value: 'Pending' },
];
const text = (revision: number): string => `{"revision":${revision}}`;

const withMeter = (body: (meter: Meter) => void): Promise<void> =>
  runInDurableObject(bareObject(), (_, state) => body(meter(state.storage)));

test('an object costs a row of the log, one of the objects, and its indexed entries', () =>
  withMeter(({ store, cost }) => {
    const put = (entries: readonly IndexEntry[]) =>
      store.transact((transaction) => transaction.put(POD, entries, text));
    expect(cost(() => put(ENTRIES))).toBe(5);
    expect(cost(() => put(ENTRIES))).toBe(2);
    const running = ENTRIES.map((each) => (each.index === 'field:status.phase' ? { ...each, value: 'Running' } : each));
    expect(cost(() => put(running))).toBe(2);
    const bound = running.map((each) => (each.index === 'field:spec.nodeName' ? { ...each, value: 'n1' } : each));
    expect(cost(() => put(bound))).toBe(4);
    expect(cost(() => store.transact((transaction) => transaction.delete(POD, text)))).toBe(5);
    // Five versions, the deletion among them, and the compacted revision.
    expect(cost(() => store.compact(store.revision))).toBe(6);
  }));

test('reading costs nothing, nor does a transaction that changes nothing or is undone by its rules', () =>
  withMeter(({ store, cost }) => {
    store.transact((transaction) => transaction.put(POD, ENTRIES, text));
    const read = (): void => {
      store.get(POD);
      for (const _ of store.list({ resource: 'pods', having: ENTRIES }).items);
      for (const _ of store.changesSince(1));
      expect(store.compact(1, 10)).toBe(false);
      store.transact((transaction) => transaction.get(POD));
      expect(() => store.transact((transaction) => transaction.put(POD, [], text, 99))).toThrow();
    };
    // The first compaction step writes where it got to.
    store.compact(1, 10);
    expect(cost(read)).toBe(0);
  }));

test('work that is done in the transaction which caused it costs nothing; a deadline costs two rows, and one to take off', () =>
  withMeter(({ store, cost }) => {
    const chain = () =>
      store.transact((transaction) => {
        transaction.enqueue('deployment', 'default/web');
        for (const item of store.dueWork(transaction.nowMs, 10)) {
          store.finishWork(item);
          transaction.enqueue('replicaset', 'default/web-1');
        }
        for (const item of store.dueWork(transaction.nowMs, 10)) store.finishWork(item);
      });
    expect(cost(chain)).toBe(0);
    expect(cost(() => store.transact((transaction) => transaction.enqueue('node', 'n1', 5000)))).toBe(2);
    expect(cost(() => store.transact((transaction) => transaction.enqueue('node', 'n1', 6000)))).toBe(0);
    expect(cost(() => store.finishWork({ queue: 'node', key: 'n1', dueMs: 5000, attempts: 0 }))).toBe(1);
  }));

test('a value of the etcd keyspace costs two rows, a keepalive one', () =>
  withMeter(({ rpc, cost }) => {
    const ask = (path: string, request: object) => () =>
      expect(rpc.handle(path, JSON.stringify(request)).code).toBe(200);
    expect(cost(ask('/v3/kv/put', { key: btoa('a'), value: btoa('1') }))).toBe(2);
    expect(cost(ask('/v3/kv/put', { key: btoa('a'), value: btoa('2') }))).toBe(2);
    expect(cost(ask('/v3/lease/grant', { ID: 1, TTL: 60 }))).toBe(3);
    expect(cost(ask('/v3/lease/keepalive', { ID: 1 }))).toBe(1);
    expect(cost(ask('/v3/kv/range', { key: btoa('a') }))).toBe(0);
  }));
