import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type Frame, framesOf } from '../../../agent/runtime/demux.ts';
import { wholeLines } from '../../../agent/runtime/logs.ts';
import { newSeed, seededRandom } from '../../support/seeded-random.ts';

function framed(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

async function textsOf(frames: AsyncIterable<Frame>): Promise<string[]> {
  return (await Array.fromAsync(frames)).map(({ stream, bytes }) => `${stream}: ${bytes.toString()}`);
}

describe('framed output', () => {
  const whole = Buffer.concat([framed(1, 'out'), framed(2, 'err'), framed(1, ''), framed(1, 'x'.repeat(1000))]);

  test('comes apart the same however it is cut', async () => {
    const expected = ['stdout: out', 'stderr: err', `stdout: ${'x'.repeat(1000)}`];
    const { below, seed } = seededRandom(newSeed(process.env));
    for (let times = 0; times < 50; times++) {
      const pieces: Buffer[] = [];
      for (let from = 0; from < whole.length; ) {
        const to = from + 1 + below(40);
        pieces.push(whole.subarray(from, to));
        from = to;
      }
      expect(await textsOf(framesOf(Readable.from(pieces))), `seed ${seed}`).toEqual(expected);
    }
  });

  test('a frame larger than what is held comes in parts', async () => {
    const large = framed(2, 'y'.repeat(200_000));
    const frames = await Array.fromAsync(
      framesOf(Readable.from([large.subarray(0, 100_000), large.subarray(100_000)])),
    );
    expect(frames.every(({ stream }) => stream === 'stderr')).toBe(true);
    expect(Buffer.concat(frames.map(({ bytes }) => bytes)).length).toBe(200_000);
    expect(frames.length).toBeGreaterThan(1);
  });

  test('what is cut short still gives what there is', async () => {
    expect(await textsOf(framesOf(Readable.from([framed(1, 'abcdef').subarray(0, 11)])))).toEqual(['stdout: abc']);
  });

  test('what is not framed is refused', async () => {
    await expect(textsOf(framesOf(Readable.from([Buffer.from('plain text')])))).rejects.toThrow(/not a framed output/);
  });
});

describe('lines', () => {
  async function* frames(...texts: string[]): AsyncGenerator<Frame> {
    for (const text of texts) yield { stream: 'stdout', bytes: Buffer.from(text) };
  }
  const TIME = '2026-11-22T06:15:01.123456789Z ';

  test.each([
    ['whole ones pass', ['a\n', 'b\n'], false, ['stdout: a\n', 'stdout: b\n']],
    ['parts are joined', ['a', 'b\nc', 'd'], false, ['stdout: ab\n', 'stdout: cd']],
    [
      'only the first part keeps its time',
      [`${TIME}a`, `${TIME}b\n`, `${TIME}c\n`],
      true,
      [`stdout: ${TIME}ab\n`, `stdout: ${TIME}c\n`],
    ],
  ])('%s', async (_, texts, timestamps, expected) => {
    expect(await textsOf(wholeLines(frames(...texts), timestamps))).toEqual(expected);
  });

  test('a line without end is not held without end', async () => {
    const parts = Array.from({ length: 40 }, () => 'z'.repeat(16_384));
    const lines = await Array.fromAsync(wholeLines(frames(...parts), false));
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.reduce((total, { bytes }) => total + bytes.length, 0)).toBe(40 * 16_384);
  });
});
