/**
 * A pod of two containers from its POST to Running and ready, seen through a watch, against the same two containers made
 * by the Docker API alone (the second joins the first one's network). Rounds take turns on the same engine.
 */
import { request } from 'node:http';
import type { Pod } from '../../shared/api/core.ts';
import { BUSYBOX } from '../support/images.ts';
import { type Lab, startLab } from '../support/lab.ts';
import { residentBytes } from './memory.ts';
import { medianOf, rounds } from './rounds.ts';
import { type BenchRow, megabytes, milliseconds } from './row.ts';

const REPEATS = 7;
const PODS = '/api/v1/namespaces/default/pods';
const COMMAND = ['sleep', '100000'];

export async function podStart(): Promise<BenchRow[]> {
  const lab = await startLab({ minions: [{ name: 'm1' }] });
  try {
    const socket = lab.minion('m1').agent.config.dockerSocket;
    const idle = memory(lab);
    // The first pod makes the pause image; it is not counted.
    await timePod(lab, 'warm-up');
    const results = await rounds(
      (round) => timePod(lab, `pod-${round}`),
      () => timeDocker(socket),
      REPEATS,
    );
    const raw = medianOf(results, ({ baseline }) => baseline);
    return [
      {
        what: 'pod of two containers: POST to Running',
        ours: milliseconds(medianOf(results, ({ ours }) => ours)),
        baseline: `Docker API, the two containers: ${milliseconds(raw)}`,
        ratio: medianOf(results, ({ ours, baseline }) => ours / baseline),
        measured: { name: 'Docker: two containers, ms', value: raw },
      },
      ...idle,
    ];
  } finally {
    await lab.dispose();
  }
}

function memory(lab: Lab): BenchRow[] {
  const workerd = residentBytes(lab.controlPlane.pid());
  const agent = residentBytes(lab.minion('m1').agent.pid());
  return [
    { what: 'memory of workerd, one idle minion', ours: megabytes(workerd), baseline: '-' },
    {
      what: 'memory of the agent, idle',
      ours: megabytes(agent),
      baseline: `this Node process: ${megabytes(process.memoryUsage().rss)}`,
      ratio: agent / process.memoryUsage().rss,
    },
  ];
}

async function timePod(lab: Lab, name: string): Promise<number> {
  const abort = new AbortController();
  const { body } = await lab.api('GET', `${PODS}?limit=1`);
  const revision = (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
  const path = `${PODS}?watch=true&fieldSelector=metadata.name%3D${name}&resourceVersion=${revision}`;
  const events = lab.controlPlane.client.watch<Pod>(path, abort.signal);
  const startedAt = performance.now();
  const created = await lab.api('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: ['a', 'b'].map((each) => ({ name: each, image: BUSYBOX, command: COMMAND })),
    },
  });
  if (created.status !== 201) throw new Error(`creating ${name}: ${JSON.stringify(created)}`);
  for await (const { object } of events) {
    if (object.status?.phase === 'Running' && object.status.containerStatuses?.every((status) => status.ready)) break;
  }
  const took = performance.now() - startedAt;
  abort.abort();
  await lab.api('DELETE', `${PODS}/${name}`);
  return took;
}

/** One call of the Docker API; the parsed answer. */
function docker(socketPath: string, method: string, path: string, body?: unknown): Promise<{ Id?: string }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const made = request(
      { socketPath, method, path, headers: text === undefined ? {} : { 'content-type': 'application/json' } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('end', () => {
          const answer = Buffer.concat(parts).toString('utf8');
          if ((response.statusCode ?? 500) >= 400) reject(new Error(`docker ${method} ${path}: ${answer}`));
          else resolve(answer === '' ? {} : (JSON.parse(answer) as { Id?: string }));
        });
      },
    );
    made.once('error', reject);
    made.end(text);
  });
}

async function timeDocker(socket: string): Promise<number> {
  const ids: string[] = [];
  const create = async (networkMode: string) => {
    const { Id } = await docker(socket, 'POST', '/containers/create', {
      Image: BUSYBOX,
      Cmd: COMMAND,
      HostConfig: { NetworkMode: networkMode },
    });
    if (Id === undefined) throw new Error('docker gave no id');
    ids.push(Id);
    await docker(socket, 'POST', `/containers/${Id}/start`);
    return Id;
  };
  try {
    const startedAt = performance.now();
    const first = await create('none');
    await create(`container:${first}`);
    return performance.now() - startedAt;
  } finally {
    for (const id of ids) await docker(socket, 'DELETE', `/containers/${id}?force=true`);
  }
}
