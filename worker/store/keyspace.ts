/**
 * The etcd keyspace for applications: keys and values of bytes under a sequence of revisions of its own, apart from the
 * cluster's objects, in the same database. This file reads, writes, and tells of changes; leases are `leases.ts`,
 * transactions with conditions `keyspace-txn.ts`, JSON `keyspace-json.ts` and `keyspace-rpc.ts`.
 * Source: https://etcd.io/docs/v3.5/learning/api/ and etcd 3.5, server/mvcc.
 *
 * Bytes are strings of one character a byte inside this room (what `atob` gives): JavaScript compares them as etcd does.
 * Every change of one transaction has the same revision, and `sub` counts them. A version names the one it supersedes,
 * so the past is read as in `history.ts`. History stays until a client compacts it, as in etcd.
 */
import { emptyKey, compacted as expired, futureRevision, keyNotFound, requestTooLarge } from './keyspace-error.ts';
import type { Sql, SqlValue } from './sql.ts';
import { MAX_OBJECT_BYTES, type Store, type Synchronous } from './store.ts';

/** One character a byte. */
export type Bytes = string;

/** `end` undefined: this one key; '': every key from `key` on; otherwise `end` is the first key beyond. */
export interface KeyRange {
  key: Bytes;
  end: Bytes | undefined;
}

export interface KeyValue {
  key: Bytes;
  createRevision: number;
  modRevision: number;
  version: number;
  value: Bytes;
  /** Decimal, '0' for none. */
  lease: string;
}

export interface KeyEvent {
  type: 'PUT' | 'DELETE';
  /** Of a deletion: key and modRevision alone. */
  kv: KeyValue;
  previous: KeyValue | undefined;
}

/** One transaction under way: its revision, if it turns out to write, and what it wrote so far. */
export interface KeyWrite {
  readonly began: number;
  readonly nowMs: number;
  readonly events: KeyEvent[];
}

export interface PutRequest {
  key: Bytes;
  value: Bytes;
  lease: string;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

interface LogRow {
  revision: number;
  sub: number;
  key: Uint8Array;
  previous_revision: number;
  previous_sub: number;
  deleted: number;
  create_revision: number;
  version: number;
  lease: string;
  value: Uint8Array;
}

export const NO_LEASE = '0';
const COLUMNS =
  'l.revision, l.sub, l.key, l.previous_revision, l.previous_sub, l.deleted, l.create_revision, l.version, l.lease, l.value';
const CURRENT = 'FROM etcd_keys k CROSS JOIN etcd_log l ON l.revision = k.revision AND l.sub = k.sub';
const CHUNK = 8192;

export function bytesOf(array: Uint8Array): Bytes {
  let text = '';
  for (let i = 0; i < array.length; i += CHUNK) text += String.fromCharCode(...array.subarray(i, i + CHUNK));
  return text;
}

export function arrayOf(bytes: Bytes): Uint8Array {
  const array = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) array[i] = bytes.charCodeAt(i);
  return array;
}

export const isInRange = (range: KeyRange, key: Bytes): boolean =>
  range.end === undefined ? key === range.key : key >= range.key && (range.end === '' || key < range.end);

const keyValueOf = (row: LogRow): KeyValue => ({
  key: bytesOf(row.key),
  createRevision: row.create_revision,
  modRevision: row.revision,
  version: row.version,
  value: bytesOf(row.value),
  lease: row.lease,
});

/** The condition on `column` that a range is, and its parameters. */
function conditionOf(range: KeyRange, column: string): [string, ...SqlValue[]] {
  if (range.end === undefined) return [`${column} = ?`, arrayOf(range.key)];
  if (range.end === '') return [`${column} >= ?`, arrayOf(range.key)];
  return [`${column} >= ? AND ${column} < ?`, arrayOf(range.key), arrayOf(range.end)];
}

/** Drops what was superseded between these revisions, deletions at the later one excepted. */
export function compactKeys(sql: Sql, before: number, revision: number): void {
  sql.run(
    `DELETE FROM etcd_log WHERE (revision, sub) IN
       (SELECT previous_revision, previous_sub FROM etcd_log WHERE revision >= ? AND revision <= ?)`,
    before,
    revision,
  );
  sql.run('DELETE FROM etcd_log WHERE revision >= ? AND revision < ? AND deleted = 1', before, revision);
  sql.run('UPDATE meta SET etcd_compacted = ?', revision);
}

