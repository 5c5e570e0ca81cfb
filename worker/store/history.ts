/**
 * Everything that reads objects, now or as of an older revision, and the compaction of what is no longer readable.
 * Writing is `sqlite-store.ts`. Every function is one synchronous look at the tables; what they yield lazily must be
 * consumed in the same turn.
 *
 * How the past is read: each version names the one that it supersedes. So the first change of a key after revision R says
 * which version the key had at R, and every key without one is as it is now.
 */
import { expired, resourceVersionTooLarge } from '../../shared/errors.ts';
import { hasAll, parseEntries } from './entries.ts';
import { comparePlaces, type PlaceInOrder } from './key-order.ts';
import { isIndexed } from './schema.ts';
import type { Sql } from './sql.ts';
import type {
  Change,
  IndexEntry,
  ListPage,
  ListQuery,
  ObjectKey,
  ResourceName,
  StoredObject,
  WrittenObject,
} from './store.ts';

export interface Position {
  revision: number;
  compacted: number;
  epoch: string;
}

/** The newest revision is persisted as the log's last row, or, when compaction took that, as the compacted revision. */
export function positionOf(sql: Sql): Position {
  return sql.all<Position>(
    `SELECT max(coalesce((SELECT max(revision) FROM log), 0), compacted, 1) AS revision, compacted, epoch FROM meta`,
  )[0] as Position;
}

export function getObject(sql: Sql, key: ObjectKey): StoredObject | undefined {
  const row = sql.all<{ revision: number; text: string }>(
    `SELECT l.revision, l.text FROM objects o CROSS JOIN log l ON l.revision = o.revision
     WHERE o.resource = ? AND o.namespace = ? AND o.name = ?`,
    key.resource,
    key.namespace,
    key.name,
  )[0];
  if (row === undefined) return undefined;
  return { resource: key.resource, namespace: key.namespace, name: key.name, revision: row.revision, text: row.text };
}

/** The same, and what it can be found by, as it lies in the log. */
export function getWithEntries(sql: Sql, key: ObjectKey): { stored: StoredObject; entries: string } | undefined {
  const { resource, namespace, name } = key;
  const row = sql.all<{ revision: number; text: string; entries: string }>(
    `SELECT l.revision, l.text, l.entries FROM objects o CROSS JOIN log l ON l.revision = o.revision
     WHERE o.resource = ? AND o.namespace = ? AND o.name = ?`,
    resource,
    namespace,
    name,
  )[0];
  if (row === undefined) return undefined;
  return { stored: { resource, namespace, name, revision: row.revision, text: row.text }, entries: row.entries };
}

/** SQLite keeps no more of them than these while it looks through the keys. */
export function oldestObjects(sql: Sql, resource: ResourceName, limit: number): WrittenObject[] {
  return sql.all<WrittenObject>(
    `SELECT k.namespace, k.name, l.time_ms AS writtenMs
     FROM (SELECT namespace, name, revision FROM objects WHERE resource = ? ORDER BY revision LIMIT ?) k
     CROSS JOIN log l ON l.revision = k.revision ORDER BY k.revision`,
    resource,
    limit,
  );
}

// ---- Lists --------------------------------------------------------------------------------------------------------

interface Row extends PlaceInOrder {
  revision: number;
  entries: string;
  /** Only where no selector needs a look at the entries first. */
  text?: string;
}

export const FROM_OBJECTS = 'FROM objects k CROSS JOIN log l ON l.revision = k.revision WHERE k.resource = ?';
export const FROM_ENTRIES = `FROM entries k
  CROSS JOIN objects o ON o.resource = k.resource AND o.namespace = k.namespace AND o.name = k.name
  CROSS JOIN log l ON l.revision = o.revision WHERE k.resource = ? AND k.entry = ? AND k.value = ?`;
export const EVERYWHERE = 'AND (k.namespace, k.name) > (?, ?) ORDER BY k.namespace, k.name';
export const ONE_NAMESPACE = 'AND k.namespace = ? AND k.name > ? ORDER BY k.name';
const WHOLE = 'SELECT k.namespace, k.name, l.revision, l.entries, l.text';
const ENTRIES_ONLY = 'SELECT k.namespace, k.name, l.revision, l.entries';

