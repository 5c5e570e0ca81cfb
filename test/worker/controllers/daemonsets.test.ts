import { describe, expect, test } from 'vitest';
import { CONTROLLER_REVISIONS, DAEMON_SETS, type DaemonSet } from '../../../shared/api/apps.ts';
import { NODES } from '../../../shared/api/core.ts';
import { addNode, controlPlane, errorsOf, kubelets, podsOf, settle, type TestPlane } from './control-plane.ts';
import { endPod } from './ended-pods.ts';

function started(spec: Partial<DaemonSet['spec']> = {}, minions = ['m1', 'm2', 'm3']): TestPlane {
  const plane = controlPlane();
  for (const name of minions) addNode(plane, name);
  plane.do((objects) =>
    objects.create(DAEMON_SETS, {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'log', namespace: 'default' },
      spec: {
        selector: { matchLabels: { app: 'log' } },
        template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
        ...spec,
      },
    }),
  );
  return plane;
}

const setOf = (plane: TestPlane): DaemonSet => {
  const found = plane.do((objects) => objects.get(DAEMON_SETS, 'default', 'log') ?? null);
  if (found === null) throw new Error('the daemon set is gone');
  return found;
};

function change(plane: TestPlane, edit: (spec: DaemonSet['spec']) => void): void {
  const set = setOf(plane);
  edit(set.spec);
  plane.do((objects) => objects.update(DAEMON_SETS, set));
}

const setImage = (image: string) => (spec: DaemonSet['spec']) => {
  spec.template.spec.containers = [{ name: 'main', image }];
};

const where = (plane: TestPlane) =>
  podsOf(plane)
    .map((pod) => `${pod.spec.nodeName} ${pod.spec.containers[0]?.image}`)
    .sort();

function label(plane: TestPlane, name: string, labels: Record<string, string>): void {
  plane.do((objects) => {
    const node = objects.get(NODES, '', name);
    if (node === undefined) throw new Error(`no node ${name}`);
    objects.update(NODES, { ...node, metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } } });
  });
}

describe('a daemon set', () => {
  test('has one pod on every node, and on every node that comes', () => {
    const plane = started();
    settle(plane);
    expect(where(plane)).toEqual(['m1 v1', 'm2 v1', 'm3 v1']);
    addNode(plane, 'm4');
    settle(plane);
    expect(where(plane)).toEqual(['m1 v1', 'm2 v1', 'm3 v1', 'm4 v1']);
    expect(setOf(plane).status).toEqual({
      currentNumberScheduled: 4,
      desiredNumberScheduled: 4,
      numberMisscheduled: 0,
      numberReady: 4,
      numberAvailable: 4,
      updatedNumberScheduled: 4,
      observedGeneration: 1,
    });
    expect(errorsOf(plane)).toEqual([]);
  });

  test('stays on nodes that others must leave, by its tolerations', () => {
    const plane = started({}, ['m1']);
    const [pod] = podsOf(plane);
    expect(pod?.spec.tolerations?.map((each) => `${each.key} ${each.effect}`)).toEqual(
      expect.arrayContaining([
        'node.kubernetes.io/not-ready NoExecute',
        'node.kubernetes.io/unreachable NoExecute',
        'node.kubernetes.io/unschedulable NoSchedule',
        'node.kubernetes.io/memory-pressure NoSchedule',
      ]),
    );
    expect(pod?.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toEqual({
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['m1'] }] }],
    });
  });

  test('follows the labels of nodes', () => {
    const plane = started();
    change(plane, (spec) => {
      spec.template.spec.nodeSelector = { disk: 'ssd' };
    });
    settle(plane);
    expect(where(plane)).toEqual([]);
    label(plane, 'm2', { disk: 'ssd' });
    settle(plane);
    expect(where(plane)).toEqual(['m2 v1']);
    label(plane, 'm2', { disk: 'hdd' });
    settle(plane);
    expect(where(plane)).toEqual([]);
    expect(setOf(plane).status?.desiredNumberScheduled).toBe(0);
  });

  test('does not go where a taint keeps it away', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    plane.do((objects) => {
      const node = objects.get(NODES, '', 'm1');
      if (node === undefined) throw new Error('no node');
      objects.update(NODES, { ...node, spec: { ...node.spec, taints: [{ key: 'own', effect: 'NoSchedule' }] } });
    });
    addNode(plane, 'm2');
    plane.do((objects) =>
      objects.create(DAEMON_SETS, {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'log', namespace: 'default' },
        spec: {
          selector: { matchLabels: { app: 'log' } },
          template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
        },
      }),
    );
    settle(plane);
    expect(where(plane)).toEqual(['m2 v1']);
  });

  test('replaces a pod that failed', () => {
    const plane = started({}, ['m1']);
    settle(plane);
    const [pod] = podsOf(plane);
    if (pod === undefined) throw new Error('no pod');
    endPod(plane, pod, 1);
    settle(plane);
    expect(podsOf(plane)).toHaveLength(1);
    expect(podsOf(plane)[0]?.metadata.uid).not.toBe(pod.metadata.uid);
  });
});

describe('an update of a daemon set', () => {
  test('replaces pods node by node, never more at a time than may be missing', () => {
    const plane = started();
    settle(plane);
    change(plane, setImage('v2'));
    for (let turn = 0; turn < 20; turn += 1) {
      expect(podsOf(plane).filter((pod) => pod.metadata.deletionTimestamp !== undefined).length).toBeLessThanOrEqual(1);
      if (kubelets(plane) === 0) break;
    }
    expect(where(plane)).toEqual(['m1 v2', 'm2 v2', 'm3 v2']);
    expect(setOf(plane).status).toMatchObject({ updatedNumberScheduled: 3, numberAvailable: 3 });
    expect(
      plane
        .do((objects) => objects.list(CONTROLLER_REVISIONS))
        .map((each) => each.revision)
        .sort(),
    ).toEqual([1, 2]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('with surge starts the new pod before the old one goes', () => {
    const plane = started({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    settle(plane);
    change(plane, setImage('v2'));
    expect(podsOf(plane)).toHaveLength(4);
    expect(podsOf(plane).every((pod) => pod.metadata.deletionTimestamp === undefined)).toBe(true);
    settle(plane);
    expect(where(plane)).toEqual(['m1 v2', 'm2 v2', 'm3 v2']);
  });

  test('with OnDelete waits for somebody to delete pods', () => {
    const plane = started({ updateStrategy: { type: 'OnDelete' } });
    settle(plane);
    change(plane, setImage('v2'));
    settle(plane);
    expect(where(plane)).toEqual(['m1 v1', 'm2 v1', 'm3 v1']);
    expect(setOf(plane).status?.updatedNumberScheduled).toBeUndefined();
  });

  test('can be undone: the old template gets the newest revision', () => {
    const plane = started({}, ['m1']);
    settle(plane);
    change(plane, setImage('v2'));
    settle(plane);
    change(plane, setImage('v1'));
    settle(plane);
    const revisions = plane.do((objects) => objects.list(CONTROLLER_REVISIONS));
    expect(
      revisions.map((each) => [each.revision, each.data?.spec?.template?.spec.containers[0]?.image]).sort(),
    ).toEqual([
      [2, 'v2'],
      [3, 'v1'],
    ]);
    expect(where(plane)).toEqual(['m1 v1']);
  });
});
