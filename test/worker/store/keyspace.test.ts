/** The keyspace's history under random writes: every revision that can be read shows what was there when it was the newest. */
import { expect, test } from 'vitest';
import { type KeyRange, Keyspace, type KeyValue } from '../../../worker/store/keyspace.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { nodeSql } from '../../support/node-sql.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../support/seeded-random.ts';

const KEYS = ['a', 'b', 'b\0', 'b\xff', 'c', '\xff', '\xff\xff'];
const EVERYTHING: KeyRange = { key: '\0', end: '' };

function randomRange(random: SeededRandom): KeyRange {
  const key = random.pick(KEYS);
  return { key, end: random.pick([undefined, '', random.pick(KEYS)]) };
}

const within = (range: KeyRange, kvs: readonly KeyValue[]): KeyValue[] =>
  kvs.filter(({ key }) => {
    if (range.end === undefined) return key === range.key;
    const [low, at, high] = [range.key, key, range.end].map((text) => Buffer.from(text, 'latin1'));
    return Buffer.compare(at!, low!) >= 0 && (range.end === '' || Buffer.compare(at!, high!) < 0);
  });

function randomTransaction(random: SeededRandom, keyspace: Keyspace): void {
  const undo = new Error('undone');
  try {
    keyspace.transact((write) => {
      const touched = new Set<string>();
      for (let i = random.below(4); i >= 0; i -= 1) {
        const key = random.pick(KEYS);
        if (touched.has(key)) continue;
        touched.add(key);
        const value = `${random.below(1000)}`;
        if (random.chance(0.6)) keyspace.put(write, { key, value, lease: '0', ignoreValue: false, ignoreLease: false });
        else keyspace.deleteRange(write, { key, end: undefined });
      }
      if (random.chance(0.2)) throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
}

/** What a watcher holds who applied every event since the compacted revision. */
function replayed(keyspace: Keyspace, from: number, before: readonly KeyValue[]): KeyValue[] {
  const state = new Map(before.map((kv) => [kv.key, kv]));
  for (const events of keyspace.eventsFrom(EVERYTHING, from)) {
    for (const { type, kv } of events) {
      if (type === 'DELETE') state.delete(kv.key);
      else state.set(kv.key, kv);
    }
  }
  return [...state.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
}

for (const seed of [1, 2, newSeed(process.env)]) {
  test(`every readable revision shows what was there when it was the newest (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const sql = nodeSql();
    const store = new SqliteStore(sql, { clock: () => 0, newEpoch: () => 'epoch' });
    let keyspace = new Keyspace(store, sql);
    const snapshots = new Map<number, KeyValue[]>([[1, []]]);
    for (let step = 0; step < 300; step += 1) {
      const before = keyspace.revision;
      randomTransaction(random, keyspace);
      const { revision, compactedRevision } = keyspace;
      expect([before, before + 1]).toContain(revision);
      if (revision === before) expect(keyspace.range(EVERYTHING)).toEqual(snapshots.get(revision));
      snapshots.set(revision, keyspace.range(EVERYTHING));

      const past = Math.max(1, compactedRevision) + random.below(revision - Math.max(1, compactedRevision) + 1);
      const range = randomRange(random);
      expect(keyspace.range(range, past)).toEqual(within(range, snapshots.get(past)!));
      expect(keyspace.count(range, past)).toBe(within(range, snapshots.get(past)!).length);
      expect(replayed(keyspace, past + 1, snapshots.get(past)!)).toEqual(snapshots.get(revision));

      if (random.chance(0.1) && revision > compactedRevision) {
        keyspace.compact(compactedRevision + 1 + random.below(revision - compactedRevision));
        expect(keyspace.revision).toBe(revision);
      }
      if (random.chance(0.1))
        keyspace = new Keyspace(new SqliteStore(sql, { clock: () => 0, newEpoch: () => '' }), sql);
    }
    keyspace.compact(keyspace.revision);
    const live = keyspace.range(EVERYTHING).length;
    const rows = sql.all('SELECT key FROM etcd_log').length;
    const deletions = sql.all('SELECT key FROM etcd_log WHERE deleted = 1').length;
    expect(rows).toBe(live + deletions);
  });
}
