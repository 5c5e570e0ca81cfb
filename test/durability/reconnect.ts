/**
 * Every minion loses its socket at the same moment, by the network or with the control plane, and what the cluster makes of
 * it: who is back, how (by what changed, or by the whole picture), what was refused, and whether a pod or a node was touched
 * that nothing had happened to. A small part runs with the end-to-end tests, a thousand as `npm run bench -- reconnect`.
 */
import type { ApiClient } from '../../agent/cli/api-client.ts';
import type { Node, Pod } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, startFleet } from '../support/fleet.ts';
import { readyNodes } from '../support/lab.ts';
import type { ControlPlane } from '../support/longshore.ts';

export interface ReconnectOptions {
  minions: number;
  podsEach: number;
  say?: (line: string) => void;
}

export interface Reconnection {
  /** `cut`: every connection reset; `killed`: the control plane ended by SIGKILL and started again. */
  how: 'cut' | 'killed';
  minions: number;
  /** Until the last one had its delta and every Node was read as Ready. */
  backMs: number;
  byDelta: number;
  /** HTTP answers in place of a socket, by status; calls of the API meanwhile, by status. */
  refusals: Record<number, number>;
  answers: Record<number, number>;
  /** Objects that are not as they were: `pods NAME`, `nodes NAME`. */
  touched: string[];
}

const NAMESPACE = 'reconnect';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const WRITERS = 16;
const BACK_MS = 180_000;

/** What of an object must not change because a socket broke. */
const linesOf = (what: string, items: readonly (Node | Pod)[]): string[] =>
  items.map(({ metadata, status }) => `${what} ${metadata.name} ${metadata.uid} ${JSON.stringify(status)}`);

async function everything(client: ApiClient): Promise<string[]> {
  const pods = await client.json<KubeList<Pod>>('GET', PODS);
  const nodes = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
  return [...linesOf('pods', pods.items), ...linesOf('nodes', nodes.items)];
}

export async function runReconnects(controlPlane: ControlPlane, options: ReconnectOptions): Promise<Reconnection[]> {
  const { client } = controlPlane;
  const say = options.say ?? (() => undefined);
  const proxy = await startCutProxy(controlPlane.apiPort);
  let fleet: Fleet | undefined;
  try {
    await client.json('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE },
    });
    fleet = await startFleet({
      dataDir: controlPlane.dataDir,
      ca: controlPlane.ca,
      server: `https://127.0.0.1:${proxy.port}`,
      count: options.minions,
    });
    say(`${options.minions} minions joined`);
    await fill(client, fleet, options.podsEach);
    say(`${options.minions * options.podsEach} pods run`);
    const faults: Record<Reconnection['how'], () => Promise<void>> = {
      cut: async () => void proxy.cut(),
      killed: async () => {
        await controlPlane.kill('SIGKILL');
        await controlPlane.restart();
      },
    };
    const reconnections: Reconnection[] = [];
    for (const [how, fault] of Object.entries(faults) as [Reconnection['how'], () => Promise<void>][]) {
      const reconnection = await lose(how, controlPlane, fleet, fault);
      say(`${how}: all back after ${reconnection.backMs.toFixed(0)} ms, ${reconnection.byDelta} by delta`);
      reconnections.push(reconnection);
    }
    return reconnections;
  } finally {
    await fleet?.stop();
    await proxy.close();
  }
}

/** Pods that are bound already: what the scheduler does is not looked at here. */
async function fill(client: ApiClient, { minions, settled }: Fleet, podsEach: number): Promise<void> {
  const wanted = minions.flatMap(({ node }) => Array.from({ length: podsEach }, (_, index) => ({ node, index })));
  const total = wanted.length;
  const create = async () => {
    for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
      await client.json('POST', PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `${next.node}-${next.index}` },
        spec: { nodeName: next.node, containers: [{ name: 'main', image: 'nginx' }] },
      });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, create));
  await eventually(
    'every pod running',
    async () => {
      if (!settled() || minions.some(({ pods }) => pods.size !== podsEach)) return false;
      const { items } = await client.json<KubeList<Pod>>('GET', PODS);
      return items.filter(({ status }) => status?.phase === 'Running').length === total;
    },
    { timeoutMs: BACK_MS },
  );
}

async function lose(
  how: Reconnection['how'],
  { client }: ControlPlane,
  { minions, answers, settled }: Fleet,
  fault: () => Promise<void>,
): Promise<Reconnection> {
  const before = await everything(client);
  const refusedBefore = new Map(answers);
  const applied = minions.map((minion) => minion.applied);
  const resynced = minions.map((minion) => minion.resynced);
  const codes: Record<number, number> = {};
  const startedAt = performance.now();
  await fault();
  await eventually(
    'every minion back',
    async () => {
      // Somebody asks meanwhile, too.
      const { status } = await client.request('GET', '/api/v1/namespaces/default');
      codes[status] = (codes[status] ?? 0) + 1;
      return settled() && minions.every((minion, index) => minion.applied > (applied[index] ?? 0));
    },
    {
      timeoutMs: BACK_MS,
      describe: () => `${minions.filter(({ connected }) => connected).length} of ${minions.length} are connected`,
    },
  );
  await eventually(
    'every minion Ready',
    async () => readyNodes(await client.json('GET', '/api/v1/nodes')).length === minions.length,
  );
  const backMs = performance.now() - startedAt;
  const after = new Set(await everything(client));
  return {
    how,
    minions: minions.length,
    backMs,
    byDelta: minions.filter((minion, index) => minion.resynced === resynced[index]).length,
    refusals: Object.fromEntries(
      [...answers].map(([code, count]) => [code, count - (refusedBefore.get(code) ?? 0)]).filter(([, count]) => count),
    ),
    answers: codes,
    touched: before.filter((line) => !after.has(line)).map((line) => line.split(' ', 2).join(' ')),
  };
}
