import { expect, test } from 'vitest';
import { verdictOf } from './records.ts';
import { medianOf, rounds } from './rounds.ts';
import { atLeast, type BenchRow } from './row.ts';

const row = (ratio: number, value: number): BenchRow => ({
  what: 'puts',
  ours: '1/s',
  baseline: '1/s',
  ratio,
  goal: atLeast(ratio, 0.5),
  measured: { name: 'puts/s', value },
});
const known = { date: '2026-11-26', values: { 'puts/s': 1000 } };

test.each([
  ['a goal that is reached', row(0.6, 1000), 'reached'],
  ['a goal that is missed', row(0.4, 1000), 'missed'],
  ['a baseline at half its record, which still counts', row(0.6, 500), 'reached'],
  ['a baseline below half its record', row(0.6, 400), 'not judged: baseline off by 2.5×'],
  ['a baseline above twice its record', row(0.4, 3000), 'not judged: baseline off by 3.0×'],
  ['a row without a goal', { ...row(0.6, 1), goal: undefined } as unknown as BenchRow, ''],
  ['a baseline that is no measurement', { ...row(0.6, 1), measured: undefined }, 'reached'],
])('the verdict on %s', (_, given, verdict) => {
  expect(verdictOf(given, known)).toBe(verdict);
});

test('a machine without a record is told so beside the verdict', () => {
  expect(verdictOf(row(0.6, 1000), undefined)).toBe('reached (baseline not recorded)');
  expect(verdictOf(row(0.4, 1000), { date: '2026-11-26', values: {} })).toBe('missed (baseline not recorded)');
});

test('rounds take turns, at least five of them, and none is always first', async () => {
  const order: string[] = [];
  const results = await rounds(
    async (round) => {
      order.push(`ours ${round}`);
      return round;
    },
    async (round) => {
      order.push(`baseline ${round}`);
      return 2;
    },
  );
  expect(results).toHaveLength(5);
  expect(order.slice(0, 4)).toEqual(['ours 0', 'baseline 0', 'baseline 1', 'ours 1']);
  expect(medianOf(results, ({ ours, baseline }) => ours / baseline)).toBe(1);
});
