/**
 * `npm run bench [-- NAME …] [--record] [--profile]`: every measurement, or some, or some groups, as a table of ratios to
 * baselines of the same run. No figure is asserted: machines are noisy, and a number by itself says little. How to read it: `README.md`.
 */
import { BENCHES, GROUPS } from './catalog.ts';
import { profileFromNow } from './profile.ts';
import { machineClass, readRecords, verdictOf, writeRecords } from './records.ts';
import type { BenchRow } from './row.ts';

const given = process.argv.slice(2);
const record = given.includes('--record');
const asked = given.filter((each) => each !== '--record' && each !== '--profile');
const unknown = asked.filter((name) => !Object.hasOwn(BENCHES, name) && !Object.hasOwn(GROUPS, name));
if (unknown.length > 0) {
  const all = [...Object.keys(BENCHES), ...Object.keys(GROUPS).map((name) => `${name} (a group)`)];
  console.error(`no such measurement: ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(2);
}

// What was started is ended at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

if (given.includes('--profile')) profileFromNow();

const chosen = new Set(asked.length === 0 ? Object.keys(BENCHES) : asked.flatMap((name) => GROUPS[name] ?? [name]));
const rows: BenchRow[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (!chosen.has(name)) continue;
  console.error(`measuring ${name} …`);
  rows.push(...(await bench()));
}
if (record) writeRecords(rows, new Date().toISOString().slice(0, 10));

const known = readRecords()[machineClass()];
const table = [
  ['what', 'ours', 'baseline', 'ratio', 'goal', 'verdict'],
  ...rows.map((row) => [
    row.what,
    row.ours,
    row.baseline,
    row.ratio?.toFixed(2) ?? '-',
    row.goal?.text ?? '-',
    verdictOf(row, known),
  ]),
];
const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0))) ?? [];
for (const cells of table)
  console.log(
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
