import { expect, test } from 'vitest';
import { selectedType } from '../../../worker/store/selection.ts';
import type { IndexEntry } from '../../../worker/store/store.ts';

const yes: IndexEntry[] = [{ index: 'label:app', value: 'web' }];
const no: IndexEntry[] = [{ index: 'label:app', value: 'db' }];
const matches = (entries: readonly IndexEntry[]) => entries.some((entry) => entry.value === 'web');

test.each([
  ['is created and matches', 'ADDED', yes, undefined, 'ADDED'],
  ['is created and does not match', 'ADDED', no, undefined, undefined],
  ['changes and goes on matching', 'MODIFIED', yes, yes, 'MODIFIED'],
  ['begins to match', 'MODIFIED', yes, no, 'ADDED'],
  ['no longer matches', 'MODIFIED', no, yes, 'DELETED'],
  ['changes and goes on not matching', 'MODIFIED', no, no, undefined],
  ['is deleted while it matches', 'DELETED', yes, yes, 'DELETED'],
  ['is deleted without having matched', 'DELETED', no, no, undefined],
] as const)('an object that %s', (_, type, entries, previousEntries, seen) => {
  expect(selectedType({ type, entries, previousEntries }, matches)).toBe(seen);
  expect(selectedType({ type, entries, previousEntries }, undefined)).toBe(type);
});
