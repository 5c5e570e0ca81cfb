/**
 * 100 watches of one resource over HTTP: how long after its commit a change is with every client at 50 changes a second, and
 * how many deliveries a second there are when 16 connections write as fast as they can. The commit is taken to be when the
 * writer has its answer, so what reaches a watcher before counts as 0 ms.
 */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { eventually } from '../support/eventually.ts';
import { call, load, percentile } from './load.ts';
import { type Pair, startPair } from './pair.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const WATCHERS = 100;
const CHANGES = 250;
const PER_SECOND = 50;
const SATURATION_WRITES = 1500;
const CONNECTIONS = 16;
const PATH = '/api/v1/namespaces/default/configmaps';
const MARK = /"mark":"(\d+)"/g;
const PAYLOAD = 'x'.repeat(800);

const body = (name: string, mark: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { mark: String(mark), payload: PAYLOAD },
  });

export async function watch(): Promise<BenchRow[]> {
  const pair = await startPair();
  const watches: IncomingMessage[] = [];
  try {
    const { controlPlane, headers } = pair;
    for (let index = 0; index < CONNECTIONS; index++) {
      const { status } = await controlPlane.api('POST', PATH, JSON.parse(body(`w-${index}`, 0)));
      if (status !== 201) throw new Error(`creating w-${index}: ${status}`);
    }
    let received = 0;
    /** By mark: when each watcher had it. */
    const arrivals = new Map<number, number[]>();
    const onChange = (mark: number) => {
      received++;
      arrivals.get(mark)?.push(performance.now());
    };
    const { body: listed } = await controlPlane.api('GET', `${PATH}?limit=1`);
    const { resourceVersion } = (listed as { metadata: { resourceVersion: string } }).metadata;
    for (let index = 0; index < WATCHERS; index++) watches.push(await open(pair, resourceVersion, onChange));

    const agent = pair.agent(CONNECTIONS);
    const writer = { url: controlPlane.url, agent, headers };
    const committed = new Map<number, number>();
    for (let mark = 1; mark <= CHANGES; mark++) {
      const startedAt = performance.now();
      arrivals.set(mark, []);
      const { code } = await call(writer, { method: 'PUT', path: `${PATH}/w-0`, body: body('w-0', mark) });
      if (code !== 200) throw new Error(`writing: ${code}`);
      committed.set(mark, performance.now());
      const pause = startedAt + 1000 / PER_SECOND - performance.now();
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    await eventually('every change at every watcher', () => received === CHANGES * WATCHERS, {
      describe: () => `${received} of ${CHANGES * WATCHERS}`,
    });
    const delays = [...arrivals]
      .flatMap(([mark, times]) => times.map((at) => Math.max(0, at - (committed.get(mark) ?? at))))
      .sort((a, b) => a - b);

    arrivals.clear();
    received = 0;
    const startedAt = performance.now();
    let mark = CHANGES;
    const wrote = await load({
      ...writer,
      connections: CONNECTIONS,
      requests: SATURATION_WRITES,
      make: (index) => {
        const name = `w-${index % CONNECTIONS}`;
        return { method: 'PUT', path: `${PATH}/${name}`, body: body(name, ++mark) };
      },
    });
    if (wrote.codes[200] !== SATURATION_WRITES) throw new Error(`writing: ${JSON.stringify(wrote.codes)}`);
    await eventually('every change at every watcher', () => received === SATURATION_WRITES * WATCHERS, {
      describe: () => `${received} of ${SATURATION_WRITES * WATCHERS}`,
    });
    const rate = received / ((performance.now() - startedAt) / 1000);
    const p99 = percentile(delays, 0.99);
    return [
      {
        what: `${WATCHERS} watches, ${PER_SECOND} changes of 1 kB a second: commit to client`,
        ours: `p50 ${milliseconds(percentile(delays, 0.5))}, p99 ${milliseconds(p99)}`,
        baseline: '-',
        goal: atMost(p99, 100, 'ms at p99'),
      },
      {
        what: `${WATCHERS} watches, as many changes as ${CONNECTIONS} connections write`,
        ours: `${perSecond(rate)} deliveries, ${perSecond(wrote.perSecond)} writes`,
        baseline: '-',
        goal: atLeast(rate, 25_000, 'deliveries/s'),
      },
    ];
  } finally {
    for (const each of watches) each.destroy();
    await pair.dispose();
  }
}

/** A watch whose events are only looked at for their mark: parsing them all would measure this process. */
function open(pair: Pair, revision: string, onChange: (mark: number) => void): Promise<IncomingMessage> {
  const { controlPlane, headers } = pair;
  return new Promise((resolve, reject) => {
    const url = `${controlPlane.url}${PATH}?watch=true&resourceVersion=${revision}`;
    const made = request(url, { headers, ca: controlPlane.ca, agent: false }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`watching: ${answer.statusCode}`));
      answer.setEncoding('utf8');
      let rest = '';
      answer.on('data', (text: string) => {
        const lines = rest + text;
        const end = lines.lastIndexOf('\n') + 1;
        rest = lines.slice(end);
        for (const [, mark] of lines.slice(0, end).matchAll(MARK)) onChange(Number(mark));
      });
      // Cut off at the end of the measurement.
      answer.on('error', () => undefined);
      resolve(answer);
    });
    made.once('error', reject);
    made.end();
  });
}
