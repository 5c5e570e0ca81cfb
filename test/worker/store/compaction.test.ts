import { expect, test } from 'vitest';
import { COMPACTION, compactHistory, compactionTarget } from '../../../worker/store/compaction.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { nodeSql } from '../../support/node-sql.ts';

const POLICY = { keepMs: 1000, keepRevisions: 10, stepRevisions: 5, turnRevisions: 10 };

/** One revision each 100 ms, from 0 on. */
function storeWith(revisions: number): SqliteStore {
  let nowMs = 0;
  const store = new SqliteStore(nodeSql(), { clock: () => nowMs, newEpoch: () => 'epoch' });
  for (let i = 0; i < revisions; i += 1) {
    nowMs = i * 100;
    store.transact((transaction) =>
      transaction.put({ resource: 'pods', namespace: 'default', name: 'a' }, [], (revision) => `${revision}`),
    );
  }
  return store;
}

test('history younger than the policy says stays', () => {
  // Revision 41 is of 3900 ms; of 3000 ms is revision 32.
  expect(compactionTarget(storeWith(40), 4000, { ...POLICY, keepRevisions: 0 })).toBe(32);
});

test('the last revisions stay, however old', () => {
  expect(compactionTarget(storeWith(40), 1_000_000, POLICY)).toBe(31);
});

test('a few revisions are not worth a step', () => {
  expect(compactionTarget(storeWith(13), 1_000_000, POLICY)).toBeUndefined();
  expect(compactionTarget(storeWith(40), 4000, { ...POLICY, keepMs: 4000, keepRevisions: 0 })).toBeUndefined();
  expect(compactionTarget(storeWith(40), 4000, COMPACTION)).toBeUndefined();
});

test('compaction goes turn by turn until what is left is not worth one', () => {
  const store = storeWith(40);
  const reached: number[] = [];
  for (let more = true; more; ) {
    more = compactHistory(store, 1_000_000, POLICY);
    reached.push(store.compactedRevision);
  }
  expect(reached).toEqual([10, 20, 30]);
  expect(compactHistory(store, 1_000_000, POLICY)).toBe(false);
});
