/** Which group versions the API says that it serves, and what it says of those that it does not. */
import { expect, test } from 'vitest';
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from '../../../shared/api/apiextensions.ts';
import { API_SERVICES } from '../../../shared/api/apiregistration.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { testCluster } from '../../support/cluster.ts';

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
} as unknown as Draft<CustomResourceDefinition>;

test('every group version that is served has an APIService, which is available', () => {
  const cluster = testCluster();
  const services = cluster.do((objects) => objects.list(API_SERVICES));
  expect(services.map((each) => each.metadata.name)).toEqual(
    expect.arrayContaining(['v1.', 'v1.apps', 'v1.storage.k8s.io']),
  );
  expect(services.every((each) => each.status?.conditions?.[0]?.status === 'True')).toBe(true);
});

test('a custom resource brings one, and takes it along', () => {
  const cluster = testCluster();
  const found = () => cluster.do((objects) => objects.get(API_SERVICES, '', 'v1.example.com'));
  cluster.do((objects) => objects.create(CUSTOM_RESOURCE_DEFINITIONS, definition));
  expect(found()).toMatchObject({ spec: { group: 'example.com', version: 'v1', groupPriorityMinimum: 1000 } });
  cluster.do((objects) => objects.delete(API_SERVICES, '', 'v1.example.com'));
  expect(found()).toBeDefined();
  cluster.do((objects) => objects.delete(CUSTOM_RESOURCE_DEFINITIONS, '', 'things.example.com'));
  expect(found()).toBeUndefined();
});

test('another server’s is kept, and says that it is not asked', () => {
  const cluster = testCluster();
  const { status } = cluster.do((objects) =>
    objects.create(API_SERVICES, {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.example.com' },
      spec: {
        group: 'metrics.example.com',
        version: 'v1beta1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        service: { namespace: 'default', name: 'metrics' },
      },
    }),
  );
  expect(status?.conditions).toMatchObject([{ type: 'Available', status: 'False', reason: 'AggregationNotSupported' }]);
});
