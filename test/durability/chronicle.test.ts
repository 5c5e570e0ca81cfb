/** The judge of the crash suite finds what it is there to find. */
import { expect, test } from 'vitest';
import { Chronicle, type Told } from './chronicle.ts';

const put = (revision: number, name = 'a', type = 'MODIFIED'): Told => ({
  revision,
  type,
  name,
  value: `v${revision}`,
});

function chronicle(): Chronicle {
  const made = new Chronicle(1);
  for (const told of [put(2, 'a', 'ADDED'), put(3), put(5, 'b', 'ADDED'), { ...put(6), type: 'DELETED', value: 'v3' }])
    made.add(told);
  return made;
}

const judged = (judge: (made: Chronicle) => void): string[] => {
  const made = chronicle();
  judge(made);
  return made.violations;
};

test('a faithful account has no violations', () => {
  const { events } = chronicle();
  expect(
    judged((made) => {
      made.judgeWrites([
        { type: 'put', name: 'a', value: 'v3', revision: 3 },
        { type: 'delete', name: 'a', value: 'v3' },
      ]);
      made.judgeSegment('w', { from: 2, events: events.slice(1) });
      made.judgeSegment('w', { from: 1, events: events.slice(0, 2) });
      made.judgeSegment('w', { from: 6, events: [] });
      made.judgeList([put(5, 'b')]);
      made.reached(6, 'later');
    }),
  ).toEqual([]);
});

test.each<[string, (made: Chronicle) => void]>([
  ['a lost write', (made) => made.judgeWrites([{ type: 'put', name: 'a', value: 'v4', revision: 4 }])],
  ['a write with another value', (made) => made.judgeWrites([{ type: 'put', name: 'a', value: 'x', revision: 3 }])],
  ['a lost deletion', (made) => made.judgeWrites([{ type: 'delete', name: 'b', value: 'v5' }])],
  [
    'a missed event',
    (made) => made.judgeSegment('w', { from: 1, events: [put(2, 'a', 'ADDED'), put(5, 'b', 'ADDED')] }),
  ],
  ['an event twice', (made) => made.judgeSegment('w', { from: 2, events: [put(3), put(3)] })],
  ['an event that never was', (made) => made.judgeSegment('w', { from: 2, events: [put(3), put(4)] })],
  ['events out of order', (made) => made.judgeSegment('w', { from: 2, events: [put(5, 'b', 'ADDED'), put(3)] })],
  ['a revision used twice', (made) => made.add(put(6, 'c', 'ADDED'))],
  ['a store that went back', (made) => made.reached(5, 'after a restart')],
  ['a list without an object', (made) => made.judgeList([])],
  ['a list with a deleted object', (made) => made.judgeList([put(5, 'b'), put(3)])],
])('%s is found', (_, judge) => {
  expect(judged(judge)).toHaveLength(1);
});
