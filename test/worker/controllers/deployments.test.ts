import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS } from '../../../shared/api/apps.ts';
import { EVENTS, PODS, SERVICE_ACCOUNTS } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { isActive, isAvailable } from '../../../shared/pods.ts';
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

const draftOf = (spec: Partial<Deployment['spec']> = {}): Draft<Deployment> => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
    ...spec,
  },
});

function started(spec: Partial<Deployment['spec']> = {}, minions = 2): TestPlane {
  const plane = controlPlane();
  for (let index = 1; index <= minions; index += 1) addNode(plane, `m${index}`);
  plane.do((objects) => objects.create(DEPLOYMENTS, draftOf(spec)));
  return plane;
}

const webOf = (plane: TestPlane): Deployment => {
  const found = plane.do((objects) => objects.get(DEPLOYMENTS, 'default', 'web') ?? null);
  if (found === null) throw new Error('the deployment is gone');
  return found;
};

function change(plane: TestPlane, edit: (web: Deployment) => void): void {
  const web = webOf(plane);
  edit(web);
  plane.do((objects) => objects.update(DEPLOYMENTS, web));
}

const setImage = (image: string) => (web: Deployment) => {
  web.spec.template.spec.containers[0] = { ...web.spec.template.spec.containers[0], name: 'main', image };
};

const messages = (plane: TestPlane, kind: string) =>
  plane
    .do((objects) => objects.list(EVENTS))
    .filter((event) => event.involvedObject.kind === kind)
    .map((event) => event.message);

const progress = (plane: TestPlane) => webOf(plane).status?.conditions?.find((each) => each.type === 'Progressing');