/** '' sorts before every name, so it starts at the beginning. */
export function startOf(query: ListQuery): PlaceInOrder | undefined {
  const start = { namespace: query.namespace ?? '', name: '' };
  if (query.after === undefined) return start;
  if (query.namespace === undefined) return query.after;
  const order = comparePlaces({ namespace: query.after.namespace, name: '' }, start);
  if (order > 0) return undefined;
  return order < 0 ? start : query.after;
}

const FIRST_PROBE_ROWS = 16;
const PROBE_GROWTH = 4;

/**
 * The indexed entry that leads to the fewest objects. With a choice, all are counted up to a limit that grows until one
 * stays below it: the cost is a few times the smallest.
 */
export function drivingEntry(sql: Sql, query: ListQuery): IndexEntry | undefined {
  const indexed = (query.having ?? []).filter((entry) => isIndexed(entry.index));
  if (indexed.length < 2) return indexed[0];
  for (let limit = FIRST_PROBE_ROWS; ; limit *= PROBE_GROWTH) {
    for (const entry of indexed) {
      const probed = sql.all<{ n: number }>(
        'SELECT count(*) AS n FROM (SELECT 1 FROM entries WHERE resource = ? AND entry = ? AND value = ? LIMIT ?)',
        query.resource,
        entry.index,
        entry.value,
        limit,
      );
      if ((probed[0]?.n ?? 0) < limit) return entry;
    }
  }
}

/** Live objects in key order, from the index where an indexed entry drives. */
function liveRows(
  sql: Sql,
  query: ListQuery,
  start: PlaceInOrder,
  columns: string,
  driving: IndexEntry | undefined,
): IterableIterator<Row> {
  const range = query.namespace === undefined ? EVERYWHERE : ONE_NAMESPACE;
  if (driving === undefined) {
    return sql.each<Row>(`${columns} ${FROM_OBJECTS} ${range}`, query.resource, start.namespace, start.name);
  }
  return sql.each<Row>(
    `${columns} ${FROM_ENTRIES} ${range}`,
    query.resource,
    driving.index,
    driving.value,
    start.namespace,
    start.name,
  );
}

/** What keys were, that have changed since: by `namespace\0name`, the version that each had, 0 for none. */
export type Versions = Map<string, PlaceInOrder & { version: number }>;

/** Adds to `versions` what each key had at `revision`, for those that changed after it and were not there yet. */
export function noteVersions(sql: Sql, query: ListQuery, revision: number, versions: Versions): Versions {
  const changed = sql.each<PlaceInOrder & { previous: number }>(
    'SELECT namespace, name, previous FROM log WHERE revision > ? AND resource = ? ORDER BY revision',
    revision,
    query.resource,
  );
  for (const { namespace, name, previous } of changed) {
    if (query.namespace !== undefined && namespace !== query.namespace) continue;
    const id = `${namespace}\0${name}`;
    if (!versions.has(id)) versions.set(id, { namespace, name, version: previous });
  }
  return versions;
}

/** Live rows with the keys that changed since replaced by the versions they had then. */
function* rowsAt(
  sql: Sql,
  query: ListQuery,
  start: PlaceInOrder,
  columns: string,
  driving: IndexEntry | undefined,
  versions: Versions,
): Generator<Row> {
  const old = [...versions.values()]
    .filter((each) => each.version > 0 && comparePlaces(each, start) > 0)
    .sort(comparePlaces);
  let next = 0;
  const oldRow = (place: PlaceInOrder & { version: number }): Row => {
    const row = sql.all<{ entries: string; text: string }>(
      'SELECT entries, text FROM log WHERE revision = ?',
      place.version,
    )[0];
    if (row === undefined) throw new Error(`revision ${place.version} is missing from the log`);
    return { namespace: place.namespace, name: place.name, revision: place.version, ...row };
  };
  for (const row of liveRows(sql, query, start, columns, driving)) {
    if (versions.has(`${row.namespace}\0${row.name}`)) continue;
    for (let first = old[next]; first !== undefined && comparePlaces(first, row) < 0; first = old[next]) {
      yield oldRow(first);
      next += 1;
    }
    yield row;
  }
  for (; next < old.length; next += 1) yield oldRow(old[next] as PlaceInOrder & { version: number });
}

