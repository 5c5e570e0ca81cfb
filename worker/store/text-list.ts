/**
 * A list as clients receive it: texts with commas, as bytes, stretch by stretch. SQLite joins them itself, so that a text is
 * never a string of JavaScript: no decoding, no encoding, nothing for the collector. Where a stretch needs a look at each object
 * (a selector that no index answers, keys that have changed since the list's revision) it is made of rows, `history.ts`.
 */
import {
  drivingEntry,
  EVERYWHERE,
  FROM_ENTRIES,
  FROM_OBJECTS,
  itemsOf,
  noteVersions,
  ONE_NAMESPACE,
  positionOf,
  requireReadable,
  startOf,
  type Versions,
} from './history.ts';
import { comparePlaces, type PlaceInOrder } from './key-order.ts';
import type { Sql, SqlValue } from './sql.ts';
import { type IndexEntry, type ListQuery, MAX_OBJECT_BYTES, type TextList } from './store.ts';

/** What a stretch is to be: large enough that a turn is worth it, small enough to be held for a client that reads slowly. */
const STRETCH_BYTES = 256 * 1024;
const FIRST_ROWS = 64;
const ROWS_GROWTH = 4;
const MOST_ROWS = 1024;
/** Cloudflare refuses values of more than 2 MB; the largest object and its comma must fit. */
const MAX_STRETCH_BYTES = MAX_OBJECT_BYTES + 65_536;

interface Joined {
  /** How many were too large to be among them; null when there are none at all. */
  left: number | null;
  bytes: Uint8Array | null;
}

const KEYS = 'FROM objects k WHERE k.resource = ?';
const KEYS_WITH_ENTRY = 'FROM entries k WHERE k.resource = ? AND k.entry = ? AND k.value = ?';

export class SqliteTextList implements TextList {
  readonly revision: number;
  readonly #sql: Sql;
  readonly #query: ListQuery;
  readonly #driving: IndexEntry | undefined;
  /** A look at each object's entries is needed. */
  readonly #selective: boolean;
  /** Of keys that are still to come: what they had at this revision, where that is no longer what they have. */
  readonly #changed: Versions = new Map();
  #followedTo: number;
  /** Of the next stretch, by what the last one had. */
  #rows = FIRST_ROWS;
  #ended = false;

  constructor(sql: Sql, query: Omit<ListQuery, 'limit'>, now: number) {
    this.revision = query.atRevision ?? now;
    requireReadable(this.revision, now, positionOf(sql).compacted);
    this.#sql = sql;
    this.#query = { ...query };
    this.#driving = drivingEntry(sql, query);
    this.#selective = query.matches !== undefined || (query.having ?? []).some((entry) => entry !== this.#driving);
    this.#followedTo = this.revision;
  }

  get ended(): boolean {
    return this.#ended;
  }

  next(): Uint8Array | undefined {
    const start = startOf(this.#query);
    if (start === undefined) this.#ended = true;
    if (start === undefined || this.#ended) return undefined;
    this.#follow();
    if (this.#selective) return this.#ofRows();
    for (;;) {
      const rows = this.#rows;
      const last = this.#placeOf(rows, start);
      if (this.#hasChanged(last)) return this.#ofRows();
      const { left, bytes } = this.#join(rows, start);
      if (left === null || left === 0) {
        this.#query.after = last;
        this.#ended = last === undefined;
        this.#learn(rows, bytes?.byteLength ?? 0);
        return bytes ?? undefined;
      }
      this.#rows = Math.ceil(rows / ROWS_GROWTH);
    }
  }

  /** What has changed since, of the keys that are still to come. */
  #follow(): void {
    const { revision, compacted } = positionOf(this.#sql);
    requireReadable(this.revision, revision, compacted);
    if (revision > this.#followedTo) noteVersions(this.#sql, this.#query, this.#followedTo, this.#changed);
    this.#followedTo = revision;
    const { after } = this.#query;
    if (after === undefined) return;
    for (const [id, place] of this.#changed) if (comparePlaces(place, after) <= 0) this.#changed.delete(id);
  }

  /** @param last undefined: everything that is left. */
  #hasChanged(last: PlaceInOrder | undefined): boolean {
    if (last === undefined) return this.#changed.size > 0;
    for (const place of this.#changed.values()) if (comparePlaces(place, last) <= 0) return true;
    return false;
  }

  /** So many rows would make a stretch, if they go on like this one. */
  #learn(rows: number, bytes: number): void {
    const wanted = Math.floor((STRETCH_BYTES * rows) / Math.max(1, bytes));
    this.#rows = Math.max(1, Math.min(wanted, rows * ROWS_GROWTH, MOST_ROWS));
  }

  /** The last of so many keys; undefined when there are fewer. Objects are not read for it. */
  #placeOf(rows: number, start: PlaceInOrder): PlaceInOrder | undefined {
    const from = this.#driving === undefined ? KEYS : KEYS_WITH_ENTRY;
    const statement = `SELECT k.namespace, k.name ${from} ${this.#range} LIMIT 1 OFFSET ?`;
    return this.#sql.all<PlaceInOrder>(statement, ...this.#bounds(start), rows - 1)[0];
  }

  /** A text that is NULL is passed over: so what comes of it has a bound, and says whether it is whole. */
  #join(rows: number, start: PlaceInOrder): Joined {
    const from = this.#driving === undefined ? FROM_OBJECTS : FROM_ENTRIES;
    const statement = `SELECT sum(octet_length(text) >= ?) AS "left",
        CAST(',' || group_concat(CASE WHEN octet_length(text) < ? THEN text END, ',') AS BLOB) AS bytes
      FROM (SELECT l.text ${from} ${this.#range} LIMIT ?)`;
    const most = Math.floor(MAX_STRETCH_BYTES / rows);
    return this.#sql.all<Joined>(statement, most, most, ...this.#bounds(start), rows)[0] as Joined;
  }

  get #range(): string {
    return this.#query.namespace === undefined ? EVERYWHERE : ONE_NAMESPACE;
  }

  #bounds(start: PlaceInOrder): SqlValue[] {
    const entry = this.#driving === undefined ? [] : [this.#driving.index, this.#driving.value];
    return [this.#query.resource, ...entry, start.namespace, start.name];
  }

  #ofRows(): Uint8Array | undefined {
    let text = '';
    let rows = 0;
    this.#ended = true;
    for (const item of itemsOf(this.#sql, this.#query, this.#driving, this.#changed)) {
      if (rows === this.#rows || text.length >= STRETCH_BYTES) {
        this.#ended = false;
        break;
      }
      text += `,${item.text}`;
      rows += 1;
      this.#query.after = { namespace: item.namespace, name: item.name };
    }
    if (rows === 0) return undefined;
    const bytes = new TextEncoder().encode(text);
    this.#learn(rows, bytes.byteLength);
    return bytes;
  }
}