describe('a new deployment', () => {
  test('has its pods in the turn in which it is written', () => {
    const plane = started();
    const pods = podsOf(plane);
    expect(pods.map((each) => each.spec.nodeName !== undefined)).toEqual([true, true, true]);
    expect(pods[0]?.metadata.labels).toEqual({
      app: 'web',
      'pod-template-hash': expect.stringMatching(/^[bcdf-hj-np-tv-xz2-9]+$/),
    });
    expect(errorsOf(plane)).toEqual([]);
  });

  test('is complete when all pods are available, and says so as kubectl expects', () => {
    const plane = started();
    settle(plane);
    const [replicaSet] = plane.do((objects) => objects.list(REPLICA_SETS));
    expect(webOf(plane).status).toMatchObject({
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    });
    expect(webOf(plane).status?.unavailableReplicas).toBeUndefined();
    expect(
      webOf(plane).status?.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    ).toEqual(
      expect.arrayContaining([
        ['Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'],
        [
          'Progressing',
          'True',
          'NewReplicaSetAvailable',
          `ReplicaSet "${replicaSet?.metadata.name}" has successfully progressed.`,
        ],
      ]),
    );
    expect(webOf(plane).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    expect(messages(plane, 'Deployment')).toEqual([`Scaled up replica set ${replicaSet?.metadata.name} from 0 to 3`]);
    expect(messages(plane, 'ReplicaSet').sort()).toEqual(
      podsOf(plane)
        .map((each) => `Created pod: ${each.metadata.name}`)
        .sort(),
    );
  });

  test('at rest writes nothing more, and asks for no alarm of its own', () => {
    const plane = started();
    settle(plane);
    const { revision } = plane.store;
    plane.sockets.clear();
    plane.pass(0);
    plane.do((objects) => objects.update(DEPLOYMENTS, webOf(plane)));
    expect(plane.store.revision).toBe(revision);
  });
});

describe('a rolling update', () => {
  test('replaces all pods, keeps the old replica set, and numbers the revisions', () => {
    const plane = started();
    settle(plane);
    change(plane, setImage('nginx:2'));
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.containers[0]?.image)).toEqual(['nginx:2', 'nginx:2', 'nginx:2']);
    const sets = plane.do((objects) => objects.list(REPLICA_SETS));
    const revisions = sets.map((each) => [
      each.metadata.annotations?.['deployment.kubernetes.io/revision'],
      each.spec.replicas,
    ]);
    expect(revisions.sort()).toEqual([
      ['1', 0],
      ['2', 3],
    ]);
    expect(progress(plane)?.reason).toBe('NewReplicaSetAvailable');
    expect(errorsOf(plane)).toEqual([]);
  });

  test('can be undone: the old template gets the newest revision', () => {
    const plane = started();
    settle(plane);
    change(plane, setImage('nginx:2'));
    settle(plane);
    change(plane, setImage('nginx:1'));
    settle(plane);
    const sets = plane.do((objects) => objects.list(REPLICA_SETS));
    const old = sets.find((each) => each.spec.template?.spec.containers[0]?.image === 'nginx:1');
    expect(sets).toHaveLength(2);
    expect(old?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(old?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1');
    expect(webOf(plane).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
  });

  test('stands while new pods do not become ready, and fails at its deadline, and only once', () => {
    const plane = started({ progressDeadlineSeconds: 60 });
    settle(plane);
    change(plane, setImage('broken'));
    const isSound = (image: string | undefined) => image !== 'broken';
    settle(plane, (each) => isSound(each.spec.containers[0]?.image));
    expect(podsOf(plane).filter((each) => isAvailable(each, 0, plane.nowMs))).toHaveLength(3);
    expect(progress(plane)?.status).toBe('True');
    plane.pass(62_000);
    expect(progress(plane)).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    const { revision } = plane.store;
    plane.sockets.clear();
    plane.do((objects) => objects.update(DEPLOYMENTS, webOf(plane)));
    expect(plane.store.revision).toBe(revision);
  });

  test('waits for minReadySeconds before a pod counts as available', () => {
    const plane = started({ replicas: 1, minReadySeconds: 30 });
    settle(plane);
    expect(webOf(plane).status?.availableReplicas).toBeUndefined();
    expect(webOf(plane).status?.readyReplicas).toBe(1);
    plane.pass(29_000);
    expect(webOf(plane).status?.availableReplicas).toBeUndefined();
    plane.pass(2_000);
    expect(webOf(plane).status?.availableReplicas).toBe(1);
  });

  test('with Recreate starts nothing before the last old pod is gone', () => {
    const plane = started({ strategy: { type: 'Recreate' } });
    settle(plane);
    change(plane, setImage('nginx:2'));
    expect(podsOf(plane).every((each) => each.metadata.deletionTimestamp !== undefined)).toBe(true);
    const [first] = podsOf(plane);
    kubelets(plane, (each) => each.metadata.name === first?.metadata.name);
    expect(podsOf(plane).every((each) => each.spec.containers[0]?.image === 'nginx:1')).toBe(true);
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.containers[0]?.image)).toEqual(['nginx:2', 'nginx:2', 'nginx:2']);
  });

  test('keeps as much history as it is told', () => {
    const plane = started({ replicas: 1, revisionHistoryLimit: 2 });
    settle(plane);
    for (const image of ['a', 'b', 'c', 'd']) {
      plane.pass(1000);
      change(plane, setImage(image));
      settle(plane);
    }
    const kept = plane
      .do((objects) => objects.list(REPLICA_SETS))
      .map((each) => each.metadata.annotations?.['deployment.kubernetes.io/revision']);
    expect(kept.sort()).toEqual(['3', '4', '5']);
  });
});

describe('a paused deployment', () => {
  test('scales, but does not roll, and goes on when it is resumed', () => {
    const plane = started();
    settle(plane);
    change(plane, (web) => {
      web.spec.paused = true;
    });
    expect(progress(plane)).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' });
    change(plane, setImage('nginx:2'));
    change(plane, (web) => {
      web.spec.replicas = 5;
    });
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.containers[0]?.image)).toEqual(Array(5).fill('nginx:1'));
    change(plane, (web) => {
      web.spec.paused = false;
    });
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.containers[0]?.image)).toEqual(Array(5).fill('nginx:2'));
    expect(plane.runDue().reconciled).toBe(0);
  });
});

describe('scaling', () => {
  test('in the middle of a rollout keeps rolling to the end', () => {
    const plane = started({ replicas: 10 });
    settle(plane);
    change(plane, setImage('nginx:2'));
    kubelets(plane);
    change(plane, (web) => {
      web.spec.replicas = 20;
    });
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.containers[0]?.image)).toEqual(Array(20).fill('nginx:2'));
  });

  test('down to nothing leaves nothing', () => {
    const plane = started();
    settle(plane);
    change(plane, (web) => {
      web.spec.replicas = 0;
    });
    settle(plane);
    expect(podsOf(plane)).toEqual([]);
    expect(webOf(plane).status?.replicas).toBeUndefined();
  });
});

