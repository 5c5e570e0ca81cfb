/**
 * The Store on SQLite: transactions, writes, and who is told. Reading and compaction are `history.ts`, the work table is
 * `work-table.ts`, the tables `schema.ts`.
 *
 * Invariants
 * - `#open` exists exactly while a transaction is open; all of it is dropped when the transaction ends.
 * - The newest revision lives in SQLite. Inside a transaction it is counted in `#open`, and put back by a savepoint's
 *   rollback together with the changes and the queued work.
 * - A write that failed half-way poisons its transaction: nothing commits, even when the caller caught the error.
 * - `#known` is how objects lie in the tables: forgotten by a rollback, and when somebody else has written.
 * - Listeners hear of commits in order: one that writes is heard of after all have heard of what it answered to.
 */
import { expired, resourceVersionTooLarge, tooLarge } from '../../shared/errors.ts';
import { normaliseEntries, parseEntries, writeIndex } from './entries.ts';
import {
  changeAt,
  changesAfter,
  compactTo,
  countObjects,
  getObject,
  getWithEntries,
  listObjects,
  oldestObjects,
  positionOf,
  revisionAt,
  textBefore,
} from './history.ts';
import { type KnownObject, KnownObjects } from './known-objects.ts';
import { openSchema } from './schema.ts';
import type { Sql } from './sql.ts';
import {
  type Change,
  type IndexEntry,
  type ListPage,
  type ListQuery,
  MAX_OBJECT_BYTES,
  type ObjectKey,
  type ResourceName,
  RevisionMismatch,
  type Store,
  type StoredObject,
  type Synchronous,
  type TextList,
  type Transaction,
  type WorkItem,
} from './store.ts';
import { SqliteTextList } from './text-list.ts';
import { WorkTable } from './work-table.ts';

export interface SqliteStoreOptions {
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Names the history of a new database: a random text. */
  newEpoch(): string;
}

type Listener = (changes: readonly Change[]) => void;

interface OpenTransaction {
  transaction: Transaction;
  nowMs: number;
  revision: number;
  changes: Change[];
  afterCommit: (() => void)[];
  /** Set while a write is under way; still set afterwards when it failed. */
  writing: boolean;
}

const DEFAULT_COMPACTION_ROWS = 1000;
/** Cloudflare refuses a row of more than 2 MB, and the entries share the object's. */
const MAX_ENTRIES_BYTES = 262_144;

/** Measures only what could be too long: a code unit is at most three bytes. */
function isLonger(text: string, maxBytes: number): boolean {
  if (text.length * 3 <= maxBytes) return false;
  return text.length > maxBytes || new TextEncoder().encode(text).byteLength > maxBytes;
}

export class SqliteStore implements Store {
  readonly #sql: Sql;
  readonly #clock: () => number;
  readonly #work: WorkTable;
  readonly #listeners: Listener[] = [];
  /** Calls not yet made for what was committed; exists while they are being made. */
  #calling: (() => void)[] | undefined;
  #open: OpenTransaction | undefined;
  #transactions = 0;
  readonly #known = new KnownObjects();

  constructor(sql: Sql, options: SqliteStoreOptions) {
    this.#sql = sql;
    this.#clock = options.clock;
    this.#work = new WorkTable(sql);
    openSchema(sql, options.newEpoch);
  }

  get revision(): number {
    return this.#open?.revision ?? positionOf(this.#sql).revision;
  }

