/** The etcd surface against what etcd itself answered, and what cannot be recorded: time, large numbers, several revisions. */
import { describe, expect, test } from 'vitest';
import { KeyspaceRpc } from '../../../worker/store/keyspace-rpc.ts';
import { LEASE_QUEUE } from '../../../worker/store/leases.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { nodeSql } from '../../support/node-sql.ts';
import { ETCD_ANSWERS } from './etcd-answers.ts';

interface Parts {
  clock: { nowMs: number };
  store: SqliteStore;
  rpc: KeyspaceRpc;
  ask(path: string, request: unknown): Record<string, unknown>;
  refusal(path: string, request: unknown): string;
}

function newKeyspace(): Parts {
  const clock = { nowMs: 1_000_000 };
  const sql = nodeSql();
  const options = { clock: () => clock.nowMs, newEpoch: () => 'epoch', newLeaseId: () => '8999999999999999999' };
  const store = new SqliteStore(sql, options);
  const rpc = new KeyspaceRpc(store, sql, options);
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
  return {
    clock,
    store,
    rpc,
    ask: (path, request) => {
      const { code, body } = rpc.handle(path, JSON.stringify(request));
      expect(code, JSON.stringify(body)).toBe(200);
      return plain(body);
    },
    refusal: (path, request) => {
      const { code, body } = rpc.handle(path, typeof request === 'string' ? request : JSON.stringify(request));
      return `${code} ${body.code} ${body.message}`;
    },
  };
}

const key = (text: string) => ({ key: btoa(text) });
const put = (name: string, value: string, more: object = {}) => ({ ...key(name), value: btoa(value), ...more });

/** Leaves of headers what a recording can have. */
function comparable(value: unknown): unknown {
  const text = JSON.stringify(value, (name, each: unknown) =>
    name === 'cluster_id' || name === 'member_id' || name === 'raft_term' ? undefined : each,
  );
  const { error: _, ...answer } = JSON.parse(text) as Record<string, unknown>;
  return answer;
}

test('every request is answered as etcd answers it', () => {
  const { rpc, clock } = newKeyspace();
  for (const [path, request, code, expected] of ETCD_ANSWERS) {
    clock.nowMs += 1;
    const answer = rpc.handle(path, request);
    expect({ code: answer.code, answer: comparable(answer.body) }, `${path} ${request}`).toEqual({
      code,
      answer: expected,
    });
  }
});

test('a header has the numbers of cluster, member and term, the same every time', () => {
  const { ask } = newKeyspace();
  const { header } = ask('/v3/kv/put', put('a', '1'));
  expect(header).toEqual({
    cluster_id: expect.stringMatching(/^[1-9][0-9]*$/),
    member_id: expect.stringMatching(/^[1-9][0-9]*$/),
    revision: '2',
    raft_term: '1',
  });
  expect(ask('/v3/kv/range', key('a')).header).toEqual(header);
});

test('bad requests are refused with InvalidArgument', () => {
  const { refusal, rpc } = newKeyspace();
  expect(refusal('/v3/kv/range', 'not json')).toContain('400 3 ');
  expect(refusal('/v3/kv/range', { ...key('a'), limit: 'x' })).toContain('400 3 ');
  expect(refusal('/v3/kv/range', { ...key('a'), limit: 1.5 })).toContain('400 3 ');
  expect(refusal('/v3/kv/range', { ...key('a'), limit: '9223372036854775808' })).toContain('400 3 ');
  expect(refusal('/v3/kv/range', { ...key('a'), keys_only: 'yes' })).toContain('400 3 ');
  expect(refusal('/v3/kv/range', { ...key('a'), sort_order: 9 })).toBe('400 3 etcdserver: invalid sort option');
  expect(refusal('/v3/kv/range', { key: 'YQ' })).toContain('400 3 illegal base64');
  expect(refusal('/v3/kv/txn', { compare: {} })).toContain('400 3 ');
  const many = Array.from({ length: 129 }, (_, i) => ({ request_range: key(`${i}`) }));
  expect(refusal('/v3/kv/txn', { success: many })).toBe('400 3 etcdserver: too many operations in txn request');
  expect(rpc.keyspace.revision).toBe(1);
});

