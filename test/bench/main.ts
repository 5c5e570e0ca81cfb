/**
 * `npm run bench [-- NAME …]`: every measurement, or some, as a table of ratios to baselines of the same run. No figure is
 * asserted: machines are noisy, and a number by itself says little. How to read it: `README.md`.
 */
import { backups } from './backup.ts';
import { cost } from './cost.ts';
import { dns } from './dns.ts';
import { edge } from './edge.ts';
import { list } from './list.ts';
import { podStart } from './pod-start.ts';
import { reconnect } from './reconnect.ts';
import type { Bench, BenchRow } from './row.ts';
import { scheduling } from './scheduling.ts';
import { services } from './services.ts';
import { start } from './start.ts';
import { statuses } from './statuses.ts';
import { throughput } from './throughput.ts';
import { watch } from './watch.ts';

const BENCHES: Record<string, Bench> = {
  throughput,
  list,
  watch,
  statuses,
  scheduling,
  services,
  dns,
  edge,
  start,
  cost,
  backup: backups,
  'pod-start': podStart,
  reconnect,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`no such measurement: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

// What was started is ended at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const rows: BenchRow[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.error(`measuring ${name} …`);
  rows.push(...(await bench()));
}

const verdict = ({ goal }: BenchRow): string => (goal === undefined ? '' : goal.met ? 'reached' : 'missed');
const table = [
  ['what', 'ours', 'baseline', 'ratio', 'goal', 'verdict'],
  ...rows.map((row) => [
    row.what,
    row.ours,
    row.baseline,
    row.ratio?.toFixed(2) ?? '-',
    row.goal?.text ?? '-',
    verdict(row),
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