/** The newest revision of the keyspace, and up to which history is gone. */
export const keyspacePositionOf = (sql: Sql): { revision: number; compacted: number } =>
  sql.all<{ revision: number; compacted: number }>(
    `SELECT max(coalesce((SELECT max(revision) FROM etcd_log), 0), etcd_compacted, 1) AS revision,
       etcd_compacted AS compacted FROM meta`,
  )[0]!;

export class Keyspace {
  readonly store: Store;
  readonly #sql: Sql;
  readonly #listeners: ((events: readonly KeyEvent[]) => void)[] = [];

  /** @param sql the same database as the store's. */
  constructor(store: Store, sql: Sql) {
    this.store = store;
    this.#sql = sql;
  }

  get sql(): Sql {
    return this.#sql;
  }

  /** As the store's, 1 when empty; persisted as the newest row, which compaction never takes. */
  get revision(): number {
    return keyspacePositionOf(this.#sql).revision;
  }

  get compactedRevision(): number {
    return keyspacePositionOf(this.#sql).compacted;
  }

  get epoch(): string {
    return this.store.epoch;
  }

  /** All events of one revision together, after they are committed. */
  onChange(listener: (events: readonly KeyEvent[]) => void): void {
    this.#listeners.push(listener);
  }

  /** One transaction, one revision at most. */
  transact<T>(body: (write: KeyWrite) => Synchronous<T>): T {
    return this.store.transact<T>((transaction) => {
      const write: KeyWrite = { began: this.revision, nowMs: transaction.nowMs, events: [] };
      const result = body(write);
      if (write.events.length > 0) {
        transaction.afterCommit(() => {
          for (const listener of this.#listeners) listener(write.events);
        });
      }
      return result;
    });
  }

  /** The revision that answers within a transaction show. */
  revisionIn(write: KeyWrite): number {
    return write.events.length > 0 ? write.began + 1 : write.began;
  }

  // ---- Reading -----------------------------------------------------------------------------------------------------

  /** In key order; `revision` 0 or less is now. @throws compacted, futureRevision */
  range(range: KeyRange, revision = 0, limit?: number): KeyValue[] {
    const newest = this.revision;
    if (revision > newest) throw futureRevision();
    if (revision > 0 && revision < this.compactedRevision) throw expired();
    if (revision > 0 && revision < newest) return this.#rangeAt(range, revision);
    const [condition, ...parameters] = conditionOf(range, 'k.key');
    const rows = this.#sql.all<LogRow>(
      `SELECT ${COLUMNS} ${CURRENT} WHERE ${condition} ORDER BY k.key LIMIT ?`,
      ...parameters,
      limit ?? -1,
    );
    return rows.map(keyValueOf);
  }

  count(range: KeyRange, revision = 0): number {
    if (revision > 0 && revision !== this.revision) return this.range(range, revision).length;
    const [condition, ...parameters] = conditionOf(range, 'key');
    return this.#sql.all<{ n: number }>(`SELECT count(*) AS n FROM etcd_keys WHERE ${condition}`, ...parameters)[0]!.n;
  }

  /** What is there now, with the keys that changed since put back to what they were. */
  #rangeAt(range: KeyRange, revision: number): KeyValue[] {
    const found = new Map(this.range(range).map((kv) => [kv.key, kv]));
    const seen = new Set<Bytes>();
    const [condition, ...parameters] = conditionOf(range, 'key');
    const changed = this.#sql.all<Pick<LogRow, 'key' | 'previous_revision' | 'previous_sub'>>(
      `SELECT key, previous_revision, previous_sub FROM etcd_log WHERE revision > ? AND ${condition}
       ORDER BY revision, sub`,
      revision,
      ...parameters,
    );
    for (const row of changed) {
      const key = bytesOf(row.key);
      if (seen.has(key)) continue;
      seen.add(key);
      const then = this.#version(row.previous_revision, row.previous_sub);
      if (then === undefined) found.delete(key);
      else found.set(key, then);
    }
    return [...found.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  #version(revision: number, sub: number): KeyValue | undefined {
    if (revision === 0) return undefined;
    const row = this.#sql.all<LogRow>(
      `SELECT ${COLUMNS} FROM etcd_log l WHERE l.revision = ? AND l.sub = ?`,
      revision,
      sub,
    )[0];
    return row === undefined ? undefined : keyValueOf(row);
  }