test('a pod that loses its labels is released and replaced, one that fits is adopted', () => {
  const plane = started({ replicas: 2 });
  settle(plane);
  const [pod] = podsOf(plane);
  if (pod === undefined) throw new Error('no pod');
  plane.do((objects) => objects.update(PODS, { ...pod, metadata: { ...pod.metadata, labels: { app: 'other' } } }));
  settle(plane);
  const after = podsOf(plane);
  expect(after).toHaveLength(3);
  expect(after.find((each) => each.metadata.uid === pod.metadata.uid)?.metadata.ownerReferences).toBeUndefined();
  const strays = after.find((each) => each.metadata.uid === pod.metadata.uid);
  if (strays === undefined) throw new Error('the pod is gone');
  plane.do((objects) =>
    objects.update(PODS, { ...strays, metadata: { ...strays.metadata, labels: pod.metadata.labels ?? {} } }),
  );
  settle(plane);
  expect(podsOf(plane)).toHaveLength(2);
});

test('a hash that is taken by another template is hashed anew', () => {
  const plane = started({ replicas: 1 });
  settle(plane);
  change(plane, setImage('nginx:2'));
  const [name] = plane
    .do((objects) => objects.list(REPLICA_SETS))
    .filter((each) => each.spec.template?.spec.containers[0]?.image === 'nginx:2')
    .map((each) => each.metadata.name);
  const other = controlPlane();
  addNode(other, 'm1');
  const squatter = draftOf();
  other.do((objects) =>
    objects.create(REPLICA_SETS, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: name ?? '', namespace: 'default' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'else' } },
        template: { ...squatter.spec.template, metadata: { labels: { app: 'else' } } },
      },
    }),
  );
  const draft = draftOf({ replicas: 1 });
  draft.spec.template.spec.containers = [{ name: 'main', image: 'nginx:2' }];
  other.do((objects) => objects.create(DEPLOYMENTS, draft));
  settle(other);
  expect(webOf(other).status).toMatchObject({ collisionCount: 1, availableReplicas: 1 });
});

test('a broken pod of the new revision does not stop a fix', () => {
  const plane = started({ replicas: 2 });
  settle(plane);
  change(plane, setImage('broken'));
  kubelets(plane, (each) => each.spec.containers[0]?.image !== 'broken');
  for (const each of podsOf(plane).filter((one) => one.spec.containers[0]?.image === 'broken'))
    setStatus(plane, each, false);
  change(plane, setImage('nginx:3'));
  settle(plane);
  expect(
    podsOf(plane)
      .filter(isActive)
      .map((each) => each.spec.containers[0]?.image),
  ).toEqual(['nginx:3', 'nginx:3']);
});

test('a pod that may not be created is a failure that everybody can see, and is tried again', () => {
  const plane = controlPlane();
  addNode(plane, 'm1');
  const draft = draftOf({ replicas: 2 });
  draft.spec.template.spec.serviceAccountName = 'late';
  plane.do((objects) => objects.create(DEPLOYMENTS, draft));
  expect(podsOf(plane)).toEqual([]);
  const failure = (conditions: readonly { type: string; reason?: string }[] | undefined) =>
    conditions?.find((each) => each.type === 'ReplicaFailure')?.reason;
  expect(failure(webOf(plane).status?.conditions)).toBe('FailedCreate');
  expect(failure(plane.do((objects) => objects.list(REPLICA_SETS))[0]?.status?.conditions)).toBe('FailedCreate');
  expect(messages(plane, 'ReplicaSet')[0]).toMatch(/^Error creating: pods .*is forbidden: .*late/);
  plane.do((objects) =>
    objects.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'late', namespace: 'default' },
    }),
  );
  plane.sockets.set('m1', plane.nowMs);
  plane.pass(5000);
  settle(plane);
  expect(podsOf(plane)).toHaveLength(2);
  expect(failure(webOf(plane).status?.conditions)).toBeUndefined();
  expect(errorsOf(plane)).toEqual([]);
});
