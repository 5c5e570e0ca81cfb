/**
 * What each baseline was when it was last recorded, by class of machine (`baselines.json`). A run whose baseline is far from
 * its record was made on a machine that was busy with something else, and its verdicts would be about that.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import type { BenchRow, Measured } from './row.ts';

interface MachineRecord {
  /** YYYY-MM-DD of the last change. */
  date: string;
  values: Record<string, number>;
}

export type Records = Record<string, MachineRecord>;

const PATH = new URL('baselines.json', import.meta.url).pathname;

/** Beyond this a baseline says that the machine is not what it was. */
const MOST_OFF = 2;

/** Machines of one class give comparable figures: architecture, cores, and what the processor calls itself. */
export const machineClass = (): string =>
  `${process.platform}-${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`;

export const readRecords = (): Records => (existsSync(PATH) ? (JSON.parse(readFileSync(PATH, 'utf8')) as Records) : {});

/** What these rows measured replaces what was recorded for this machine; what they did not measure stays. */
export function writeRecords(rows: readonly BenchRow[], date: string): void {
  const records = readRecords();
  const machine = machineClass();
  const values = { ...records[machine]?.values };
  for (const { measured } of rows) if (measured !== undefined) values[measured.name] = rounded(measured.value);
  records[machine] = { date, values };
  writeFileSync(PATH, `${JSON.stringify(records, null, 2)}\n`);
}

/** Three digits are more than such a figure knows. */
const rounded = (value: number): number => Number(value.toPrecision(3));

/** How many times more or less than recorded, at least 1; undefined: there is no record. */
export function timesOff({ name, value }: Measured, known: MachineRecord | undefined): number | undefined {
  const recorded = known?.values[name];
  return recorded === undefined ? undefined : Math.max(value / recorded, recorded / value);
}

/** '' for a row without a goal. */
export function verdictOf({ goal, measured }: BenchRow, known: MachineRecord | undefined): string {
  if (goal === undefined) return '';
  const verdict = goal.met ? 'reached' : 'missed';
  if (measured === undefined) return verdict;
  const off = timesOff(measured, known);
  if (off === undefined) return `${verdict} (baseline not recorded)`;
  return off > MOST_OFF ? `not judged: baseline off by ${off.toFixed(1)}×` : verdict;
}
