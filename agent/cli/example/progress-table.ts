/**
 * The table that fills as pods start: drawn again in place on a terminal; elsewhere a line for each change, so that a log
 * reads in order.
 */
import { createColors } from 'picocolors';
import type { PodRow, Progress } from './pod-row.ts';

export interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const COLOURS: Record<Progress, 'dim' | 'yellow' | 'cyan' | 'green' | 'red'> = {
  scheduling: 'dim',
  waiting: 'dim',
  pulling: 'yellow',
  creating: 'yellow',
  running: 'cyan',
  ready: 'green',
  ended: 'red',
  failing: 'red',
};

const HEADER = ['POD', 'NODE', 'CONTAINERS'];

const stateText = (row: PodRow) => row.containers.map((each) => `${each.name} ${each.state}`).join('  ');

/** Lines without colour, columns aligned. */
export function tableLines(rows: readonly PodRow[]): string[] {
  const cells = [HEADER, ...rows.map((row) => [row.name, row.node === '' ? '-' : row.node, stateText(row)])];
  const widths = [0, 1].map((column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells.map((line) => `  ${line[0]?.padEnd(widths[0] ?? 0)}  ${line[1]?.padEnd(widths[1] ?? 0)}  ${line[2]}`);
}

export class ProgressTable {
  readonly #output: Output;
  readonly #colours: ReturnType<typeof createColors>;
  #drawnLines = 0;
  readonly #said = new Map<string, string>();

  constructor(output: Output) {
    this.#output = output;
    this.#colours = createColors(output.isTTY === true && process.env.NO_COLOR === undefined);
  }

  show(rows: readonly PodRow[]): void {
    if (this.#output.isTTY === true) this.#draw(rows);
    else this.#log(rows);
  }

  #draw(rows: readonly PodRow[]): void {
    const width = (this.#output.columns || 80) - 1;
    const lines = tableLines(rows).map((line) => this.#coloured(line.slice(0, width)));
    for (const row of rows)
      if (row.trouble !== '') lines.push(this.#colours.red(`  ${row.name}: ${row.trouble}`.slice(0, width)));
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A`;
    this.#output.write(`${up}${lines.map((line) => `\x1b[K${line}\n`).join('')}\x1b[J`);
    this.#drawnLines = lines.length;
  }

  #coloured(line: string): string {
    return line.replace(/\b(scheduling|waiting|pulling|creating|running|ready|ended|failing)\b/g, (word) =>
      this.#colours[COLOURS[word as Progress]](word),
    );
  }

  #log(rows: readonly PodRow[]): void {
    for (const row of rows) {
      const text = `  ${row.name}  ${stateText(row)}${row.trouble === '' ? '' : `  (${row.trouble})`}`;
      if (this.#said.get(row.name) === text) continue;
      this.#said.set(row.name, text);
      this.#output.write(`${text}\n`);
    }
  }
}
