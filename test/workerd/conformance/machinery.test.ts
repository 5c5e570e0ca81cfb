/** Discovery, tables, field validation, namespaces, version: each test does what the conformance line of its name says. */
import { describe, expect, test } from 'vitest';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { eventually } from '../../support/eventually.ts';
import { TestApi } from '../support/api.ts';

const api = new TestApi('machinery');
const MERGE = { 'content-type': 'application/merge-patch+json' };

interface Group {
  name: string;
  versions: { groupVersion: string; version: string }[];
  preferredVersion: { groupVersion: string; version: string };
}
interface ResourceList {
  groupVersion: string;
  resources: { name: string; kind: string; verbs: string[]; namespaced: boolean }[];
}
interface AggregatedGroup {
  metadata: { name?: string };
  versions: { version: string; resources: { resource: string; verbs: string[] }[] }[];
}

describe('discovery', () => {
  test('[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]', async () => {
    const { groups } = await api.json<{ groups: Group[] }>('GET', '/apis');
    expect(groups.length).toBeGreaterThan(10);
    for (const group of groups) {
      const own = await api.json<Group>('GET', `/apis/${group.name}`);
      expect(own.preferredVersion, group.name).toEqual(group.preferredVersion);
      expect(own.versions).toContainEqual(own.preferredVersion);
      expect(own.preferredVersion.groupVersion).toBe(`${group.name}/${own.preferredVersion.version}`);
    }
  });

  test('[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]', async () => {
    const wanted = [
      ['apps/v1', 'deployments'],
      ['authentication.k8s.io/v1', 'tokenreviews'],
      ['authorization.k8s.io/v1', 'selfsubjectaccessreviews'],
      ['batch/v1', 'jobs'],
      ['coordination.k8s.io/v1', 'leases'],
      ['discovery.k8s.io/v1', 'endpointslices'],
    ] as const;
    const { groups } = await api.json<{ groups: Group[] }>('GET', '/apis');
    for (const [groupVersion, resource] of wanted) {
      const [name] = groupVersion.split('/');
      const group = groups.find((each) => each.name === name);
      expect(group?.versions.map((each) => each.groupVersion)).toContain(groupVersion);
      const list = await api.json<ResourceList>('GET', `/apis/${groupVersion}`);
      expect(list.groupVersion).toBe(groupVersion);
      expect(list.resources.map((each) => each.name)).toContain(resource);
    }
  });

  const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const aggregated = (path: string, accept = AGGREGATED) => api.fetch('GET', path, { headers: { accept } });

  test('[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]', async () => {
    const core = (await (await aggregated('/api')).json()) as { items: AggregatedGroup[] };
    const groups = (await (await aggregated('/apis')).json()) as { items: AggregatedGroup[] };
    const find = (group: string, version: string, resource: string) =>
      [...core.items, ...groups.items]
        .find((each) => (each.metadata.name ?? '') === group)
        ?.versions.find((each) => each.version === version)
        ?.resources.find((each) => each.resource === resource);
    for (const [group, resource] of [
      ['', 'namespaces'],
      ['', 'pods'],
      ['apps', 'deployments'],
      ['batch', 'jobs'],
      ['coordination.k8s.io', 'leases'],
    ] as const) {
      expect(find(group, 'v1', resource)?.verbs, `${group}/${resource}`).toEqual(
        expect.arrayContaining(['create', 'get', 'list', 'watch']),
      );
    }
  });

  test('[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]', async () => {
    for (const path of ['/api', '/apis']) {
      for (const version of ['v2', 'v2beta1']) {
        const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
        const answer = await aggregated(path, accept);
        expect(answer.status).toBe(200);
        const type = answer.headers.get('content-type') ?? '';
        for (const part of ['g=apidiscovery.k8s.io', `v=${version}`, 'as=APIGroupDiscoveryList']) {
          expect(type.split(';')).toContain(part);
        }
        expect(await answer.json()).toMatchObject({
          kind: 'APIGroupDiscoveryList',
          apiVersion: `apidiscovery.k8s.io/${version}`,
        });
        const tag = answer.headers.get('etag') ?? '';
        expect(tag).toMatch(/^".+"$/);
        const headers = { accept, 'if-none-match': tag };
        expect(await api.code('GET', path, { headers })).toBe(304);
      }
      const plain = await aggregated(path, 'application/json');
      expect(plain.headers.get('content-type')).toBe('application/json');
      expect(await plain.json()).toHaveProperty(path === '/api' ? 'versions' : 'groups');
    }
  });
});

