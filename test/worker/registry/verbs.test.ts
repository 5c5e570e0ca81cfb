import { describe, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  type ConfigMap,
  type Event,
  NAMESPACES,
  type Namespace,
  PODS,
  type Pod,
} from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { StatusError } from '../../../shared/errors.ts';
import { create } from '../../../worker/registry/create.ts';
import { deleteCollection, deleteObject } from '../../../worker/registry/delete.ts';
import { update } from '../../../worker/registry/update.ts';
import { SYSTEM, testCluster } from '../../support/cluster.ts';

const configMap = (name: string, more: Partial<Draft<ConfigMap>> = {}): Draft<ConfigMap> => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  ...more,
});
const pod = (name: string, more: Partial<Pod['spec']> = {}, metadata: Draft<Pod>['metadata'] = {}): Draft<Pod> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', ...metadata },
  spec: { containers: [{ name: 'main', image: 'nginx' }], schedulerName: 'nobody', ...more },
});

/** The Status that a call ends with. */
function refusal(body: () => unknown): { code: number; reason: string; message: string } {
  try {
    body();
  } catch (error) {
    if (error instanceof StatusError) return { code: error.code, reason: error.reason, message: error.message };
    throw error;
  }
  throw new Error('it was not refused');
}

describe('create', () => {
  test('writes kind, apiVersion and metadata first, with what only the server sets', () => {
    const cluster = testCluster();
    const draft = configMap('a', { data: { key: 'value' } });
    cluster.do((objects) =>
      objects.create(CONFIG_MAPS, { ...draft, metadata: { ...draft.metadata, uid: 'mine', generation: 9 } }),
    );
    const stored = cluster.plane.store.get({ resource: 'configmaps', namespace: 'default', name: 'a' });
    expect(stored?.text).toMatch(
      /^\{"kind":"ConfigMap","apiVersion":"v1","metadata":\{"name":"a","namespace":"default","uid":"00000000-[^"]+","resourceVersion":"\d+","creationTimestamp":"2026-01-01T00:00:00Z","managedFields":\[\{"manager":"kube-controller-manager",[^\]]+\]\},"data":/,
    );
    expect(stored?.text).toContain(`"resourceVersion":"${stored?.revision}"`);
  });

  test('makes a name of 58 characters at most and five letters more', () => {
    const cluster = testCluster();
    const names = Array.from({ length: 50 }, () => {
      const draft = configMap('');
      const metadata = { namespace: 'default', generateName: `${'x'.repeat(80)}-` };
      return cluster.do((objects) => objects.create(CONFIG_MAPS, { ...draft, metadata })).metadata.name;
    });
    expect(new Set(names).size).toBe(50);
    for (const name of names) expect(name).toMatch(/^x{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test('gives up on a generated name after eight collisions', () => {
    const cluster = testCluster();
    const taken = cluster.definition('configmaps');
    const always = () => 0;
    const attempt = () =>
      cluster.as(SYSTEM, (session) => {
        const stuck = { ...session, parts: { ...session.parts, random: always }, objects: session.objects };
        return create(stuck, taken, 'default', { ...configMap(''), metadata: { generateName: 'c-' } }).object.metadata
          .name;
      });
    expect(attempt()).toBe('c-bbbbb');
    expect(refusal(attempt)).toMatchObject({ code: 409, reason: 'AlreadyExists' });
  });

  test('says that an object of the name is still being deleted', () => {
    const cluster = testCluster();
    const held = configMap('held', {
      metadata: { name: 'held', namespace: 'default', finalizers: ['example.com/hold'] },
    });
    cluster.do((objects) => objects.create(CONFIG_MAPS, held));
    cluster.do((objects) => objects.delete(CONFIG_MAPS, 'default', 'held'));
    expect(refusal(() => cluster.do((objects) => objects.create(CONFIG_MAPS, configMap('held'))))).toEqual({
      code: 409,
      reason: 'AlreadyExists',
      message: 'object is being deleted: configmaps "held" already exists',
    });
  });

  test('refuses new content in a namespace that ends', () => {
    const cluster = testCluster();
    cluster.do((objects) =>
      objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'old' } }),
    );
    const why = cluster.as(SYSTEM, (session) => {
      deleteObject(session, cluster.definition('namespaces'), '', 'old', {});
      return refusal(() =>
        create(session, cluster.definition('configmaps'), 'old', { ...configMap('x'), metadata: { name: 'x' } }),
      );
    });
    expect(why).toEqual({
      code: 403,
      reason: 'Forbidden',
      message:
        'configmaps "x" is forbidden: unable to create new content in namespace old because it is being terminated',
    });
  });
});

describe('update', () => {
  test('that changes nothing keeps the revision and tells nobody', () => {
    const cluster = testCluster();
    const created = cluster.do((objects) => objects.create(CONFIG_MAPS, configMap('a', { data: { x: '1', y: '2' } })));
    cluster.changes.length = 0;
    const again = cluster.do((objects) => objects.update(CONFIG_MAPS, { ...created, data: { y: '2', x: '1' } }));
    expect(again.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    expect(cluster.changes).toEqual([]);
  });

  test('counts a generation only when something else than metadata and status changes', () => {
    const cluster = testCluster();
    const generation = () => cluster.stored<Pod>('pods', 'default', 'p')?.metadata.generation;
    const created = cluster.do((objects) => objects.create(PODS, pod('p')));
    expect(generation()).toBe(1);
    cluster.do((objects) =>
      objects.update(PODS, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } }),
    );
    expect(generation()).toBe(1);
    cluster.do((objects) => {
      const current = objects.get(PODS, 'default', 'p');
      if (current) objects.updateStatus(PODS, { ...current, status: { phase: 'Running' } });
    });
    expect(generation()).toBe(1);
    cluster.do((objects) => {
      const current = objects.get(PODS, 'default', 'p');
      if (current === undefined) return;
      const containers = current.spec.containers.map((each) => ({ ...each, image: 'other' }));
      objects.update(PODS, { ...current, spec: { ...current.spec, containers } });
    });
    expect(generation()).toBe(2);
  });

  test('does not touch status, and status touches nothing else', () => {
    const cluster = testCluster();
    const created = cluster.do((objects) => objects.create(PODS, pod('p')));
    cluster.do((objects) =>
      objects.updateStatus(PODS, {
        ...created,
        spec: { ...created.spec, containers: [{ name: 'main', image: 'smuggled' }] },
        status: { phase: 'Running' },
      }),
    );
    cluster.do((objects) => {
      const current = objects.get(PODS, 'default', 'p');
      if (current) objects.update(PODS, { ...current, status: { phase: 'Failed' } });
    });
    const stored = cluster.stored<Pod>('pods', 'default', 'p');
    expect([stored?.spec.containers[0]?.image, stored?.status?.phase]).toEqual(['nginx', 'Running']);
  });

  test.each(['uid', 'creationTimestamp', 'deletionTimestamp'])('refuses another %s', (field) => {
    const cluster = testCluster();
    const created = cluster.do((objects) => objects.create(CONFIG_MAPS, configMap('a')));
    const draft = { ...created, metadata: { ...created.metadata, [field]: '2020-01-01T00:00:00Z' } };
    const { code, message } = refusal(() => cluster.do((objects) => objects.update(CONFIG_MAPS, draft)));
    if (field === 'uid')
      expect([code, message]).toEqual([409, expect.stringContaining('Precondition failed: UID in precondition')]);
    else expect([code, message]).toEqual([422, expect.stringContaining(`metadata.${field}: Invalid value`)]);
  });

  test('removes a deleted object with its last finalizer, and takes no new one', () => {
    const cluster = testCluster();
    const metadata = { name: 'held', namespace: 'default', finalizers: ['example.com/a'] };
    cluster.do((objects) => objects.create(CONFIG_MAPS, configMap('held', { metadata })));
    cluster.do((objects) => objects.delete(CONFIG_MAPS, 'default', 'held'));
    const marked = cluster.stored<ConfigMap>('configmaps', 'default', 'held');
    if (marked === undefined) throw new Error('it is gone too early');
    expect(marked.metadata).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 });
    const more = { ...marked, metadata: { ...marked.metadata, finalizers: ['example.com/a', 'example.com/b'] } };
    expect(refusal(() => cluster.do((objects) => objects.update(CONFIG_MAPS, more)))).toMatchObject({
      code: 422,
      message: expect.stringContaining('no new finalizers can be added if the object is being deleted'),
    });
    cluster.do((objects) =>
      objects.update(CONFIG_MAPS, { ...marked, metadata: { ...marked.metadata, finalizers: [] } }),
    );
    expect(cluster.stored('configmaps', 'default', 'held')).toBeUndefined();
    expect(cluster.changes.at(-1)).toMatchObject({ type: 'DELETED', name: 'held' });
  });
});

