import { describe, expect, test } from 'vitest';
import { CONTROLLER_REVISIONS, STATEFUL_SETS, type StatefulSet } from '../../../shared/api/apps.ts';
import { EVENTS, PODS } from '../../../shared/api/core.ts';
import {
  addNode,
  controlPlane,
  errorsOf,
  kubelets,
  podsOf,
  setStatus,
  settle,
  type TestPlane,
} from './control-plane.ts';
import { endPod } from './ended-pods.ts';

function started(spec: Partial<StatefulSet['spec']> = {}): TestPlane {
  const plane = controlPlane();
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(STATEFUL_SETS, {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db', namespace: 'default' },
      spec: {
        replicas: 3,
        serviceName: 'peers',
        selector: { matchLabels: { app: 'db' } },
        template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
        ...spec,
      },
    }),
  );
  return plane;
}

const setOf = (plane: TestPlane): StatefulSet => {
  const found = plane.do((objects) => objects.get(STATEFUL_SETS, 'default', 'db') ?? null);
  if (found === null) throw new Error('the set is gone');
  return found;
};

function change(plane: TestPlane, edit: (spec: StatefulSet['spec']) => void): void {
  const set = setOf(plane);
  edit(set.spec);
  plane.do((objects) => objects.update(STATEFUL_SETS, set));
}

const setImage = (image: string) => (spec: StatefulSet['spec']) => {
  spec.template.spec.containers = [{ name: 'main', image }];
};

const names = (plane: TestPlane) => podsOf(plane).map((pod) => pod.metadata.name);
const images = (plane: TestPlane) =>
  Object.fromEntries(podsOf(plane).map((pod) => [pod.metadata.name, pod.spec.containers[0]?.image]));

/** The names in the order in which pods come and go, one kubelet step at a time. */
function steps(plane: TestPlane): string[][] {
  const seen: string[][] = [names(plane)];
  for (let turn = 0; turn < 50; turn += 1) {
    const acted = kubelets(plane);
    const now = names(plane);
    if (JSON.stringify(now) !== JSON.stringify(seen.at(-1))) seen.push(now);
    if (acted === 0) return seen;
  }
  throw new Error(`not at rest: ${JSON.stringify(seen)}`);
}

describe('a stateful set', () => {
  test('makes its pods one after the other, each when the one before is ready', () => {
    const plane = started();
    expect(steps(plane)).toEqual([['db-0'], ['db-0', 'db-1'], ['db-0', 'db-1', 'db-2']]);
    expect(setOf(plane).status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
      collisionCount: 0,
    });
    expect(errorsOf(plane)).toEqual([]);
  });

  test('gives each pod its name, host name, subdomain, index and revision', () => {
    const plane = started();
    settle(plane);
    const pod = podsOf(plane)[1];
    expect(pod?.spec).toMatchObject({ hostname: 'db-1', subdomain: 'peers' });
    expect(pod?.metadata.labels).toEqual({
      app: 'db',
      'statefulset.kubernetes.io/pod-name': 'db-1',
      'apps.kubernetes.io/pod-index': '1',
      'controller-revision-hash': setOf(plane).status?.currentRevision,
    });
    expect(pod?.metadata.ownerReferences).toMatchObject([{ kind: 'StatefulSet', name: 'db', controller: true }]);
  });

  test('waits while a pod is not ready', () => {
    const plane = started();
    const [first] = podsOf(plane);
    if (first !== undefined) setStatus(plane, first, false);
    plane.pass(60_000);
    expect(names(plane)).toEqual(['db-0']);
  });

  test('makes all pods at once when it is Parallel', () => {
    const plane = started({ podManagementPolicy: 'Parallel' });
    expect(names(plane)).toEqual(['db-0', 'db-1', 'db-2']);
  });

  test('shrinks from the highest ordinal, one at a time', () => {
    const plane = started();
    settle(plane);
    change(plane, (spec) => {
      spec.replicas = 0;
    });
    expect(steps(plane)).toEqual([['db-0', 'db-1', 'db-2'], ['db-0', 'db-1'], ['db-0'], []]);
  });

  test('counts from where it is told', () => {
    const plane = started({ replicas: 2, ordinals: { start: 5 } });
    settle(plane);
    expect(names(plane)).toEqual(['db-5', 'db-6']);
  });

  test('makes a pod anew under its old name', () => {
    const plane = started();
    settle(plane);
    const before = podsOf(plane)[1]?.metadata.uid;
    plane.do((objects) => objects.delete(PODS, 'default', 'db-1'));
    settle(plane);
    expect(names(plane)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(podsOf(plane)[1]?.metadata.uid).not.toBe(before);
  });

  test('replaces a pod that failed', () => {
    const plane = started({ replicas: 1 });
    settle(plane);
    const [pod] = podsOf(plane);
    if (pod === undefined) throw new Error('no pod');
    endPod(plane, pod, 1);
    settle(plane);
    expect(podsOf(plane)[0]?.metadata.uid).not.toBe(pod.metadata.uid);
    const said = plane.do((objects) => objects.list(EVENTS)).map((event) => event.reason);
    expect(said).toContain('RecreatingFailedPod');
  });

  test('that asks for volume claims gets no pods, and says why', () => {
    const plane = started({ volumeClaimTemplates: [{ metadata: { name: 'data' } }] });
    expect(names(plane)).toEqual([]);
    expect(setOf(plane).status?.conditions).toMatchObject([{ type: 'ReplicaFailure', status: 'True' }]);
    const { revision } = plane.store;
    plane.sockets.clear();
    plane.pass(0);
    expect(plane.store.revision).toBe(revision);
  });
});

