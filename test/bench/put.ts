/**
 * PUT of a ConfigMap of 1 kB through the whole API: at 16 connections against etcd's put of the same bytes (and, to be known,
 * a bare object's), at one connection against a bare object's put.
 */
import { CONFIG_MAPS, configMap, loadSide, makeConfigMaps, nameOf } from './config-maps.ts';
import { startEtcd } from './etcd.ts';
import { startPair } from './pair.ts';
import { medianOf, percentileOf, rounds } from './rounds.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const CONNECTIONS = 16;
const REQUESTS = 1500;
const REQUESTS_ALONE = 300;

export async function put(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const etcd = await startEtcd();
    try {
      await makeConfigMaps(pair, CONNECTIONS);
      let mark = 0;
      const one = pair.agent(1);
      const all = pair.agent(CONNECTIONS);
      const run = (of: 'ours' | 'bare', connections: number, requests: number) => {
        const base = of === 'ours' ? CONFIG_MAPS : '';
        const make = (index: number) => {
          const name = nameOf(index, CONNECTIONS);
          return { method: 'PUT', path: `${base}/${name}`, body: configMap(name, mark++) };
        };
        const agent = connections === 1 ? one : all;
        return loadSide(pair, { of, agent, connections, requests, make });
      };
      const value = (index: number) => configMap(nameOf(index, CONNECTIONS), mark++);
      // Warm: compiled code, open connections.
      await run('ours', CONNECTIONS, REQUESTS);
      await run('bare', CONNECTIONS, REQUESTS_ALONE);
      await etcd.put({ connections: CONNECTIONS, requests: REQUESTS_ALONE, value });
      const many = await rounds(
        () => run('ours', CONNECTIONS, REQUESTS),
        async () => ({
          etcd: await etcd.put({ connections: CONNECTIONS, requests: REQUESTS, value }),
          bare: await run('bare', CONNECTIONS, REQUESTS),
        }),
      );
      const alone = await rounds(
        () => run('ours', 1, REQUESTS_ALONE),
        () => run('bare', 1, REQUESTS_ALONE),
        9,
      );
      const etcdRate = medianOf(many, ({ baseline }) => baseline.etcd.perSecond);
      const bareRate = medianOf(many, ({ baseline }) => baseline.bare.perSecond);
      const bareMs = medianOf(alone, ({ baseline }) => baseline.p50Ms);
      const ratio = medianOf(many, ({ ours, baseline }) => ours.perSecond / baseline.etcd.perSecond);
      const p99 = percentileOf(many, ({ ours }) => ours.latenciesMs, 0.99);
      const aloneRatio = medianOf(alone, ({ ours, baseline }) => ours.p50Ms / baseline.p50Ms);
      const ours = perSecond(medianOf(many, (round) => round.ours.perSecond));
      const ofEtcd = { name: `etcd: puts/s at ${CONNECTIONS}`, value: etcdRate };
      return [
        {
          what: `PUT of 1 kB, ${CONNECTIONS} connections`,
          ours,
          baseline: `etcd: ${perSecond(etcdRate)}`,
          ratio,
          goal: atLeast(ratio, 0.35),
          measured: ofEtcd,
        },
        {
          what: 'the same, p99',
          ours: milliseconds(p99),
          baseline: `etcd: ${milliseconds(percentileOf(many, ({ baseline }) => baseline.etcd.latenciesMs, 0.99))}`,
          goal: atMost(p99, 50, 'ms'),
          measured: ofEtcd,
        },
        {
          what: 'the same, beside a bare object',
          ours,
          baseline: `bare object: ${perSecond(bareRate)}`,
          ratio: medianOf(many, ({ ours: { perSecond: rate }, baseline }) => rate / baseline.bare.perSecond),
          measured: { name: `bare object: puts/s at ${CONNECTIONS}`, value: bareRate },
        },
        {
          what: 'PUT of 1 kB, 1 connection, p50',
          ours: milliseconds(medianOf(alone, (round) => round.ours.p50Ms)),
          baseline: `bare object: ${milliseconds(bareMs)}`,
          ratio: aloneRatio,
          goal: atMost(aloneRatio, 1.5),
          measured: { name: 'bare object: put at 1, p50 ms', value: bareMs },
        },
      ];
    } finally {
      await etcd.stop();
    }
  } finally {
    await pair.dispose();
  }
}
