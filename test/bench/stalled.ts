/**
 * What a watcher that does not read costs the others, and what is kept for it: deliveries to 100 watchers with and without a
 * stalled one beside them, and how much a stalled one can still read once large changes have gone by. It was dropped when that
 * is less than was written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, loadSide, makeConfigMaps, nameOf } from './config-maps.ts';
import { openFanOut } from './fan-out.ts';
import { type Pair, startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atLeast, atMost, type BenchRow, megabytes, perSecond } from './row.ts';
import { openWatch, revisionOf } from './watchers.ts';

const WATCHERS = 100;
const WRITES = 500;
const CONNECTIONS = 16;
const LARGE = 'x'.repeat(500_000);
const LARGE_WRITES = 120;
const REPEATS = 7;

export async function stalled(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    await makeConfigMaps(pair, CONNECTIONS);
    const others = await openFanOut(pair, 'ours', WATCHERS);
    try {
      await others.saturated(CONNECTIONS);
      const results = await rounds(
        async () => {
          const idler = await openStalled(pair);
          const { deliveriesPerSecond } = await others.saturated(WRITES);
          idler.answer.destroy();
          return deliveriesPerSecond;
        },
        async () => (await others.saturated(WRITES)).deliveriesPerSecond,
        REPEATS,
      );
      const ratio = medianOf(results, (round) => round.ours / round.baseline);
      const without = medianOf(results, ({ baseline }) => baseline);
      others.close();
      const { readBytes, writtenBytes, dropped } = await flood(pair);
      return [
        {
          what: `${WATCHERS} watches with a stalled one beside them`,
          ours: `${perSecond(medianOf(results, (round) => round.ours))} deliveries`,
          baseline: `without it: ${perSecond(without)}`,
          ratio,
          goal: atLeast(ratio, 0.95),
          measured: { name: `deliveries/s to ${WATCHERS}`, value: without },
        },
        {
          what: 'kept for a stalled watch, system buffers included',
          ours: `${megabytes(readBytes)}, then ${dropped ? 'dropped' : 'still open'}`,
          baseline: `written meanwhile: ${megabytes(writtenBytes)}`,
          ratio: readBytes / writtenBytes,
          goal: atMost(dropped ? readBytes / 1024 / 1024 : Number.POSITIVE_INFINITY, 32, 'MB'),
        },
      ];
    } finally {
      others.close();
    }
  } finally {
    await pair.dispose();
  }
}

async function openStalled(pair: Pair) {
  const watcher = await openWatch(pair, { of: 'ours', revision: await revisionOf(pair), onChange: () => undefined });
  watcher.answer.pause();
  return watcher;
}

async function flood(pair: Pair) {
  const watcher = await openStalled(pair);
  const side = {
    of: 'ours',
    agent: pair.agent(CONNECTIONS),
    connections: CONNECTIONS,
    requests: LARGE_WRITES,
  } as const;
  const body = (name: string, mark: number) =>
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { large: LARGE, at: `${mark}` } });
  await loadSide(pair, {
    ...side,
    make: (index) => {
      const name = nameOf(index, CONNECTIONS);
      return { method: 'PUT', path: `${CONFIG_MAPS}/${name}`, body: body(name, index) };
    },
  });
  let readBytes = 0;
  let quietSinceMs = performance.now();
  watcher.answer.on('data', (text: string) => {
    readBytes += text.length;
    quietSinceMs = performance.now();
  });
  watcher.answer.resume();
  // One that was not dropped stays open and falls silent.
  await eventually('the end of what was kept', async () => {
    await sleep(50);
    return watcher.ended() || performance.now() - quietSinceMs > 2000;
  });
  const dropped = watcher.ended();
  watcher.answer.destroy();
  return { readBytes, writtenBytes: LARGE_WRITES * LARGE.length, dropped };
}
