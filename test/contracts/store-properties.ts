/** A Store against a plain model: random histories, with rollbacks, compactions and evictions between them. */
import { expect, test } from 'vitest';
import type { Change, IndexEntry, ListQuery, ObjectKey, Store } from '../../worker/store/store.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import type { StoreHarness } from './store.ts';
import { currentOf, list, newModel, put, remove, type StoreModel } from './store-model.ts';

const RESOURCES = ['pods', 'services'];
const NAMESPACES = ['', 'a', 'b'];
const NAMES = ['a', 'ab', 'b', 'c', 'é', '\uffee', '😀'];
const INDEXES = ['label:app', 'label:tier', 'field:status.phase', 'field:spec.nodeName', 'owner'];
const VALUES = ['', '1', '2'];

const randomKey = (random: SeededRandom): ObjectKey => ({
  resource: random.pick(RESOURCES),
  namespace: random.pick(NAMESPACES),
  name: random.pick(NAMES),
});

function randomEntries(random: SeededRandom): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const index of INDEXES) if (random.chance(0.5)) entries.push({ index, value: random.pick(VALUES) });
  return entries.sort((left, right) => (`${left.index}\0${left.value}` < `${right.index}\0${right.value}` ? -1 : 1));
}

function randomQuery(random: SeededRandom, model: StoreModel): ListQuery {
  const having: IndexEntry[] = [];
  for (let i = random.below(3); i > 0; i -= 1) having.push({ index: random.pick(INDEXES), value: random.pick(VALUES) });
  const unwanted = random.pick(VALUES);
  const past = model.compacted + random.below(model.revision - model.compacted + 1);
  return {
    resource: random.pick(RESOURCES),
    having,
    ...(random.chance(0.5) ? { namespace: random.pick(NAMESPACES) } : {}),
    ...(random.chance(0.3) ? { after: randomKey(random) } : {}),
    ...(random.chance(0.3) ? { limit: random.below(4) } : {}),
    ...(random.chance(0.3) ? { matches: (entries) => !entries.some((entry) => entry.value === unwanted) } : {}),
    ...(random.chance(0.5) ? { atRevision: past } : {}),
  };
}

const copyOf = (model: StoreModel): StoreModel => ({ ...model, changes: [...model.changes] });

/** One transaction on both; part of it, or all of it, may be undone. */
function randomTransaction(random: SeededRandom, store: Store, model: StoreModel): StoreModel {
  const undo = new Error('undone');
  let draft = copyOf(model);
  const write = (depth: number): void => {
    for (let i = random.below(4); i >= 0; i -= 1) {
      if (depth < 2 && random.chance(0.2)) {
        const before = copyOf(draft);
        const keep = random.chance(0.5);
        try {
          store.transact(() => {
            write(depth + 1);
            if (!keep) throw undo;
          });
        } catch (error) {
          if (error !== undo) throw error;
          draft = before;
        }
        continue;
      }
      const key = randomKey(random);
      const current = currentOf(draft, key);
      store.transact((transaction) => {
        if (current !== undefined && random.chance(0.4)) {
          transaction.delete(key, (revision) => `-${revision}`, random.pick([undefined, current.revision]));
          remove(draft, key, `-${draft.revision + 1}`);
        } else {
          const entries = randomEntries(random);
          const expected = random.pick([undefined, current?.revision ?? 0]);
          transaction.put(key, entries, (revision) => `+${revision}`, expected);
          put(draft, key, entries, `+${draft.revision + 1}`);
        }
      });
    }
  };
  try {
    store.transact(() => {
      write(0);
      if (random.chance(0.2)) throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
    return model;
  }
  return draft;
}

function compareReads(random: SeededRandom, store: Store, model: StoreModel): void {
  expect(store.revision).toBe(model.revision);
  expect(store.compactedRevision).toBe(model.compacted);
  const key = randomKey(random);
  expect(store.get(key)?.revision).toBe(currentOf(model, key)?.revision);
  const query = randomQuery(random, model);
  expect([...store.list(query).items], JSON.stringify(query)).toEqual(list(model, query));
  const { limit: _, ...unlimited } = query;
  const texts = store.texts(unlimited).next() ?? new Uint8Array();
  expect(new TextDecoder().decode(texts), JSON.stringify(unlimited)).toBe(
    list(model, unlimited)
      .map(({ text }) => `,${text}`)
      .join(''),
  );
  const { after: __, atRevision: ___, ...counted } = unlimited;
  expect(store.count(counted)).toBe(list(model, counted).length);
  const since = model.compacted + random.below(model.revision - model.compacted + 1);
  const resource = random.pick(RESOURCES);
  expect([...store.changesSince(since)]).toEqual(model.changes.filter((each) => each.revision > since));
  expect([...store.changesSince(since, { resource })]).toEqual(
    model.changes.filter((each) => each.revision > since && each.resource === resource),
  );
}

export function storeProperties(open: () => Promise<StoreHarness>, seed: number, rounds = 20): void {
  test(`a random history reads as the plain model does (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const harness = await open();
    let model = newModel();
    const heard: Change[] = [];
    const committed: Change[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) {
        await harness.use((store) => {
          store.onCommit((changes) => heard.push(...changes));
          for (let step = 0; step < 8; step += 1) {
            const before = model.revision;
            model = randomTransaction(random, store, model);
            committed.push(...model.changes.filter((each) => each.revision > before));
            compareReads(random, store, model);
            if (random.chance(0.15)) {
              const to = random.below(model.revision + 1);
              const maxRows = 1 + random.below(10);
              store.compact(to, maxRows);
              if (to > model.compacted) model.compacted = Math.min(to, model.compacted + maxRows);
            }
          }
        });
        await harness.reopen();
      }
      expect(heard).toEqual(committed);
    } finally {
      await harness.close();
    }
  }, 60_000);
}
