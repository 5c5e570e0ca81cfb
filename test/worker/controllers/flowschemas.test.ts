/** Whether the priority level that a FlowSchema names is there, as the schema says it. */
import { expect, test } from 'vitest';
import { API_SERVICES } from '../../../shared/api/apiregistration.ts';
import {
  FLOW_SCHEMAS,
  type FlowSchema,
  PRIORITY_LEVEL_CONFIGURATIONS,
  type PriorityLevelConfiguration,
} from '../../../shared/api/flowcontrol.ts';
import { type Draft, groupResourceOf, type KubeObject } from '../../../shared/api/meta.ts';
import { FLOW_SCHEMAS_DEFINITION } from '../../../worker/resources/flowschemas.ts';
import { testCluster } from '../../support/cluster.ts';

const level = (name: string): Draft<PriorityLevelConfiguration> => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name },
  spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
});

const schema = (name: string, levelName: string): Draft<FlowSchema> => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name },
  spec: {
    priorityLevelConfiguration: { name: levelName },
    rules: [
      {
        subjects: [{ kind: 'User', user: { name: 'somebody' } }],
        nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/version'] }],
      },
    ],
  },
});

const missing = {
  type: 'Dangling',
  status: 'True',
  reason: 'NotFound',
  message: 'This FlowSchema references the PriorityLevelConfiguration object named "slow" but there is no such object',
};
const found = {
  type: 'Dangling',
  status: 'False',
  reason: 'Found',
  message: 'This FlowSchema references the PriorityLevelConfiguration object named "slow" and it exists',
};

const world = () => {
  const cluster = testCluster();
  const read = (name: string) => cluster.do((objects) => objects.get(FLOW_SCHEMAS, '', name));
  const missingColumn = (name: string) => {
    const column = FLOW_SCHEMAS_DEFINITION.columns?.find((each) => each.name === 'MissingPL');
    return column?.value(read(name) as FlowSchema, cluster.clock.nowMs);
  };
  return { cluster, read, missingColumn };
};

test('the schemas of a new cluster say from their first write that their levels exist', () => {
  const { cluster } = world();
  const schemas = cluster.do((objects) => objects.list(FLOW_SCHEMAS));
  expect(schemas).toHaveLength(13);
  for (const { spec, status } of schemas) {
    const { name } = spec.priorityLevelConfiguration;
    expect(status?.conditions).toMatchObject([{ ...found, message: found.message.replace('slow', name) }]);
  }
  expect(cluster.changes.filter((each) => each.resource.startsWith('flowschemas')).map((each) => each.type)).toEqual(
    schemas.map(() => 'ADDED'),
  );
});

test('a schema says that its level is missing until there is one, and again once it is gone', () => {
  const { cluster, read, missingColumn } = world();
  cluster.do((objects) => objects.create(FLOW_SCHEMAS, schema('mine', 'slow')));
  expect(read('mine')?.status?.conditions).toMatchObject([missing]);
  expect(missingColumn('mine')).toBe('True');
  cluster.do((objects) => objects.create(PRIORITY_LEVEL_CONFIGURATIONS, level('slow')));
  expect(read('mine')?.status?.conditions).toMatchObject([found]);
  expect(missingColumn('mine')).toBe('False');
  cluster.do((objects) => objects.delete(PRIORITY_LEVEL_CONFIGURATIONS, '', 'slow'));
  expect(read('mine')?.status?.conditions).toMatchObject([missing]);
});

test('what others say of a schema stays, and what they say of its level is put right', () => {
  const { cluster, read } = world();
  cluster.do((objects) => objects.create(FLOW_SCHEMAS, schema('mine', 'slow')));
  const conditions = [
    { type: 'Other', status: 'True' as const, reason: 'R', message: 'M' },
    { ...missing, status: 'Unknown' as const },
  ];
  cluster.do((objects) =>
    objects.updateStatus(FLOW_SCHEMAS, { ...(read('mine') as FlowSchema), status: { conditions } }),
  );
  expect(read('mine')?.status?.conditions).toMatchObject([{ type: 'Other', status: 'True' }, missing]);
  cluster.do((objects) => {
    const current = objects.get(FLOW_SCHEMAS, '', 'mine') as FlowSchema;
    current.spec.priorityLevelConfiguration.name = 'exempt';
    objects.update(FLOW_SCHEMAS, current);
  });
  const message = found.message.replace('slow', 'exempt');
  expect(read('mine')?.status?.conditions).toMatchObject([{ type: 'Other' }, { ...found, message }]);
});

test('schemas that an older version left without the condition get it at the start', () => {
  const { cluster, read } = world();
  cluster.plane.store.transact((transaction) => {
    const strip = (resource: string, name: string, change: (object: Record<string, unknown>) => void) => {
      const stored = transaction.get({ resource, namespace: '', name });
      const object = JSON.parse(stored?.text ?? '');
      change(object);
      const text = (revision: number) => {
        object.metadata.resourceVersion = String(revision);
        return JSON.stringify(object);
      };
      transaction.put({ resource, namespace: '', name }, [], text, stored?.revision ?? 0);
    };
    strip(groupResourceOf(FLOW_SCHEMAS), 'exempt', (schema) => {
      schema.status = {};
    });
    strip(groupResourceOf(API_SERVICES), 'v1.', (service) => {
      (service as unknown as KubeObject).metadata.annotations = { 'longshore.dev/default-objects-version': '1.20' };
    });
  });
  expect(read('exempt')?.status).toEqual({});
  cluster.plane.bootstrap();
  expect(read('exempt')?.status?.conditions).toMatchObject([{ type: 'Dangling', status: 'False' }]);
});