function textOf(sql: Sql, revision: number): string {
  const row = sql.all<{ text: string }>('SELECT text FROM log WHERE revision = ?', revision)[0];
  if (row === undefined) throw new Error(`revision ${revision} is missing from the log`);
  return row.text;
}

/** @param versions of what changed since, for a look at the past. */
export function* itemsOf(
  sql: Sql,
  query: ListQuery,
  driving: IndexEntry | undefined,
  versions: Versions | undefined,
): Generator<StoredObject> {
  const start = startOf(query);
  if (start === undefined || (query.limit !== undefined && query.limit <= 0)) return;
  const { matches } = query;
  // What drives the index needs no second look, but old versions did not come from it.
  const having = (query.having ?? []).filter((entry) => versions !== undefined || entry !== driving);
  const selective = matches !== undefined || having.length > 0;
  const columns = selective ? ENTRIES_ONLY : WHOLE;
  const rows =
    versions === undefined
      ? liveRows(sql, query, start, columns, driving)
      : rowsAt(sql, query, start, columns, driving, versions);
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  for (const row of rows) {
    if (selective) {
      const entries = parseEntries(row.entries);
      if (!hasAll(entries, having) || (matches !== undefined && !matches(entries))) continue;
    }
    const { namespace, name, revision } = row;
    yield { resource: query.resource, namespace, name, revision, text: row.text ?? textOf(sql, revision) };
    left -= 1;
    if (left <= 0) return;
  }
}

/** @throws StatusError 504 for a revision that is still to come, 410 for one that is compacted. */
export function requireReadable(revision: number, now: number, compacted: number): void {
  if (revision > now) throw resourceVersionTooLarge(revision, now);
  if (revision < compacted) throw expired('The resourceVersion for the provided list is too old.');
}

export function listObjects(sql: Sql, query: ListQuery, now: number): ListPage {
  const revision = query.atRevision ?? now;
  // The newest is always there: no need to look.
  if (revision !== now) requireReadable(revision, now, positionOf(sql).compacted);
  const items = () => {
    const versions = revision === now ? undefined : noteVersions(sql, query, revision, new Map());
    return itemsOf(sql, query, drivingEntry(sql, query), versions);
  };
  return { revision, items: { [Symbol.iterator]: items } };
}

export function countObjects(sql: Sql, query: Omit<ListQuery, 'after' | 'limit' | 'atRevision'>): number {
  const { resource, namespace, having = [], matches } = query;
  const first = having[0];
  if (matches === undefined && having.length === 0) {
    const [row] =
      namespace === undefined
        ? sql.all<{ n: number }>('SELECT count(*) AS n FROM objects WHERE resource = ?', resource)
        : sql.all<{ n: number }>(
            'SELECT count(*) AS n FROM objects WHERE resource = ? AND namespace = ?',
            resource,
            namespace,
          );
    return row?.n ?? 0;
  }
  if (matches === undefined && having.length === 1 && first !== undefined && isIndexed(first.index)) {
    const where = 'FROM entries WHERE resource = ? AND entry = ? AND value = ?';
    const [row] =
      namespace === undefined
        ? sql.all<{ n: number }>(`SELECT count(*) AS n ${where}`, resource, first.index, first.value)
        : sql.all<{ n: number }>(
            `SELECT count(*) AS n ${where} AND namespace = ?`,
            resource,
            first.index,
            first.value,
            namespace,
          );
    return row?.n ?? 0;
  }
  let count = 0;
  const start = { namespace: namespace ?? '', name: '' };
  for (const row of liveRows(sql, query, start, ENTRIES_ONLY, drivingEntry(sql, query))) {
    const entries = parseEntries(row.entries);
    if (hasAll(entries, having) && (matches === undefined || matches(entries))) count += 1;
  }
  return count;
}

