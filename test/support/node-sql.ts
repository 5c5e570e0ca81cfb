/** Sql over Node's own SQLite, for tests and tools: the same contract as `worker/store/object-sql.ts`. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Sql, SqlRow, SqlValue } from '../../worker/store/sql.ts';

export interface NodeSql extends Sql {
  readonly isOpen: boolean;
  /** Closes the database; an open transaction is lost, as by a crash. */
  close(): void;
}

/** @param path a file, or `:memory:`. */
export function nodeSql(path = ':memory:'): NodeSql {
  const database = new DatabaseSync(path);
  const prepared = new Map<string, StatementSync>();
  /** Statements for `each`, not in use now: a second cursor over the same text needs a statement of its own. */
  const idle = new Map<string, StatementSync[]>();
  let depth = 0;

  const prepare = (statement: string): StatementSync => {
    let found = prepared.get(statement);
    if (found === undefined) {
      found = database.prepare(statement);
      prepared.set(statement, found);
    }
    return found;
  };

  function* each(statement: string, parameters: SqlValue[]): Generator<SqlRow> {
    const free = idle.get(statement) ?? [];
    idle.set(statement, free);
    const cursor = free.pop() ?? database.prepare(statement);
    try {
      yield* cursor.iterate(...parameters) as IterableIterator<SqlRow>;
    } finally {
      free.push(cursor);
    }
  }

  return {
    get isOpen() {
      return database.isOpen;
    },
    all<R = SqlRow>(statement: string, ...parameters: SqlValue[]): R[] {
      return prepare(statement).all(...parameters) as R[];
    },
    each<R = SqlRow>(statement: string, ...parameters: SqlValue[]): IterableIterator<R> {
      return each(statement, parameters) as IterableIterator<R>;
    },
    run(statement: string, ...parameters: SqlValue[]): void {
      prepare(statement).run(...parameters);
    },
    transaction<T>(body: () => T): T {
      const name = `level${depth}`;
      database.exec(depth === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${name}`);
      depth += 1;
      try {
        const result = body();
        database.exec(depth === 1 ? 'COMMIT' : `RELEASE ${name}`);
        return result;
      } catch (error) {
        // A full disk rolls back by itself.
        if (database.isOpen && database.isTransaction)
          database.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO ${name}; RELEASE ${name}`);
        throw error;
      } finally {
        depth -= 1;
      }
    },
    close(): void {
      database.close();
    },
  };
}