  get compactedRevision(): number {
    return positionOf(this.#sql).compacted;
  }

  get transactions(): number {
    return this.#transactions;
  }

  get epoch(): string {
    return positionOf(this.#sql).epoch;
  }

  get(key: ObjectKey): StoredObject | undefined {
    return getObject(this.#sql, key);
  }

  list(query: ListQuery): ListPage {
    return listObjects(this.#sql, query, this.revision);
  }

  texts(query: Omit<ListQuery, 'limit'>): TextList {
    return new SqliteTextList(this.#sql, query, this.revision);
  }

  count(query: Omit<ListQuery, 'after' | 'limit' | 'atRevision'>): number {
    return countObjects(this.#sql, query);
  }

  changesSince(revision: number, filter: { resource?: ResourceName; namespace?: string } = {}): Iterable<Change> {
    const { revision: newest, compacted } = positionOf(this.#sql);
    if (revision > newest) throw resourceVersionTooLarge(revision, newest);
    if (revision < compacted) throw expired(`too old resource version: ${revision} (${compacted})`);
    return { [Symbol.iterator]: () => changesAfter(this.#sql, revision, filter) };
  }

  changeAt(revision: number): Change | undefined {
    return changeAt(this.#sql, revision);
  }

  textBefore(revision: number): string | undefined {
    return textBefore(this.#sql, revision);
  }

  transact<T>(body: (transaction: Transaction) => Synchronous<T>): T {
    return this.#open === undefined ? this.#outermost(body) : this.#nested(this.#open, body);
  }

  onCommit(listener: Listener): void {
    this.#listeners.push(listener);
  }

  revisionAt(timeMs: number): number {
    return revisionAt(this.#sql, timeMs);
  }

  compact(revision: number, maxRows: number = DEFAULT_COMPACTION_ROWS): boolean {
    const { revision: newest, compacted } = positionOf(this.#sql);
    if (revision > newest) throw resourceVersionTooLarge(revision, newest);
    if (revision <= compacted) return false;
    return compactTo(this.#sql, revision, maxRows) < revision;
  }

  dueWork(nowMs: number, limit: number): WorkItem[] {
    return this.#work.due(nowMs, limit);
  }

  nextDueMs(): number | undefined {
    return this.#work.nextDueMs();
  }

  finishWork(item: WorkItem, retryAtMs?: number): void {
    if (this.#open !== undefined) this.#work.finish(item, retryAtMs);
    else this.transact(() => this.#work.finish(item, retryAtMs));
  }

  // ---- Transactions ------------------------------------------------------------------------------------------------

  #outermost<T>(body: (transaction: Transaction) => T): T {
    const open: OpenTransaction = {
      transaction: this.#transaction(),
      nowMs: this.#clock(),
      revision: positionOf(this.#sql).revision,
      changes: [],
      afterCommit: [],
      writing: false,
    };
    this.#known.begin(open.revision);
    this.#open = open;
    this.#transactions += 1;
    let committed = false;
    let result: T;
    try {
      result = this.#sql.transaction(() => {
        const value = this.#run(open, body);
        this.#work.spill();
        return value;
      });
      committed = true;
      this.#known.committed(open.revision);
    } finally {
      this.#open = undefined;
      if (!committed) this.#known.forget();
      this.#work.ended(committed);
    }
    const { changes } = open;
    const calls = changes.length === 0 ? [] : this.#listeners.map((listener) => () => listener(changes));
    this.#call([...calls, ...open.afterCommit]);
    return result;
  }

  #nested<T>(open: OpenTransaction, body: (transaction: Transaction) => T): T {
    const { revision, writing } = open;
    const changes = open.changes.length;
    const afterCommit = open.afterCommit.length;
    const work = this.#work.mark();
    try {
      return this.#sql.transaction(() => this.#run(open, body));
    } catch (error) {
      open.revision = revision;
      open.writing = writing;
      open.changes.length = changes;
      open.afterCommit.length = afterCommit;
      this.#known.forget();
      this.#work.rollBackTo(work);
      throw error;
    }
  }

  #run<T>(open: OpenTransaction, body: (transaction: Transaction) => T): T {
    const value = body(open.transaction);
    if (open.writing) throw new Error('a write of this transaction failed half-way: it cannot be committed');
    // The type refuses this already; `any` would get past it.
    if (typeof (value as { then?: unknown } | null | undefined)?.then === 'function') {
      throw new Error('the body of a transaction returned a promise: a transaction is one synchronous turn');
    }
    return value;
  }

  /** What a body is given; of no use once its outermost transaction is over. */
  #transaction(): Transaction {
    const store = this;
    const opened = (): OpenTransaction => {
      if (store.#open?.transaction !== transaction) throw new Error('this transaction is over');
      return store.#open;
    };
    const transaction: Transaction = {
      get revision() {
        return opened().revision;
      },
      get compactedRevision() {
        return store.compactedRevision;
      },
      get epoch() {
        return store.epoch;
      },
      get nowMs() {
        return opened().nowMs;
      },
      get: (key) => store.#get(key),
      revisionOf: (key) => store.#current(key)?.revision ?? 0,
      list: (query) => store.list(query),
      texts: (query) => store.texts(query),
      count: (query) => store.count(query),
      changesSince: (revision, filter) => store.changesSince(revision, filter),
      oldest: (resource, limit) => oldestObjects(store.#sql, resource, limit),
      changeAt: (revision) => store.changeAt(revision),
      textBefore: (revision) => store.textBefore(revision),
      put: (key, entries, serialise, expected) => store.#put(opened(), key, entries, serialise, expected),
      delete: (key, serialise, expected) => store.#delete(opened(), key, serialise, expected),
      afterCommit: (callback) => opened().afterCommit.push(callback),
      enqueue: (queue, key, dueMs) => store.#work.enqueue(queue, key, dueMs ?? opened().nowMs),
    };
    return transaction;
  }

  #call(calls: (() => void)[]): void {
    if (this.#calling !== undefined) {
      this.#calling.push(...calls);
      return;
    }
    this.#calling = calls;
    for (let call = calls.shift(); call !== undefined; call = calls.shift()) {
      try {
        call();
      } catch (error) {
        console.error('a listener of the store failed on a commit', error instanceof Error ? error.stack : error);
      }
    }
    this.#calling = undefined;
  }

  // ---- Writes ------------------------------------------------------------------------------------------------------

  #put(
    open: OpenTransaction,
    key: ObjectKey,
    entries: readonly IndexEntry[],
    serialise: (revision: number) => string,
    expected: number | undefined,
  ): StoredObject {
    const current = this.#current(key);
    this.#expect(key, current, expected);
    const { entries: after, text: entriesText } = normaliseEntries(entries);
    // Most writes leave what an object can be found by as it was.
    const stays = current?.entries === entriesText;
    const before = current === undefined ? undefined : stays ? after : parseEntries(current.entries);
    const { revision, text } = this.#next(open, serialise);
    if (isLonger(entriesText, MAX_ENTRIES_BYTES)) {
      throw tooLarge(`Request entity too large: labels and other indexed values are limited to ${MAX_ENTRIES_BYTES}`);
    }
    open.writing = true;
    this.#log(key, revision, current?.revision ?? 0, 0, open.nowMs, entriesText, text);
    this.#sql.run(
      current === undefined
        ? 'INSERT INTO objects (revision, resource, namespace, name) VALUES (?, ?, ?, ?)'
        : 'UPDATE objects SET revision = ? WHERE resource = ? AND namespace = ? AND name = ?',
      revision,
      key.resource,
      key.namespace,
      key.name,
    );
    if (!stays) writeIndex(this.#sql, key, before ?? [], after);
    open.writing = false;
    this.#known.set(key, { revision, entries: entriesText });
    return this.#changed(open, key, revision, text, before === undefined ? 'ADDED' : 'MODIFIED', after, before);
  }

  #delete(
    open: OpenTransaction,
    key: ObjectKey,
    serialise: (revision: number) => string,
    expected: number | undefined,
  ): StoredObject {
    const current = this.#current(key);
    this.#expect(key, current, expected);
    if (current === undefined) throw new RevisionMismatch(key, 0);
    const before = parseEntries(current.entries);
    const { revision, text } = this.#next(open, serialise);
    open.writing = true;
    this.#log(key, revision, current.revision, 1, open.nowMs, null, text);
    this.#sql.run(
      'DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?',
      key.resource,
      key.namespace,
      key.name,
    );
    writeIndex(this.#sql, key, before, []);
    open.writing = false;
    this.#known.set(key, undefined);
    return this.#changed(open, key, revision, text, 'DELETED', before, before);
  }

  #get(key: ObjectKey): StoredObject | undefined {
    const found = getWithEntries(this.#sql, key);
    this.#known.set(key, found && { revision: found.stored.revision, entries: found.entries });
    return found?.stored;
  }

  #current(key: ObjectKey): KnownObject | undefined {
    const read = () =>
      this.#sql.all<KnownObject>(
        `SELECT l.revision, l.entries FROM objects o CROSS JOIN log l ON l.revision = o.revision
         WHERE o.resource = ? AND o.namespace = ? AND o.name = ?`,
        key.resource,
        key.namespace,
        key.name,
      )[0];
    return this.#known.get(key, read);
  }

  #expect(key: ObjectKey, current: KnownObject | undefined, expected: number | undefined): void {
    const actual = current?.revision ?? 0;
    if (expected !== undefined && expected !== actual) throw new RevisionMismatch(key, actual);
  }

  #next(open: OpenTransaction, serialise: (revision: number) => string): { revision: number; text: string } {
    const revision = open.revision + 1;
    const text = serialise(revision);
    if (open.revision + 1 !== revision) throw new Error('an object was written while another was being serialised');
    if (isLonger(text, MAX_OBJECT_BYTES)) {
      throw tooLarge(`Request entity too large: limit is ${MAX_OBJECT_BYTES}`);
    }
    return { revision, text };
  }

  #log(
    key: ObjectKey,
    revision: number,
    previous: number,
    deleted: 0 | 1,
    nowMs: number,
    entries: string | null,
    text: string,
  ): void {
    this.#sql.run(
      `INSERT INTO log (revision, resource, namespace, name, previous, deleted, time_ms, entries, text)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      revision,
      key.resource,
      key.namespace,
      key.name,
      previous,
      deleted,
      nowMs,
      entries,
      text,
    );
  }

  #changed(
    open: OpenTransaction,
    key: ObjectKey,
    revision: number,
    text: string,
    type: Change['type'],
    entries: readonly IndexEntry[],
    previousEntries: readonly IndexEntry[] | undefined,
  ): StoredObject {
    const { resource, namespace, name } = key;
    open.revision = revision;
    open.changes.push({ type, resource, namespace, name, revision, text, entries, previousEntries });
    return { resource, namespace, name, revision, text };
  }
}
