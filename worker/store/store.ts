/**
 * The etcd of the cluster: objects as JSON text under one sequence of revisions, with history, watch and compaction.
 * This file is the interface and its guarantees; `sqlite-store.ts` keeps them, `test/contracts/store.ts` checks them.
 *
 * Guarantees
 * - Every write gets the next revision; revisions never go back, are never reused, and are the only clock of the API.
 * - A transaction commits whole or not at all; nobody sees a part of it. Nested transactions are savepoints.
 * - The text of an object is exactly what clients receive; nothing here parses it.
 * - Changes reach `onCommit` listeners once, in revision order, after the outermost transaction committed, never for one
 *   that rolled back.
 * - `changesSince(r)` yields every change after r in order, or throws 410 Expired when r is compacted, 504 when r is ahead.
 * - A list page continued at its first page's revision shows the objects as they were then, or throws 410 Expired.
 */

/** A group resource: `pods`, `deployments.apps`. */
export type ResourceName = string;

export interface ObjectKey {
  resource: ResourceName;
  /** '' for cluster-scoped objects. */
  namespace: string;
  name: string;
}

/**
 * What an object can be found by, besides its key. Multi-valued; a pair is stored once. Names in use:
 * `label:KEY`, `field:PATH` (selectable fields), `owner` (uid of each owner), `uses` (`configmaps/NAME`, `secrets/NAME` …).
 */
export interface IndexEntry {
  index: string;
  value: string;
}

export interface StoredObject extends ObjectKey {
  revision: number;
  /** The JSON text, resourceVersion included. */
  text: string;
}

export interface Change extends StoredObject {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  entries: readonly IndexEntry[];
  /** The entries before this change; undefined for ADDED. A selector's watch turns into ADDED or DELETED by these. */
  previousEntries: readonly IndexEntry[] | undefined;
}

export interface ListQuery {
  resource: ResourceName;
  /** undefined: all namespaces. */
  namespace?: string | undefined;
  /** All must be present. The most selective of the indexed ones (`isIndexed` in schema.ts) leads to the objects. */
  having?: readonly IndexEntry[];
  /** Applied to the rest, on entries alone. */
  matches?: ((entries: readonly IndexEntry[]) => boolean) | undefined;
  /** Exclusive start, in key order (namespace, name; by code point, as SQLite compares). */
  after?: { namespace: string; name: string } | undefined;
  limit?: number | undefined;
  /** The state as of this revision; undefined: now. */
  atRevision?: number | undefined;
}

export interface ListPage {
  /** The revision that the page shows. */
  revision: number;
  items: Iterable<StoredObject>;
}

export interface WrittenObject {
  namespace: string;
  name: string;
  /** When it was last written, in milliseconds since the epoch. */
  writtenMs: number;
}

/** A list's texts on their way out, all of one revision. Unlike a page it may be kept between turns. */
export interface TextList {
  readonly revision: number;
  /** Nothing follows; it may be known only after `next` found nothing. */
  readonly ended: boolean;
  /**
   * The next texts in key order, a comma before each, in UTF-8: about 256 KiB of them, one at least; undefined at the end. The
   * buffer is the caller's. @throws StatusError 410 Expired when the list's revision has been compacted meanwhile.
   */
  next(): Uint8Array | undefined;
}

export interface WorkItem {
  queue: string;
  key: string;
  /** Milliseconds since the epoch. */
  dueMs: number;
  attempts: number;
}

export interface Reader {
  /** The newest revision. */
  readonly revision: number;
  /** History before this is gone. */
  readonly compactedRevision: number;
  /** Changes when the store was restored from a snapshot. */
  readonly epoch: string;
  get(key: ObjectKey): StoredObject | undefined;
  list(query: ListQuery): ListPage;
  /** What `list` finds, for who wants the texts alone. */
  texts(query: Omit<ListQuery, 'limit'>): TextList;
  count(query: Omit<ListQuery, 'after' | 'limit' | 'atRevision'>): number;
  changesSince(revision: number, filter?: { resource?: ResourceName; namespace?: string }): Iterable<Change>;
  /** The change of this revision; undefined when there was none, or when it is compacted. */
  changeAt(revision: number): Change | undefined;
  /** The text that the change of this revision superseded; undefined when there was none, or when it is compacted. */
  textBefore(revision: number): string | undefined;
}

/** Refuses at compile time a body that awaits: a transaction is one synchronous turn. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

export interface Transaction extends Reader {
  /** Milliseconds since the epoch; the same during the whole transaction. */
  readonly nowMs: number;
  /** The revision of the object, 0 when there is none: for who knows already what it held at one. */
  revisionOf(key: ObjectKey): number;
  /** The objects that were written longest ago, the oldest first: found without reading any of their texts. */
  oldest(resource: ResourceName, limit: number): WrittenObject[];
  /**
   * Writes an object. `serialise` is given the new revision and returns the text.
   * @param expected the revision that must be current (0: must not exist); undefined: whatever is there.
   * @throws RevisionMismatch, and nothing is written; StatusError 413 for a text over MAX_OBJECT_BYTES.
   */
  put(
    key: ObjectKey,
    entries: readonly IndexEntry[],
    serialise: (revision: number) => string,
    expected?: number,
  ): StoredObject;
  /**
   * Removes an object; `serialise` gives the last state with the revision of the deletion.
   * @throws RevisionMismatch (actual 0) when there is none.
   */
  delete(key: ObjectKey, serialise: (revision: number) => string, expected?: number): StoredObject;
  /**
   * Puts work on a queue in this same transaction (due now unless said). A key already queued keeps the earlier due time.
   * Until the outermost transaction ends the item is only in memory, where `dueWork`, `nextDueMs` and `finishWork` find it
   * too: what is queued and finished inside one outermost transaction costs no row. The rest is written by the commit.
   */
  enqueue(queue: string, key: string, dueMs?: number): void;
  /** Called once after the outermost transaction committed, in its place among the listeners; never after a rollback. */
  afterCommit(callback: () => void): void;
}

export interface Store extends Reader {
  /** How many transactions there were since this store was made: while it stays the same, nothing was written. */
  readonly transactions: number;
  transact<T>(body: (transaction: Transaction) => Synchronous<T>): T;
  /** A listener that throws is reported and harms nobody. One that writes is heard of after all heard what it answers to. */
  onCommit(listener: (changes: readonly Change[]) => void): void;
  /** The newest revision committed at or before this time; the compacted one when history does not reach back so far. */
  revisionAt(timeMs: number): number;
  /** Drops history up to and including this revision, in bounded steps; returns whether any is left to drop. */
  compact(revision: number, maxRows?: number): boolean;
  /** The next items due at `nowMs`, oldest first. They stay until `finishWork`. */
  dueWork(nowMs: number, limit: number): WorkItem[];
  /** When the next item is due; undefined when the table is empty. */
  nextDueMs(): number | undefined;
  /**
   * Takes an item off its queue, or, with `retryAtMs`, puts it back for then with one more attempt counted. Take it off
   * first and then handle it, in one transaction: what the handling queues again under the same key stays.
   */
  finishWork(item: WorkItem, retryAtMs?: number): void;
}

export class RevisionMismatch extends Error {
  readonly key: ObjectKey;
  /** 0: the object does not exist. */
  readonly actual: number;
  constructor(key: ObjectKey, actual: number) {
    super(`${key.resource} ${key.namespace}/${key.name} is at revision ${actual}`);
    this.key = key;
    this.actual = actual;
  }
}

/** As etcd's default request limit. */
export const MAX_OBJECT_BYTES = 1_572_864;