describe('an update of a stateful set', () => {
  test('goes from the highest ordinal down, one pod at a time', () => {
    const plane = started();
    settle(plane);
    const first = setOf(plane).status?.currentRevision;
    change(plane, setImage('v2'));
    expect(setOf(plane).status?.currentRevision).toBe(first);
    expect(podsOf(plane).map((pod) => pod.metadata.deletionTimestamp !== undefined)).toEqual([false, false, true]);
    settle(plane);
    expect(images(plane)).toEqual({ 'db-0': 'v2', 'db-1': 'v2', 'db-2': 'v2' });
    expect(setOf(plane).status?.currentRevision).toBe(setOf(plane).status?.updateRevision);
    expect(setOf(plane).status?.currentRevision).not.toBe(first);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('stops at the partition, and a pod below it comes back as it was', () => {
    const plane = started({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    settle(plane);
    change(plane, setImage('v2'));
    settle(plane);
    expect(images(plane)).toEqual({ 'db-0': 'v1', 'db-1': 'v1', 'db-2': 'v2' });
    plane.do((objects) => objects.delete(PODS, 'default', 'db-0'));
    settle(plane);
    expect(images(plane)['db-0']).toBe('v1');
    expect(setOf(plane).status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
  });

  test('with OnDelete waits for somebody to delete pods', () => {
    const plane = started({ updateStrategy: { type: 'OnDelete' } });
    settle(plane);
    change(plane, setImage('v2'));
    settle(plane);
    expect(images(plane)).toEqual({ 'db-0': 'v1', 'db-1': 'v1', 'db-2': 'v1' });
    plane.do((objects) => objects.delete(PODS, 'default', 'db-1'));
    settle(plane);
    expect(images(plane)).toEqual({ 'db-0': 'v1', 'db-1': 'v2', 'db-2': 'v1' });
  });

  test('takes several pods at once where it may', () => {
    const plane = started({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } } });
    settle(plane);
    change(plane, setImage('v2'));
    expect(podsOf(plane).filter((pod) => pod.metadata.deletionTimestamp !== undefined)).toHaveLength(2);
    settle(plane);
    expect(images(plane)).toEqual({ 'db-0': 'v2', 'db-1': 'v2', 'db-2': 'v2' });
  });

  test('is one revision a template, and keeps as many as it is told', () => {
    const plane = started({ replicas: 1, revisionHistoryLimit: 1 });
    settle(plane);
    for (const image of ['v2', 'v1', 'v3', 'v4']) {
      change(plane, setImage(image));
      settle(plane);
    }
    const revisions = plane.do((objects) => objects.list(CONTROLLER_REVISIONS));
    const byNumber = revisions.sort((a, b) => a.revision - b.revision);
    expect(byNumber.map((each) => [each.revision, each.data?.spec?.template?.spec.containers[0]?.image])).toEqual([
      [4, 'v3'],
      [5, 'v4'],
    ]);
    expect(byNumber[0]?.data?.spec?.template?.$patch).toBe('replace');
  });
});
