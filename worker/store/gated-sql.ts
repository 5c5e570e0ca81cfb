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
  let open = true;
  const pass = (): Sql => {
    if (!open) throw serviceUnavailable('the cluster was restored from a backup, please try again');
    return sql;
  };
  return {
    all: (statement, ...parameters) => pass().all(statement, ...parameters),
    each: (statement, ...parameters) => pass().each(statement, ...parameters),
    run: (statement, ...parameters) => pass().run(statement, ...parameters),
    transaction: (body) => pass().transaction(body),
    close() {
      open = false;
    },
  };
}
