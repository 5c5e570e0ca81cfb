import { describe, expect, test } from 'vitest';
import { answerDiscovery, type DocumentAnswer } from '../../../worker/http/discovery.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';
import type { ResourceDefinition } from '../../../worker/resources/definition.ts';
import { PODS_DEFINITION } from '../../../worker/resources/pods.ts';

const catalog = catalogOf();
const KUBECTL =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

function ask(path: string, headers: Record<string, string> = {}, from = catalog): DocumentAnswer {
  const answer = answerDiscovery(from, { path, headers: new Headers(headers) });
  if (answer === undefined) throw new Error(`nothing at ${path}`);
  return answer;
}
const json = (answer: DocumentAnswer) => JSON.parse(answer.body);

/** A custom resource with names of our choice. */
const custom = (group: string, names: Partial<ResourceDefinition>, version = 'v1'): ResourceDefinition => ({
  ...(PODS_DEFINITION as ResourceDefinition),
  schema: '',
  structural: { type: 'object' },
  identity: { group, version, resource: 'things', kind: 'Thing', namespaced: true },
  subresources: [],
  ...names,
});

/** Upstream's order, then ours. */
const GROUPS = [
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'resource.k8s.io',
  'longshore.dev',
  'metrics.k8s.io',
];

describe('plain discovery', () => {
  test('names a resource in upstream’s order of keys, with the hash that upstream has', () => {
    expect(ask('/api/v1').body).toContain(
      '{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"shortNames":["po"],"categories":["all"],"storageVersionHash":"xPOwRZ+Yhw8="}',
    );
  });

  test('names subresources with the kind that they speak', () => {
    const { resources } = json(ask('/apis/apps/v1'));
    expect(resources.find((each: { name: string }) => each.name === 'deployments/scale')).toEqual({
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    });
  });

  test('lists groups and versions', () => {
    expect(json(ask('/api', { host: 'h:1' }))).toEqual({
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: 'h:1' }],
    });
    const names = json(ask('/apis')).groups.map((each: { name: string }) => each.name);
    // Order is priority: a short name of two groups means the first one's.
    expect(names).toEqual(GROUPS.filter((group) => names.includes(group)));
    expect(names).toEqual(expect.arrayContaining(['apps', 'networking.k8s.io', 'storage.k8s.io', 'longshore.dev']));
    expect(json(ask('/apis/apps'))).toEqual({
      kind: 'APIGroup',
      apiVersion: 'v1',
      name: 'apps',
      versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    });
  });

  test.each([
    '/apis/none',
    '/apis/apps/v2',
    '/api/v2',
    '/apis/apps/v1/deployments',
    '/apis//v1',
    '/version',
    '/api/v1/pods',
  ])('has nothing at %s', (path) => {
    expect(answerDiscovery(catalog, { path, headers: new Headers() })).toBeUndefined();
  });
});

describe('aggregated discovery', () => {
  test('is what kubectl asks for first, and says so in its media type', () => {
    const answer = ask('/apis', { accept: KUBECTL });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      vary: 'Accept',
    });
    const { kind, apiVersion, items } = json(answer);
    expect({ kind, apiVersion }).toEqual({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
    const apps = items.find((each: { metadata: { name: string } }) => each.metadata.name === 'apps');
    expect(apps.versions).toMatchObject([{ version: 'v1', freshness: 'Current' }]);
    expect(apps.versions[0].resources).toContainEqual(
      expect.objectContaining({ resource: 'deployments', scope: 'Namespaced' }),
    );
  });

  test('of the core group is at /api, and has no name', () => {
    const { items } = json(ask('/api', { accept: KUBECTL }));
    expect(items).toHaveLength(1);
    expect(items[0].metadata).toEqual({ creationTimestamp: null });
    const pods = items[0].versions[0].resources.find((each: { resource: string }) => each.resource === 'pods');
    expect(pods).toMatchObject({ responseKind: { group: '', version: 'v1', kind: 'Pod' }, singularResource: 'pod' });
    expect(pods.subresources.map((each: { subresource: string }) => each.subresource)).toContain('binding');
  });

  test('is not sent again to who has it', () => {
    const first = ask('/apis', { accept: KUBECTL });
    const again = ask('/apis', { accept: KUBECTL, 'if-none-match': first.headers.etag ?? '' });
    expect(again).toMatchObject({ status: 304, body: '', headers: { etag: first.headers.etag } });
    expect(first.headers.etag).toMatch(/^"[0-9A-F]{64}"$/);
  });

  test('takes the first form that the client lists', () => {
    const form = (accept: string) => ask('/apis', { accept }).headers['content-type'];
    expect(form('application/json')).toBe('application/json');
    expect(form('application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io')).toContain('v=v2beta1');
    expect(form('application/json;as=APIGroupDiscoveryList;v=v9;g=apidiscovery.k8s.io, */*')).toBe('application/json');
    expect(() => form('application/xml')).toThrow(expect.objectContaining({ code: 406 }));
  });
});

describe('a catalog with custom resources', () => {
  const things = custom('x.example.com', {});
  const extended = catalogOf(undefined, [
    things,
    { ...things, identity: { ...things.identity, version: 'v1beta1' } },
    { ...things, identity: { ...things.identity, version: 'v2' } },
  ]);

  test('lists their groups after the built-in ones, their newest version first', () => {
    const { groups } = json(ask('/apis', {}, extended));
    expect(groups.at(-1)).toMatchObject({
      name: 'x.example.com',
      versions: [{ version: 'v2' }, { version: 'v1' }, { version: 'v1beta1' }],
      preferredVersion: { version: 'v2' },
    });
    expect(json(ask('/apis')).groups).not.toContainEqual(expect.objectContaining({ name: 'x.example.com' }));
  });

  test('finds them, but never in place of a built-in one', () => {
    const impostor = custom('', {
      identity: { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true },
    });
    const catalog = catalogOf(undefined, [impostor, things]);
    expect(catalog.findResource('', 'v1', 'pods')?.definition).toBe(PODS_DEFINITION);
    expect(catalog.findKind('v1', 'Pod')?.definition).toBe(PODS_DEFINITION);
    expect(catalog.findGroupResource('pods')).toBe(PODS_DEFINITION);
    expect(catalog.findResource('x.example.com', 'v1', 'things')?.definition).toBe(things);
    expect(catalog.findGroupResource('things.x.example.com')).toBe(things);
    expect(catalog.findKind('x.example.com/v1', 'Nope')).toBeUndefined();
  });

  test('serves events under both names, from one store', () => {
    const served = catalog.findResource('events.k8s.io', 'v1', 'events');
    expect(served?.definition).toBe(catalog.findResource('', 'v1', 'events')?.definition);
    expect(served?.convert).toBeDefined();
    expect(served?.schema.fields?.has('regarding')).toBe(true);
  });
});
