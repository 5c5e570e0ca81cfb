/** What one measurement gives: ours, the baseline of the same run, their ratio, and what is to be reached. `main.ts` prints them. */

export interface Goal {
  /** As it is printed, e.g. `≥ 0.80 ×`. */
  text: string;
  met: boolean;
}

/** The figure by which a later run tells whether the machine is as it was. */
export interface Measured {
  /** Its key in `baselines.json`. */
  name: string;
  value: number;
}

export interface BenchRow {
  what: string;
  ours: string;
  baseline: string;
  /** Ours over the baseline's; undefined where there is none to compare with. */
  ratio?: number;
  /** Undefined: printed to be known, not to be reached. */
  goal?: Goal;
  /** Undefined: the baseline is no measurement of this machine (a plan's quota, a published figure), so it cannot be off. */
  measured?: Measured | undefined;
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
