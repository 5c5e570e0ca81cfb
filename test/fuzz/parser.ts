/** One parser under test: what it is fed, what it may throw, and what it must keep. */
import type { Corpus } from './inputs.ts';

export interface Parser extends Corpus {
  name: string;
  /** Gives what was read; throws for what the parser refuses. What must hold of a value that is read is asserted here. */
  read(bytes: Uint8Array): unknown;
  /** Whether this is how the parser refuses input. Anything else that is thrown is a defect. */
  refuses(error: unknown): boolean;
  /** Of a short input, in units of `work.ts`. */
  most?: number;
  /** Of an input of `longestBytes`. */
  mostLong?: number;
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
