/** Kubernetes' conformance tests about Services, Endpoints and EndpointSlices, each named after its line. */
import { expect, test } from 'vitest';
import type { Endpoints, Service } from '../../../shared/api/core.ts';
import type { EndpointSlice } from '../../../shared/api/discovery.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { eventually } from '../../support/eventually.ts';
import { TestApi } from '../support/api.ts';
import { eventsOf } from '../support/events.ts';
import { MERGE } from '../support/operations.ts';

const api = new TestApi('conformance-network');
const SERVICES = '/api/v1/namespaces/default/services';

const service = (name: string, labels: Record<string, string>, type = 'ClusterIP') => ({
  metadata: { name, labels },
  spec: { type, ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }] },
});

test('[sig-network] Services should provide secure master service [Conformance]', async () => {
  const kubernetes = await api.json<Service>('GET', `${SERVICES}/kubernetes`);
  expect(kubernetes.spec.ports).toMatchObject([{ name: 'https', port: 443 }]);
});

test('[sig-network] EndpointSlice should have Endpoints and EndpointSlices pointing to API Server [Conformance]', async () => {
  await api.json('GET', `${SERVICES}/kubernetes`);
  const endpoints = await api.json<Endpoints>('GET', '/api/v1/namespaces/default/endpoints/kubernetes');
  const slices = await api.json<KubeList<EndpointSlice>>(
    'GET',
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes',
  );
  expect(endpoints.subsets).toEqual([
    { addresses: [{ ip: '192.0.2.10' }], ports: [{ name: 'https', port: 6443, protocol: 'TCP' }] },
  ]);
  expect(slices.items).toMatchObject([
    {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.10'], conditions: { ready: true } }],
      ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
    },
  ]);
});

const slicesOf = async (name: string) =>
  (
    await api.json<KubeList<EndpointSlice>>(
      'GET',
      `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${name}`,
    )
  ).items;

