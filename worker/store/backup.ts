/**
 * A backup being written: everything of one revision, a line at a time, while the cluster goes on. Each line is one
 * synchronous look at the tables; what happens between two of them is told apart by the log itself, which is read in its own
 * order: a version belongs to the backup when it is live, or was superseded after the backup's revision.
 * The way back is `restore.ts`, the lines `shared/backup.ts`.
 */
/// <reference path="./node-crypto.d.ts" />
import { createHash } from 'node:crypto';
import {
  BACKUP_FORMAT,
  BACKUP_VERSION,
  type BackupBlock,
  type BackupRow,
  type Digest,
  formatLine,
  type RowsKind,
} from '../../shared/backup.ts';
import { expired } from '../../shared/errors.ts';
import { positionOf } from './history.ts';
import { bytesOf, keyspacePositionOf } from './keyspace.ts';
import { SCHEMA_VERSION } from './schema.ts';
import type { Sql } from './sql.ts';

export interface BackupFacts {
  cluster: string;
  /** Of the namespace kube-system. */
  uid: string;
  nowMs: number;
}

export const sha256: Digest = (text) => createHash('sha256').update(text).digest('hex');

export const toBase64 = (bytes: Uint8Array): string => btoa(bytesOf(bytes));

/** Versions looked at for one line, and about how much of them it may hold. */
const PAGE = 1000;
const LINE_BYTES = 512 * 1024;
/** Rows of the small tables that share a line. */
const SMALL_ROWS = 2000;

interface Place {
  revision: number;
  sub: number;
}

interface Sized extends Place {
  bytes: number;
}

export class Backup {
  readonly #sql: Sql;
  readonly #epoch: string;
  readonly #revision: number;
  readonly #keyspaceRevision: number;
  /** What has no history is read at once, in the turn that says which revision it is: work, leases, what hangs on them. */
  readonly #waiting: BackupBlock[];
  /** Versions that were superseded after the backup began, as far as that was looked at. */
  readonly #superseded = new Set<number>();
  #lookedTo: number;
  readonly #supersededKeys = new Set<string>();
  #keysLookedTo: number;
  #read = 0;
  #readKey: Place = { revision: 0, sub: -1 };
  #digest = '';
  #objects = 0;
  #keys = 0;
  #stage: 'objects' | 'keys' | 'end' | 'over' = 'objects';

