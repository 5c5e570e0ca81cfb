/**
 * A backup on its way back. Its lines fill tables of their own beside those in use, in as many transactions as it takes;
 * the last one swaps them, in one. So a restore that breaks half-way leaves what there was, and may go on where it broke.
 * Reading backups is `backup.ts`, the lines `shared/backup.ts`; who starts over afterwards is `worker/cluster.ts`.
 *
 * Revisions go on behind every one that was ever told, of this history and of the backup's, and all before are compacted:
 * whoever comes with an older one lists anew. Objects keep the revision that they had in the backup.
 */
import { type BackupRow, type BackupRows, parseLine, type Restored, requireHeader } from '../../shared/backup.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import { sha256 } from './backup.ts';
import { parseEntries } from './entries.ts';
import { compactTo, positionOf } from './history.ts';
import { arrayOf, compactKeys, keyspacePositionOf } from './keyspace.ts';
import { createTables, isIndexed, SCHEMA_VERSION } from './schema.ts';
import type { Sql } from './sql.ts';

/** The work of this room: what is left of restores, to be removed. Keys: a restore's id, or FORMER. */
export const RESTORE_QUEUE = 'restore';
const FORMER = 'former';

/** So long nothing came: the restore was given up without a word. */
export const ABANDONED_MS = 60 * 60_000;

const STAGED = 'restored_';
const REPLACED = 'former_';
/** Swapped by their names; the table of work is small, and has an index, whose name cannot change. */
const SWAPPED = ['log', 'objects', 'entries', 'etcd_log', 'etcd_keys', 'etcd_leases', 'etcd_attached'];
const COPIED = 'work';

export interface RestoreParts {
  nowMs(): number;
  newEpoch(): string;
}

export interface RestoreTarget {
  cluster: string;
  uid: string;
  /** The backup may be another cluster's. */
  anyCluster: boolean;
}

export interface Seen {
  revision: number;
  keyspaceRevision: number;
}

export interface RestoreState extends Seen {
  id: string;
  lines: number;
  digest: string;
  objects: number;
  keys: number;
  touchedMs: number;
}

export class Restore {
  readonly #sql: Sql;
  readonly #parts: RestoreParts;

  constructor(sql: Sql, parts: RestoreParts) {
    this.#sql = sql;
    this.#parts = parts;
  }