test('[sig-network] EndpointSlice should create and delete Endpoints and EndpointSlices for a Service with a selector specified [Conformance]', async () => {
  const name = 'example-empty-selector';
  const selector = { 'does-not-match-anything': 'endpoints-and-endpoint-slices-should-still-be-created' };
  const made = service(name, {});
  await api.json('POST', SERVICES, { body: { ...made, spec: { ...made.spec, selector } } });
  const endpoints = `/api/v1/namespaces/default/endpoints/${name}`;
  await eventually('Endpoints are there', async () => (await api.code('GET', endpoints)) === 200);
  const [slice] = await eventually('a slice is there', async () => {
    const slices = await slicesOf(name);
    return slices.length > 0 && slices;
  });
  expect(slice?.metadata.labels).toMatchObject({
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  expect(slice?.endpoints ?? []).toEqual([]);
  await api.json('DELETE', `${SERVICES}/${name}`);
  await eventually('Endpoints are gone', async () => (await api.code('GET', endpoints)) === 404);
  await eventually('the slices are gone', async () => (await slicesOf(name)).length === 0);
});

test('[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]', async () => {
  const name = 'example-custom-endpoints';
  const path = '/api/v1/namespaces/default/endpoints';
  await api.json('POST', SERVICES, { body: service(name, {}) });
  const endpoints = (ip: string) => ({
    metadata: { name },
    subsets: [{ ports: [{ port: 80 }], addresses: [{ ip }] }],
  });
  const mirrored = (ip: string) =>
    eventually(`one slice with ${ip} at port 80`, async () => {
      const slices = await slicesOf(name);
      const shown = slices.map((slice) => [
        slice.ports?.map((each) => each.port),
        slice.endpoints?.map((each) => each.addresses),
      ]);
      return JSON.stringify(shown) === JSON.stringify([[[80], [[ip]]]]);
    });
  await api.json('POST', path, { body: endpoints('10.1.2.3') });
  await mirrored('10.1.2.3');
  await api.json('PUT', `${path}/${name}`, { body: endpoints('10.2.3.4') });
  await mirrored('10.2.3.4');
  await api.json('DELETE', `${path}/${name}`);
  await eventually('no slice is left', async () => (await slicesOf(name)).length === 0);
});

test('[sig-network] Services should find a service from listing all namespaces [Conformance]', async () => {
  const all = await api.json<KubeList<Service>>('GET', '/api/v1/services');
  const found = all.items.find((each) => each.metadata.name === 'kubernetes');
  expect(found?.metadata.namespace).toBe('default');
});

test('[sig-network] Services should complete a service status lifecycle [Conformance]', async () => {
  const labels = { 'test-service-static': 'true' };
  const watched = eventsOf(await api.fetch('GET', `${SERVICES}?watch=1&labelSelector=test-service-static%3Dtrue`));
  await api.json('POST', SERVICES, { body: service('status', labels, 'LoadBalancer') });
  expect(await watched.told(1)).toEqual(['ADDED status']);
  const status = await api.json<Service>('GET', `${SERVICES}/status/status`);
  expect(status.metadata.name).toBe('status');
  const ingress = [{ ip: '203.0.113.1' }];
  const patched = await api.json<Service>('PATCH', `${SERVICES}/status/status`, {
    body: { metadata: { annotations: { patchedstatus: 'true' } }, status: { loadBalancer: { ingress } } },
    headers: MERGE,
  });
  expect(patched.metadata.annotations).toMatchObject({ patchedstatus: 'true' });
  expect(patched.status?.loadBalancer?.ingress).toEqual(ingress);
  const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
  // Whoever provides the load balancer may have written meanwhile.
  const current = await api.json<Service>('GET', `${SERVICES}/status`);
  const updated = await api.json<Service & { status: { conditions: object[] } }>('PUT', `${SERVICES}/status/status`, {
    body: { ...current, status: { ...current.status, conditions: [condition] } },
  });
  expect(updated.status.conditions).toMatchObject([condition]);
  const changed = await api.json<Service>('PATCH', `${SERVICES}/status`, {
    body: { metadata: { labels: { 'test-service': 'patched' } } },
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
  });
  expect(changed.metadata.labels).toEqual({ ...labels, 'test-service': 'patched' });
  await api.json('DELETE', `${SERVICES}/status`);
  for (let type = ''; type !== 'DELETED'; ) ({ type } = await watched.next());
  expect(await api.code('GET', `${SERVICES}/status`)).toBe(404);
  await watched.cancel();
});

test('[sig-network] Services should delete a collection of services [Conformance]', async () => {
  for (const name of ['one', 'two', 'kept']) {
    await api.json('POST', SERVICES, {
      body: service(name, { 'e2e-test-service': name === 'kept' ? 'no' : 'delete' }),
    });
  }
  await api.json('DELETE', `${SERVICES}?labelSelector=e2e-test-service%3Ddelete`);
  const left = await api.json<KubeList<Service>>('GET', `${SERVICES}?labelSelector=e2e-test-service`);
  expect(left.items.map((each) => each.metadata.name)).toEqual(['kept']);
});

test('[sig-network] Services should test the lifecycle of an Endpoint [Conformance]', async () => {
  const path = '/api/v1/namespaces/default/endpoints';
  const labels = { 'test-endpoint-static': 'true' };
  const selected = 'labelSelector=test-endpoint-static%3Dtrue';
  const watched = eventsOf(await api.fetch('GET', `${path}?watch=1&${selected}`));
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  const subsets = [{ addresses: [{ ip: '10.0.0.24' }], ports }];
  await api.json('POST', path, { body: { metadata: { name: 'testservice', labels }, subsets } });
  expect(await watched.told(1)).toEqual(['ADDED testservice']);
  const all = await api.json<KubeList<Endpoints>>('GET', `/api/v1/endpoints?${selected}`);
  const [found] = all.items;
  const changed = { ...found, metadata: { ...found?.metadata, labels: { ...labels, 'test-service': 'updated' } } };
  await api.json('PUT', `${path}/testservice`, { body: changed });
  expect(await watched.told(1)).toEqual(['MODIFIED testservice']);
  const patched = await api.json<Endpoints>('PATCH', `${path}/testservice`, {
    body: {
      metadata: { labels: { 'test-service': 'patched' } },
      subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports }],
    },
    headers: MERGE,
  });
  expect(patched.subsets?.[0]?.addresses).toEqual([{ ip: '10.0.0.25' }]);
  await api.json('DELETE', `${path}?${selected}`);
  expect(await watched.told(2)).toEqual(['MODIFIED testservice', 'DELETED testservice']);
  await watched.cancel();
});
