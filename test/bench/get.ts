/** GET of a ConfigMap of 1 kB through the whole API at 16 connections and at one, against a bare object's get of the same bytes. */
import { CONFIG_MAPS, configMap, loadSide, makeConfigMaps, nameOf } from './config-maps.ts';
import { startPair } from './pair.ts';
import { medianOf, percentileOf, rounds } from './rounds.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const CONNECTIONS = 16;
const REQUESTS = 2000;
const REQUESTS_WARM = 20_000;
const REQUESTS_ALONE = 400;
const REPEATS = 7;

export async function get(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    await makeConfigMaps(pair, CONNECTIONS);
    const one = pair.agent(1);
    const all = pair.agent(CONNECTIONS);
    const bodies = (index: number) => {
      const name = nameOf(index, CONNECTIONS);
      return { method: 'PUT', path: `/${name}`, body: configMap(name, 0) };
    };
    const filling = { agent: pair.agent(1), connections: 1, requests: CONNECTIONS };
    await loadSide(pair, { of: 'bare', ...filling, make: bodies });
    const run = (of: 'ours' | 'bare', connections: number, requests: number) => {
      const base = of === 'ours' ? CONFIG_MAPS : '';
      const make = (index: number) => ({ method: 'GET', path: `${base}/${nameOf(index, CONNECTIONS)}` });
      return loadSide(pair, { of, agent: connections === 1 ? one : all, connections, requests, make });
    };
    // Warm: open connections, and code that V8 has compiled, which takes some ten thousand calls.
    for (const side of ['ours', 'bare'] as const) await run(side, CONNECTIONS, REQUESTS_WARM);
    const many = await rounds(
      () => run('ours', CONNECTIONS, REQUESTS),
      () => run('bare', CONNECTIONS, REQUESTS),
      REPEATS,
    );
    const alone = await rounds(
      () => run('ours', 1, REQUESTS_ALONE),
      () => run('bare', 1, REQUESTS_ALONE),
    );
    const ratio = medianOf(many, ({ ours, baseline }) => ours.perSecond / baseline.perSecond);
    const bareRate = medianOf(many, ({ baseline }) => baseline.perSecond);
    const bareMs = medianOf(alone, ({ baseline }) => baseline.p50Ms);
    const p99 = percentileOf(many, ({ ours }) => ours.latenciesMs, 0.99);
    const measured = { name: `bare object: gets/s at ${CONNECTIONS}`, value: bareRate };
    return [
      {
        what: `GET of 1 kB, ${CONNECTIONS} connections`,
        ours: perSecond(medianOf(many, ({ ours }) => ours.perSecond)),
        baseline: `bare object: ${perSecond(bareRate)}`,
        ratio,
        goal: atLeast(ratio, 0.8),
        measured,
      },
      {
        what: 'the same, p99',
        ours: milliseconds(p99),
        baseline: `bare object: ${milliseconds(percentileOf(many, ({ baseline }) => baseline.latenciesMs, 0.99))}`,
        goal: atMost(p99, 25, 'ms'),
        measured,
      },
      {
        what: 'GET of 1 kB, 1 connection, p50',
        ours: milliseconds(medianOf(alone, ({ ours }) => ours.p50Ms)),
        baseline: `bare object: ${milliseconds(bareMs)}`,
        ratio: medianOf(alone, ({ ours, baseline }) => ours.p50Ms / baseline.p50Ms),
        measured: { name: 'bare object: get at 1, p50 ms', value: bareMs },
      },
    ];
  } finally {
    await pair.dispose();
  }
}
