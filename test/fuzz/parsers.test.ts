/**
 * Every parser against input that nobody would send: it reads or refuses, whatever comes, and at no more work than counts.
 * A failure prints its seed and its input; the input then goes into `regressions.ts`.
 */
import { describe, expect, test } from 'vitest';
import { newSeed, seededRandom } from '../support/seeded-random.ts';
import { BODIES } from './bodies.ts';
import { FRAMES } from './frames.ts';
import { bytesOf, longInputs, shortInputs } from './inputs.ts';
import type { Parser } from './parser.ts';
import { PATCHES } from './patches.ts';
import { REGRESSIONS } from './regressions.ts';
import { TEXTS } from './texts.ts';
import { workOf } from './work.ts';

const ROUNDS = 300;
const PAIRS = 4;
/** Half of what reading the largest body costs is some 50 ms of a slow machine. */
const MOST = 0.5;
/** Of the largest inputs: what grows faster than its input costs hundreds. */
const MOST_LONG = 4;
const seed = newSeed(process.env);

/** Throws for a defect; gives the work. */
function feed(parser: Parser, input: Uint8Array, most: number): number {
  const read = (): void => {
    try {
      parser.read(input);
    } catch (error) {
      if (!parser.refuses(error)) throw error;
    }
  };
  try {
    const work = workOf(read, most);
    expect(work, 'work, in units of the largest body').toBeLessThan(most);
    return work;
  } catch (error) {
    const shown = Buffer.from(input.subarray(0, 2000)).toString('base64');
    throw new Error(`SEED=${seed}, ${input.length} bytes, base64 ${shown}`, { cause: error });
  }
}

describe.each([...BODIES, ...PATCHES, ...TEXTS, ...FRAMES].map((parser) => ({ name: parser.name, parser })))(
  '$name',
  ({ name, parser }) => {
    const { most = MOST, mostLong = MOST_LONG } = parser;

    test('is read or refused as clients send it', () => {
      for (const each of parser.seeds) {
        const read = () => parser.read(bytesOf(each));
        try {
          read();
        } catch (error) {
          if (!parser.refuses(error)) throw error;
        }
      }
    });

    for (const [what, input] of REGRESSIONS[name] ?? []) {
      test(`regression: ${what}`, () => {
        feed(parser, bytesOf(typeof input === 'function' ? input() : input), mostLong);
      });
    }

    test('broken, ends in a value or a refusal', () => {
      const random = seededRandom(seed);
      let slowest = 0;
      for (const input of shortInputs(parser, ROUNDS, random)) slowest = Math.max(slowest, feed(parser, input, most));
      console.log(`${name}: seed ${seed}, the slowest was ${slowest.toFixed(3)} of the largest body`);
    });

    test('as long as it may be, costs no more than its length', () => {
      const random = seededRandom(seed);
      let slowest = 0;
      for (const input of longInputs(parser, PAIRS, random)) slowest = Math.max(slowest, feed(parser, input, mostLong));
      console.log(`${name}: seed ${seed}, the slowest long one was ${slowest.toFixed(3)} of the largest body`);
    });
  },
);

test('every regression belongs to a parser', () => {
  const names = [...BODIES, ...PATCHES, ...TEXTS, ...FRAMES].map((parser) => parser.name);
  for (const name of Object.keys(REGRESSIONS)) expect(names).toContain(name);
});
