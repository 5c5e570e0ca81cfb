/** A backup is one revision, whatever happens while it is read; a restore is whole or nothing; history begins anew. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { BackupBlock, Restored } from '../../../shared/backup.ts';
import { formatLine } from '../../../shared/backup.ts';
import { Backup, sha256 } from '../../../worker/store/backup.ts';
import { KeyspaceRpc } from '../../../worker/store/keyspace-rpc.ts';
import { ABANDONED_MS, RESTORE_QUEUE, Restore } from '../../../worker/store/restore.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import type { IndexEntry } from '../../../worker/store/store.ts';
import { type NodeSql, nodeSql } from '../../support/node-sql.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const TARGET = { cluster: 'default', uid: 'u1', anyCluster: false };

let sql: NodeSql;
let store: SqliteStore;
let restore: Restore;
let nowMs: number;
let names: number;

function open() {
  const options = { clock: () => nowMs, newEpoch: () => `epoch-${++names}` };
  store = new SqliteStore(sql, options);
  restore = new Restore(sql, { nowMs: options.clock, newEpoch: options.newEpoch });
}

const keyspace = () => new KeyspaceRpc(store, sql, { clock: () => nowMs, newLeaseId: () => '77' });

beforeEach(() => {
  sql = nodeSql();
  nowMs = 1_000_000;
  names = 0;
  open();
});

const key = (name: string) => ({ resource: 'things', namespace: 'ns', name });
const put = (name: string, value: string, entries: IndexEntry[] = []) =>
  store.transact((transaction) =>
    transaction.put(key(name), entries, (revision) => JSON.stringify({ name, value, revision })),
  );
const remove = (name: string) => store.transact((transaction) => transaction.delete(key(name), () => '{}'));
const all = () =>
  [...store.list({ resource: 'things' }).items].map(({ name, revision, text }) => [name, revision, text]);

const backupNow = () => new Backup(sql, { cluster: 'default', uid: 'u1', nowMs });

/** @param between is called after each line. */
function linesOf(backup: Backup, between: () => void = () => undefined): string[] {
  const lines: string[] = [];
  for (let line = backup.next(); line !== undefined; line = backup.next()) {
    lines.push(line.trimEnd());
    between();
  }
  return lines;
}

function restoreFrom(lines: readonly string[]): Restored {
  const { id } = restore.begin(lines[0] ?? '', TARGET);
  const result = restore.take(id, 1, lines.slice(1));
  if (!('epoch' in result)) throw new Error(`the restore did not end: ${JSON.stringify(result)}`);
  open();
  return result;
}

/** The lines as another writer would have signed them. */
function signed(blocks: readonly BackupBlock[]): string[] {
  let before = '';
  return blocks.map((block) => {
    const { line, digest } = formatLine(before, block, sha256);
    before = digest;
    return line.trimEnd();
  });
}
const blocksOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line.slice(65)) as BackupBlock);

describe('a backup', () => {
  test('shows one revision, whatever is written, deleted and compacted up to it while it is read', () => {
    const seed = Number(process.env.SEED ?? 20261126);
    const random = seededRandom(seed);
    const change = () => {
      const name = `t${random.below(400)}`;
      if (random.below(4) === 0 && store.get(key(name)) !== undefined) remove(name);
      else put(name, 'x'.repeat(random.below(9000)), [{ index: 'label:a', value: String(random.below(5)) }]);
    };
    for (let i = 0; i < 1500; i += 1) change();
    const before = all();
    const { revision } = store;
    const lines = linesOf(backupNow(), () => {
      for (let i = 0; i < 40; i += 1) change();
      store.compact(revision, 10_000);
    });
    expect(lines.length, `seed ${seed}`).toBeGreaterThan(4);
    expect(all()).not.toEqual(before);
    restoreFrom(lines);
    expect(all(), `seed ${seed}`).toEqual(before);
  });

  test('ends with 410 when its history is compacted', () => {
    put('a', 'one');
    const backup = backupNow();
    backup.next();
    put('a', 'two');
    store.compact(store.revision);
    expect(() => backup.next()).toThrow(expect.objectContaining({ code: 410 }));
  });

  test('holds every object in lines of a bounded size', () => {
    for (let i = 0; i < 40; i += 1) put(`t${i}`, 'y'.repeat(100_000));
    const lines = linesOf(backupNow());
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(1_000_000);
  });
});

