/**
 * The tables of a Cluster object's database, for the store and for the etcd keyspace, and their version.
 * What they mean is said here; who reads and writes them is `sqlite-store.ts`, `work-table.ts` and `keyspace.ts`.
 *
 * Cloudflare bills every row written, index rows and deletions included. So: one row in `log` and one in `objects` for
 * each write, no secondary index on either, and no row for the revision itself (the newest is `max(log)`, or the
 * compacted one when history is gone).
 */
import type { Sql } from './sql.ts';

export const SCHEMA_VERSION = 1;

/**
 * Which entries have a row in `entries`. The others (selectable fields: an Event has eleven of them) are kept with the
 * object, matched without parsing its text, and cost no row. Changing this rule needs a new SCHEMA_VERSION.
 */
export const isIndexed = (index: string): boolean => !index.startsWith('field:') || index === 'field:spec.nodeName';

const TABLES = [
  // One row for the whole database. `compacted`: history up to and including this revision is gone.
  `CREATE TABLE meta (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     version INTEGER NOT NULL,
     epoch TEXT NOT NULL,
     compacted INTEGER NOT NULL,
     etcd_compacted INTEGER NOT NULL
   )`,
  // Every version of every object. `previous`: the revision that this one supersedes, 0 when there was no object.
  // `entries` is a flat JSON array, null for a deletion (then those of `previous` hold). Texts come last: they overflow.
  `CREATE TABLE log (
     revision INTEGER PRIMARY KEY,
     resource TEXT NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     previous INTEGER NOT NULL,
     deleted INTEGER NOT NULL,
     time_ms INTEGER NOT NULL,
     entries TEXT,
     text TEXT NOT NULL
   )`,
  // Live objects, in key order, each pointing at its version in `log`.
  `CREATE TABLE objects (
     resource TEXT NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     revision INTEGER NOT NULL,
     PRIMARY KEY (resource, namespace, name)
   ) WITHOUT ROWID`,
  // Indexed entries of live objects.
  `CREATE TABLE entries (
     resource TEXT NOT NULL,
     entry TEXT NOT NULL,
     value TEXT NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     PRIMARY KEY (resource, entry, value, namespace, name)
   ) WITHOUT ROWID`,
  // Work that outlived the transaction which caused it.
  `CREATE TABLE work (
     queue TEXT NOT NULL,
     key TEXT NOT NULL,
     due_ms INTEGER NOT NULL,
     attempts INTEGER NOT NULL,
     PRIMARY KEY (queue, key)
   ) WITHOUT ROWID`,
  'CREATE INDEX work_due ON work (due_ms)',
  // The etcd keyspace: the same shape, with bytes for keys and values, and several changes (`sub`) in one revision.
  // Lease numbers are text: they have all 64 bits. '0' is no lease.
  `CREATE TABLE etcd_log (
     revision INTEGER NOT NULL,
     sub INTEGER NOT NULL,
     key BLOB NOT NULL,
     previous_revision INTEGER NOT NULL,
     previous_sub INTEGER NOT NULL,
     deleted INTEGER NOT NULL,
     create_revision INTEGER NOT NULL,
     version INTEGER NOT NULL,
     lease TEXT NOT NULL,
     value BLOB NOT NULL,
     PRIMARY KEY (revision, sub)
   ) WITHOUT ROWID`,
  `CREATE TABLE etcd_keys (
     key BLOB PRIMARY KEY,
     revision INTEGER NOT NULL,
     sub INTEGER NOT NULL
   ) WITHOUT ROWID`,
  'CREATE TABLE etcd_leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID',
  'CREATE TABLE etcd_attached (lease TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (lease, key)) WITHOUT ROWID',
];

/** Whether nothing was ever stored: asking leaves it so. */
export const isEmpty = (sql: Sql): boolean =>
  sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'meta'").length === 0;

/** Makes some of the tables once more, under other names: what is to take their place is gathered there. */
export function createTables(sql: Sql, names: readonly string[], prefix: string): void {
  for (const table of TABLES) {
    const name = /^CREATE TABLE (\w+)/.exec(table)?.[1];
    if (name !== undefined && names.includes(name)) {
      sql.run(table.replace(`CREATE TABLE ${name}`, `CREATE TABLE ${prefix}${name}`));
    }
  }
}

/** Makes the tables in an empty database; refuses one that newer code has written. */
export function openSchema(sql: Sql, newEpoch: () => string): void {
  if (isEmpty(sql)) {
    sql.transaction(() => {
      for (const table of TABLES) sql.run(table);
      sql.run('INSERT INTO meta VALUES (1, ?, ?, 0, 0)', SCHEMA_VERSION, newEpoch());
    });
    return;
  }
  const version = sql.all<{ version: number }>('SELECT version FROM meta')[0]?.version;
  if (version !== SCHEMA_VERSION) {
    throw new Error(`the database has schema version ${version}, this code reads version ${SCHEMA_VERSION}`);
  }
}
