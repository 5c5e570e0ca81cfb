/** The texts of a list, stretch by stretch, against its items: whatever is written between two stretches, and however large objects are. */
import { expect, test } from 'vitest';
import {
  type IndexEntry,
  type ListQuery,
  MAX_OBJECT_BYTES,
  type ObjectKey,
  type Store,
  type TextList,
} from '../../worker/store/store.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import type { StoreHarness } from './store.ts';

const OBJECTS = 400;
const NAMESPACES = ['a', 'a-b', 'c'];
const STRETCH_AT_MOST = MAX_OBJECT_BYTES + 100_000;

const label = (value: string): IndexEntry => ({ index: 'label:app', value });
const field = (value: string): IndexEntry => ({ index: 'field:status.phase', value });

const QUERIES: Record<string, Partial<ListQuery>> = {
  everything: {},
  'one namespace': { namespace: 'a-b' },
  'what an index answers': { having: [label('1')] },
  'what an index answers, of one namespace': { namespace: 'a', having: [label('0')] },
  'what the entries say': { having: [label('1'), field('1')] },
  'what a selector says': { matches: (entries) => entries.some((entry) => entry.value === '2') },
  'what comes after a place': { after: { namespace: 'a', name: 'n200' } },
  'a namespace after a place before it': { namespace: 'c', after: { namespace: 'a-b', name: 'n1' } },
  'a namespace after a place behind it': { namespace: 'a', after: { namespace: 'a-b', name: '' } },
};

const keyAt = (random: SeededRandom, index = random.below(OBJECTS)): ObjectKey => ({
  resource: 'pods',
  namespace: NAMESPACES[index % NAMESPACES.length] ?? '',
  name: `n${index}`,
});

/** Mostly as small as objects are, some of them larger than a stretch is to be. */
function write(random: SeededRandom, store: Store, key: ObjectKey, large: boolean): void {
  const length = large && random.chance(0.01) ? random.below(MAX_OBJECT_BYTES / 2) : random.below(3000);
  const entries = [label(String(random.below(2))), field(String(random.below(3)))];
  store.transact((transaction) =>
    transaction.put(key, entries, (revision) => `{"é":"${revision}${'😀'.repeat(length / 4)}"}`),
  );
}

function fill(random: SeededRandom, store: Store, large: boolean): void {
  store.transact(() => {
    for (let index = 0; index < OBJECTS; index += 1) write(random, store, keyAt(random, index), large);
  });
}

function change(random: SeededRandom, store: Store): void {
  const key = keyAt(random);
  if (store.get(key) !== undefined && random.chance(0.5)) {
    store.transact((transaction) => transaction.delete(key, (revision) => `gone ${revision}`));
    if (random.chance(0.5)) return;
  }
  write(random, store, key, true);
}

const itemsOf = (store: Store, query: ListQuery): string =>
  [...store.list(query).items].map(({ text }) => `,${text}`).join('');

export function storeTexts(open: () => Promise<StoreHarness>, seed: number): void {
  const withStore = (name: string, body: (harness: StoreHarness, random: SeededRandom) => Promise<void>): void =>
    test(`${name} (seed ${seed})`, async () => {
      const harness = await open();
      try {
        await body(harness, seededRandom(seed));
      } finally {
        await harness.close();
      }
    }, 60_000);

  /** To its end, with something done before each stretch. */
  async function read({ use }: StoreHarness, list: TextList, between: (store: Store) => void): Promise<string[]> {
    const stretches: string[] = [];
    for (;;) {
      const bytes = await use((store) => {
        between(store);
        return list.next();
      });
      if (bytes === undefined) return stretches;
      expect(bytes.byteLength).toBeLessThan(STRETCH_AT_MOST);
      stretches.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    }
  }

  withStore('a list’s texts are its items’, in stretches, whatever is written meanwhile', async (harness, random) => {
    const { use } = harness;
    await use((store) => {
      fill(random, store, true);
      store.transact((transaction) => transaction.put({ ...keyAt(random), resource: 'nodes' }, [], () => 'another'));
    });
    for (const [what, query] of Object.entries(QUERIES)) {
      for (const changes of [0, 1, 30]) {
        const asked: ListQuery = { resource: 'pods', ...query };
        const [list, expected] = await use((store) => {
          const at = random.chance(0.5) ? store.revision : store.revision - random.below(20);
          const atRevision = random.chance(0.5) ? undefined : at;
          return [store.texts({ ...asked, atRevision }), itemsOf(store, { ...asked, atRevision })] as const;
        });
        const stretches = await read(harness, list, (store) => {
          store.transact(() => {
            for (let count = random.below(changes + 1); count > 0; count -= 1) change(random, store);
          });
        });
        expect(stretches.join('') === expected, `${what}, ${changes} changes`).toBe(true);
        expect(list.ended).toBe(true);
        if (what === 'everything') expect(stretches.length).toBeGreaterThan(2);
      }
    }
  });

  withStore('objects of the largest size come one by one', async (harness, random) => {
    const { use } = harness;
    const expected = await use((store) => {
      const long = 'x'.repeat(MAX_OBJECT_BYTES - 2);
      for (const index of [10, 11, 60])
        store.transact((transaction) => transaction.put(keyAt(random, index), [], () => `"${long}"`));
      for (let index = 20; index < 40; index += 1) write(random, store, keyAt(random, index), false);
      return itemsOf(store, { resource: 'pods' });
    });
    const list = await use((store) => store.texts({ resource: 'pods' }));
    const stretches = await read(harness, list, () => undefined);
    expect(stretches.join('') === expected).toBe(true);
  });

  withStore('a list whose revision is compacted before its end is 410', async (harness, random) => {
    const { use } = harness;
    await use((store) => fill(random, store, false));
    const list = await use((store) => store.texts({ resource: 'pods' }));
    await use((store) => {
      expect(list.next()).toBeDefined();
      change(random, store);
      store.compact(store.revision, 10_000);
      expect(() => list.next()).toThrow('too old');
      expect(() => store.texts({ resource: 'pods', atRevision: list.revision })).toThrow('too old');
    });
  });

  withStore('a list of nothing has no texts, and one of the future is 504', async ({ use }) => {
    await use((store) => {
      const list = store.texts({ resource: 'pods' });
      expect(list.next()).toBeUndefined();
      expect(list.ended).toBe(true);
      expect(() => store.texts({ resource: 'pods', atRevision: 100 })).toThrow('Too large resource version');
    });
  });
}
