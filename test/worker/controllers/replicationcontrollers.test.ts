import { expect, test } from 'vitest';
import { PODS, REPLICATION_CONTROLLERS, type ReplicationController } from '../../../shared/api/core.ts';
import { addNode, controlPlane, errorsOf, podsOf, settle, type TestPlane } from './control-plane.ts';

function started(): TestPlane {
  const plane = controlPlane();
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(REPLICATION_CONTROLLERS, {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 2,
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      },
    }),
  );
  return plane;
}

const webOf = (plane: TestPlane): ReplicationController => {
  const found = plane.do((objects) => objects.get(REPLICATION_CONTROLLERS, 'default', 'web') ?? null);
  if (found === null) throw new Error('the replication controller is gone');
  return found;
};

test('a replication controller takes its selector from its template, and keeps as many pods as it is asked for', () => {
  const plane = started();
  settle(plane);
  expect(webOf(plane).spec.selector).toEqual({ app: 'web' });
  expect(webOf(plane).metadata.labels).toEqual({ app: 'web' });
  expect(webOf(plane).status).toMatchObject({
    replicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    observedGeneration: 1,
  });
  const web = webOf(plane);
  web.spec.replicas = 1;
  plane.do((objects) => objects.update(REPLICATION_CONTROLLERS, web));
  settle(plane);
  expect(podsOf(plane)).toHaveLength(1);
  expect(errorsOf(plane)).toEqual([]);
});

test('a replication controller adopts pods that match it and releases those that no longer do', () => {
  const plane = controlPlane();
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'old', namespace: 'default', labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'nginx' }] },
    }),
  );
  plane.do((objects) =>
    objects.create(REPLICATION_CONTROLLERS, {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 1,
        selector: { app: 'web' },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      },
    }),
  );
  settle(plane);
  const [old] = podsOf(plane);
  expect(old?.metadata.ownerReferences).toMatchObject([
    { kind: 'ReplicationController', apiVersion: 'v1', name: 'web' },
  ]);
  if (old === undefined) throw new Error('no pod');
  plane.do((objects) => objects.update(PODS, { ...old, metadata: { ...old.metadata, labels: { app: 'else' } } }));
  settle(plane);
  expect(podsOf(plane)).toHaveLength(2);
  expect(podsOf(plane).find((pod) => pod.metadata.name === 'old')?.metadata.ownerReferences).toBeUndefined();
});
