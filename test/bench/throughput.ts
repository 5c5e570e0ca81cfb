/**
 * PUT and GET of a ConfigMap of 1 kB through the whole API at 16 connections and at one, against a bare object's put and get
 * of the same bytes. Rounds of both take turns; ratios are taken round by round, and the median counts.
 */
import { type LoadResult, load, median } from './load.ts';
import { type Pair, startPair } from './pair.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const CONNECTIONS = 16;
const REQUESTS = 1500;
const REQUESTS_ALONE = 300;
const ROUNDS = 7;
const PATH = '/api/v1/namespaces/default/configmaps';
const PAYLOAD = 'x'.repeat(800);

const configMap = (name: string, index: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { index: String(index), payload: PAYLOAD },
  });
const name = (index: number) => `bench-${index % CONNECTIONS}`;

interface Round {
  ours: LoadResult;
  bare: LoadResult;
}
type Method = 'PUT' | 'GET';

export async function throughput(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    for (let index = 0; index < CONNECTIONS; index++) {
      const created = await pair.controlPlane.api('POST', PATH, JSON.parse(configMap(name(index), 0)));
      if (created.status !== 201) throw new Error(`creating ${name(index)}: ${JSON.stringify(created)}`);
    }
    const measure = measurer(pair);
    // Warm: compiled code, open connections.
    for (const method of ['PUT', 'GET'] as const) await measure(method, CONNECTIONS, REQUESTS_ALONE);
    const rounds: Record<string, Round[]> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const method of ['PUT', 'GET'] as const) {
        for (const [connections, requests] of [
          [CONNECTIONS, REQUESTS],
          [1, REQUESTS_ALONE],
        ] as const) {
          const key = `${method} ${connections}`;
          const results = rounds[key] ?? [];
          rounds[key] = results;
          results.push(await measure(method, connections, requests));
        }
      }
    }
    const get = rates(`GET of 1 kB, ${CONNECTIONS} connections`, rounds[`GET ${CONNECTIONS}`] ?? []);
    return [
      rates(`PUT of 1 kB, ${CONNECTIONS} connections`, rounds[`PUT ${CONNECTIONS}`] ?? []),
      { ...get, goal: atLeast(get.ratio ?? 0, 0.8) },
      latencies('PUT of 1 kB, 1 connection, p50', rounds['PUT 1'] ?? [], 1.5),
      latencies('GET of 1 kB, 1 connection, p50', rounds['GET 1'] ?? []),
    ];
  } finally {
    await pair.dispose();
  }
}

function measurer(pair: Pair): (method: Method, connections: number, requests: number) => Promise<Round> {
  const agents = new Map([1, CONNECTIONS].map((connections) => [connections, pair.agent(connections)]));
  let sequence = 0;
  let turn = 0;
  const run = async (url: string, base: string, method: Method, connections: number, requests: number) => {
    const agent = agents.get(connections) ?? pair.agent(connections);
    const make = (index: number) => {
      const path = `${base}/${name(index)}`;
      return method === 'GET' ? { method, path } : { method, path, body: configMap(name(index), sequence++) };
    };
    const result = await load({ url, agent, connections, requests, headers: pair.headers, make });
    const failed = Object.keys(result.codes).filter((code) => code !== '200');
    if (failed.length > 0) throw new Error(`${method} ${url}: answers ${JSON.stringify(result.codes)}`);
    return result;
  };
  return async (method, connections, requests) => {
    const ours = () => run(pair.controlPlane.url, PATH, method, connections, requests);
    const bare = () => run(pair.bare.url, '', method, connections, requests);
    // Neither is always the first: what the machine does meanwhile hits both alike.
    if (turn++ % 2 === 0) return { ours: await ours(), bare: await bare() };
    const first = await bare();
    return { ours: await ours(), bare: first };
  };
}

const of = (rounds: Round[], value: (round: Round) => number) => median(rounds.map(value));

function rates(what: string, rounds: Round[]): BenchRow {
  const text = (side: 'ours' | 'bare') =>
    `${perSecond(of(rounds, (round) => round[side].perSecond))}, p99 ${milliseconds(of(rounds, (round) => round[side].p99Ms))}`;
  const ratio = of(rounds, ({ ours, bare }) => ours.perSecond / bare.perSecond);
  return { what, ours: text('ours'), baseline: `bare object: ${text('bare')}`, ratio };
}

function latencies(what: string, rounds: Round[], most?: number): BenchRow {
  const ratio = of(rounds, ({ ours, bare }) => ours.p50Ms / bare.p50Ms);
  return {
    what,
    ours: milliseconds(of(rounds, (round) => round.ours.p50Ms)),
    baseline: `bare object: ${milliseconds(of(rounds, (round) => round.bare.p50Ms))}`,
    ratio,
    ...(most === undefined ? {} : { goal: atMost(ratio, most) }),
  };
}
