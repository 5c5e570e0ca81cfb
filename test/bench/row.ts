/** What one measurement gives: ours, the baseline of the same run, their ratio, and what is to be reached. `main.ts` prints them. */

export interface Goal {
  /** As it is printed, e.g. `≥ 0.80 ×`. */
  text: string;
  met: boolean;
}

export interface BenchRow {
  what: string;
  ours: string;
  baseline: string;
  /** Ours over the baseline's; undefined where there is none to compare with. */
  ratio?: number;
  /** Undefined: printed to be known, not to be reached. */
  goal?: Goal;
}

/** A named measurement. It starts what it needs and removes it again. */
export type Bench = () => Promise<BenchRow[]>;

export const perSecond = (value: number): string => `${Math.round(value)}/s`;
export const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
export const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

export const atLeast = (value: number, least: number, unit = '×'): Goal => ({
  text: `≥ ${least} ${unit}`,
  met: value >= least,
});
export const atMost = (value: number, most: number, unit = '×'): Goal => ({
  text: `≤ ${most} ${unit}`,
  met: value <= most,
});
