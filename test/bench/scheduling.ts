/**
 * The scheduler on 5,000 nodes with 10,000 pods that wait, in one thread. The core: which node each pod goes to, with the
 * sums carried on and nothing written. Then all of it: the same pods, stored and pending, are bound by the control plane on
 * SQLite on the disk, each commit flushed, events and all.
 * Against the thresholds that upstream publishes for its own (680 to 810 pods a second).
 * Source of the thresholds: kubernetes, test/integration/scheduler_perf
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODES, PODS, type Pod } from '../../shared/api/core.ts';
import type { Objects } from '../../worker/registry/objects.ts';
import { createCandidates } from '../../worker/scheduler/candidates.ts';
import { PLUGINS } from '../../worker/scheduler/catalog.ts';
import { decide } from '../../worker/scheduler/decision.ts';
import { node, pod } from '../support/builders.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { nodeSql } from '../support/node-sql.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { median } from './load.ts';
import { atLeast, type BenchRow, perSecond } from './row.ts';

const NODE_COUNT = 5000;
const POD_COUNT = 10_000;
const ROUNDS = 5;
const UPSTREAM_PER_SECOND = 680;

const spec = {
  containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
};

export async function scheduling(): Promise<BenchRow[]> {
  const core = median(Array.from({ length: ROUNDS }, decisions));
  const bound = median(Array.from({ length: ROUNDS }, durableBinds));
  return [
    {
      what: `scheduling core, ${NODE_COUNT} nodes, ${POD_COUNT} pods`,
      ours: perSecond(core),
      baseline: `upstream's threshold: ${perSecond(UPSTREAM_PER_SECOND)}`,
      ratio: core / UPSTREAM_PER_SECOND,
      goal: atLeast(core, 1000, 'pods/s'),
    },
    {
      what: 'the same, bound durably',
      ours: perSecond(bound),
      baseline: `upstream's threshold: ${perSecond(UPSTREAM_PER_SECOND)}`,
      ratio: bound / UPSTREAM_PER_SECOND,
      goal: atLeast(bound, 500, 'pods/s'),
    },
  ];
}

/** Decisions a second. */
function decisions(): number {
  const nodes = Array.from({ length: NODE_COUNT }, (_, index) => node(`n-${index}`));
  const objects = { list: (of: unknown) => (of === NODES ? nodes : []) } as unknown as Objects;
  const candidates = createCandidates();
  const { next } = seededRandom(1);
  const startedAt = performance.now();
  for (let index = 0; index < POD_COUNT; index++) {
    const previous = pod(`p-${index}`, { spec });
    const decision = decide(previous, candidates.all(objects), PLUGINS, next);
    if (!('node' in decision)) throw new Error(decision.refusal);
    const object: Pod = { ...previous, spec: { ...previous.spec, nodeName: decision.node } };
    candidates.podChanged({ type: 'MODIFIED', object, previous, identity: PODS });
    candidates.committed();
  }
  return perSecondSince(startedAt, POD_COUNT);
}

/** Pods a second, from the first turn after they were created to the last binding on the disk. */
function durableBinds(): number {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-scheduling-'));
  const sql = nodeSql(join(folder, 'cluster.sqlite'));
  try {
    sql.all('PRAGMA journal_mode = WAL');
    sql.run('PRAGMA synchronous = FULL');
    const cluster = testCluster({ sql });
    cluster.do((objects) => {
      for (let index = 0; index < NODE_COUNT; index++) addNode(objects, index);
    });
    settle(cluster);
    // A turn is bounded: nearly all of these are still to be seen to when it has ended.
    cluster.do((objects) => {
      for (let index = 0; index < POD_COUNT; index++) {
        const metadata = { name: `p-${index}`, namespace: 'default' };
        objects.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
      }
    });
    const waiting = POD_COUNT - boundPods(cluster);
    const startedAt = performance.now();
    settle(cluster);
    const rate = perSecondSince(startedAt, waiting);
    if (boundPods(cluster) < POD_COUNT) throw new Error(`${boundPods(cluster)} of ${POD_COUNT} pods were bound`);
    return rate;
  } finally {
    sql.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function addNode(objects: Objects, index: number): void {
  const { metadata, spec: given, status } = node(`n-${index}`);
  const { name, labels = {} } = metadata;
  // With a share of the pod network from the beginning: giving them out is not what is measured.
  const podCIDR = `10.${Math.floor(index / 256)}.${index % 256}.0/24`;
  const created = objects.create(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { ...given, podCIDR },
  });
  objects.updateStatus(NODES, { ...created, ...(status ? { status } : {}) });
}

const boundPods = (cluster: TestCluster): number =>
  cluster.do((objects) => objects.list(PODS)).filter((each) => each.spec.nodeName !== undefined).length;

/** Turn after turn, as alarms do, until nothing is due. */
function settle(cluster: TestCluster): void {
  while ((cluster.plane.store.nextDueMs() ?? Number.POSITIVE_INFINITY) <= cluster.clock.nowMs) cluster.plane.drain();
}

const perSecondSince = (startedAt: number, pods: number): number => pods / ((performance.now() - startedAt) / 1000);