// ---- Changes ------------------------------------------------------------------------------------------------------

interface ChangeRow extends ObjectKey {
  revision: number;
  previous: number;
  deleted: number;
  entries: string | null;
  text: string;
  previousEntries: string | null;
}

const CHANGE = `SELECT l.revision, l.resource, l.namespace, l.name, l.previous, l.deleted, l.entries, l.text,
  p.entries AS previousEntries FROM log l LEFT JOIN log p ON p.revision = l.previous`;
const CHANGES = `${CHANGE} WHERE l.revision > ?`;

function changeRows(
  sql: Sql,
  revision: number,
  filter: { resource?: ResourceName | undefined; namespace?: string | undefined },
): IterableIterator<ChangeRow> {
  const { resource, namespace } = filter;
  if (resource === undefined) {
    if (namespace === undefined) return sql.each<ChangeRow>(`${CHANGES} ORDER BY l.revision`, revision);
    return sql.each<ChangeRow>(`${CHANGES} AND l.namespace = ? ORDER BY l.revision`, revision, namespace);
  }
  if (namespace === undefined) {
    return sql.each<ChangeRow>(`${CHANGES} AND l.resource = ? ORDER BY l.revision`, revision, resource);
  }
  return sql.each<ChangeRow>(
    `${CHANGES} AND l.resource = ? AND l.namespace = ? ORDER BY l.revision`,
    revision,
    resource,
    namespace,
  );
}

function changeOf(row: ChangeRow): Change {
  const { resource, namespace, name, revision, text } = row;
  const previousEntries = row.previousEntries === null ? undefined : parseEntries(row.previousEntries);
  if (row.previous > 0 && previousEntries === undefined) {
    throw new Error(`revision ${row.previous}, which ${revision} supersedes, is missing from the log`);
  }
  const entries = row.entries === null ? (previousEntries ?? []) : parseEntries(row.entries);
  const type = row.deleted === 1 ? 'DELETED' : row.previous === 0 ? 'ADDED' : 'MODIFIED';
  return { type, resource, namespace, name, revision, text, entries, previousEntries };
}

export function textBefore(sql: Sql, revision: number): string | undefined {
  const query = 'SELECT p.text FROM log l CROSS JOIN log p ON p.revision = l.previous WHERE l.revision = ?';
  return sql.all<{ text: string }>(query, revision)[0]?.text;
}

export function changeAt(sql: Sql, revision: number): Change | undefined {
  const [row] = sql.all<ChangeRow>(`${CHANGE} WHERE l.revision = ?`, revision);
  return row === undefined ? undefined : changeOf(row);
}

export function* changesAfter(
  sql: Sql,
  revision: number,
  filter: { resource?: ResourceName | undefined; namespace?: string | undefined },
): Generator<Change> {
  for (const row of changeRows(sql, revision, filter)) yield changeOf(row);
}

// ---- Compaction ---------------------------------------------------------------------------------------------------

/** By halving: above the compacted revision every revision has exactly one row, and their times grow. */
export function revisionAt(sql: Sql, timeMs: number): number {
  const { revision, compacted } = positionOf(sql);
  let before = compacted;
  let after = revision + 1;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    const row = sql.all<{ timeMs: number }>('SELECT time_ms AS timeMs FROM log WHERE revision = ?', middle)[0];
    // The first revision of an empty store has no row.
    if (row === undefined || row.timeMs <= timeMs) before = middle;
    else after = middle;
  }
  return before;
}

/** Drops what `revision` and the revisions before it superseded; returns the revision that it got to. */
export function compactTo(sql: Sql, revision: number, maxRows: number): number {
  const { compacted } = positionOf(sql);
  const end = Math.min(revision, compacted + maxRows);
  sql.transaction(() => {
    sql.run(
      'DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0)',
      compacted,
      end,
    );
    sql.run('DELETE FROM log WHERE revision > ? AND revision <= ? AND deleted = 1', compacted, end);
    sql.run('UPDATE meta SET compacted = ?', end);
  });
  return end;
}
