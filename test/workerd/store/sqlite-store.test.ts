/** The store's contract inside workerd: a real object's storage, evicted between steps, and reset in the middle of one. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { describe } from 'vitest';
import { objectSql } from '../../../worker/store/object-sql.ts';
import type { Sql } from '../../../worker/store/sql.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { type StoreHarness, storeContract } from '../../contracts/store.ts';
import { storeProperties } from '../../contracts/store-properties.ts';
import { storeTexts } from '../../contracts/store-texts.ts';
import { newSeed } from '../../support/seeded-random.ts';
import { bareObject } from '../support/bare-object.ts';

async function openHarness(): Promise<StoreHarness> {
  let stub = bareObject();
  const clock = { nowMs: 1_000_000 };
  let epochs = 0;
  let opened: { store: SqliteStore; sql: Sql } | undefined;
  const open = (state: DurableObjectState): { store: SqliteStore; sql: Sql } => {
    if (opened === undefined) {
      const sql = objectSql(state.storage);
      const newEpoch = (): string => {
        epochs += 1;
        return `epoch-${epochs}`;
      };
      opened = { store: new SqliteStore(sql, { clock: () => clock.nowMs, newEpoch }), sql };
    }
    return opened;
  };
  return {
    clock,
    use: (body) =>
      runInDurableObject(stub, (_, state) => {
        const { store, sql } = open(state);
        return body(store, sql);
      }),
    reopen: async () => {
      opened = undefined;
      await evictDurableObject(stub);
    },
    crashIn: async (body) => {
      const crashed = runInDurableObject(stub, (_, state) => {
        open(state).store.transact((transaction) => {
          body(transaction);
          state.abort('the object dies here');
        });
      });
      const outcome = await crashed.then(
        () => 'it lived',
        (error: unknown) => String(error),
      );
      opened = undefined;
      stub = bareObject(stub.id);
      if (!outcome.includes('the object dies here')) throw new Error(`no crash: ${outcome}`);
    },
    close: async () => {
      opened = undefined;
    },
  };
}

describe('the store inside workerd', () => {
  storeContract(openHarness);
  for (const seed of [1, newSeed({})]) storeProperties(openHarness, seed, 20);
  for (const seed of [1, newSeed({})]) storeTexts(openHarness, seed);
});
