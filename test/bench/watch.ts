/**
 * 100 watches of one resource over HTTP: how long after its commit a change is with every client at 50 changes a second, and
 * how many deliveries a second there are when 16 connections write as fast as they can. The commit is taken to be when the
 * writer has its answer, so what reaches a watcher before counts as 0 ms. Against a bare object that sends each change to each
 * watcher by itself.
 */
import { makeConfigMaps } from './config-maps.ts';
import { openFanOut } from './fan-out.ts';
import { startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const WATCHERS = 100;
const CHANGES = 100;
const PER_SECOND = 50;
const SATURATION_WRITES = 800;
const CONNECTIONS = 16;

export async function watch(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    await makeConfigMaps(pair, CONNECTIONS);
    const ours = await openFanOut(pair, 'ours', WATCHERS);
    const naive = await openFanOut(pair, 'bare', WATCHERS);
    try {
      // Warm: compiled code, open connections.
      for (const each of [ours, naive]) await each.saturated(CONNECTIONS);
      const steady = await rounds(
        () => ours.steady(CHANGES, PER_SECOND),
        () => naive.steady(CHANGES, PER_SECOND),
      );
      const full = await rounds(
        () => ours.saturated(SATURATION_WRITES),
        () => naive.saturated(SATURATION_WRITES / 4),
      );
      const p99 = medianOf(steady, (round) => round.ours.p99Ms);
      const rate = medianOf(full, (round) => round.ours.deliveriesPerSecond);
      const naiveRate = medianOf(full, ({ baseline }) => baseline.deliveriesPerSecond);
      const measured = { name: `naive send to ${WATCHERS}: deliveries/s`, value: naiveRate };
      const delay = (side: 'ours' | 'baseline') =>
        `p50 ${milliseconds(medianOf(steady, (round) => round[side].p50Ms))}, p99 ${milliseconds(medianOf(steady, (round) => round[side].p99Ms))}`;
      return [
        {
          what: `${WATCHERS} watches, ${PER_SECOND} changes of 1 kB a second: commit to client`,
          ours: delay('ours'),
          baseline: `naive send: ${delay('baseline')}`,
          goal: atMost(p99, 100, 'ms at p99'),
          measured,
        },
        {
          what: `${WATCHERS} watches, as many changes as ${CONNECTIONS} connections write`,
          ours: `${perSecond(rate)} deliveries, ${perSecond(medianOf(full, (round) => round.ours.writesPerSecond))} writes`,
          baseline: `naive send: ${perSecond(naiveRate)}`,
          ratio: medianOf(full, (round) => round.ours.deliveriesPerSecond / round.baseline.deliveriesPerSecond),
          goal: atLeast(rate, 25_000, 'deliveries/s'),
          measured,
        },
      ];
    } finally {
      ours.close();
      naive.close();
    }
  } finally {
    await pair.dispose();
  }
}
