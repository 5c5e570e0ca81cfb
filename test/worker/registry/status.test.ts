/** A status written alone is what an update of the status would have written, byte for byte; or it is refused with the same words. */
import { expect, test } from 'vitest';
import { PODS, type Pod, type PodStatus } from '../../../shared/api/core.ts';
import { StatusError } from '../../../shared/errors.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../support/seeded-random.ts';

const namespace = 'default';
const name = 'web';
const SECOND = '2026-11-26T00:00:01Z';

function clusterWithPod(spec: object = {}): TestCluster {
  const cluster = testCluster({ seed: 1 });
  cluster.do((objects) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, finalizers: ['example.com/held'] },
      spec: { nodeName: 'm1', containers: [{ name: 'main', image: 'nginx' }], ...spec },
    }),
  );
  return cluster;
}

/** What came of it: the texts of all that was written, or the refusal. */
type Write = (cluster: TestCluster, status: PodStatus) => unknown;

const attempt = (cluster: TestCluster, body: () => void): unknown => {
  const before = cluster.changes.length;
  try {
    body();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return error.status;
  }
  return cluster.changes.slice(before);
};

const updated: Write = (cluster, status) =>
  attempt(cluster, () =>
    cluster.plane.registry.asSystem((objects) => {
      const pod = objects.get(PODS, namespace, name) as Pod;
      objects.updateStatus(PODS, { ...pod, status });
    }, 'kubelet'),
  );

const replaced: Write = (cluster, status) =>
  attempt(cluster, () =>
    cluster.plane.registry.asSystem((objects) => {
      objects.replaceStatus(PODS, namespace, name, () => structuredClone(status));
    }, 'kubelet'),
  );

/** One part of the status becomes something else, not always something that makes sense. */
function changed(status: PodStatus, random: SeededRandom): PodStatus {
  const next = structuredClone(status) as Record<string, unknown>;
  const condition = (type: string) => ({ type, status: random.pick(['True', 'False']), lastTransitionTime: SECOND });
  const container = (count: number) => ({
    name: 'main',
    state: { running: { startedAt: random.pick([SECOND, '2026-11-26T01:00:01+01:00']) } },
    lastState: {},
    ready: random.chance(0.5),
    restartCount: count,
    image: 'nginx',
    imageID: '',
  });
  switch (random.below(9)) {
    case 0:
      next.phase = random.pick(['Pending', 'Running', 'Failed']);
      break;
    case 1:
      next.message = random.pick(['', 'a word', 'another "word"']);
      break;
    case 2:
      delete next[random.pick(['message', 'conditions', 'podIPs', 'containerStatuses'])];
      break;
    case 3:
      next.conditions = ['Ready', 'Initialized', 'PodScheduled'].filter(() => random.chance(0.7)).map(condition);
      break;
    case 4:
      next.podIPs = random.pick([[], [{ ip: '10.0.0.1' }], [{ ip: '10.0.0.2' }, { ip: 'fd00::2' }]]);
      break;
    case 5:
      next.containerStatuses = [container(random.below(3))];
      break;
    case 6:
      next[random.pick(['nonsense', '__proto__', 'startTime'])] = random.pick([null, SECOND, { deep: null }]);
      break;
    case 7:
      next[random.pick(['phase', 'conditions', 'podIPs'])] = random.pick([7, 'text', [null], {}]);
      break;
  }
  return next as PodStatus;
}

test('whatever a status becomes, both ways write the same and refuse the same', () => {
  const seed = newSeed(process.env);
  const random = seededRandom(seed);
  const twins = [clusterWithPod(), clusterWithPod()] as const;
  let refusals = 0;
  for (let step = 0; step < 400; step++) {
    if (random.chance(0.3)) for (const { clock } of twins) clock.pass(1000);
    const before = twins[0].stored<Pod>('pods', namespace, name)?.status ?? {};
    const status = changed(before, random);
    const expected = updated(twins[0], status);
    expect(replaced(twins[1], status), `seed ${seed}, step ${step}`).toEqual(expected);
    if (!Array.isArray(expected)) refusals++;
  }
  expect(refusals).toBeGreaterThan(0);
});

test('a status that says the same writes nothing', () => {
  const cluster = clusterWithPod();
  const status: PodStatus = { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], message: 'well' };
  expect(replaced(cluster, status)).toHaveLength(1);
  cluster.clock.pass(2000);
  expect(replaced(cluster, { message: 'well', podIPs: [{ ip: '10.0.0.1' }], phase: 'Running' })).toEqual([]);
});

test('the status of a pod that ends is written too, and its finalizer holds it', () => {
  const twins = [clusterWithPod(), clusterWithPod()] as const;
  for (const cluster of twins) {
    cluster.do((objects) => objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0 }));
  }
  const status: PodStatus = { phase: 'Succeeded' };
  const expected = updated(twins[0], status);
  expect(expected).toHaveLength(1);
  expect(replaced(twins[1], status)).toEqual(expected);
});

test('a status of what is not there is refused by name', () => {
  const cluster = testCluster();
  expect(replaced(cluster, {})).toMatchObject({ code: 404, message: 'pods "web" not found' });
});

test('what was rolled back is not taken for what is stored, though its revision is given again', () => {
  const cluster = clusterWithPod();
  const say = (message: string) => replaced(cluster, { phase: 'Running', message });
  say('first');
  const undone = () =>
    cluster.do((objects) => {
      objects.replaceStatus(PODS, namespace, name, () => ({ message: 'undone' }));
      throw new Error('on purpose');
    });
  expect(undone).toThrow('on purpose');
  // The revision that was undone.
  cluster.do((objects) => {
    const pod = objects.get(PODS, namespace, name) as Pod;
    objects.update(PODS, { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } });
  });
  let seen: PodStatus | undefined;
  cluster.do((objects) => {
    objects.replaceStatus(PODS, namespace, name, ({ status }) => {
      seen = status;
      return { message: 'second' };
    });
  });
  expect(seen?.message).toBe('first');
  expect(cluster.stored<Pod>('pods', namespace, name)).toMatchObject({
    metadata: { labels: { app: 'web' } },
    status: { message: 'second' },
  });
});
