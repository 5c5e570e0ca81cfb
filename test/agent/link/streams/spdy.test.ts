/** The SPDY end of port-forward against clients that are none: bounded, and never the end of the agent. */
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { spdyServer } from '../../../../agent/link/streams/spdy.ts';
import { shortInputs } from '../../../fuzz/inputs.ts';
import { data, ping, reset, settings, synStream, windowUpdate } from '../../../fuzz/spdy-frames.ts';
import { eventually } from '../../../support/eventually.ts';
import { newSeed, seededRandom } from '../../../support/seeded-random.ts';

function session() {
  const duplex = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const seen = { streams: 0, errors: [] as string[], closed: false };
  const connection = spdyServer(duplex, (stream) => {
    seen.streams++;
    stream.on('error', (error: Error) => seen.errors.push(error.message));
    stream.respond(200, {});
    stream.resume();
  });
  connection.on('error', ({ message }) => seen.errors.push(message));
  duplex.once('close', () => {
    seen.closed = true;
  });
  return { duplex, seen };
}

const forward = (id: number) => synStream(id, { streamtype: 'data', port: '80', requestid: '0' });

test.each([
  ['headers that grow a thousandfold', synStream(1, { streamtype: 'a'.repeat(50_000_000) })],
  ['a header longer than any', synStream(1, { streamtype: 'a'.repeat(2000) })],
])('%s end the session unread', async (_what, frame) => {
  const { duplex, seen } = session();
  duplex.push(frame);
  await eventually('the session ends', () => seen.closed, { describe: () => JSON.stringify(seen) });
  expect(seen.streams).toBe(0);
  expect(seen.errors).toEqual([expect.stringMatching(/too long|more than 1024/)]);
});

test('sessions broken at random end by themselves, and the next one is served', async () => {
  const seed = newSeed(process.env);
  const random = seededRandom(seed);
  const seeds = [
    Buffer.concat([forward(1), data(1, Buffer.from('hello')), ping(1), data(1, Buffer.alloc(0), true)]),
    Buffer.concat([settings(), forward(1), windowUpdate(1), windowUpdate(0), reset(1), data(1, Buffer.from('late'))]),
  ];
  const faults: string[] = [];
  const note = (error: Error) => void faults.push(`seed ${seed}: ${error.stack}`);
  process.on('uncaughtException', note);
  try {
    for (const input of shortInputs({ seeds, tokens: ['\u0000', '\u0003'], longestBytes: 0 }, 1000, random)) {
      const { duplex } = session();
      duplex.on('error', () => duplex.destroy());
      duplex.push(input);
      duplex.push(null);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { duplex, seen } = session();
    duplex.push(forward(1));
    await eventually('the next stream', () => seen.streams === 1);
  } finally {
    process.off('uncaughtException', note);
  }
  expect(faults).toEqual([]);
});
