/** Ours and the baseline's, turn and turn about: what else the machine does meanwhile hits both alike. */
import { median, percentile } from './load.ts';
import { profiled } from './profile.ts';

/** What a median needs to be worth the name. */
export const ROUNDS = 5;

export interface Round<O, B> {
  ours: O;
  baseline: B;
}

/** Neither is always the first. */
export async function rounds<O, B>(
  ours: (round: number) => Promise<O>,
  baseline: (round: number) => Promise<B>,
  count = ROUNDS,
): Promise<Round<O, B>[]> {
  const results: Round<O, B>[] = [];
  for (let round = 0; round < count; round++) {
    if (round % 2 === 0) {
      const first = await profiled(() => ours(round));
      results.push({ ours: first, baseline: await baseline(round) });
    } else {
      const first = await baseline(round);
      results.push({ ours: await profiled(() => ours(round)), baseline: first });
    }
  }
  return results;
}

export const medianOf = <R>(results: readonly R[], value: (round: R) => number): number => median(results.map(value));

/**
 * Of all rounds' values together. What happens once in a few rounds (a checkpoint) would be in most rounds' percentile or in
 * none, by chance; here it weighs what it does.
 */
export const percentileOf = <R>(
  results: readonly R[],
  values: (round: R) => readonly number[],
  share: number,
): number =>
  percentile(
    results.flatMap(values).sort((a, b) => a - b),
    share,
  );
