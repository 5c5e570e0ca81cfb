/** So many watchers of one resource, and writers that change it: steadily, or as fast as they can. */
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, configMap, loadSide, nameOf } from './config-maps.ts';
import { call, percentile } from './load.ts';
import type { Pair } from './pair.ts';
import { openWatch, revisionOf, type Watcher } from './watchers.ts';

const CONNECTIONS = 16;

export interface FanOut {
  watchers: Watcher[];
  /** Changes at an even pace: how long after its commit each was with each watcher, in ms. */
  steady(changes: number, perSecond: number): Promise<{ p50Ms: number; p99Ms: number }>;
  /** Changes as fast as 16 connections write them. Events a second, over all watchers, until the last has the last. */
  saturated(changes: number): Promise<{ deliveriesPerSecond: number; writesPerSecond: number }>;
  close(): void;
}

export async function openFanOut(pair: Pair, of: 'ours' | 'bare', count: number): Promise<FanOut> {
  let received = 0;
  let mark = 0;
  let lastAt = 0;
  /** By mark: when each watcher had it. */
  const arrivals = new Map<number, number[]>();
  const onChange = (seen: number) => {
    received++;
    lastAt = performance.now();
    arrivals.get(seen)?.push(lastAt);
  };
  const revision = of === 'ours' ? await revisionOf(pair) : '';
  const watchers: Watcher[] = [];
  for (let index = 0; index < count; index++) watchers.push(await openWatch(pair, { of, revision, onChange }));
  const agent = pair.agent(CONNECTIONS);
  const make = (index: number) => {
    const name = nameOf(index, CONNECTIONS);
    const path = of === 'ours' ? `${CONFIG_MAPS}/${name}` : `/${name}`;
    return { method: 'PUT', path, body: configMap(name, ++mark) };
  };
  const url = of === 'ours' ? pair.controlPlane.url : pair.bare.url;
  const all = (changes: number) =>
    eventually('every change at every watcher', () => received === changes * count, {
      describe: () => `${received} of ${changes * count}`,
    });
  return {
    watchers,
    async steady(changes, perSecond) {
      received = 0;
      const committed = new Map<number, number>();
      for (let index = 0; index < changes; index++) {
        const startedAt = performance.now();
        const change = make(0);
        const sent = mark;
        arrivals.set(sent, []);
        const { code } = await call({ url, agent, headers: pair.headers }, change);
        if (code !== 200) throw new Error(`writing: ${code}`);
        committed.set(sent, performance.now());
        const pause = startedAt + 1000 / perSecond - performance.now();
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      }
      await all(changes);
      const delays = [...arrivals]
        .flatMap(([sent, times]) => times.map((at) => Math.max(0, at - (committed.get(sent) ?? at))))
        .sort((a, b) => a - b);
      arrivals.clear();
      return { p50Ms: percentile(delays, 0.5), p99Ms: percentile(delays, 0.99) };
    },
    async saturated(changes) {
      received = 0;
      const startedAt = performance.now();
      const side = { of, agent, connections: CONNECTIONS, requests: changes, make };
      const wrote = await loadSide(pair, side);
      await all(changes);
      const seconds = (lastAt - startedAt) / 1000;
      return {
        deliveriesPerSecond: received / seconds,
        writesPerSecond: wrote.perSecond,
      };
    },
    close() {
      for (const { answer } of watchers) answer.destroy();
    },
  };
}
