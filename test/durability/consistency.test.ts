/** The judge of a whole store finds nothing in one that was used as it should be, and what it is there to find in one that was not. */
import { expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../shared/api/apps.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, RESOURCE_QUOTAS, SERVICES } from '../../shared/api/core.ts';
import { nodeSql } from '../support/node-sql.ts';
import { addNode, controlPlane, podsOf, settle, type TestPlane } from '../worker/controllers/control-plane.ts';
import { checkStore } from './consistency.ts';

const NAMESPACE = 'default';
const LABELS = { app: 'web' };

/** A cluster with a little of everything, some of it changed and some deleted again. */
function used(): TestPlane {
  const plane = controlPlane({ sql: nodeSql() });
  for (const name of ['m1', 'm2']) addNode(plane, name, { spec: { podCIDR: `10.244.${name.slice(1)}.0/24` } });
  plane.do((objects) => {
    objects.create(RESOURCE_QUOTAS, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'all', namespace: NAMESPACE },
      spec: { hard: { pods: '100', configmaps: '100' } },
    });
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: {
        replicas: 3,
        selector: { matchLabels: LABELS },
        template: { metadata: { labels: LABELS }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      },
    });
    objects.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: { type: 'NodePort', selector: LABELS, ports: [{ port: 80 }] },
    });
    for (const name of ['a', 'b'])
      objects.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE } });
    objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short-lived' } });
  });
  settle(plane);
  plane.do((objects) => {
    objects.delete(CONFIG_MAPS, NAMESPACE, 'b');
    objects.delete(NAMESPACES, '', 'short-lived');
    objects.delete(PODS, NAMESPACE, podsOf(plane)[0]?.metadata.name ?? '', { gracePeriodSeconds: 0 });
  });
  settle(plane);
  return plane;
}

const found = ({ sql, nowMs }: TestPlane): string[] =>
  Object.entries(checkStore(sql, nowMs).checks).flatMap(([what, violations]) =>
    violations.map((each) => `${what}: ${each}`),
  );

/** Changes the newest text of an object behind everybody's back. */
const rewrite = ({ sql }: TestPlane, resource: string, expression: string, which = '1 = 1'): void =>
  sql.run(
    `UPDATE log SET text = ${expression} WHERE revision =
       (SELECT o.revision FROM objects o WHERE o.resource = ? AND ${which} ORDER BY o.name LIMIT 1)`,
    resource,
  );

const plane = used();

const UNDO = new Error('everything is put back');

/** What the check says of the store as it is after this; afterwards it is as it was. */
function violationsAfter(tamper: (plane: TestPlane) => void, check: string): string[] | undefined {
  let violations: string[] | undefined;
  try {
    plane.sql.transaction(() => {
      tamper(plane);
      violations = checkStore(plane.sql, plane.nowMs).checks[check];
      throw UNDO;
    });
  } catch (error) {
    if (error !== UNDO) throw error;
  }
  return violations;
}

test('a store that was used as it should be is consistent', () => {
  expect(found(plane)).toEqual([]);
  const { objects, revision } = checkStore(plane.sql, plane.nowMs);
  expect(objects).toBeGreaterThan(50);
  expect(revision).toBe(plane.store.revision);
});

test.each<[string, string, (plane: TestPlane) => void]>([
  [
    'each object is the newest version of its key',
    'an object that the list lost',
    ({ sql }) => sql.run("DELETE FROM objects WHERE resource = 'configmaps' AND name = 'a'"),
  ],
  [
    'each text says its own revision, namespace and name',
    'a text of another revision',
    (plane) => rewrite(plane, 'configmaps', "json_set(text, '$.metadata.resourceVersion', '1')"),
  ],
  [
    'each version follows the one that it supersedes',
    'a version that forgot the last one',
    ({ sql }) => sql.run("UPDATE log SET previous = 0 WHERE resource = 'deployments.apps' AND previous > 0"),
  ],
  [
    'the index has the rows of each object and no others',
    'a row that is missing',
    ({ sql }) => sql.run("DELETE FROM entries WHERE resource = 'pods' AND entry = 'label:app'"),
  ],
  [
    'the index has the rows of each object and no others',
    'a row too many',
    ({ sql }) => sql.run("INSERT INTO entries VALUES ('pods', 'label:app', 'web', 'default', 'nobody')"),
  ],
  [
    'no uid is given twice',
    'a uid of two objects',
    (plane) => rewrite(plane, 'pods', `json_set(text, '$.metadata.uid', '${podsOf(plane)[1]?.metadata.uid}')`),
  ],
  [
    'each object is in a namespace that exists',
    'an object of no namespace',
    ({ sql }) => sql.run("DELETE FROM objects WHERE resource = 'namespaces' AND name = 'default'"),
  ],
  ['each owner exists', 'an orphan', ({ sql }) => sql.run("DELETE FROM objects WHERE resource = 'deployments.apps'")],
  [
    'nothing is still being deleted',
    'a deletion without an end',
    (plane) => rewrite(plane, 'pods', "json_set(text, '$.metadata.deletionTimestamp', '2026-01-01T00:00:00Z')"),
  ],
  [
    'each pod is on a node that exists, at an address of its own',
    'two pods at one address',
    (plane) => rewrite(plane, 'pods', `json_set(text, '$.status.podIP', '${podsOf(plane)[1]?.status?.podIP}')`),
  ],
  [
    'each pod is on a node that exists, at an address of its own',
    'a pod on a node that is gone',
    ({ sql }) => sql.run("DELETE FROM objects WHERE resource = 'nodes'"),
  ],
  [
    'no subnet, cluster address or node port is given twice',
    'two nodes with one subnet',
    (plane) => rewrite(plane, 'nodes', "json_set(text, '$.spec.podCIDR', '10.244.2.0/24')"),
  ],
  [
    'what is counted of replicas is what there is',
    'a replica that is not counted',
    (plane) => rewrite(plane, 'replicasets.apps', "json_set(text, '$.status.replicas', 2)"),
  ],
  [
    'what a quota says is used is what there is',
    'a quota that counts too few',
    (plane) => rewrite(plane, 'resourcequotas', "json_set(text, '$.status.used.pods', '2')"),
  ],
  [
    'each Service leads to the ready pods that it selects',
    'a Service that misses a pod',
    (plane) =>
      rewrite(plane, 'endpointslices.discovery.k8s.io', "json_remove(text, '$.endpoints[0]')", "o.name LIKE 'web-%'"),
  ],
  [
    'no work is overdue',
    'work that nobody does',
    ({ sql, nowMs }) => sql.run("INSERT INTO work VALUES ('deployment', 'default/web', ?, 3)", nowMs - 60_000),
  ],
])('%s: %s is found', (check, _, tamper) => {
  expect(violationsAfter(tamper, check)?.length).toBeGreaterThan(0);
});

test('and what was tampered with here is as it was', () => {
  expect(found(plane)).toEqual([]);
});
