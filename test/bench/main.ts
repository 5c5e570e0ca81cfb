/**
 * `npm run bench [-- NAME]`: every measurement, or one, as a table of ratios to baselines of the same run. No figure is
 * asserted: machines are noisy, and a number by itself says little.
 */
import { podStart } from './pod-start.ts';
import type { Bench, BenchRow } from './row.ts';
import { throughput } from './throughput.ts';

const BENCHES: Record<string, Bench> = {
  throughput,
  'pod-start': podStart,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`no such measurement: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

const rows: BenchRow[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.error(`measuring ${name} …`);
  rows.push(...(await bench()));
}

const table = [
  ['what', 'ours', 'baseline', 'ratio'],
  ...rows.map((row) => [row.what, row.ours, row.baseline, row.ratio?.toFixed(2) ?? '-']),
];
const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
for (const cells of table)
  console.log(
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
