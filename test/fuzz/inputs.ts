/**
 * What a parser is given that nobody would send: seeds broken at random, heaps of its own tokens, and each token again
 * and again until it is as long as the wire lets it be, which is how a parser that is not linear shows.
 */
import type { SeededRandom } from '../support/seeded-random.ts';

export interface Corpus {
  /** What clients do send. */
  seeds: readonly (string | Uint8Array)[];
  /** What means something to the parser. */
  tokens: readonly string[];
  /** The longest input that reaches the parser, or as much of it as shows how work grows. */
  longestBytes: number;
}

const encoder = new TextEncoder();
export const bytesOf = (input: string | Uint8Array): Uint8Array =>
  typeof input === 'string' ? encoder.encode(input) : input;

/** Up to six changes: a byte, a gap, a token, a piece of itself. */
function broken(seed: Uint8Array, tokens: readonly string[], random: SeededRandom): Uint8Array {
  let bytes = [...seed];
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(4)) {
      case 0:
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = random.below(256);
        break;
      case 1:
        bytes.splice(at, random.below(8));
        break;
      case 2:
        bytes.splice(at, 0, ...encoder.encode(random.pick(tokens)));
        break;
      default:
        bytes = [...bytes.slice(0, at), ...bytes.slice(random.below(bytes.length + 1))];
    }
  }
  return Uint8Array.from(bytes);
}

const heap = (tokens: readonly string[], random: SeededRandom): Uint8Array =>
  encoder.encode(Array.from({ length: 1 + random.below(40) }, () => random.pick(tokens)).join(''));

const repeated = (piece: string, bytes: number): Uint8Array =>
  encoder.encode(piece.repeat(Math.max(1, Math.floor(bytes / encoder.encode(piece).length))));

export function* shortInputs({ seeds, tokens }: Corpus, rounds: number, random: SeededRandom): Generator<Uint8Array> {
  for (let round = 0; round < rounds; round++) {
    yield random.chance(0.7) ? broken(bytesOf(random.pick(seeds)), tokens, random) : heap(tokens, random);
  }
}

/** Every token alone, between two others, opened in a row and closed again, and some in pairs. */
export function* longInputs({ tokens, longestBytes }: Corpus, pairs: number, random: SeededRandom) {
  for (const token of tokens) {
    yield repeated(token, longestBytes);
    const ends = [random.pick(tokens), random.pick(tokens)].map((each) => encoder.encode(each));
    yield Uint8Array.from([...(ends[0] ?? []), ...repeated(token, longestBytes - 100), ...(ends[1] ?? [])]);
  }
  for (const [open, close] of ['()', '[]', '{}', '""'].map((pair) => [...pair] as [string, string])) {
    yield encoder.encode(open.repeat(longestBytes / 2) + close.repeat(longestBytes / 2));
  }
  for (let round = 0; round < pairs; round++) {
    yield repeated(random.pick(tokens) + random.pick(tokens), longestBytes);
    yield encoder.encode(random.pick(tokens) + random.pick(tokens).repeat(1000) + random.pick(tokens).repeat(1000));
  }
}
