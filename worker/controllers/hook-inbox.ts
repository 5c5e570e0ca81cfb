/**
 * The inbox of webhook deliveries: which ones have been acted on, so that none is acted on twice. A table of this room
 * beside the store's, written in the same transaction as what a delivery changes.
 */
import type { Sql } from '../store/sql.ts';

export interface HandledDelivery {
  code: number;
  message: string;
}

export interface HookInbox {
  /** What became of this delivery; undefined when it is new, or so old that it is forgotten. */
  find(hookUid: string, deliveryId: string): HandledDelivery | undefined;
  /** Keeps it among the newest of its hook. */
  add(hookUid: string, deliveryId: string, nowMs: number, handled: HandledDelivery): void;
}

/** A sender repeats a delivery within days, and sends a few a day: this is far more than that. */
const KEPT_PER_HOOK = 256;

export function createHookInbox(sql: Sql): HookInbox {
  sql.run(
    `CREATE TABLE IF NOT EXISTS hook_deliveries (
       hook TEXT NOT NULL, id TEXT NOT NULL, received_ms INTEGER NOT NULL, code INTEGER NOT NULL, message TEXT NOT NULL,
       PRIMARY KEY (hook, id)
     ) WITHOUT ROWID`,
  );
  return {
    find: (hookUid, deliveryId) =>
      sql.all<{ code: number; message: string }>(
        'SELECT code, message FROM hook_deliveries WHERE hook = ? AND id = ?',
        hookUid,
        deliveryId,
      )[0],
    add(hookUid, deliveryId, nowMs, { code, message }) {
      sql.run(
        'INSERT OR REPLACE INTO hook_deliveries (hook, id, received_ms, code, message) VALUES (?, ?, ?, ?, ?)',
        hookUid,
        deliveryId,
        nowMs,
        code,
        message,
      );
      sql.run(
        `DELETE FROM hook_deliveries WHERE hook = ? AND id IN (
           SELECT id FROM hook_deliveries WHERE hook = ? ORDER BY received_ms DESC, id LIMIT -1 OFFSET ${KEPT_PER_HOOK})`,
        hookUid,
        hookUid,
      );
    },
  };
}