describe('delete', () => {
  const assigned = pod('p', { nodeName: 'm1', terminationGracePeriodSeconds: 30 });

  test('gives a pod on a node its grace period, which a second delete may only shorten', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PODS, assigned));
    const metadata = () => cluster.stored<Pod>('pods', 'default', 'p')?.metadata;
    cluster.do((objects) => objects.delete(PODS, 'default', 'p'));
    expect(metadata()).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:30Z',
      deletionGracePeriodSeconds: 30,
      generation: 2,
    });
    const revision = metadata()?.resourceVersion;
    cluster.do((objects) => objects.delete(PODS, 'default', 'p', { gracePeriodSeconds: 60 }));
    expect(metadata()?.resourceVersion).toBe(revision);
    cluster.clock.pass(2000);
    cluster.do((objects) => objects.delete(PODS, 'default', 'p', { gracePeriodSeconds: 5 }));
    expect(metadata()).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:05Z', deletionGracePeriodSeconds: 5 });
    cluster.do((objects) => objects.delete(PODS, 'default', 'p', { gracePeriodSeconds: 0 }));
    expect(metadata()).toBeUndefined();
  });

  test('takes a pod that no node has at once', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PODS, pod('p')));
    cluster.do((objects) => objects.delete(PODS, 'default', 'p'));
    expect(cluster.stored('pods', 'default', 'p')).toBeUndefined();
  });

  test.each([
    ['Orphan', ['orphan']],
    ['Foreground', ['foregroundDeletion']],
    ['Background', undefined],
  ] as const)('%s leaves it to the garbage collector with %j', (propagationPolicy, finalizers) => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(CONFIG_MAPS, configMap('a')));
    const kept = cluster.as(SYSTEM, (session) => {
      const deleted = deleteObject(session, cluster.definition('configmaps'), 'default', 'a', { propagationPolicy });
      return { gone: deleted.gone, finalizers: deleted.object.metadata.finalizers };
    });
    expect(kept.gone).toBe(finalizers === undefined);
    if (finalizers !== undefined) expect(kept.finalizers).toEqual(finalizers);
  });

  test('of a collection takes what the selector selects', () => {
    const cluster = testCluster();
    for (const name of ['a', 'b', 'c']) {
      const labels = { app: name === 'c' ? 'other' : 'web' };
      cluster.do((objects) =>
        objects.create(CONFIG_MAPS, configMap(name, { metadata: { name, namespace: 'default', labels } })),
      );
    }
    const deleted = cluster.as(SYSTEM, (session) =>
      deleteCollection(
        session,
        cluster.definition('configmaps'),
        { namespace: 'default', having: [{ index: 'label:app', value: 'web' }], matches: undefined },
        {},
      ).map((each) => each.object.metadata.name),
    );
    expect(deleted).toEqual(['a', 'b']);
    expect(
      cluster.do((objects) => objects.list(CONFIG_MAPS, { namespace: 'default' }).map((each) => each.metadata.name)),
    ).toEqual(['c']);
  });

  test('ends a namespace only when nobody holds it', () => {
    const cluster = testCluster();
    const end = cluster.as(SYSTEM, (session) => {
      create(session, cluster.definition('namespaces'), '', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'n' },
      });
      const deleted = deleteObject(session, cluster.definition('namespaces'), '', 'n', {});
      const marked = deleted.object as Namespace;
      const finalized = structuredClone(marked);
      finalized.spec = { finalizers: [] };
      update(session, cluster.definition('namespaces'), '', 'n', finalized, { subresource: 'finalize' });
      return { gone: deleted.gone, phase: marked.status?.phase, finalizers: marked.spec?.finalizers };
    });
    expect(end).toEqual({ gone: false, phase: 'Terminating', finalizers: ['kubernetes'] });
    expect(cluster.stored('namespaces', '', 'n')).toBeUndefined();
  });
});

