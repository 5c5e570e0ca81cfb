/**
 * LIST of 10,000 pods against a bare object that streams the same bytes from its SQLite: the time to the first byte, to the
 * last, and what workerd's memory grows by meanwhile, also while clients stand still that have begun to read.
 */
import { type Agent, request } from 'node:https';
import { load, requireAll } from './load.ts';
import { residentBytes } from './memory.ts';
import { type Pair, startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atMost, type BenchRow, megabytes, milliseconds } from './row.ts';

const PODS = 10_000;
const CONNECTIONS = 16;
const STALLED = 16;
const PATH = '/api/v1/namespaces/default/pods';

/** Of a scheduler that is not there, so that nothing happens to them. */
const pod = (index: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `bench-${String(index).padStart(6, '0')}`, labels: { app: 'bench' } },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'nginx' }] },
  });

interface Listed {
  firstMs: number;
  totalMs: number;
  bytes: number;
}

export async function list(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const { controlPlane, bare, headers } = pair;
    const filling = { agent: pair.agent(CONNECTIONS), connections: CONNECTIONS, requests: PODS, headers };
    const made = await load({
      ...filling,
      url: controlPlane.url,
      make: (index) => ({ method: 'POST', path: PATH, body: pod(index) }),
    });
    requireAll('creating pods', made, 201);
    const { body } = await controlPlane.api('GET', `${PATH}?limit=1`);
    const stored = JSON.stringify((body as { items: unknown[] }).items[0]);
    await load({
      ...filling,
      url: bare.url,
      make: (index) => ({ method: 'PUT', path: `/${String(index).padStart(6, '0')}`, body: stored }),
    });
    const agent = pair.agent(1);
    const ours = () => timeGet(`${controlPlane.url}${PATH}`, agent, headers);
    const copy = () => timeGet(`${bare.url}/?list`, agent, headers);
    const before = residentBytes(controlPlane.pid());
    const results = await rounds(ours, copy);
    const after = residentBytes(controlPlane.pid());
    const grown = after - before;
    const held = await whileStalled(`${controlPlane.url}${PATH}`, pair, async () => {
      // One that reads: while it gets its list, others would get theirs made as well.
      await ours();
      return residentBytes(controlPlane.pid()) - after;
    });
    const bareBefore = residentBytes(bare.pid());
    const heldByBare = await whileStalled(`${bare.url}/?list`, pair, async () => {
      await copy();
      return residentBytes(bare.pid()) - bareBefore;
    });
    const of = (side: 'ours' | 'baseline', value: keyof Listed) => medianOf(results, (round) => round[side][value]);
    const first = of('ours', 'firstMs');
    const ratio = medianOf(results, (round) => round.ours.totalMs / round.baseline.totalMs);
    const text = (side: 'ours' | 'baseline') =>
      `${milliseconds(of(side, 'totalMs'))} for ${megabytes(of(side, 'bytes'))}`;
    const measured = { name: `bare object: a list of ${PODS}, ms`, value: of('baseline', 'totalMs') };
    return [
      {
        what: `LIST of ${PODS} pods`,
        ours: text('ours'),
        baseline: `bare object, the same bytes: ${text('baseline')}`,
        ratio,
        goal: atMost(ratio, 1.3),
        measured,
      },
      {
        what: 'the same, to the first byte',
        ours: milliseconds(first),
        baseline: milliseconds(of('baseline', 'firstMs')),
        ratio: first / of('baseline', 'firstMs'),
        goal: atMost(first, 50, 'ms'),
        measured,
      },
      {
        what: `the same, workerd's memory over ${results.length} lists`,
        ours: `+ ${megabytes(grown)}`,
        baseline: `before: ${megabytes(before)}`,
        goal: atMost(grown / 1024 / 1024, 16, 'MB'),
      },
      {
        what: `the same, to ${STALLED} clients that stop reading: workerd's memory`,
        ours: `+ ${megabytes(held)}`,
        baseline: `bare object: + ${megabytes(heldByBare)}; their lists: ${megabytes(STALLED * of('ours', 'bytes'))}`,
      },
    ];
  } finally {
    await pair.dispose();
  }
}

/** With clients that took the first bytes of a list, each over a connection of its own, and no others. */
async function whileStalled<T>(url: string, { controlPlane, headers }: Pair, body: () => Promise<T>): Promise<T> {
  const clients = Array.from({ length: STALLED }, () => request(url, { headers, ca: controlPlane.ca, agent: false }));
  try {
    await Promise.all(
      clients.map(
        (client) =>
          new Promise((resolve, reject) => {
            client.once('error', reject);
            client.once('response', (answer) => {
              // Cut off at the end of the measurement.
              answer.once('error', () => undefined);
              answer.once('readable', resolve);
            });
            client.end();
          }),
      ),
    );
    return await body();
  } finally {
    for (const client of clients) client.destroy();
  }
}

function timeGet(url: string, agent: Agent, headers: Record<string, string>): Promise<Listed> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const made = request(url, { agent, headers }, (answer) => {
      let firstMs: number | undefined;
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        firstMs ??= performance.now() - startedAt;
        bytes += part.byteLength;
      });
      answer.once('end', () => {
        const totalMs = performance.now() - startedAt;
        if (answer.statusCode !== 200) reject(new Error(`GET ${url}: ${answer.statusCode}`));
        else resolve({ firstMs: firstMs ?? totalMs, totalMs, bytes });
      });
      answer.once('error', reject);
    });
    made.once('error', reject);
    made.end();
  });
}