test('[sig-api-machinery] server version should find the server version [Conformance]', async () => {
  const version = await api.json<{ major: string; minor: string; gitVersion: string }>('GET', '/version');
  expect(version.major).toMatch(/^\d+$/);
  expect(version.minor).toMatch(/^\d+\+?$/);
  expect(version.gitVersion).toMatch(/^v\d+\.\d+\.\d+/);
});

test('[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata [Conformance]', async () => {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { namespace: 'default', verb: 'list', resource: 'pods' } },
  };
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const refusal = await api.refusal('POST', path, { body, headers: { accept } });
  expect(refusal).toMatchObject({ http: 406, reason: 'NotAcceptable' });
});

describe('FieldValidation', () => {
  const path = '/apis/apps/v1/namespaces/default/deployments';
  const manifest = (name: string, extra = '', metadata = '') =>
    `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"${name}"${metadata}},"spec":{${extra}"replicas":1,` +
    '"selector":{"matchLabels":{"app":"nginx"}},"template":{"metadata":{"labels":{"app":"nginx"}},' +
    '"spec":{"containers":[{"name":"nginx","image":"nginx:latest"}]}}}}';

  test('[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]', async () => {
    const raw = manifest('both', '"unknownField":"x","paused":true,"paused":true,');
    const problems = 'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.paused"';
    const strict = await api.refusal('POST', `${path}?fieldValidation=Strict`, { raw });
    expect(strict).toMatchObject({ http: 400, reason: 'BadRequest', message: expect.stringContaining(problems) });
    const warned = await api.fetch('POST', `${path}?fieldValidation=Warn&dryRun=All`, { raw });
    expect(warned.status).toBe(201);
    expect(warned.headers.get('warning')).toBe(
      '299 - "unknown field \\"spec.unknownField\\"", 299 - "duplicate field \\"spec.paused\\""',
    );
    expect(await warned.json()).not.toHaveProperty('spec.unknownField');
    const ignored = await api.fetch('POST', `${path}?fieldValidation=Ignore&dryRun=All`, { raw });
    expect([ignored.status, ignored.headers.get('warning')]).toEqual([201, null]);
    await ignored.text();
    await api.json('POST', path, { raw: manifest('patched') });
    const patch = '{"spec":{"unknownField":"x","paused":true,"paused":true}}';
    const patched = await api.refusal('PATCH', `${path}/patched?fieldValidation=Strict`, {
      raw: patch,
      headers: MERGE,
    });
    expect(patched.message).toContain('unknown field "spec.unknownField"');
    expect(patched.message).toContain('duplicate field "spec.paused"');
    const yaml = 'apiVersion: apps/v1\nkind: Deployment\nspec:\n  paused: true\n  paused: false\n';
    const applied = await api.refusal('PATCH', `${path}/patched?fieldValidation=Strict&fieldManager=m`, {
      raw: yaml,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect(applied).toMatchObject({ http: 400, message: expect.stringMatching(/^error strict decoding YAML: /) });
    expect(applied.message).toContain('line 5: key "paused" already set in map');
  });

  test('[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]', async () => {
    const raw = manifest('meta', '', ',"unknownMeta":"x"');
    const strict = await api.refusal('POST', `${path}?fieldValidation=Strict`, { raw });
    expect(strict.message).toContain('strict decoding error: unknown field "metadata.unknownMeta"');
    const warned = await api.fetch('POST', `${path}?fieldValidation=Warn&dryRun=All`, { raw });
    expect(warned.headers.get('warning')).toContain('unknown field \\"metadata.unknownMeta\\"');
    await warned.text();
    const applied = await api.refusal('PATCH', `${path}/meta?fieldManager=m&fieldValidation=Strict`, {
      raw,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect(applied.message).toBe(
      'failed to create typed patch object (default/meta; apps/v1, Kind=Deployment): .metadata.unknownMeta: field not declared in schema',
    );
  });
});

describe('Namespaces', () => {
  type Namespace = KubeObject & {
    spec: { finalizers?: string[] };
    status: { phase: string; conditions?: { type: string; reason: string }[] };
  };
  const path = '/api/v1/namespaces';
  const make = (name: string) => api.json<Namespace>('POST', path, { body: { metadata: { name } } });

  test('[sig-api-machinery] Namespaces [Serial] should patch a Namespace [Conformance]', async () => {
    await make('patched');
    const body = { metadata: { labels: { testLabel: 'testValue' } } };
    const headers = { 'content-type': 'application/strategic-merge-patch+json' };
    await api.json('PATCH', `${path}/patched`, { body, headers });
    const read = await api.json<Namespace>('GET', `${path}/patched`);
    expect(read.metadata.labels).toMatchObject({ testLabel: 'testValue', 'kubernetes.io/metadata.name': 'patched' });
  });

  test('[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status [Conformance]', async () => {
    await make('status');
    const condition = { type: 'StatusPatch', status: 'True', reason: 'E2E', message: 'Patched by an e2e test' };
    const patched = await api.json<Namespace>('PATCH', `${path}/status/status`, {
      body: { metadata: { annotations: { e2e: 'patched' } }, status: { conditions: [condition] } },
      headers: MERGE,
    });
    expect(patched.status.conditions).toMatchObject([{ type: 'StatusPatch', reason: 'E2E' }]);
    const read = await api.json<Namespace>('GET', `${path}/status/status`);
    const updated = await api.json<Namespace>('PUT', `${path}/status/status`, {
      body: {
        ...read,
        status: { ...read.status, conditions: [{ ...condition, type: 'StatusUpdate', message: 'Updated' }] },
      },
    });
    expect(updated.status.conditions).toMatchObject([{ type: 'StatusUpdate' }]);
    expect(updated.status.phase).toBe('Active');
  });

  test('[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted [Conformance]', async () => {
    await make('nsdeletetest');
    const services = `${path}/nsdeletetest/services`;
    const spec = { selector: { foo: 'bar', baz: 'blah' }, ports: [{ port: 80, targetPort: 80 }] };
    await api.json('POST', services, { body: { metadata: { name: 'test-service' }, spec } });
    await api.json('DELETE', `${path}/nsdeletetest`);
    await eventually('the namespace is gone', async () => (await api.code('GET', `${path}/nsdeletetest`)) === 404);
    await make('nsdeletetest');
    expect((await api.json<KubeList<KubeObject>>('GET', services)).items).toEqual([]);
    expect(await api.code('GET', `${services}/test-service`)).toBe(404);
  });

  test('[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace [Conformance]', async () => {
    const made = await make('updated');
    const labels = { ...made.metadata.labels, updated: 'yes' };
    const updated = await api.json<Namespace>('PUT', `${path}/updated`, {
      body: { ...made, metadata: { ...made.metadata, labels } },
    });
    expect(updated.metadata.labels).toMatchObject({ updated: 'yes' });
  });

  test('[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace [Conformance]', async () => {
    const made = await make('finalized');
    const finalizer = 'e2e.example.com/fakeFinalizer';
    const withOne = await api.json<Namespace>('PUT', `${path}/finalized/finalize`, {
      body: { ...made, spec: { finalizers: [...(made.spec.finalizers ?? []), finalizer] } },
    });
    expect(withOne.spec.finalizers).toEqual(['kubernetes', finalizer]);
    const without = await api.json<Namespace>('PUT', `${path}/finalized/finalize`, {
      body: { ...withOne, spec: made.spec },
    });
    expect(without.spec.finalizers).toEqual(['kubernetes']);
    const list = await api.json<KubeList<Namespace>>('GET', path);
    expect(list.items.map((each) => each.metadata.name)).toContain('finalized');
  });
});
