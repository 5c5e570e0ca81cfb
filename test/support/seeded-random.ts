/** Randomness that can be repeated: a test prints its seed, and `SEED=… vitest …` runs it again. */

export interface SeededRandom {
  readonly seed: number;
  /** 0 ≤ x < 1, as Math.random. */
  next(): number;
  /** A whole number, 0 ≤ n < `below`. */
  below(below: number): number;
  pick<T>(from: readonly T[]): T;
  chance(probability: number): boolean;
}

/** mulberry32. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    seed,
    next,
    below,
    pick: (from) => {
      if (from.length === 0) throw new Error('nothing to pick from');
      return from[below(from.length)] as (typeof from)[number];
    },
    chance: (probability) => next() < probability,
  };
}

/** From the environment when a failure is to be repeated, otherwise a new one. */
export function newSeed(environment: Record<string, string | undefined>): number {
  const asked = environment.SEED;
  return asked === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(asked);
}
