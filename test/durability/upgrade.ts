/**
 * The control plane replaced by another version while everybody uses it: clients that write, read and list, each trying a
 * broken call once more and no oftener, and watches that resume. Who replaces it, and how, is the caller's.
 */
import type { ApiClient } from '../../agent/cli/api-client.ts';
import type { Node, Pod } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { eventually } from '../support/eventually.ts';
import { type Acknowledged, Chronicle } from './chronicle.ts';
import { readChronicle } from './crash.ts';
import { Follower, isCut, type Kept, toldOf } from './follower.ts';

export interface UpgradeOptions {
  writers: number;
  readers: number;
  followers: number;
  /** So many calls are made before the upgrade begins, and after it ended. */
  callsAround: number;
}

export interface UpgradeReport {
  calls: number;
  /** Calls that broke and were made once more. */
  retried: number;
  /** Those that broke twice, and calls that were refused. */
  failed: string[];
  longestMs: number;
  upgradeMs: number;
  reconnects: number;
  /** Nodes and pods that are not as they were, or not Ready. */
  touched: string[];
  violations: string[];
}

const NAMESPACE = 'upgrade';
const PATH = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

/** A client that tries a broken call once more. */
class Caller {
  calls = 0;
  retried = 0;
  longestMs = 0;
  readonly failed: string[] = [];

  async call<T>(what: string, send: () => Promise<T>): Promise<T | undefined> {
    this.calls += 1;
    const startedAt = performance.now();
    try {
      return await this.#twice(send);
    } catch (error) {
      this.failed.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
    }
  }

  async #twice<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (!isCut(error)) throw error;
      this.retried += 1;
      return send();
    }
  }
}

/** What must be the same afterwards: containers, restarts, addresses, and when each was last (not) Ready. */
export async function witnesses(client: ApiClient): Promise<string[]> {
  const ready = ({ status }: Node | Pod) =>
    (status?.conditions as { type: string }[] | undefined)?.find(({ type }) => type === 'Ready');
  const pods = await client.json<KubeList<Pod>>('GET', '/api/v1/pods');
  const nodes = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
  return [
    ...pods.items.map((pod) => {
      const { podIP, containerStatuses = [] } = pod.status ?? {};
      const containers = containerStatuses.map((each) => [each.containerID, each.restartCount]);
      const { namespace, name, uid } = pod.metadata;
      return `pods ${namespace}/${name} ${JSON.stringify([uid, podIP, containers, ready(pod)])}`;
    }),
    ...nodes.items.map((node) => `nodes ${node.metadata.name} ${node.metadata.uid} ${JSON.stringify(timesOf(node))}`),
  ].sort();

  /** A heartbeat's time is read, not kept, and may be newer. */
  function timesOf(node: Node) {
    const { lastHeartbeatTime: _, ...kept } = (ready(node) ?? {}) as { lastHeartbeatTime?: string };
    return kept;
  }
}

export async function upgradeUnderLoad(
  client: ApiClient,
  options: UpgradeOptions,
  upgrade: () => Promise<void>,
): Promise<UpgradeReport> {
  await client.json('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
  const first = await client.json<KubeList<Kept>>('GET', PATH);
  const from = Number(first.metadata.resourceVersion);
  const chronicle = new Chronicle(from);
  chronicle.events.push(...first.items.map((item) => toldOf('ADDED', item)));
  const followers = Array.from({ length: options.followers }, () => new Follower(client, PATH));
  for (const follower of followers) follower.start(from);
  const caller = new Caller();
  const acknowledged: Acknowledged[] = [];
  let stopped = false;
  const write = async (name: string) => {
    const object = (value: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } });
    await client.json('POST', PATH, object('0'));
    for (let count = 1; !stopped; count++) {
      const value = `${name}.${count}`;
      const stored = await caller.call(`PUT ${name}`, () => client.json<Kept>('PUT', `${PATH}/${name}`, object(value)));
      if (stored !== undefined)
        acknowledged.push({ type: 'put', name, value, revision: Number(stored.metadata.resourceVersion) });
    }
  };
  const read = async (name: string) => {
    while (!stopped) {
      await caller.call('LIST', () => client.json('GET', PATH));
      await caller.call(`GET ${name}`, () => client.json('GET', `/api/v1/namespaces/${NAMESPACE}`));
    }
  };
  const before = await witnesses(client);
  const working = Promise.all([
    ...Array.from({ length: options.writers }, (_, index) => write(`w${index}`)),
    ...Array.from({ length: options.readers }, (_, index) => read(`r${index}`)),
  ]);
  const more = (count: number) => {
    const enough = caller.calls + count;
    return Promise.race([working, eventually('enough calls', () => caller.calls >= enough)]);
  };
  let upgradeMs = 0;
  try {
    await more(options.callsAround);
    const startedAt = performance.now();
    await upgrade();
    upgradeMs = performance.now() - startedAt;
    await more(options.callsAround);
  } finally {
    stopped = true;
    await working;
  }
  await readChronicle(client, PATH, chronicle, 'the-end');
  for (const follower of followers) {
    await eventually('every follower at the end', () => {
      if (follower.failure !== undefined) throw new Error('a follower failed', { cause: follower.failure });
      return follower.position >= chronicle.revision;
    });
    await follower.stop();
  }
  chronicle.judgeWrites(acknowledged);
  for (const [index, follower] of followers.entries()) {
    for (const segment of follower.segments) chronicle.judgeSegment(`follower ${index}`, segment);
  }
  const after = new Set(await witnesses(client));
  return {
    calls: caller.calls,
    retried: caller.retried,
    failed: caller.failed,
    longestMs: caller.longestMs,
    upgradeMs,
    reconnects: followers.reduce((sum, { reconnects }) => sum + reconnects, 0),
    touched: before.filter((line) => !after.has(line)),
    violations: chronicle.violations,
  };
}
