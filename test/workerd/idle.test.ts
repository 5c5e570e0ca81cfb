/**
 * What a cluster costs in which nothing happens: three minions with their heartbeats over ten minutes. Counts, as the
 * platform bills them; `npm run bench -- idle` prints them.
 */
import { runInDurableObject } from 'cloudflare:test';
import { afterEach, expect, test, vi } from 'vitest';
import type { Node } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { HEARTBEAT_MS, PONG } from '../../shared/link/protocol.ts';
import { adminClaims } from '../../worker/http/tokens.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeMinion } from '../support/fake-minion.ts';
import type { Usage } from '../support/meter.ts';
import { bindings, TestApi, tokenOf } from './support/api.ts';
import { fakeMinion } from './support/fake-minions.ts';
import { SimulatedCluster } from './support/simulated-time.ts';

const MINUTES = 10;
const GRACE_MS = 40_000;
const NODES = ['m1', 'm2', 'm3'];

let simulated: SimulatedCluster | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  return simulated?.dispose();
});

interface Minions {
  all: FakeMinion[];
  /** Every minion sends its heartbeat and has its answer. */
  beat(cluster: SimulatedCluster, ...nodes: string[]): Promise<void>;
}

async function join(api: TestApi, names = NODES): Promise<Minions> {
  const answered = new Map<string, () => void>();
  const all = names.map((node) => fakeMinion(api, node, { onText: (text) => text === PONG && answered.get(node)?.() }));
  await eventually('every minion has its first delta', () => all.every((minion) => minion.applied > 0));
  return {
    all,
    async beat(cluster, ...nodes) {
      for (const minion of all.filter((each) => nodes.includes(each.node))) {
        if (!minion.connected) throw new Error(`${minion.node} is not connected`);
        const { promise, resolve } = Promise.withResolvers<void>();
        answered.set(minion.node, resolve);
        minion.heartbeat();
        await promise;
        cluster.heardFrom(minion.node);
      }
    },
  };
}

/** The acknowledgements of the last delta have come in, and what there was to do after a join is done. */
async function quiet(cluster: SimulatedCluster): Promise<void> {
  await eventually('the cluster has come to rest', async () => {
    const { messages, rowsWritten } = cluster.meter.take();
    return messages === 0 && rowsWritten === 0;
  });
}

const readiness = async (api: TestApi) => {
  const nodes = await api.json<KubeList<Node>>('GET', '/api/v1/nodes');
  return nodes.items.map(
    (node) => `${node.metadata.name} ${node.status?.conditions?.find((each) => each.type === 'Ready')?.status}`,
  );
};

/** @returns how many alarms there were */
async function passWithHeartbeats(cluster: SimulatedCluster, minions: Minions, ms: number): Promise<number> {
  let alarms = 0;
  for (let passedMs = 0; passedMs < ms; passedMs += HEARTBEAT_MS) {
    await minions.beat(cluster, ...minions.all.map(({ node }) => node));
    alarms += await cluster.pass(HEARTBEAT_MS);
  }
  return alarms;
}

test('an idle cluster with three minions costs an alarm every 40 s, and no row but the alarm’s own', async (context) => {
  const api = new TestApi('idle');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minions = await join(api);
  // The first alarm belongs to the join.
  await passWithHeartbeats(cluster, minions, GRACE_MS);
  await quiet(cluster);
  const alarms = await passWithHeartbeats(cluster, minions, MINUTES * 60_000);
  const used: Usage = cluster.meter.take();
  (context.task.meta as { usage?: Usage }).usage = used;
  expect(alarms).toBeLessThanOrEqual((MINUTES * 60_000) / GRACE_MS);
  expect(alarms).toBeGreaterThan(0);
  expect(used).toMatchObject({ requests: 0, messages: 0, closes: 0, alarms, alarmsSet: alarms, rowsWritten: alarms });
  expect(await readiness(api)).toEqual(['m1 True', 'm2 True', 'm3 True']);
});

test('webhooks that judge everything add nothing to that', async () => {
  const called = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('connection refused'));
  const api = new TestApi('idle-judged');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minions = await join(api);
  await api.json('POST', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
    body: {
      metadata: { name: 'all' },
      webhooks: [
        {
          name: 'all.example.com',
          clientConfig: { url: 'https://all.example.com' },
          rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }],
          failurePolicy: 'Ignore',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    },
  });
  await passWithHeartbeats(cluster, minions, GRACE_MS);
  await quiet(cluster);
  called.mockClear();
  const alarms = await passWithHeartbeats(cluster, minions, MINUTES * 60_000);
  const used = cluster.meter.take();
  expect(used).toMatchObject({ requests: 0, messages: 0, closes: 0, alarms, alarmsSet: alarms, rowsWritten: alarms });
  expect(called).not.toHaveBeenCalled();
});