  /**
   * What happened to a range from this revision on (inclusive, as an etcd watch's start_revision), by revision. The
   * previous value of an event at the compacted revision itself is gone, as in etcd.
   * @throws compacted
   */
  *eventsFrom(range: KeyRange, revision: number): Generator<KeyEvent[]> {
    if (revision < this.compactedRevision) throw expired();
    const [condition, ...parameters] = conditionOf(range, 'l.key');
    const rows = this.#sql.each<LogRow>(
      `SELECT ${COLUMNS} FROM etcd_log l WHERE l.revision >= ? AND ${condition} ORDER BY l.revision, l.sub`,
      revision,
      ...parameters,
    );
    let batch: KeyEvent[] = [];
    for (const row of rows) {
      const kv = keyValueOf(row);
      if (batch[0] !== undefined && batch[0].kv.modRevision !== kv.modRevision) {
        yield batch;
        batch = [];
      }
      const previous = this.#version(row.previous_revision, row.previous_sub);
      batch.push({ type: row.deleted === 1 ? 'DELETE' : 'PUT', kv, previous });
    }
    if (batch.length > 0) yield batch;
  }

  // ---- Writing -----------------------------------------------------------------------------------------------------

  /** @returns the value before. The lease is known to exist. */
  put(write: KeyWrite, request: PutRequest): KeyValue | undefined {
    if (request.key === '') throw emptyKey();
    if (request.key.length + request.value.length > MAX_OBJECT_BYTES) throw requestTooLarge();
    const previous = this.range({ key: request.key, end: undefined })[0];
    if ((request.ignoreValue || request.ignoreLease) && previous === undefined) throw keyNotFound();
    const kv: KeyValue = {
      key: request.key,
      createRevision: previous?.createRevision ?? write.began + 1,
      modRevision: write.began + 1,
      version: (previous?.version ?? 0) + 1,
      value: request.ignoreValue && previous !== undefined ? previous.value : request.value,
      lease: request.ignoreLease && previous !== undefined ? previous.lease : request.lease,
    };
    this.#log(write, { type: 'PUT', kv, previous });
    this.#sql.run(
      `INSERT INTO etcd_keys (key, revision, sub) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, sub = excluded.sub`,
      arrayOf(kv.key),
      kv.modRevision,
      write.events.length - 1,
    );
    this.#attach(kv.key, previous?.lease ?? NO_LEASE, kv.lease);
    return previous;
  }

  /** @returns what was deleted. */
  deleteRange(write: KeyWrite, range: KeyRange): KeyValue[] {
    if (range.key === '') throw emptyKey();
    const gone = this.range(range);
    for (const previous of gone) {
      const kv: KeyValue = {
        key: previous.key,
        createRevision: 0,
        modRevision: write.began + 1,
        version: 0,
        value: '',
        lease: NO_LEASE,
      };
      this.#log(write, { type: 'DELETE', kv, previous });
      this.#sql.run('DELETE FROM etcd_keys WHERE key = ?', arrayOf(previous.key));
      this.#attach(previous.key, previous.lease, NO_LEASE);
    }
    return gone;
  }

  /**
   * Drops what was superseded up to `revision`. What happened at that very revision stays readable, deletions included:
   * a watch may start there.
   */
  compact(revision: number): void {
    this.store.transact(() => {
      const before = this.compactedRevision;
      if (revision <= before) throw expired();
      if (revision > this.revision) throw futureRevision();
      compactKeys(this.#sql, before, revision);
    });
  }

  #log(write: KeyWrite, event: KeyEvent): void {
    const { kv, previous } = event;
    const before =
      previous === undefined
        ? undefined
        : this.#sql.all<{ revision: number; sub: number }>(
            'SELECT revision, sub FROM etcd_keys WHERE key = ?',
            arrayOf(kv.key),
          )[0];
    this.#sql.run(
      `INSERT INTO etcd_log
         (revision, sub, key, previous_revision, previous_sub, deleted, create_revision, version, lease, value)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      kv.modRevision,
      write.events.length,
      arrayOf(kv.key),
      before?.revision ?? 0,
      before?.sub ?? 0,
      event.type === 'DELETE' ? 1 : 0,
      kv.createRevision,
      kv.version,
      kv.lease,
      arrayOf(kv.value),
    );
    write.events.push(event);
  }

  #attach(key: Bytes, before: string, after: string): void {
    if (before === after) return;
    if (before !== NO_LEASE) {
      this.#sql.run('DELETE FROM etcd_attached WHERE lease = ? AND key = ?', before, arrayOf(key));
    }
    if (after !== NO_LEASE) this.#sql.run('INSERT INTO etcd_attached (lease, key) VALUES (?, ?)', after, arrayOf(key));
  }
}
