import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, REPLICA_SETS } from '../../../shared/api/apps.ts';
import { CONFIG_MAPS, type ConfigMap, EVENTS, NODES } from '../../../shared/api/core.ts';
import type { DeleteOptions, KubeObject, OwnerReference } from '../../../shared/api/meta.ts';
import { addNode, controlPlane, errorsOf, podsOf, settle, type TestPlane } from './control-plane.ts';

const referenceTo = (owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  ...more,
});

const create = (
  plane: TestPlane,
  name: string,
  ownerReferences: OwnerReference[] = [],
  namespace = 'default',
): ConfigMap =>
  plane.do((objects) =>
    objects.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, ownerReferences },
    }),
  );

const remove = (plane: TestPlane, name: string, options: DeleteOptions = {}) =>
  plane.do((objects) => objects.delete(CONFIG_MAPS, 'default', name, options));

const get = (plane: TestPlane, name: string) =>
  plane.do((objects) => objects.get(CONFIG_MAPS, 'default', name) ?? null);

const names = (plane: TestPlane): string[] =>
  plane.do((objects) => objects.list(CONFIG_MAPS, { namespace: 'default' })).map((each) => each.metadata.name);

function own(plane: TestPlane, name: string, ownerReferences: OwnerReference[]): void {
  const object = get(plane, name);
  if (object === null) throw new Error(`no ${name}`);
  plane.do((objects) => objects.update(CONFIG_MAPS, { ...object, metadata: { ...object.metadata, ownerReferences } }));
}

describe('an object whose owner is deleted', () => {
  test('goes with it, and so do those that it owns', () => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    const b = create(plane, 'b', [referenceTo(a)]);
    create(plane, 'c', [referenceTo(b)]);
    remove(plane, 'a');
    expect(names(plane)).toEqual([]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('stays when another owner lives, and loses only the dead reference', () => {
    const plane = controlPlane();
    const [a, b] = [create(plane, 'a'), create(plane, 'b')];
    create(plane, 'c', [referenceTo(a), referenceTo(b)]);
    remove(plane, 'a');
    expect(get(plane, 'c')?.metadata.ownerReferences?.map((each) => each.name)).toEqual(['b']);
    remove(plane, 'b');
    expect(names(plane)).toEqual([]);
  });

  test('is orphaned where that is asked for', () => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    create(plane, 'b', [referenceTo(a)]);
    remove(plane, 'a', { propagationPolicy: 'Orphan' });
    expect(names(plane)).toEqual(['b']);
    expect(get(plane, 'b')?.metadata.ownerReferences ?? []).toEqual([]);
  });
});

describe('an object whose owner never was', () => {
  test('goes as soon as it comes', () => {
    const plane = controlPlane();
    create(plane, 'a', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'no-such-uid' }]);
    expect(names(plane)).toEqual([]);
  });

  test('goes too when there is another one of that name', () => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    create(plane, 'b', [referenceTo(a, { uid: 'of-an-earlier-a' })]);
    expect(names(plane)).toEqual(['a']);
  });

  test('goes when the owner is in another namespace', () => {
    const plane = controlPlane();
    const elsewhere = create(plane, 'a', [], 'kube-public');
    create(plane, 'b', [referenceTo(elsewhere)]);
    expect(names(plane)).toEqual([]);
  });

  test('stays when nobody knows that kind', () => {
    const plane = controlPlane();
    create(plane, 'a', [{ apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'w' }]);
    expect(names(plane)).toEqual(['a']);
  });

  test('stays with a warning when it has no namespace and the owner would need one', () => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    plane.do((objects) =>
      objects.create(NODES, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'm1', ownerReferences: [referenceTo(a)] },
        spec: {},
      }),
    );
    expect(plane.do((objects) => objects.list(NODES))).toHaveLength(1);
    expect(plane.do((objects) => objects.list(EVENTS)).map((each) => each.reason)).toContain(
      'OwnerRefInvalidNamespace',
    );
  });
});

describe('deletion in the foreground', () => {
  test('waits for those who block it, and for no one else', () => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    create(plane, 'b', [referenceTo(a, { blockOwnerDeletion: true })]);
    create(plane, 'c', [referenceTo(a)]);
    const b = get(plane, 'b');
    if (b === null) throw new Error('no b');
    plane.do((objects) =>
      objects.update(CONFIG_MAPS, { ...b, metadata: { ...b.metadata, finalizers: ['example.com/hold'] } }),
    );
    remove(plane, 'a', { propagationPolicy: 'Foreground' });
    expect(names(plane)).toEqual(['a', 'b', 'c']);
    expect(get(plane, 'b')?.metadata.deletionTimestamp).toBeDefined();
    const held = get(plane, 'b');
    if (held === null) throw new Error('no b');
    plane.do((objects) => objects.update(CONFIG_MAPS, { ...held, metadata: { ...held.metadata, finalizers: [] } }));
    expect(names(plane)).toEqual([]);
  });

  test('goes through all generations, the youngest first', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    plane.do((objects) =>
      objects.create(DEPLOYMENTS, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'web' } },
          template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
        },
      }),
    );
    settle(plane);
    plane.do((objects) => objects.delete(DEPLOYMENTS, 'default', 'web', { propagationPolicy: 'Foreground' }));
    // The kubelet has not ended the pods yet: they block the replica set, and it blocks the deployment.
    expect(podsOf(plane)).toHaveLength(2);
    expect(plane.do((objects) => [objects.list(DEPLOYMENTS).length, objects.list(REPLICA_SETS).length])).toEqual([
      1, 1,
    ]);
    settle(plane);
    expect(plane.do((objects) => [objects.list(DEPLOYMENTS).length, objects.list(REPLICA_SETS).length])).toEqual([
      0, 0,
    ]);
    expect(podsOf(plane)).toEqual([]);
    expect(errorsOf(plane)).toEqual([]);
  });
});

describe('a circle of owners', () => {
  test.each(['Background', 'Foreground'] as const)('is deleted as a whole with %s', (propagationPolicy) => {
    const plane = controlPlane();
    const a = create(plane, 'a');
    const b = create(plane, 'b', [referenceTo(a, { blockOwnerDeletion: true })]);
    const c = create(plane, 'c', [referenceTo(b, { blockOwnerDeletion: true })]);
    own(plane, 'a', [referenceTo(c, { blockOwnerDeletion: true })]);
    remove(plane, 'a', { propagationPolicy });
    expect(names(plane)).toEqual([]);
    expect(errorsOf(plane)).toEqual([]);
  });
});

test('more dependents than one turn handles all go in the end', () => {
  const plane = controlPlane();
  const a = create(plane, 'a');
  for (let index = 0; index < 450; index += 1) create(plane, `d${index}`, [referenceTo(a)]);
  remove(plane, 'a');
  plane.pass(0);
  expect(names(plane)).toEqual([]);
});
