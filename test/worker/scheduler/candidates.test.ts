/** What the scheduler keeps of minions and their pods is what it would read, whatever happened and whatever did not stay. */
import { expect, test } from 'vitest';
import { NODES, PODS, type Pod } from '../../../shared/api/core.ts';
import { createRegistry, type Registry } from '../../../worker/registry/registry.ts';
import { update } from '../../../worker/registry/update.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';
import { PODS_DEFINITION } from '../../../worker/resources/pods.ts';
import { type Candidates, createCandidates } from '../../../worker/scheduler/candidates.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { SYSTEM } from '../../../worker/users.ts';
import { node } from '../../support/builders.ts';
import { nodeSql } from '../../support/node-sql.ts';
import { newSeed, seededRandom } from '../../support/seeded-random.ts';

const STEPS = 400;
const NODE_NAMES = ['m1', 'm2', 'm3'];
const POD_NAMES = Array.from({ length: 12 }, (_, index) => `p${index}`);

class Refused extends Error {}

function world(next: () => number): { registry: Registry; candidates: Candidates } {
  let uids = 0;
  const store = new SqliteStore(nodeSql(), { clock: () => 0, newEpoch: () => 'epoch' });
  const candidates = createCandidates();
  const catalog = catalogOf();
  const registry = createRegistry({
    store,
    catalog: () => catalog,
    admission: [],
    random: next,
    newUid: () => `uid-${++uids}`,
    rolledBack: () => candidates.rolledBack(),
    changed({ identity, ...change }) {
      if (identity === NODES) candidates.nodeChanged({ identity: NODES, ...change } as never);
      if (identity === PODS) candidates.podChanged({ identity: PODS, ...change } as never);
    },
  });
  store.onCommit(() => candidates.committed());
  return { registry, candidates };
}

/** All that a rule can see, as plain data in an order that does not depend on how it came to be. */
function seen({ registry }: { registry: Registry }, candidates: Candidates) {
  return registry.asSystem((objects) => ({
    minions: Object.fromEntries(
      candidates.all(objects).map((each) => [
        each.node.metadata.name,
        {
          node: each.node,
          allocatable: each.allocatable,
          images: [...each.images],
          requested: each.requested,
          hostPorts: [...each.hostPorts].sort(),
          siblings: Object.fromEntries(each.siblings),
          pods: each.pods.map((pod) => JSON.stringify(pod)).sort(),
        },
      ]),
    ),
    repelling: candidates
      .repelling(objects)
      .map((each) => JSON.stringify(each))
      .sort(),
  }));
}

test('what is kept is what would be read', () => {
  const seed = newSeed(process.env);
  const random = seededRandom(seed);
  const made = world(random.next);
  const { registry, candidates } = made;

  const cpu = () => `${1 + random.below(9)}00m`;
  /** What a minion says of a resize: what it granted, what the container has, whether more can ever fit. */
  const resizing = () => ({
    phase: 'Running' as const,
    ...(random.chance(0.5) && {
      containerStatuses: [
        {
          ...{ name: 'main', ready: true, restartCount: 0, image: '', imageID: '', state: {}, lastState: {} },
          allocatedResources: { cpu: cpu() },
          resources: { requests: { cpu: cpu() } },
        },
      ],
    }),
    ...(random.chance(0.3) && {
      conditions: [
        { type: 'PodResizePending', status: 'True' as const, reason: random.pick(['Deferred', 'Infeasible']) },
      ],
    }),
  });
  const resized = (pod: Pod): Pod => ({
    ...pod,
    spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0]!, resources: { requests: { cpu: cpu() } } }] },
  });

  const draft = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      labels: { app: random.pick(['a', 'b']) },
      ...(random.chance(0.5) && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs', controller: true }],
      }),
    },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'v1',
          resources: { requests: { cpu: cpu() } },
          ports: random.chance(0.3) ? [{ containerPort: 80, hostPort: 8000 + random.below(9) }] : [],
        },
      ],
      ...(random.chance(0.5) && { nodeName: random.pick(NODE_NAMES) }),
      ...(random.chance(0.3) && {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: { matchLabels: { app: 'a' } }, topologyKey: 'kubernetes.io/hostname' },
            ],
          },
        },
      }),
    },
  });

  const step = (): void =>
    registry.transact({ user: SYSTEM }, (session) => {
      const { objects } = session;
      const name = random.pick(POD_NAMES);
      const found = objects.get(PODS, 'default', name);
      const subject = random.pick(NODE_NAMES);
      const minion = objects.get(NODES, '', subject);
      const verbs: (() => unknown)[] = [
        () => found ?? objects.create(PODS, draft(name)),
        () => found && !found.spec.nodeName && objects.bind({ namespace: 'default', name }, subject),
        () => found && objects.delete(PODS, 'default', name, { gracePeriodSeconds: random.below(2) * 30 }),
        () =>
          found &&
          objects.updateStatus(PODS, { ...found, status: { phase: random.pick(['Running', 'Failed']) } } as Pod),
        () => found && objects.updateStatus(PODS, { ...found, status: resizing() }),
        () => found && update(session, PODS_DEFINITION, 'default', name, resized(found), { subresource: 'resize' }),
        () =>
          found &&
          objects.update(PODS, { ...found, metadata: { ...found.metadata, labels: { app: random.pick(['a', 'b']) } } }),
        () => minion ?? objects.create(NODES, { ...node(subject), metadata: { name: subject } } as never),
        () =>
          minion && objects.update(NODES, { ...minion, spec: { ...minion.spec, unschedulable: random.chance(0.5) } }),
        () => minion && random.chance(0.2) && objects.delete(NODES, '', subject),
        // A look in the middle, at what may never be.
        () => candidates.all(objects).map((each) => each.pods.length),
        () => candidates.repelling(objects),
      ];
      for (let count = random.below(4); count >= 0; count--) random.pick(verbs)();
      if (random.chance(0.3)) throw new Refused();
    });

  for (let at = 0; at < STEPS; at++) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Refused) && (error as { status?: unknown }).status === undefined) throw error;
    }
    expect(seen(made, candidates), `SEED=${seed}, step ${at}`).toEqual(seen(made, createCandidates()));
  }
});
