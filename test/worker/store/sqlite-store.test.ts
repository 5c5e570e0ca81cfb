/** The store's contract on Node's SQLite, on disk, so that dying means what it means there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { type StoreHarness, storeContract } from '../../contracts/store.ts';
import { storeProperties } from '../../contracts/store-properties.ts';
import { storeTexts } from '../../contracts/store-texts.ts';
import { type NodeSql, nodeSql } from '../../support/node-sql.ts';
import { newSeed } from '../../support/seeded-random.ts';

async function openHarness(): Promise<StoreHarness> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-store-'));
  const clock = { nowMs: 1_000_000 };
  let epochs = 0;
  let sql: NodeSql = nodeSql(join(folder, 'store.sqlite'));
  let store: SqliteStore | undefined;
  const opened = (): SqliteStore => {
    store ??= new SqliteStore(sql, {
      clock: () => clock.nowMs,
      newEpoch: () => {
        epochs += 1;
        return `epoch-${epochs}`;
      },
    });
    return store;
  };
  const reopen = async (): Promise<void> => {
    if (sql.isOpen) sql.close();
    sql = nodeSql(join(folder, 'store.sqlite'));
    store = undefined;
  };
  return {
    clock,
    use: async (body) => body(opened(), sql),
    reopen,
    crashIn: async (body) => {
      try {
        opened().transact((transaction) => {
          body(transaction);
          sql.close();
        });
      } catch (error) {
        if (sql.isOpen) throw error;
      }
      await reopen();
    },
    close: async () => {
      if (sql.isOpen) sql.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describe('the store on node:sqlite', () => {
  storeContract(openHarness);
  for (const seed of [1, 2, newSeed(process.env)]) storeProperties(openHarness, seed);
  for (const seed of [1, 2, newSeed(process.env)]) storeTexts(openHarness, seed);
});
