/**
 * Sql over a Durable Object's storage. Durable Objects keep one compiled statement per text, so statement texts are
 * constant everywhere in this room. The same for Node is `test/support/node-sql.ts`.
 */
import type { Sql, SqlRow, SqlValue } from './sql.ts';

/** What of `ctx.storage` is needed. */
export type ObjectStorage = Pick<DurableObjectStorage, 'sql' | 'transactionSync'>;

/** Durable Objects: BLOBs come back as ArrayBuffer. */
function withBytes(row: Record<string, SqlStorageValue>): SqlRow {
  for (const column in row) {
    const value = row[column];
    if (typeof value === 'object' && value !== null) (row as SqlRow)[column] = new Uint8Array(value);
  }
  return row as SqlRow;
}

export function objectSql(storage: ObjectStorage): Sql {
  const { sql } = storage;

  function* each(statement: string, parameters: SqlValue[]): Generator<SqlRow> {
    for (const row of sql.exec(statement, ...parameters)) yield withBytes(row);
  }

  return {
    all<R = SqlRow>(statement: string, ...parameters: SqlValue[]): R[] {
      const rows = sql.exec(statement, ...parameters).toArray();
      for (const row of rows) withBytes(row);
      return rows as R[];
    },
    each<R = SqlRow>(statement: string, ...parameters: SqlValue[]): IterableIterator<R> {
      return each(statement, parameters) as IterableIterator<R>;
    },
    run(statement: string, ...parameters: SqlValue[]): void {
      sql.exec(statement, ...parameters);
    },
    transaction<T>(body: () => T): T {
      return storage.transactionSync(body);
    },
  };
}
