/**
 * The one seam to SQLite: the object's `ctx.storage.sql` and Node's `node:sqlite` (tests, tools) both satisfy it.
 * Durable Objects: numbers bind as REAL, BigInt throws, 100 parameters at most, no BEGIN and no temporary tables.
 */
export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  /** Runs one statement and returns its rows. */
  all<R = SqlRow>(statement: string, ...parameters: SqlValue[]): R[];
  /** Rows one by one, nothing gathered. The cursor must not outlive the synchronous turn. */
  each<R = SqlRow>(statement: string, ...parameters: SqlValue[]): IterableIterator<R>;
  /** Runs one statement for its effect. */
  run(statement: string, ...parameters: SqlValue[]): void;
  /** Commits when `body` returns, rolls back when it throws. Nests: an inner call is a savepoint. */
  transaction<T>(body: () => T): T;
}
