/**
 * A public URL down to a pod, through the Worker, the minion's Relay and its own outbound socket, against the pod's address
 * asked directly: latency at one connection, requests at 64, one body of a gigabyte, and what the relay holds meanwhile.
 */
import { Agent, request } from 'node:http';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { type Lab, startLab } from '../support/lab.ts';
import { type LoadResult, load, median } from './load.ts';
import { residentBytes } from './memory.ts';
import { atMost, type BenchRow, megabytes, milliseconds, perSecond } from './row.ts';

const ROUNDS = 5;
const REQUESTS = 1000;
const MANY = 64;
const PORT = 18_090;
const GIGABYTE = 1024 ** 3;

/** A pod on its host's network, so that the measuring process can ask it directly, too. */
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    hostNetwork: true,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: BUSYBOX,
        command: [
          'sh',
          '-c',
          `mkdir /www; echo served > /www/small; truncate -s ${GIGABYTE} /www/large; exec httpd -f -p ${PORT} -h /www`,
        ],
        readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
      },
    ],
  },
};

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: PORT }] },
};

interface Side {
  url: string;
  headers: Record<string, string>;
}

export async function edge(): Promise<BenchRow[]> {
  const lab = await startLab({ minions: [{ name: 'm1' }] });
  const agents = new Map<number, Agent>();
  try {
    await lab.api('POST', '/api/v1/namespaces/default/pods', POD);
    await lab.api('POST', '/api/v1/namespaces/default/services', SERVICE);
    const { publicPort } = lab.controlPlane;
    const ours: Side = {
      url: `http://127.0.0.1:${publicPort}`,
      headers: { host: `web.default.localhost:${publicPort}` },
    };
    const straight: Side = { url: `http://${lab.minion('m1').host.ip}:${PORT}`, headers: {} };
    for (const side of [ours, straight])
      await eventually('an answer', async () => (await fetchAll(side, '/small')).code === 200);
    const run = async (side: Side, connections: number): Promise<LoadResult> => {
      const agent = agents.get(connections) ?? new Agent({ keepAlive: true, maxSockets: connections });
      agents.set(connections, agent);
      const result = await load({
        ...side,
        agent,
        connections,
        requests: REQUESTS,
        make: () => ({ method: 'GET', path: '/small' }),
      });
      if (result.codes[200] !== REQUESTS) throw new Error(`answers: ${JSON.stringify(result.codes)}`);
      return result;
    };
    const rounds = async (connections: number) => {
      const results: { ours: LoadResult; straight: LoadResult }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        results.push({ ours: await run(ours, connections), straight: await run(straight, connections) });
      }
      return results;
    };
    const one = await rounds(1);
    const many = await rounds(MANY);
    return [latency(one), requests(many), ...(await large(lab, ours, straight))];
  } finally {
    for (const agent of agents.values()) agent.destroy();
    await lab.dispose();
  }
}

type Rounds = { ours: LoadResult; straight: LoadResult }[];

function latency(rounds: Rounds): BenchRow {
  const added = median(rounds.map((round) => round.ours.p50Ms - round.straight.p50Ms));
  const straightMs = median(rounds.map((round) => round.straight.p50Ms));
  return {
    what: 'public URL to a pod, 1 connection, p50',
    ours: milliseconds(median(rounds.map((round) => round.ours.p50Ms))),
    baseline: `straight to the pod: ${milliseconds(straightMs)}`,
    goal: atMost(added, 5, 'ms more'),
    measured: { name: 'straight to a pod, p50 ms', value: straightMs },
  };
}

function requests(rounds: Rounds): BenchRow {
  const of = (side: 'ours' | 'straight') => median(rounds.map((round) => round[side].perSecond));
  return {
    what: `public URL to a pod, ${MANY} connections`,
    ours: perSecond(of('ours')),
    baseline: `straight to the pod: ${perSecond(of('straight'))}`,
    ratio: of('ours') / of('straight'),
  };
}

async function large(lab: Lab, ours: Side, straight: Side): Promise<BenchRow[]> {
  const pid = lab.controlPlane.pid();
  const before = residentBytes(pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(pid));
  }, 50);
  const through = await timed(() => fetchAll(ours, '/large'));
  clearInterval(watch);
  const direct = await timed(() => fetchAll(straight, '/large'));
  for (const { bytes } of [through, direct]) if (bytes !== GIGABYTE) throw new Error(`${bytes} bytes came`);
  const rate = ({ ms }: { ms: number }) => `${megabytes(GIGABYTE / (ms / 1000))}/s`;
  return [
    {
      what: 'one body of 1 GB',
      ours: rate(through),
      baseline: `straight to the pod: ${rate(direct)}`,
      ratio: direct.ms / through.ms,
    },
    {
      what: "the same, workerd's memory meanwhile",
      ours: `+ ${megabytes(most - before)}`,
      baseline: `at rest: ${megabytes(before)}`,
      goal: atMost((most - before) / 1024 / 1024, 128, 'MB'),
    },
  ];
}

async function timed<T extends object>(run: () => Promise<T>): Promise<T & { ms: number }> {
  const startedAt = performance.now();
  const result = await run();
  return { ...result, ms: performance.now() - startedAt };
}

/** Reads the whole body and keeps none of it. */
function fetchAll({ url, headers }: Side, path: string): Promise<{ code: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const made = request(`${url}${path}`, { headers }, (response) => {
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
      });
      response.once('end', () => resolve({ code: response.statusCode ?? 0, bytes }));
      response.once('error', reject);
    });
    made.once('error', reject);
    made.end();
  });
}