describe('transactions', () => {
  test('every change of one has the same revision, and watchers see them together and in order', () => {
    const { ask, rpc } = newKeyspace();
    const heard: string[] = [];
    rpc.keyspace.onChange((events) => {
      heard.push(events.map(({ type, kv }) => `${type} ${kv.key} ${kv.modRevision}`).join(', '));
    });
    ask('/v3/kv/put', put('old', '1'));
    ask('/v3/kv/txn', {
      success: [
        { request_put: put('b', '1') },
        { request_txn: { success: [{ request_put: put('a', '1') }] } },
        { request_delete_range: key('old') },
      ],
    });
    expect(heard).toEqual(['PUT old 2', 'PUT b 3, PUT a 3, DELETE old 3']);
    const told = [...rpc.keyspace.eventsFrom({ key: '\0', end: '' }, 3)];
    expect(told.map((events) => events.map((event) => event.kv.key))).toEqual([['b', 'a', 'old']]);
  });

  test('one that fails in the middle leaves nothing', () => {
    const { refusal, rpc } = newKeyspace();
    const heard: unknown[] = [];
    rpc.keyspace.onChange((events) => heard.push(events));
    const txn = { success: [{ request_put: put('a', '1') }, { request_put: put('b', '1', { lease: '9' }) }] };
    expect(refusal('/v3/kv/txn', txn)).toBe('404 5 etcdserver: requested lease not found');
    expect(rpc.keyspace.range({ key: '\0', end: '' })).toEqual([]);
    expect(rpc.keyspace.revision).toBe(1);
    expect(heard).toEqual([]);
  });

  test('a range inside one reads what it wrote before, and the past as it was', () => {
    const { ask, refusal } = newKeyspace();
    ask('/v3/kv/put', put('a', '1'));
    const { responses } = ask('/v3/kv/txn', {
      success: [
        { request_put: put('a', '2') },
        { request_range: key('a') },
        { request_range: { ...key('a'), revision: '2' } },
      ],
    });
    expect(responses).toMatchObject([
      { response_put: { header: { revision: '3' } } },
      { response_range: { kvs: [{ value: btoa('2'), mod_revision: '3' }] } },
      { response_range: { kvs: [{ value: btoa('1'), mod_revision: '2' }] } },
    ]);
    const ahead = { success: [{ request_put: put('b', '1') }, { request_range: { ...key('a'), revision: '4' } }] };
    expect(refusal('/v3/kv/txn', ahead)).toContain('future revision');
  });

  test('inner comparisons are of what was there before the whole', () => {
    const { ask } = newKeyspace();
    const inner = { compare: [{ ...key('a'), target: 'VERSION', version: 1 }], success: [], failure: [] };
    const { responses } = ask('/v3/kv/txn', { success: [{ request_put: put('a', '1') }, { request_txn: inner }] });
    expect(responses).toEqual([{ response_put: { header: { revision: '2' } } }, { response_txn: { header: {} } }]);
  });

  test('a put in one inner transaction and a deletion in one before it exclude each other', () => {
    const { refusal } = newKeyspace();
    const inner = (...success: unknown[]) => ({ request_txn: { success } });
    const deletion = { request_delete_range: { ...key('a'), range_end: btoa('\0') } };
    const txn = { success: [inner(deletion), inner({ request_put: put('b', '1') })] };
    expect(refusal('/v3/kv/txn', txn)).toBe('400 3 etcdserver: duplicate key given in txn request');
  });

  test('of two mistakes etcd names the lease for a put alone, the key within a transaction', () => {
    const { refusal } = newKeyspace();
    const request = { ...key('a'), ignore_value: true, lease: 9 };
    expect(refusal('/v3/kv/put', request)).toBe('404 5 etcdserver: requested lease not found');
    expect(refusal('/v3/kv/txn', { success: [{ request_put: request }] })).toBe('400 3 etcdserver: key not found');
  });

  test.each([
    ['both branches of an inner one', [{ request_txn: { success: ['a'], failure: ['a'] } }], undefined],
    ['an inner one and its outer one', ['a', { request_txn: { success: ['a'] } }], 'duplicate'],
    ['two inner ones', [{ request_txn: { success: ['a'] } }, { request_txn: { failure: ['a'] } }], 'duplicate'],
    ['different keys', ['a', 'b'], undefined],
  ])('a key put by %s', (_, shape, outcome) => {
    const operations = (list: readonly unknown[]): unknown[] =>
      list.map((each) => {
        if (typeof each === 'string') return { request_put: put(each, '1') };
        const inner = (each as { request_txn: { success?: unknown[]; failure?: unknown[] } }).request_txn;
        const { success = [], failure = [] } = inner;
        return { request_txn: { success: operations(success), failure: operations(failure) } };
      });
    const { rpc } = newKeyspace();
    const { code, body } = rpc.handle('/v3/kv/txn', JSON.stringify({ success: operations(shape) }));
    expect(code).toBe(outcome === undefined ? 200 : 400);
    if (outcome !== undefined) expect(body.message).toBe('etcdserver: duplicate key given in txn request');
  });
});

