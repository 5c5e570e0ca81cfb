/**
 * How much work a piece of code is, as a multiple of what reading the largest body there may be as JSON costs in the same
 * process: the time of the thread's own CPU, so that a busy machine does not count.
 */
import { MAX_BODY_BYTES } from '../../worker/resources/decode.ts';

const LARGEST = JSON.stringify(
  Array.from({ length: MAX_BODY_BYTES / 32 }, (_, index) => ({ [`key${index}`]: 'x'.repeat(16) })),
);

function cpuMicroseconds(body: () => void): number {
  const start = process.threadCpuUsage();
  body();
  const { user, system } = process.threadCpuUsage(start);
  return user + system;
}

const readLargest = (): void => void JSON.stringify(JSON.parse(LARGEST));

let unit = 0;

/** The smallest of several: garbage that others left is nobody's work. */
function unitMicroseconds(): number {
  if (unit === 0) unit = Math.min(...Array.from({ length: 5 }, () => cpuMicroseconds(readLargest)));
  return unit;
}

/** In units of that; measured again while it is over `most`, and the smallest counts. */
export function workOf(body: () => void, most: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4 && least > most; attempt++) {
    least = Math.min(least, cpuMicroseconds(body) / unitMicroseconds());
  }
  return least;
}
