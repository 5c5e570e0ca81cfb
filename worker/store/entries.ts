/** Index entries as the log keeps them, and the rows of the index that one write changes. */
import { isIndexed } from './schema.ts';
import type { Sql } from './sql.ts';
import type { IndexEntry, ObjectKey } from './store.ts';

const pairOf = (entry: IndexEntry): string => `${entry.index}\0${entry.value}`;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byPair = (a: IndexEntry, b: IndexEntry): number => compareText(a.index, b.index) || compareText(a.value, b.value);

/** A flat array: index, value, index, value … */
const formatEntries = (entries: readonly IndexEntry[]): string =>
  JSON.stringify(entries.flatMap((entry) => [entry.index, entry.value]));

interface Normalised {
  entries: readonly IndexEntry[];
  /** As the log has them. */
  text: string;
}

/** Whoever collected the entries once may bring them again. */
const known = new WeakMap<readonly IndexEntry[], Normalised>();

/** A pair is stored once, in an order that does not depend on who collected them. `entries` must not change afterwards. */
export function normaliseEntries(entries: readonly IndexEntry[]): Normalised {
  let found = known.get(entries);
  if (found === undefined) {
    const sorted = [...entries].sort(byPair);
    const unique = sorted.filter((entry, at) => {
      const before = sorted[at - 1];
      return before === undefined || byPair(before, entry) !== 0;
    });
    found = { entries: unique, text: formatEntries(unique) };
    known.set(entries, found);
  }
  return found;
}

export function parseEntries(text: string): IndexEntry[] {
  const flat: string[] = JSON.parse(text);
  const entries: IndexEntry[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) entries.push({ index: flat[i] as string, value: flat[i + 1] as string });
  return entries;
}

export const hasAll = (entries: readonly IndexEntry[], wanted: readonly IndexEntry[]): boolean =>
  wanted.every((want) => entries.some((entry) => entry.index === want.index && entry.value === want.value));

/** Brings the index from `before` to `after`; rows that are in both are not touched. */
export function writeIndex(
  sql: Sql,
  key: ObjectKey,
  before: readonly IndexEntry[],
  after: readonly IndexEntry[],
): void {
  const old = new Map(before.filter((entry) => isIndexed(entry.index)).map((entry) => [pairOf(entry), entry]));
  for (const entry of after) {
    if (!isIndexed(entry.index) || old.delete(pairOf(entry))) continue;
    sql.run(
      'INSERT INTO entries (resource, entry, value, namespace, name) VALUES (?, ?, ?, ?, ?)',
      key.resource,
      entry.index,
      entry.value,
      key.namespace,
      key.name,
    );
  }
  for (const entry of old.values()) {
    sql.run(
      'DELETE FROM entries WHERE resource = ? AND entry = ? AND value = ? AND namespace = ? AND name = ?',
      key.resource,
      entry.index,
      entry.value,
      key.namespace,
      key.name,
    );
  }
}