  constructor(sql: Sql, { cluster, uid, nowMs }: BackupFacts) {
    this.#sql = sql;
    const { revision, epoch } = positionOf(sql);
    this.#epoch = epoch;
    this.#revision = revision;
    this.#lookedTo = revision;
    this.#keyspaceRevision = keyspacePositionOf(sql).revision;
    this.#keysLookedTo = this.#keyspaceRevision;
    this.#waiting = [
      {
        kind: 'header',
        format: BACKUP_FORMAT,
        version: BACKUP_VERSION,
        schema: SCHEMA_VERSION,
        cluster,
        uid,
        revision,
        keyspaceRevision: this.#keyspaceRevision,
        timeMs: nowMs,
      },
      ...this.#small('work', 'SELECT queue, key, due_ms, attempts FROM work'),
      ...this.#small('leases', 'SELECT id, ttl FROM etcd_leases'),
      ...this.#small('attached', 'SELECT lease, key FROM etcd_attached'),
    ];
  }

  /**
   * The next line; undefined when all are written.
   * @throws StatusError 410 when history that the backup needs was compacted, or the cluster restored, meanwhile.
   */
  next(): string | undefined {
    while (this.#stage !== 'over') {
      const block = this.#block();
      if (block === undefined) continue;
      const { line, digest } = formatLine(this.#digest, block, sha256);
      this.#digest = digest;
      return line;
    }
    return undefined;
  }

  #block(): BackupBlock | undefined {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting;
    if (this.#stage === 'end') {
      this.#stage = 'over';
      return { kind: 'end', objects: this.#objects, keys: this.#keys };
    }
    const rows = this.#stage === 'objects' ? this.#objectRows() : this.#keyRows();
    return rows === undefined || rows.length === 0 ? undefined : { kind: this.#stage as RowsKind, rows };
  }

  #small(kind: RowsKind, query: string): BackupBlock[] {
    const blocks: BackupBlock[] = [];
    const rows = this.#sql.all(query).map((row): BackupRow => Object.values(row).map(plain));
    for (let i = 0; i < rows.length; i += SMALL_ROWS) blocks.push({ kind, rows: rows.slice(i, i + SMALL_ROWS) });
    return blocks;
  }

  #requireHistory(compacted: number, revision: number): void {
    const restored = positionOf(this.#sql).epoch !== this.#epoch;
    if (restored || compacted > revision) {
      throw expired(`the history of revision ${revision} is gone: the backup was read too slowly, begin again`);
    }
  }

  // ---- Objects: [revision, resource, namespace, name, time_ms, entries, text] ---------------------------------------

  #objectRows(): BackupRow[] | undefined {
    this.#requireHistory(positionOf(this.#sql).compacted, this.#revision);
    const changed = this.#sql.all<{ revision: number; previous: number }>(
      'SELECT revision, previous FROM log WHERE revision > ? ORDER BY revision',
      this.#lookedTo,
    );
    for (const { previous } of changed) if (previous <= this.#revision) this.#superseded.add(previous);
    this.#lookedTo = changed.at(-1)?.revision ?? this.#lookedTo;
    const end = endOf(
      this.#sql.all<Sized>(
        `SELECT revision, 0 AS sub, octet_length(text) AS bytes FROM log WHERE revision > ? AND revision <= ?
         ORDER BY revision LIMIT ${PAGE}`,
        this.#read,
        this.#revision,
      ),
    );
    if (end === undefined) {
      this.#stage = 'keys';
      return undefined;
    }
    const found = this.#sql.all<Record<string, string | number>>(
      `SELECT l.revision, l.resource, l.namespace, l.name, l.time_ms, l.entries, l.text, o.revision AS live FROM log l
       LEFT JOIN objects o ON o.resource = l.resource AND o.namespace = l.namespace AND o.name = l.name
       WHERE l.revision > ? AND l.revision <= ? AND l.deleted = 0 ORDER BY l.revision`,
      this.#read,
      end.revision,
    );
    this.#read = end.revision;
    const rows = found.flatMap(({ live, ...row }): BackupRow[] => {
      const revision = row.revision as number;
      return live === revision || this.#superseded.has(revision) ? [Object.values(row)] : [];
    });
    this.#objects += rows.length;
    return rows;
  }

  // ---- Keys: [revision, sub, key, create_revision, version, lease, value] -------------------------------------------

  #keyRows(): BackupRow[] | undefined {
    this.#requireHistory(keyspacePositionOf(this.#sql).compacted, this.#keyspaceRevision);
    const changed = this.#sql.all<{ revision: number; previous: number; previousSub: number }>(
      `SELECT revision, previous_revision AS previous, previous_sub AS previousSub FROM etcd_log
       WHERE revision > ? ORDER BY revision`,
      this.#keysLookedTo,
    );
    for (const { previous, previousSub } of changed) this.#supersededKeys.add(`${previous}.${previousSub}`);
    this.#keysLookedTo = changed.at(-1)?.revision ?? this.#keysLookedTo;
    const end = endOf(
      this.#sql.all<Sized>(
        `SELECT revision, sub, octet_length(value) AS bytes FROM etcd_log
         WHERE (revision, sub) > (?, ?) AND revision <= ? ORDER BY revision, sub LIMIT ${PAGE}`,
        this.#readKey.revision,
        this.#readKey.sub,
        this.#keyspaceRevision,
      ),
    );
    if (end === undefined) {
      this.#stage = 'end';
      return undefined;
    }
    const found = this.#sql.all<Record<string, string | number | Uint8Array | null>>(
      `SELECT l.revision, l.sub, l.key, l.create_revision, l.version, l.lease, l.value,
         k.revision = l.revision AND k.sub = l.sub AS live
       FROM etcd_log l LEFT JOIN etcd_keys k ON k.key = l.key
       WHERE (l.revision, l.sub) > (?, ?) AND (l.revision, l.sub) <= (?, ?) AND l.deleted = 0
       ORDER BY l.revision, l.sub`,
      this.#readKey.revision,
      this.#readKey.sub,
      end.revision,
      end.sub,
    );
    this.#readKey = end;
    const rows = found.flatMap(({ live, ...row }): BackupRow[] =>
      live === 1 || this.#supersededKeys.has(`${row.revision}.${row.sub}`) ? [Object.values(row).map(plain)] : [],
    );
    this.#keys += rows.length;
    return rows;
  }
}

const plain = (value: string | number | Uint8Array | null): string | number =>
  value instanceof Uint8Array ? toBase64(value) : (value ?? 0);

/** Where a line ends that began before these rows: at least one of them, and no more than a line may hold. */
function endOf(rows: readonly Sized[]): Place | undefined {
  let bytes = 0;
  let end: Place | undefined;
  for (const row of rows) {
    bytes += row.bytes;
    if (end !== undefined && bytes > LINE_BYTES) break;
    end = { revision: row.revision, sub: row.sub };
  }
  return end;
}