describe('leases', () => {
  const due = ({ store, rpc, clock }: Parts): number => {
    const items = store.dueWork(clock.nowMs, 10);
    for (const item of items) {
      store.transact(() => {
        store.finishWork(item);
        rpc.leases.expire(item.key);
      });
    }
    return items.length;
  };

  test('a number of 64 bits keeps all its digits, quoted or not', () => {
    const { ask, rpc } = newKeyspace();
    const answer = rpc.handle('/v3/lease/grant', '{"ID":7587848390264223497,"TTL":60}');
    expect(answer.body.ID).toBe('7587848390264223497');
    ask('/v3/kv/put', put('a', '1', { lease: '7587848390264223497' }));
    expect(ask('/v3/kv/range', key('a')).kvs).toMatchObject([{ lease: '7587848390264223497' }]);
  });

  test('without a number one is chosen', () => {
    const { ask } = newKeyspace();
    expect(ask('/v3/lease/grant', { TTL: 60 })).toMatchObject({ ID: '8999999999999999999', TTL: '60' });
  });

  test('one that ends takes its keys with it, in one revision, and none that moved to another', () => {
    const parts = newKeyspace();
    const { ask, clock, store } = parts;
    ask('/v3/lease/grant', { ID: 1, TTL: 10 });
    ask('/v3/lease/grant', { ID: 2, TTL: 1000 });
    for (const name of ['a', 'b', 'moved', 'freed']) ask('/v3/kv/put', put(name, '1', { lease: 1 }));
    ask('/v3/kv/put', put('moved', '2', { lease: 2 }));
    ask('/v3/kv/put', put('freed', '2'));
    expect(store.nextDueMs()).toBe(clock.nowMs + 10_000);
    clock.nowMs += 9_999;
    expect(due(parts)).toBe(0);
    clock.nowMs += 1;
    expect(due(parts)).toBe(1);
    const range = ask('/v3/kv/range', { key: btoa('\0'), range_end: btoa('\0') });
    expect(range).toMatchObject({ header: { revision: '8' }, count: '2' });
    expect(ask('/v3/lease/timetolive', { ID: 1 })).toMatchObject({ ID: '1', TTL: '-1' });
    expect(ask('/v3/lease/leases', {}).leases).toEqual([{ ID: '2' }]);
    expect(ask('/v3/lease/timetolive', { ID: 2, keys: true })).toMatchObject({ keys: [btoa('moved')] });
  });

  test('a keepalive starts the time anew, and its deadline waits on', () => {
    const parts = newKeyspace();
    const { ask, clock, store } = parts;
    ask('/v3/lease/grant', { ID: 1, TTL: 10 });
    clock.nowMs += 6000;
    expect(ask('/v3/lease/keepalive', { ID: 1 })).toMatchObject({ TTL: '10' });
    clock.nowMs += 5000;
    expect(due(parts)).toBe(1);
    expect(ask('/v3/lease/timetolive', { ID: 1 })).toMatchObject({ TTL: '5', grantedTTL: '10' });
    expect(store.nextDueMs()).toBe(clock.nowMs + 5000);
  });

  test('a keepalive that comes too late finds the lease gone, even before its deadline was looked at', () => {
    const { ask, clock } = newKeyspace();
    ask('/v3/lease/grant', { ID: 1, TTL: 10 });
    ask('/v3/kv/put', put('a', '1', { lease: 1 }));
    clock.nowMs += 10_000;
    expect(ask('/v3/lease/keepalive', { ID: 1 })).toEqual({ header: expect.anything(), ID: '1' });
    expect(ask('/v3/kv/range', key('a')).kvs).toBeUndefined();
  });

  test('a revoked one leaves no deadline behind', () => {
    const { ask, store } = newKeyspace();
    ask('/v3/lease/grant', { ID: 1, TTL: 10 });
    expect(store.dueWork(Number.MAX_SAFE_INTEGER, 10)).toMatchObject([{ queue: LEASE_QUEUE, key: '1' }]);
    ask('/v3/lease/revoke', { ID: 1 });
    expect(store.nextDueMs()).toBeUndefined();
  });
});

test('a deletion at the compacted revision is still told to a watch that starts there', () => {
  const { ask, rpc } = newKeyspace();
  ask('/v3/kv/put', put('a', '1'));
  ask('/v3/kv/deleterange', key('a'));
  ask('/v3/kv/compaction', { revision: 3 });
  const told = () => [...rpc.keyspace.eventsFrom({ key: 'a', end: undefined }, 3)].flat();
  expect(told()).toMatchObject([{ type: 'DELETE', kv: { modRevision: 3 } }]);
  expect(rpc.keyspace.revision).toBe(3);
  ask('/v3/kv/put', put('b', '1'));
  ask('/v3/kv/compaction', { revision: 4 });
  expect(told).toThrow('compacted');
});

test('the keyspace and the objects of the cluster have revisions of their own', () => {
  const { ask, store, rpc } = newKeyspace();
  ask('/v3/kv/put', put('a', '1'));
  expect(store.revision).toBe(1);
  const object = { resource: 'pods', namespace: 'default', name: 'a' };
  store.transact((transaction) => transaction.put(object, [], (revision) => `${revision}`));
  expect(store.revision).toBe(2);
  expect(rpc.keyspace.revision).toBe(2);
});