describe('a dry run', () => {
  test('does everything and keeps nothing, the work that it causes included', () => {
    const cluster = testCluster();
    const before = cluster.plane.store.revision;
    const text = cluster.as(
      SYSTEM,
      (session) => create(session, cluster.definition('configmaps'), 'default', configMap('dry')).text,
      true,
    );
    expect(JSON.parse(text)).toMatchObject({ metadata: { name: 'dry', uid: expect.any(String) } });
    expect(text).not.toContain('resourceVersion');
    expect(cluster.plane.store.revision).toBe(before);
    expect(cluster.stored('configmaps', 'default', 'dry')).toBeUndefined();
  });
});

describe('bind', () => {
  test('assigns once, and says so in a condition', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PODS, pod('p')));
    cluster.do((objects) => objects.bind({ namespace: 'default', name: 'p' }, 'm1'));
    const stored = cluster.stored<Pod>('pods', 'default', 'p');
    expect(stored?.spec.nodeName).toBe('m1');
    expect(stored?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'PodScheduled', status: 'True' }),
    );
    expect(refusal(() => cluster.do((objects) => objects.bind({ namespace: 'default', name: 'p' }, 'm2')))).toEqual({
      code: 409,
      reason: 'Conflict',
      message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "m1"',
    });
  });
});

describe('record', () => {
  test('joins equal events of ten minutes, and begins anew after that', () => {
    const cluster = testCluster();
    const created = cluster.do((objects) => objects.create(PODS, pod('p')));
    const record = () =>
      cluster.do((objects) =>
        objects.record(created, { type: 'Warning', reason: 'Failed', message: 'no', component: 'test' }),
      );
    const counts = () => {
      const found = cluster.plane.store.list({ resource: 'events', namespace: 'default' }).items;
      const events = Array.from(found, (stored) => JSON.parse(stored.text) as Event);
      return events.filter((event) => event.reason === 'Failed');
    };
    record();
    record();
    expect(counts()).toMatchObject([{ count: 2, firstTimestamp: '2026-01-01T00:00:00Z' }]);
    cluster.clock.pass(11 * 60_000);
    record();
    expect(counts()).toMatchObject([{ count: 1, firstTimestamp: '2026-01-01T00:11:00Z' }]);
  });
});