  /**
   * Takes the place of a restore that was under way.
   * @param line the first of the file.
   * @throws StatusError 400 for what this cluster cannot take.
   */
  begin(line: string, target: RestoreTarget): RestoreState {
    const { block, digest } = parseLine('', line, sha256);
    const header = requireHeader(block);
    if (header.schema !== SCHEMA_VERSION) {
      throw badRequest(`the backup has schema version ${header.schema}, this cluster has version ${SCHEMA_VERSION}`);
    }
    if (!target.anyCluster && (header.cluster !== target.cluster || header.uid !== target.uid)) {
      throw badRequest(
        `the backup is of cluster ${JSON.stringify(header.cluster)} (${header.uid}), ` +
          `this is ${JSON.stringify(target.cluster)} (${target.uid}): say that another cluster's is wanted`,
      );
    }
    return this.#sql.transaction(() => {
      this.#drop(STAGED);
      this.#sql.run('DROP TABLE IF EXISTS restores');
      this.#sql.run(
        `CREATE TABLE restores (
           id TEXT PRIMARY KEY, lines INTEGER NOT NULL, digest TEXT NOT NULL, objects INTEGER NOT NULL,
           keys INTEGER NOT NULL, revision INTEGER NOT NULL, keyspace_revision INTEGER NOT NULL, touched_ms INTEGER NOT NULL
         ) WITHOUT ROWID`,
      );
      createTables(this.#sql, [...SWAPPED, COPIED], STAGED);
      const id = this.#parts.newEpoch();
      this.#sql.run(
        'INSERT INTO restores VALUES (?, 1, ?, 0, 0, ?, ?, ?)',
        id,
        digest,
        header.revision,
        header.keyspaceRevision,
        this.#parts.nowMs(),
      );
      return this.#require(id);
    });
  }

  /** @throws StatusError 404 when there is none of this id (any more). */
  state(id: string): RestoreState {
    return this.#require(id);
  }

  /**
   * Lines that follow each other; those that it has already are passed over. The last one of the file swaps the tables:
   * what was read from them before, in memory, is then of another history.
   * @param at how many lines there are before these.
   * @throws StatusError 400 and nothing of these lines is taken; 409 when lines are missing between.
   */
  take(id: string, at: number, lines: readonly string[]): RestoreState | Restored {
    return this.#sql.transaction(() => {
      const state = this.#require(id);
      if (at > state.lines) throw conflict(`line ${state.lines} of the backup is to come next, not ${at}`);
      let restored: Restored | undefined;
      for (const line of lines.slice(state.lines - at)) {
        if (restored !== undefined) throw badRequest('the backup goes on behind its end');
        const { block, digest } = parseLine(state.digest, line, sha256);
        state.digest = digest;
        state.lines += 1;
        if (block.kind === 'header') throw badRequest('the backup has two headers');
        if (block.kind !== 'end') this.#fill(state, block);
        else if (block.objects === state.objects && block.keys === state.keys) restored = this.#swap(state);
        else throw badRequest('the backup is damaged: it does not hold what it says at its end');
      }
      if (restored !== undefined) return restored;
      this.#sql.run(
        'UPDATE restores SET lines = ?, digest = ?, objects = ?, keys = ?, touched_ms = ? WHERE id = ?',
        state.lines,
        state.digest,
        state.objects,
        state.keys,
        this.#parts.nowMs(),
        id,
      );
      return state;
    });
  }

  /** Removes what had come of it. */
  abandon(id: string): void {
    this.#sql.transaction(() => {
      this.#require(id);
      this.#drop(STAGED);
      this.#sql.run('DROP TABLE restores');
    });
  }

  /** The newest revisions that may have been told to anybody. */
  seen(): Seen {
    return { revision: positionOf(this.#sql).revision, keyspaceRevision: keyspacePositionOf(this.#sql).revision };
  }

  /** The platform has set the tables back; `before` is what had been told until then. */
  rewound(before: Seen): { revision: number; epoch: string } {
    const sql = this.#sql;
    return sql.transaction(() => {
      const now = this.seen();
      compactTo(sql, now.revision, Number.POSITIVE_INFINITY);
      compactKeys(sql, keyspacePositionOf(sql).compacted, now.keyspaceRevision);
      return this.#beginHistory(latest(now, before));
    });
  }

  /** What is left of restores, when its time has come; returns when to look again. */
  tidy(key: string): number | undefined {
    if (key === FORMER) {
      this.#drop(REPLACED);
      this.#sql.run(`DROP TABLE IF EXISTS ${STAGED}${COPIED}`);
      return undefined;
    }
    const state = this.#find(key);
    if (state === undefined) return undefined;
    const endsMs = state.touchedMs + ABANDONED_MS;
    if (endsMs > this.#parts.nowMs()) return endsMs;
    this.abandon(key);
    return undefined;
  }

  #find(id: string): RestoreState | undefined {
    if (this.#sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'restores'").length === 0) {
      return undefined;
    }
    return this.#sql.all<RestoreState>(
      `SELECT id, lines, digest, objects, keys, revision, keyspace_revision AS keyspaceRevision, touched_ms AS touchedMs
       FROM restores WHERE id = ?`,
      id,
    )[0];
  }

  #require(id: string): RestoreState {
    const state = this.#find(id);
    if (state === undefined) {
      throw new StatusError(404, 'NotFound', `no restore ${JSON.stringify(id)} is under way`, { name: id });
    }
    return state;
  }

  #drop(prefix: string): void {
    for (const table of [...SWAPPED, COPIED]) this.#sql.run(`DROP TABLE IF EXISTS ${prefix}${table}`);
  }

  // ---- Filling -----------------------------------------------------------------------------------------------------

  #fill(state: RestoreState, { kind, rows }: BackupRows): void {
    switch (kind) {
      case 'objects':
        this.#fillObjects(rows);
        state.objects += rows.length;
        return;
      case 'keys':
        for (const row of rows) this.#fillKey(row);
        state.keys += rows.length;
        return;
      case 'work':
        for (const row of rows) this.#sql.run(`INSERT INTO ${STAGED}work VALUES (?, ?, ?, ?)`, ...row);
        return;
      case 'leases':
        // As etcd does: who holds a lease gets a whole term of it to come back.
        for (const [id = '', ttl = 0] of rows) {
          const expiresMs = this.#parts.nowMs() + Number(ttl) * 1000;
          this.#sql.run(`INSERT INTO ${STAGED}etcd_leases VALUES (?, ?, ?)`, id, ttl, expiresMs);
        }
        return;
      case 'attached':
        for (const [lease = '', key] of rows) {
          this.#sql.run(`INSERT INTO ${STAGED}etcd_attached VALUES (?, ?)`, lease, fromBase64(key));
        }
        return;
      default:
        throw badRequest(`the backup holds ${JSON.stringify(kind)}, which this code does not know`);
    }
  }

  #fillObjects(rows: readonly BackupRow[]): void {
    const first = rows[0]?.[0];
    const last = rows.at(-1)?.[0];
    if (first === undefined || last === undefined) return;
    const indexed: BackupRow[] = [];
    for (const [revision = 0, resource = '', namespace = '', name = '', timeMs = 0, entries = '', text = ''] of rows) {
      this.#sql.run(
        `INSERT INTO ${STAGED}log VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?)`,
        revision,
        resource,
        namespace,
        name,
        timeMs,
        entries,
        text,
      );
      for (const { index, value } of parseEntries(String(entries))) {
        if (isIndexed(index)) indexed.push([resource, index, value, namespace, name]);
      }
    }
    this.#sql.run(
      `INSERT INTO ${STAGED}objects SELECT resource, namespace, name, revision FROM ${STAGED}log
       WHERE revision >= ? AND revision <= ?`,
      first,
      last,
    );
    // Many at once: statements cost more than rows do.
    for (let i = 0; i < indexed.length; i += INDEX_ROWS) {
      this.#sql.run(
        `INSERT INTO ${STAGED}entries
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`,
        JSON.stringify(indexed.slice(i, i + INDEX_ROWS)),
      );
    }
  }

  #fillKey([revision = 0, sub = 0, key, created = 0, version = 0, lease = '', value]: BackupRow): void {
    const bytes = fromBase64(key);
    this.#sql.run(
      `INSERT INTO ${STAGED}etcd_log VALUES (?, ?, ?, 0, 0, 0, ?, ?, ?, ?)`,
      revision,
      sub,
      bytes,
      created,
      version,
      lease,
      fromBase64(value),
    );
    this.#sql.run(`INSERT INTO ${STAGED}etcd_keys VALUES (?, ?, ?)`, bytes, revision, sub);
  }

  // ---- Another history ----------------------------------------------------------------------------------------------------

  #swap(state: RestoreState): Restored {
    const sql = this.#sql;
    const seen = latest(this.seen(), state);
    // A table that somebody still reads from can be renamed, not dropped: that is work for later.
    this.#drop(REPLACED);
    for (const table of SWAPPED) {
      sql.run(`ALTER TABLE ${table} RENAME TO ${REPLACED}${table}`);
      sql.run(`ALTER TABLE ${STAGED}${table} RENAME TO ${table}`);
    }
    sql.run(`DELETE FROM ${COPIED}`);
    sql.run(`INSERT INTO ${COPIED} SELECT * FROM ${STAGED}${COPIED}`);
    sql.run('DROP TABLE restores');
    return { ...this.#beginHistory(seen), objects: state.objects, keys: state.keys };
  }

  /** Behind every revision that was ever told, with nothing before it. */
  #beginHistory(seen: Seen): { revision: number; epoch: string } {
    const epoch = this.#parts.newEpoch();
    const revision = seen.revision + 1;
    this.#sql.run(
      'UPDATE meta SET epoch = ?, compacted = ?, etcd_compacted = ?',
      epoch,
      revision,
      // etcd: a watch may start at the compacted revision, and a client starts one behind what it has seen.
      seen.keyspaceRevision + 2,
    );
    // Due now: whatever else has to be looked at in the new history begins with the object's alarm.
    const nowMs = this.#parts.nowMs();
    this.#sql.run(`INSERT OR REPLACE INTO ${COPIED} VALUES (?, ?, ?, 0)`, RESTORE_QUEUE, FORMER, nowMs);
    return { revision, epoch };
  }
}

const latest = (one: Seen, other: Seen): Seen => ({
  revision: Math.max(one.revision, other.revision),
  keyspaceRevision: Math.max(one.keyspaceRevision, other.keyspaceRevision),
});

const INDEX_ROWS = 500;

const fromBase64 = (text: string | number | undefined): Uint8Array => arrayOf(atob(String(text ?? '')));

const conflict = (message: string) => new StatusError(409, 'Conflict', message);
