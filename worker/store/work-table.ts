/**
 * The work table: queues and named deadlines. Work that is queued inside a transaction stays in memory until the
 * outermost transaction ends; what was taken off again before that has cost no row, the rest is spilled in the commit.
 * Who performs the work is not here (`worker/controllers/runner.ts`, `worker/cluster.ts`).
 */
import type { Sql } from './sql.ts';
import type { WorkItem } from './store.ts';

interface Pending extends WorkItem {
  /** A row of this key, due later, is in the table. */
  stored: boolean;
}

const idOf = (queue: string, key: string): string => `${queue}\0${key}`;

export class WorkTable {
  readonly #sql: Sql;
  /** Queued in the open transaction, in order of arrival; always due earlier than the key's row, if it has one. */
  readonly #pending = new Map<string, Pending>();
  /** No row is due before this; undefined when nobody looked yet. So a table without work is not asked at every write. */
  #noneBeforeMs: number | undefined;
  /** What `#pending` held before each change of it, newest last: savepoints roll back by it. */
  #journal: { id: string; before: Pending | undefined }[] = [];

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Only inside a transaction. */
  enqueue(queue: string, key: string, dueMs: number): void {
    const id = idOf(queue, key);
    const pending = this.#pending.get(id);
    if (pending !== undefined) {
      if (dueMs < pending.dueMs) this.#set(id, { ...pending, dueMs });
      return;
    }
    const row = this.#row(queue, key);
    if (row !== undefined && row.dueMs <= dueMs) return;
    this.#set(id, { queue, key, dueMs, attempts: row?.attempts ?? 0, stored: row !== undefined });
  }

  due(nowMs: number, limit: number): WorkItem[] {
    const rows = this.#dueRows(nowMs, limit + this.#pending.size);
    if (this.#pending.size === 0) return rows;
    const items = rows.filter((row) => !this.#pending.has(idOf(row.queue, row.key)));
    for (const { queue, key, dueMs, attempts } of this.#pending.values()) {
      if (dueMs <= nowMs) items.push({ queue, key, dueMs, attempts });
    }
    return items.sort((left, right) => left.dueMs - right.dueMs).slice(0, limit);
  }

  nextDueMs(): number | undefined {
    let next = this.#noneBeforeMs === Number.POSITIVE_INFINITY ? undefined : this.#firstRowMs();
    for (const { dueMs } of this.#pending.values()) if (next === undefined || dueMs < next) next = dueMs;
    return next;
  }

  finish(item: WorkItem, retryAtMs: number | undefined): void {
    const id = idOf(item.queue, item.key);
    const pending = this.#pending.get(id);
    if (pending !== undefined) this.#set(id, undefined);
    if (retryAtMs !== undefined) {
      this.#rowAt(retryAtMs);
      this.#sql.run(
        `INSERT INTO work (queue, key, due_ms, attempts) VALUES (?, ?, ?, ?)
         ON CONFLICT (queue, key) DO UPDATE SET due_ms = excluded.due_ms, attempts = excluded.attempts`,
        item.queue,
        item.key,
        retryAtMs,
        item.attempts + 1,
      );
    } else if (pending === undefined || pending.stored) {
      this.#sql.run('DELETE FROM work WHERE queue = ? AND key = ?', item.queue, item.key);
    }
  }

  // ---- The life of a transaction, driven by the store -------------------------------------------------------------

  mark(): number {
    return this.#journal.length;
  }

  rollBackTo(mark: number): void {
    for (let undone = this.#journal.length - 1; undone >= mark; undone -= 1) {
      const { id, before } = this.#journal[undone] as { id: string; before: Pending | undefined };
      if (before === undefined) this.#pending.delete(id);
      else this.#pending.set(id, before);
    }
    this.#journal.length = mark;
    this.#noneBeforeMs = undefined;
  }

  /** Writes what is left as rows; part of the commit. */
  spill(): void {
    for (const { queue, key, dueMs, attempts } of this.#pending.values()) {
      this.#rowAt(dueMs);
      this.#sql.run(
        `INSERT INTO work (queue, key, due_ms, attempts) VALUES (?, ?, ?, ?)
         ON CONFLICT (queue, key) DO UPDATE SET due_ms = excluded.due_ms WHERE excluded.due_ms < work.due_ms`,
        queue,
        key,
        dueMs,
        attempts,
      );
    }
  }

  /** The transaction is over, one way or the other. */
  ended(committed: boolean): void {
    this.#pending.clear();
    this.#journal = [];
    // Rows that were taken off may be back.
    if (!committed) this.#noneBeforeMs = undefined;
  }

  #dueRows(nowMs: number, limit: number): WorkItem[] {
    if (this.#noneBeforeMs !== undefined && this.#noneBeforeMs > nowMs) return [];
    const rows = this.#sql.all<WorkItem>(
      'SELECT queue, key, due_ms AS dueMs, attempts FROM work WHERE due_ms <= ? ORDER BY due_ms LIMIT ?',
      nowMs,
      limit,
    );
    if (rows.length === 0) this.#firstRowMs();
    return rows;
  }

  #firstRowMs(): number | undefined {
    const row = this.#sql.all<{ dueMs: number | null }>('SELECT min(due_ms) AS dueMs FROM work')[0];
    this.#noneBeforeMs = row?.dueMs ?? Number.POSITIVE_INFINITY;
    return row?.dueMs ?? undefined;
  }

  /** A row is about to be written. */
  #rowAt(dueMs: number): void {
    if (this.#noneBeforeMs !== undefined && dueMs < this.#noneBeforeMs) this.#noneBeforeMs = dueMs;
  }

  #row(queue: string, key: string): { dueMs: number; attempts: number } | undefined {
    return this.#sql.all<{ dueMs: number; attempts: number }>(
      'SELECT due_ms AS dueMs, attempts FROM work WHERE queue = ? AND key = ?',
      queue,
      key,
    )[0];
  }

  #set(id: string, item: Pending | undefined): void {
    this.#journal.push({ id, before: this.#pending.get(id) });
    if (item === undefined) this.#pending.delete(id);
    else this.#pending.set(id, item);
  }
}
