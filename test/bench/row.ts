/** What one measurement gives: ours, the baseline of the same run, and their ratio. `main.ts` prints them. */

export interface BenchRow {
  what: string;
  ours: string;
  baseline: string;
  /** Ours over the baseline's; undefined where there is none to compare with. */
  ratio?: number;
}

/** A named measurement. It starts what it needs and removes it again. */
export type Bench = () => Promise<BenchRow[]>;

export const perSecond = (value: number): string => `${Math.round(value)}/s`;
export const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
export const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`;