test('a hundred minions cost what ten cost, and ten open watches nothing', async (context) => {
  const used: Record<string, Usage> = {};
  for (const count of [10, 100]) {
    const api = new TestApi(`idle-${count}`);
    const cluster = await SimulatedCluster.start(api);
    simulated = cluster;
    const minions = await join(
      api,
      Array.from({ length: count }, (_, index) => `m${index}`),
    );
    const watches = await Promise.all(
      Array.from({ length: 10 }, () => api.fetch('GET', '/api/v1/configmaps?watch=1&resourceVersion=0')),
    );
    await passWithHeartbeats(cluster, minions, 2 * GRACE_MS);
    await quiet(cluster);
    await passWithHeartbeats(cluster, minions, MINUTES * 60_000);
    used[count] = cluster.meter.take();
    await Promise.all(watches.map((each) => each.body?.cancel()));
    for (const minion of minions.all) await minion.stop();
    cluster.dispose();
  }
  (context.task.meta as { used?: typeof used }).used = used;
  expect(used[100]).toEqual(used[10]);
  expect(used[100]).toMatchObject({ requests: 0, messages: 0 });
  expect(used[100]?.rowsRead).toBeLessThanOrEqual(60 * (used[100]?.alarms ?? 0));
});

test('a flood of requests without a token that holds wakes nothing', async () => {
  const api = new TestApi('flood');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  await api.code('GET', '/api/v1/nodes');
  await quiet(cluster);
  const paths = ['/api/v1/nodes', '/apis', '/openapi/v3', '/v3/kv/range', '/api/v1/namespaces/default/pods?watch=1'];
  const tokens = [undefined, 'nonsense', 'a.b.c', await tokenOf(adminClaims('another'))];
  const codes = new Set<number>();
  for (let round = 0; round < 50; round++) {
    for (const path of paths) for (const token of tokens) codes.add(await api.code('GET', path, { token }));
  }
  expect([...codes].sort()).toEqual([401, 403]);
  expect(cluster.meter.take()).toMatchObject({ requests: 0, rowsRead: 0, rowsWritten: 0 });
});

test('a minion that falls silent meanwhile is found when its grace period is over', async () => {
  const api = new TestApi('silent');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minions = await join(api);
  for (let beats = 0; beats < 9; beats++) {
    await minions.beat(cluster, ...NODES);
    await cluster.pass(HEARTBEAT_MS);
  }
  // It was last heard from at the beginning of the last round.
  for (let silentMs = HEARTBEAT_MS; silentMs < GRACE_MS; silentMs += HEARTBEAT_MS) {
    expect(await readiness(api)).toEqual(['m1 True', 'm2 True', 'm3 True']);
    await minions.beat(cluster, 'm1', 'm2');
    await cluster.pass(HEARTBEAT_MS);
  }
  expect(await readiness(api)).toEqual(['m1 True', 'm2 True', 'm3 Unknown']);
});

test('a minion that falls silent while nobody asks anything is found by the alarm alone', async () => {
  const api = new TestApi('silent-unasked');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minions = await join(api);
  await passWithHeartbeats(cluster, minions, 2 * GRACE_MS);
  await quiet(cluster);
  for (let silentMs = 0; silentMs < 2 * GRACE_MS; silentMs += HEARTBEAT_MS) {
    await minions.beat(cluster, 'm1', 'm2');
    await cluster.pass(HEARTBEAT_MS);
  }
  expect(await readiness(api)).toEqual(['m1 True', 'm2 True', 'm3 Unknown']);
});

test('with no minion left there is no alarm either', async () => {
  const api = new TestApi('left');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minions = await join(api);
  await Promise.all(minions.all.map((minion) => minion.stop('the machine goes down')));
  await eventually('every node is not ready', async () =>
    (await readiness(api)).every((each) => each.endsWith('False')),
  );
  // Long enough for Events to be forgotten, too.
  await cluster.pass(3 * 3_600_000);
  expect(await cluster.alarmMs()).toBeNull();
  await runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName('left')), (_, state) => {
    expect(state.storage.sql.exec('SELECT queue, key FROM work').toArray()).toEqual([]);
  });
});