describe('a restore', () => {
  test('brings back objects, their index, work and keys, and nothing else', () => {
    put('a', 'one', [{ index: 'label:app', value: 'web' }]);
    put('b', 'two', [{ index: 'field:status', value: 'x' }]);
    store.transact((transaction) => transaction.enqueue('queue', 'later', 5_000_000));
    const etcd = keyspace();
    const lease = etcd.leases.grant('0', 60);
    etcd.keyspace.transact((write) =>
      etcd.keyspace.put(write, {
        key: 'k\xff',
        value: '\x00v',
        lease: lease.id,
        ignoreLease: false,
        ignoreValue: false,
      }),
    );
    const before = all();
    const lines = linesOf(backupNow());

    remove('a');
    put('c', 'three', [{ index: 'label:app', value: 'web' }]);
    store.transact((transaction) => transaction.enqueue('queue', 'sooner', 4_000_000));
    etcd.leases.revoke(lease.id);
    nowMs += 3_600_000;
    restoreFrom(lines);

    expect(all()).toEqual(before);
    const labelled = store.list({ resource: 'things', having: [{ index: 'label:app', value: 'web' }] }).items;
    expect([...labelled].map(({ name }) => name)).toEqual(['a']);
    const work = store.dueWork(9_000_000, 10).map(({ queue, key: name }) => `${queue} ${name}`);
    expect(work.sort()).toEqual(['etcd-lease 77', 'queue later', `${RESTORE_QUEUE} former`]);
    const kept = keyspace();
    expect(kept.keyspace.range({ key: 'k\xff', end: undefined })).toMatchObject([{ value: '\x00v', lease: '77' }]);
    expect(kept.leases.find('77')).toMatchObject({ ttlSeconds: 60, expiresMs: nowMs + 60_000 });
    expect(kept.leases.keysOf('77')).toEqual(['k\xff']);
  });

  test('goes on behind every revision that was told, with another epoch, and expires all before', () => {
    put('a', 'one');
    const lines = linesOf(backupNow());
    for (let i = 0; i < 10; i += 1) put('a', String(i));
    const told = store.revision;
    const { epoch } = store;
    const restored = restoreFrom(lines);
    expect(restored.revision).toBe(store.revision);
    expect(store.revision).toBeGreaterThan(told);
    expect(store.epoch).not.toBe(epoch);
    expect(() => [...store.changesSince(told)]).toThrow(expect.objectContaining({ code: 410 }));
    expect(() => store.list({ resource: 'things', atRevision: told })).toThrow(expect.objectContaining({ code: 410 }));
    const etcd = keyspace().keyspace;
    expect(() => [...etcd.eventsFrom({ key: 'a', end: undefined }, 2)]).toThrow();
    const next = put('a', 'two');
    expect([...store.changesSince(restored.revision)].map(({ type, revision }) => [type, revision])).toEqual([
      ['MODIFIED', next.revision],
    ]);
    expect(store.textBefore(next.revision)).toContain('"value":"one"');
  });

  test('may be done again and again, and leaves nothing of what it replaced', () => {
    put('a', 'one');
    const lines = linesOf(backupNow());
    for (let i = 0; i < 3; i += 1) {
      put('b', String(i));
      restoreFrom(lines);
      expect(all()).toHaveLength(1);
    }
    restore.tidy('former');
    const tables = sql.all<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE name LIKE 'former%' OR name LIKE 'restore%'",
    );
    expect(tables).toEqual([]);
    expect(sql.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    put('a', 'again');
    expect(linesOf(backupNow()).length).toBeGreaterThan(1);
  });

  test('that breaks off leaves what there was, and goes on where it broke', () => {
    for (let i = 0; i < 3000; i += 1) put(`t${i}`, 'one');
    const before = all();
    const lines = linesOf(backupNow());
    put('t1', 'two');
    const now = all();
    const { id } = restore.begin(lines[0] ?? '', TARGET);
    restore.take(id, 1, lines.slice(1, 3));
    expect(all()).toEqual(now);
    // As after a restart of the object, and a client that sends again what it does not know of.
    open();
    expect(restore.state(id)).toMatchObject({ id, lines: 3 });
    expect(restore.take(id, 1, lines.slice(1))).toMatchObject({ objects: 3000 });
    open();
    expect(all()).toEqual(before);
  });

  test.each<[string, (lines: string[]) => string[]]>([
    ['a changed byte', (lines) => lines.map((line, at) => (at === 1 ? line.replace('one', 'onE') : line))],
    ['a line that is missing', (lines) => lines.toSpliced(1, 1)],
    ['lines in another order', ([first = '', one = '', two = '', ...rest]) => [first, two, one, ...rest]],
    ['a line that is cut', (lines) => lines.map((line, at) => (at === 1 ? line.slice(0, -9) : line))],
    ['another end', (lines) => signed([...blocksOf(lines).slice(0, -1), { kind: 'end', objects: 1, keys: 0 }])],
    ['more behind its end', (lines) => [...lines, lines.at(-1) ?? '']],
  ])('refuses %s, and changes nothing', (_, damaged) => {
    for (let i = 0; i < 3000; i += 1) put(`t${i}`, 'one');
    const lines = linesOf(backupNow());
    const before = all();
    const { epoch } = store;
    const { id } = restore.begin(lines[0] ?? '', TARGET);
    expect(() => restore.take(id, 1, damaged(lines).slice(1))).toThrow(expect.objectContaining({ code: 400 }));
    expect([all(), store.epoch]).toEqual([before, epoch]);
    expect(restore.state(id).lines).toBe(1);
  });

  test('is refused for what this cluster cannot take', () => {
    const [header, ...rest] = blocksOf(linesOf(backupNow()));
    const begin = (changed: object, anyCluster = false) =>
      restore.begin(signed([{ ...header, ...changed } as BackupBlock, ...rest])[0] ?? '', { ...TARGET, anyCluster });
    expect(() => begin({ version: 2 })).toThrow('the backup has format version 2, this code reads version 1');
    expect(() => begin({ schema: 9 })).toThrow('the backup has schema version 9, this cluster has version 1');
    expect(() => begin({ uid: 'u2' })).toThrow("say that another cluster's is wanted");
    expect(() => begin({ kind: 'end' })).toThrow('the file is not a backup');
    expect(() => restore.begin('{"kind":"List"}', TARGET)).toThrow('the file is not a backup');
    expect(begin({ cluster: 'other', uid: 'u2' }, true).lines).toBe(1);
  });

  test('that lines are missing for is told which, and another one takes its place', () => {
    const lines = linesOf(backupNow());
    const { id } = restore.begin(lines[0] ?? '', TARGET);
    expect(() => restore.take(id, 2, lines.slice(2))).toThrow(expect.objectContaining({ code: 409 }));
    restore.begin(lines[0] ?? '', TARGET);
    expect(() => restore.take(id, 1, lines.slice(1))).toThrow(expect.objectContaining({ code: 404 }));
  });

  test('that nobody goes on with is removed after an hour', () => {
    const { id } = restore.begin(linesOf(backupNow())[0] ?? '', TARGET);
    nowMs += ABANDONED_MS - 1;
    expect(restore.tidy(id)).toBe(nowMs + 1);
    nowMs += 1;
    expect(restore.tidy(id)).toBeUndefined();
    expect(() => restore.state(id)).toThrow(expect.objectContaining({ code: 404 }));
  });
});

test('what the platform has set back goes on behind what was told before, with its history compacted', () => {
  put('a', 'one');
  put('a', 'two');
  put('b', 'gone');
  remove('b');
  const { epoch } = store;
  const before = { revision: store.revision + 500, keyspaceRevision: 40 };
  restore.rewound(before);
  open();
  expect(store.revision).toBe(before.revision + 1);
  expect(store.epoch).not.toBe(epoch);
  expect(keyspace().keyspace.revision).toBe(42);
  expect(() => [...store.changesSince(before.revision)]).toThrow(expect.objectContaining({ code: 410 }));
  expect(sql.all('SELECT revision FROM log')).toEqual(sql.all('SELECT revision FROM objects'));
});
