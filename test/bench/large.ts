/**
 * A cluster of 5,000 nodes and 150,000 pods. How long after being woken its object answers; and what the heap of its isolate
 * holds while it serves lists and watches and binds pods, under a limit that V8 itself enforces: who needs more, ends.
 */
import { request } from 'node:https';
import { eventually } from '../support/eventually.ts';
import { type Heap, type Inspected, startInspected } from './inspected.ts';
import { fillCluster, podName } from './large-cluster.ts';
import { call, load, requireAll } from './load.ts';
import { type Pair, startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atMost, type BenchRow, megabytes, milliseconds } from './row.ts';

const SIZE = { nodes: 5000, pods: 150_000 };
/** What Cloudflare gives an isolate, and what is to be enough. */
const LIMIT_MEGABYTES = 128;
const GOAL_MEGABYTES = 96;
const PODS_PATH = '/api/v1/namespaces/default/pods';
const BINDS = 50;
const WATCHES = 10;

export async function large(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    await fillCluster(pair.controlPlane, SIZE);
    return [await wake(pair), await memory(pair)];
  } finally {
    await pair.dispose();
  }
}

/** Each first request comes over an open connection to a workerd that has answered, but not for any object. */
async function wake(pair: Pair): Promise<BenchRow> {
  const first = async (url: string, path: string, code: number) => {
    const agent = pair.agent(1);
    const common = { url, agent, headers: pair.headers };
    await call(common, { method: 'GET', path: url === pair.bare.url ? '/asleep' : '/livez' });
    const startedAt = performance.now();
    const answer = await call(common, { method: 'GET', path });
    if (answer.code !== code) throw new Error(`GET ${path}: ${answer.code} ${answer.body}`);
    return performance.now() - startedAt;
  };
  const results = await rounds(
    async (round) => {
      await pair.controlPlane.kill('SIGKILL');
      await pair.controlPlane.restart();
      return first(pair.controlPlane.url, `${PODS_PATH}/${podName(round)}`, 200);
    },
    async () => {
      await pair.bare.end();
      await pair.bare.start();
      return first(pair.bare.url, '/nothing', 404);
    },
  );
  const ours = medianOf(results, (round) => round.ours);
  const bare = medianOf(results, ({ baseline }) => baseline);
  return {
    what: `an object of ${SIZE.pods} pods, woken: to its first answer`,
    ours: milliseconds(ours),
    baseline: `bare object, awake: ${milliseconds(bare)}`,
    ratio: ours / bare,
    goal: atMost(ours, 50, 'ms'),
    measured: { name: 'bare object: first get of a connection, ms', value: bare },
  };
}

async function memory(pair: Pair): Promise<BenchRow> {
  await pair.controlPlane.kill('SIGTERM');
  const inspected = await startInspected(pair.controlPlane, GOAL_MEGABYTES);
  try {
    await pair.controlPlane.api('GET', `${PODS_PATH}/${podName(0)}`);
    let highest: Heap = { usedBytes: 0, buffersBytes: 0 };
    let serving = true;
    const looking = (async () => {
      while (serving) {
        const seen = await inspected.heap();
        if (sumOf(seen) > sumOf(highest)) highest = seen;
      }
    })();
    try {
      await serve(pair, inspected);
    } finally {
      serving = false;
      await looking;
    }
    await inspected.collectGarbage();
    const kept = sumOf(await inspected.heap());
    const most = sumOf(highest) / 1024 / 1024;
    return {
      what: `${SIZE.nodes} nodes, ${SIZE.pods} pods: memory while lists, watches and binds are served`,
      ours: `heap ${megabytes(highest.usedBytes)} and buffers ${megabytes(highest.buffersBytes)} at most, ${megabytes(kept)} kept`,
      baseline: `an isolate's limit: ${LIMIT_MEGABYTES} MB`,
      ratio: most / LIMIT_MEGABYTES,
      goal: atMost(most, GOAL_MEGABYTES, 'MB'),
    };
  } finally {
    await inspected.stop();
  }
}

const sumOf = ({ usedBytes, buffersBytes }: Heap): number => usedBytes + buffersBytes;

/** All of it at once. */
async function serve(pair: Pair, inspected: Inspected): Promise<void> {
  const { controlPlane, headers } = pair;
  const common = { url: controlPlane.url, headers };
  const watches = Array.from({ length: WATCHES }, () => openWatch(pair));
  try {
    await Promise.all([listAll(pair), tables(pair), binds(pair)]);
  } catch (error) {
    throw inspected.alive() ? error : new Error(`workerd ended: ${inspected.log()}`);
  } finally {
    for (const each of watches) each.destroy();
  }
  await call({ ...common, agent: pair.agent(1) }, { method: 'GET', path: '/api/v1/nodes' });
}

function openWatch({ controlPlane, headers }: Pair) {
  const made = request(`${controlPlane.url}${PODS_PATH}?watch=true`, { headers, ca: controlPlane.ca, agent: false });
  made.on('response', (answer) => {
    answer.resume();
    // Cut off at the end of the measurement.
    answer.on('error', () => undefined);
  });
  made.on('error', () => undefined);
  made.end();
  return made;
}

/** One answer of them all; counted, not kept. */
function listAll({ controlPlane, headers }: Pair): Promise<void> {
  return new Promise((resolve, reject) => {
    const made = request(
      `${controlPlane.url}${PODS_PATH}`,
      { headers, ca: controlPlane.ca, agent: false },
      (answer) => {
        answer.resume();
        answer.once('error', reject);
        answer.once('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`listing: ${answer.statusCode}`)),
        );
      },
    );
    made.once('error', reject);
    made.end();
  });
}

/** As kubectl pages through them. */
async function tables(pair: Pair): Promise<void> {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const common = { url: pair.controlPlane.url, headers: { ...pair.headers, accept }, agent: pair.agent(1) };
  let next = '';
  for (let page = 0; page < 20; page++) {
    const path = `${PODS_PATH}?limit=500${next && `&continue=${next}`}`;
    const { code, body } = await call(common, { method: 'GET', path });
    if (code !== 200) throw new Error(`a table: ${code} ${body.slice(0, 300)}`);
    next = encodeURIComponent((JSON.parse(body) as { metadata: { continue?: string } }).metadata.continue ?? '');
  }
}

async function binds(pair: Pair): Promise<void> {
  const make = (index: number) => ({
    method: 'POST',
    path: PODS_PATH,
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `bound-${index}` },
      spec: {
        containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
      },
    }),
  });
  const { url } = pair.controlPlane;
  const made = await load({ url, headers: pair.headers, agent: pair.agent(4), connections: 4, requests: BINDS, make });
  requireAll('creating pods', made, 201);
  await eventually(
    'every pod bound',
    async () => {
      const unbound = `${PODS_PATH}?fieldSelector=spec.nodeName%3D&limit=1`;
      const { body } = await pair.controlPlane.api('GET', unbound);
      return (body as { items: unknown[] }).items.length === 0;
    },
    { timeoutMs: 60_000 },
  );
}
