/**
 * Sql with a gate. When the tables come to hold another history (a restore), everything that was built on what they held
 * before, and still waits for something, is shut out: it may neither read nor write. Whoever is served by it asks again.
 */
import { serviceUnavailable } from '../../shared/errors.ts';
import type { Sql } from './sql.ts';

export interface GatedSql extends Sql {
  /** From now on every call throws StatusError 503. */
  close(): void;
}

export function gatedSql(sql: Sql): GatedSql {
  const shut = (): never => {
    throw serviceUnavailable('the cluster was restored from a backup, please try again');
  };
  // Closing replaces the methods: every read and write goes through here, and an open gate costs none of them anything.
  const gated: GatedSql = {
    ...sql,
    close() {
      Object.assign(gated, { all: shut, each: shut, run: shut, transaction: shut });
    },
  };
  return gated;
}
