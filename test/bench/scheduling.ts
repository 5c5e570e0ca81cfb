/**
 * The scheduler with its real store, registry and binding on 5,000 nodes: pods a second from their POST to their Binding,
 * each in a transaction of its own, on Node's SQLite in one thread. Against the same pods that no scheduler looks at, and
 * upstream's published thresholds for its scheduling core (680 to 810 pods a second).
 * Source of the thresholds: kubernetes, test/integration/scheduler_perf
 */
import { NODES, PODS } from '../../shared/api/core.ts';
import { node } from '../support/builders.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { atLeast, type BenchRow, perSecond } from './row.ts';

const NODE_COUNT = 5000;
const POD_COUNT = 100;
const UPSTREAM_PER_SECOND = 680;

export async function scheduling(): Promise<BenchRow[]> {
  const cluster = testCluster();
  cluster.do((objects) => {
    for (let index = 0; index < NODE_COUNT; index++) {
      const { metadata, spec, status } = node(`n-${index}`);
      const { name, labels = {} } = metadata;
      // With a share of the pod network from the beginning: giving them out is not what is measured.
      const podCIDR = `10.${Math.floor(index / 256)}.${index % 256}.0/24`;
      const draft = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { ...spec, podCIDR } };
      const created = objects.create(NODES, draft);
      objects.updateStatus(NODES, { ...created, ...(status ? { status } : {}) });
    }
  });
  settle(cluster);
  const idle = create(cluster, 'idle', 'nobody');
  const bound = create(cluster, 'bound', 'default-scheduler');
  const placed = cluster.do((objects) => objects.list(PODS)).filter((pod) => pod.spec.nodeName !== undefined).length;
  if (placed !== POD_COUNT) throw new Error(`${placed} of ${POD_COUNT} pods were placed`);
  const core = 1 / (1 / bound - 1 / idle);
  return [
    {
      what: `scheduling core, ${NODE_COUNT} nodes`,
      ours: perSecond(core),
      baseline: `upstream's threshold: ${perSecond(UPSTREAM_PER_SECOND)}`,
      ratio: core / UPSTREAM_PER_SECOND,
      goal: atLeast(core, 1000, 'pods/s'),
    },
    {
      what: 'the same, created and bound',
      ours: perSecond(bound),
      baseline: `created alone: ${perSecond(idle)}`,
      ratio: bound / idle,
      goal: atLeast(bound, 500, 'pods/s'),
    },
  ];
}

/** Work of the first turn beyond its budget. */
function settle(cluster: TestCluster): void {
  while ((cluster.plane.store.nextDueMs() ?? Number.POSITIVE_INFINITY) <= cluster.clock.nowMs) cluster.plane.drain();
}

/** Pods a second, each created in a transaction of its own. */
function create(cluster: TestCluster, prefix: string, schedulerName: string): number {
  const startedAt = performance.now();
  for (let index = 0; index < POD_COUNT; index++) {
    cluster.do((objects) => {
      objects.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `${prefix}-${index}`, namespace: 'default' },
        spec: {
          schedulerName,
          containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
        },
      });
    });
  }
  settle(cluster);
  return POD_COUNT / ((performance.now() - startedAt) / 1000);
}
