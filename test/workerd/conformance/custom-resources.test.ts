/** Custom resources: each test does what the conformance line of its name says; rules and versions of our own follow. */
import { describe, expect, test } from 'vitest';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../../shared/api/apiextensions.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { eventsOf } from '../support/events.ts';

const api = new TestApi('custom');
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const OPEN: JSONSchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

type Version = Partial<CustomResourceDefinitionVersion> & { openAPIV3Schema?: JSONSchemaProps };

/** A definition of a kind of its own: `widget(name)` is `names.name.example.com`. */
function crdOf(name: string, schema: JSONSchemaProps, more: Version = {}, versions = ['v1'], scope = 'Namespaced') {
  const kind = name[0]?.toUpperCase() + name.slice(1);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${name}s.${name}.example.com` },
    spec: {
      group: `${name}.example.com`,
      scope,
      names: { plural: `${name}s`, kind } as CustomResourceDefinition['spec']['names'],
      versions: versions.map((version, index) => ({
        name: version,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: schema },
        ...more,
      })),
    },
  };
}
type Crd = ReturnType<typeof crdOf>;

const create = (crd: Crd) => api.json<CustomResourceDefinition>('POST', CRDS, { body: crd });
const pathOf = ({ spec }: Crd, version = spec.versions[0]?.name) =>
  `/apis/${spec.group}/${version}/${spec.scope === 'Namespaced' ? 'namespaces/default/' : ''}${spec.names.plural}`;
const objectOf = ({ spec }: Crd, name: string, rest: object = {}, version = spec.versions[0]?.name) => ({
  apiVersion: `${spec.group}/${version}`,
  kind: spec.names.kind,
  metadata: { name },
  ...rest,
});
const conditionsOf = (crd: CustomResourceDefinition) =>
  Object.fromEntries((crd.status?.conditions ?? []).map((each) => [each.type, each.status]));
const text = async (method: string, path: string, ask: Parameters<TestApi['fetch']>[2] = {}) =>
  (await api.fetch(method, path, ask)).text();

const SPEC = (properties: Record<string, JSONSchemaProps>, more: JSONSchemaProps = {}): JSONSchemaProps => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, ...more } },
});

describe('CustomResourceDefinitions', () => {
  test('[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition creating/deleting custom resource definition objects works [Conformance]', async () => {
    const crd = crdOf('creating', OPEN);
    await create(crd);
    const made = await api.json<CustomResourceDefinition>('GET', `${CRDS}/${crd.metadata.name}`);
    expect(conditionsOf(made)).toEqual({ NamesAccepted: 'True', Established: 'True' });
    expect(made.status).toMatchObject({
      acceptedNames: { plural: 'creatings', singular: 'creating', kind: 'Creating', listKind: 'CreatingList' },
      storedVersions: ['v1'],
    });
    await api.json('POST', pathOf(crd), { body: objectOf(crd, 'one') });
    await api.json('DELETE', `${CRDS}/${crd.metadata.name}`);
    expect(await api.code('GET', `${CRDS}/${crd.metadata.name}`)).toBe(404);
    expect(await api.code('GET', pathOf(crd))).toBe(404);
    // What was in it is gone too.
    await create(crd);
    expect((await api.json<KubeList<KubeObject>>('GET', pathOf(crd))).items).toEqual([]);
  });

  test('[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition listing custom resource definition objects works [Conformance]', async () => {
    const label = { metadata: { labels: { list: 'these' } } };
    for (const name of ['lista', 'listb', 'listc']) {
      const crd = crdOf(name, OPEN);
      await create({ ...crd, metadata: { ...crd.metadata, ...label.metadata } });
    }
    const list = () => api.json<KubeList<KubeObject>>('GET', `${CRDS}?labelSelector=list%3Dthese`);
    expect((await list()).items.map((each) => each.metadata.name)).toEqual([
      'listas.lista.example.com',
      'listbs.listb.example.com',
      'listcs.listc.example.com',
    ]);
    await api.json('DELETE', `${CRDS}?labelSelector=list%3Dthese`);
    expect((await list()).items).toEqual([]);
  });

  test('[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works [Conformance]', async () => {
    const crd = crdOf('partial', OPEN);
    await create(crd);
    const path = `${CRDS}/${crd.metadata.name}/status`;
    const read = await api.json<CustomResourceDefinition>('GET', path);
    const condition = { type: 'StatusUpdate', status: 'True' as const, reason: 'E2E', message: 'set by a test' };
    read.status?.conditions?.push(condition);
    const put = await api.json<CustomResourceDefinition>('PUT', path, { body: read });
    expect(put.status?.conditions).toContainEqual(expect.objectContaining(condition));
    const patched = await api.json<CustomResourceDefinition>('PATCH', path, {
      body: { metadata: { labels: { patched: 'yes' } }, spec: { scope: 'Cluster' } },
      headers: MERGE,
    });
    expect(patched.spec.scope).toBe('Namespaced');
    expect(patched.status?.conditions).toContainEqual(expect.objectContaining(condition));
    expect(conditionsOf(patched).Established).toBe('True');
  });

  test('[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests and from storage works [Conformance]', async () => {
    const crd = crdOf(
      'defaulting',
      {
        type: 'object',
        properties: {
          a: { type: 'string' },
          b: { type: 'string' },
          c: { type: 'string', default: 'C' },
        },
      },
      {},
      ['v1'],
      'Cluster',
    );
    await create(crd);
    const one = await api.json<Record<string, unknown>>('POST', pathOf(crd), { body: objectOf(crd, 'one') });
    expect(one).toMatchObject({ c: 'C' });
    expect(one).not.toHaveProperty('a');
    await api.json('PATCH', `${CRDS}/${crd.metadata.name}`, {
      body: [
        { op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/a/default', value: 'A' },
        { op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/b/default', value: 'B' },
      ],
      headers: JSON_PATCH,
    });
    const read = await api.json<Record<string, unknown>>('GET', `${pathOf(crd)}/one`);
    expect(read).toMatchObject({ a: 'A', b: 'B', c: 'C' });
    expect((await api.json<KubeList<KubeObject>>('GET', pathOf(crd))).items[0]).toMatchObject({ a: 'A', b: 'B' });
    const written = await api.json('PATCH', `${pathOf(crd)}/one`, { body: { a: null }, headers: MERGE });
    expect(written).toMatchObject({ a: 'A', b: 'B', c: 'C' });
    await api.json('PATCH', `${CRDS}/${crd.metadata.name}`, {
      body: [{ op: 'remove', path: '/spec/versions/0/schema/openAPIV3Schema/properties/c/default' }],
      headers: JSON_PATCH,
    });
    // What was written stays, and what is new has no default.
    expect(await api.json('GET', `${pathOf(crd)}/one`)).toMatchObject({ a: 'A', b: 'B', c: 'C' });
    const two = await api.json('POST', pathOf(crd), { body: objectOf(crd, 'two') });
    expect(two).toMatchObject({ a: 'A', b: 'B' });
    expect(two).not.toHaveProperty('c');
  });

  test('[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource definition resources in discovery documents [Conformance]', async () => {
    const { groups } = await api.json<{ groups: { name: string; versions: { version: string }[] }[] }>('GET', '/apis');
    const own = groups.find((each) => each.name === 'apiextensions.k8s.io');
    expect(own?.versions.map((each) => each.version)).toContain('v1');
    const group = await api.json<{ versions: { version: string }[] }>('GET', '/apis/apiextensions.k8s.io');
    expect(group.versions.map((each) => each.version)).toContain('v1');
    const list = await api.json<{ resources: { name: string }[] }>('GET', '/apis/apiextensions.k8s.io/v1');
    expect(list.resources.map((each) => each.name)).toContain('customresourcedefinitions');
  });

  test('[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom resource definition objects [Conformance]', async () => {
    const crd = crdOf('watched', OPEN, {}, ['v1'], 'Cluster');
    await create(crd);
    const path = pathOf(crd);
    const list = await api.json<KubeList<KubeObject>>('GET', path);
    const watch = async (name: string) =>
      eventsOf(
        await api.fetch(
          'GET',
          `${path}?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${list.metadata.resourceVersion}`,
        ),
      );
    const [first, second] = [await watch('name1'), await watch('name2')];
    await api.json('POST', path, { body: objectOf(crd, 'name1') });
    await api.json('POST', path, { body: objectOf(crd, 'name2') });
    await api.json('PATCH', `${path}/name1`, { body: { dummy: 'test' }, headers: MERGE });
    await api.json('PATCH', `${path}/name2`, { body: { dummy: 'test' }, headers: MERGE });
    await api.json('DELETE', `${path}/name1`);
    await api.json('DELETE', `${path}/name2`);
    expect(await first.told(3)).toEqual(['ADDED name1', 'MODIFIED name1', 'DELETED name1']);
    expect(await second.told(3)).toEqual(['ADDED name2', 'MODIFIED name2', 'DELETED name2']);
    await first.cancel();
    await second.cancel();
  });
});

describe('CustomResourceFieldSelectors', () => {
  test('[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector [Conformance]', async () => {
    const properties: Record<string, JSONSchemaProps> = { host: { type: 'string' }, port: { type: 'integer' } };
    const crd = crdOf(
      'selecting',
      SPEC(properties),
      {
        selectableFields: [{ jsonPath: '.spec.host' }, { jsonPath: '.spec.port' }],
      },
      ['v1', 'v2'],
    );
    await create(crd);
    const path = pathOf(crd);
    const made = async (name: string, host: string, port: number) =>
      api.json('POST', path, { body: objectOf(crd, name, { spec: { host, port } }) });
    await made('a', 'host1', 80);
    await made('b', 'host1', 8080);
    await made('c', 'host2', 80);
    await api.evict();
    const names = async (selector: string, version = 'v1') =>
      (
        await api.json<KubeList<KubeObject>>(
          'GET',
          `${pathOf(crd, version)}?fieldSelector=${encodeURIComponent(selector)}`,
        )
      ).items.map((each) => each.metadata.name);
    expect(await names('spec.host=host1')).toEqual(['a', 'b']);
    expect(await names('spec.host=host1,spec.port=80')).toEqual(['a']);
    expect(await names('spec.host!=host1', 'v2')).toEqual(['c']);
    expect(await api.code('GET', `${path}?fieldSelector=spec.other%3Dx`)).toBe(400);
    const { metadata } = await api.json<KubeList<KubeObject>>('GET', path);
    const events = eventsOf(
      await api.fetch(
        'GET',
        `${pathOf(crd, 'v2')}?watch=1&fieldSelector=spec.host%3Dhost1&resourceVersion=${metadata.resourceVersion}`,
      ),
    );
    await api.json('PATCH', `${path}/c`, { body: { spec: { host: 'host1' } }, headers: MERGE });
    await api.json('PATCH', `${path}/a`, { body: { spec: { host: 'host2' } }, headers: MERGE });
    await api.json('DELETE', `${path}/b`);
    expect(await events.next()).toMatchObject({
      type: 'ADDED',
      object: { apiVersion: 'selecting.example.com/v2', metadata: { name: 'c' } },
    });
    expect(await events.told(2)).toEqual(['DELETED a', 'DELETED b']);
    await events.cancel();
    expect(await api.code('DELETE', `${path}?fieldSelector=spec.host%3Dhost1`)).toBe(200);
    expect(await names('')).toEqual(['a']);
  });
});

// ---- OpenAPI ----------------------------------------------------------------------------------------------------------

const FOO: JSONSchemaProps = {
  description: 'Foo CRD for Testing',
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Foo',
      properties: {
        bars: {
          description: 'List of Bars and their specs.',
          type: 'array',
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { description: 'Name of Bar.', type: 'string' },
              age: { description: 'Age of Bar.', type: 'string' },
              feeling: { description: 'Whether Bar is feeling great.', type: 'string', enum: ['Great', 'Down'] },
              bazs: { description: 'List of Bazs.', items: { type: 'string' }, type: 'array' },
            },
          },
        },
      },
    },
    status: {
      description: 'Status of Foo',
      type: 'object',
      properties: { bars: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } } },
    },
  },
};
const WALDO: JSONSchemaProps = {
  description: 'Waldo CRD for Testing',
  type: 'object',
  properties: {
    spec: { description: 'Specification of Waldo', type: 'object', properties: { dummy: { type: 'string' } } },
  },
};

interface Swagger {
  definitions: Record<string, { properties?: Record<string, unknown>; [key: string]: unknown }>;
}

/** What /openapi/v2 says of a kind, without what every kind has; undefined when it is not there. */
async function publishedOf(crd: Crd, version: string): Promise<unknown> {
  const { definitions } = await api.json<Swagger>('GET', '/openapi/v2');
  const found = definitions[[...crd.spec.group.split('.').reverse(), version, crd.spec.names.kind].join('.')];
  if (found === undefined) return undefined;
  const { properties, 'x-kubernetes-group-version-kind': _, ...rest } = found;
  const { metadata, apiVersion, kind, ...own } = properties ?? {};
  expect(metadata).toMatchObject({ description: expect.stringMatching(/^Standard object's metadata/) });
  expect([apiVersion, kind]).toEqual([
    expect.objectContaining({ type: 'string' }),
    expect.objectContaining({ type: 'string' }),
  ]);
  return Object.keys(own).length === 0 ? rest : { ...rest, properties: own };
}

/** The same in version 3, whose document must also be the one that the index names. */
async function schemaOf(crd: Crd, version: string): Promise<{ properties: Record<string, unknown> } | undefined> {
  const { paths } = await api.json<{ paths: Record<string, { serverRelativeURL: string }> }>('GET', '/openapi/v3');
  const url = paths[`apis/${crd.spec.group}/${version}`]?.serverRelativeURL;
  if (url === undefined) return undefined;
  const { components } = await api.json<{ components: { schemas: Record<string, never> } }>('GET', url);
  return components.schemas[[...crd.spec.group.split('.').reverse(), version, crd.spec.names.kind].join('.')];
}

const gone = async (crd: Crd) => {
  await api.json('DELETE', `${CRDS}/${crd.metadata.name}`);
  for (const { name } of crd.spec.versions) expect(await publishedOf(crd, name)).toBeUndefined();
};

/** Two kinds that share a group. */
const inGroup = (crd: Crd, group: string): Crd => ({
  ...crd,
  metadata: { name: `${crd.spec.names.plural}.${group}` },
  spec: { ...crd.spec, group },
});

describe('CustomResourcePublishOpenAPI', () => {
  const strict = '?fieldValidation=Strict';

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema [Conformance]', async () => {
    const crd = crdOf('foo', FOO);
    await create(crd);
    expect(await publishedOf(crd, 'v1')).toEqual(FOO);
    expect(await schemaOf(crd, 'v1')).toMatchObject(FOO);
    const path = pathOf(crd) + strict;
    const valid = objectOf(crd, 'test-foo', { spec: { bars: [{ name: 'test-bar' }] } });
    expect(await api.code('POST', path, { body: valid })).toBe(201);
    expect(await api.code('DELETE', `${pathOf(crd)}/test-foo`)).toBe(200);
    const apply = `${pathOf(crd)}/test-foo${strict}&fieldManager=test`;
    expect(await api.code('PATCH', apply, { raw: JSON.stringify(valid), headers: APPLY })).toBe(201);
    const refusal = async (spec: object) =>
      (await api.refusal('POST', path, { body: objectOf(crd, 'bad', { spec }) })).message;
    expect(await refusal({ bars: [{ name: 'test-bar', feeling: 'NonExistentValue' }] })).toBe(
      'Foo.foo.example.com "bad" is invalid: spec.bars[0].feeling: Unsupported value: "NonExistentValue": supported values: "Great", "Down"',
    );
    expect(await refusal({ foo: true })).toContain('strict decoding error: unknown field "spec.foo"');
    expect(await refusal({ bars: [{ age: '10' }] })).toContain('spec.bars[0].name: Required value');
    await gone(crd);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema [Conformance]', async () => {
    const crd = crdOf('empty', OPEN);
    await create(crd);
    expect(await publishedOf(crd, 'v1')).toEqual({ type: 'object' });
    const random = objectOf(crd, 'test-cr', { a: { b: [{ c: 'd' }] } });
    expect(await api.json('POST', pathOf(crd) + strict, { body: random })).toMatchObject({ a: { b: [{ c: 'd' }] } });
    expect(await schemaOf(crd, 'v1')).not.toHaveProperty('description');
    await gone(crd);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields at the schema root [Conformance]', async () => {
    const crd = crdOf('unknownatroot', {
      ...OPEN,
      description: 'preserve-unknown-properties at root for Testing',
      properties: { spec: { type: 'object', properties: { dummy: { type: 'string' } } } },
    });
    await create(crd);
    expect(await publishedOf(crd, 'v1')).toBeDefined();
    const random = objectOf(crd, 'test-cr', { a: { b: [{ c: 'd' }] } });
    expect(await api.json('POST', pathOf(crd) + strict, { body: random })).toMatchObject({ a: { b: [{ c: 'd' }] } });
    const applied = await api.json('PATCH', `${pathOf(crd)}/test-cr${strict}&fieldManager=test`, {
      raw: JSON.stringify(random),
      headers: APPLY,
    });
    expect(applied).toMatchObject({ a: { b: [{ c: 'd' }] } });
    await gone(crd);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields in an embedded object [Conformance]', async () => {
    const crd = crdOf('nested', {
      description: 'preserve-unknown-properties in nested field for Testing',
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { dummy: { type: 'string' } },
        },
      },
    });
    await create(crd);
    const random = objectOf(crd, 'test-cr', { spec: { a: null, b: [{ c: 'd' }] } });
    expect(await api.json('POST', pathOf(crd) + strict, { body: random })).toMatchObject({ spec: { b: [{ c: 'd' }] } });
    expect(await schemaOf(crd, 'v1')).toMatchObject({
      description: 'preserve-unknown-properties in nested field for Testing',
    });
    expect(await publishedOf(crd, 'v1')).toMatchObject({
      properties: { spec: { 'x-kubernetes-preserve-unknown-fields': true } },
    });
    await gone(crd);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups [Conformance]', async () => {
    const [foo, waldo] = [crdOf('foogroup', FOO), crdOf('waldogroup', WALDO, {}, ['v1beta1'])];
    await create(foo);
    await create(waldo);
    expect(await publishedOf(foo, 'v1')).toEqual(FOO);
    expect(await publishedOf(waldo, 'v1beta1')).toEqual(WALDO);
    await gone(foo);
    await gone(waldo);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group but different versions [Conformance]', async () => {
    const multi = crdOf('multi', FOO, {}, ['v2', 'v3']);
    await create(multi);
    expect([await publishedOf(multi, 'v2'), await publishedOf(multi, 'v3')]).toEqual([FOO, FOO]);
    await gone(multi);
    const foo = inGroup(crdOf('foov', FOO, {}, ['v4']), 'common.example.com');
    const waldo = inGroup(crdOf('waldov', WALDO, {}, ['v5']), 'common.example.com');
    await create(foo);
    await create(waldo);
    expect([await publishedOf(foo, 'v4'), await publishedOf(waldo, 'v5')]).toEqual([FOO, WALDO]);
    await gone(foo);
    await gone(waldo);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group and version but different kinds [Conformance]', async () => {
    const foo = inGroup(crdOf('fook', FOO, {}, ['v6']), 'common.example.com');
    const waldo = inGroup(crdOf('waldok', WALDO, {}, ['v6']), 'common.example.com');
    await create(foo);
    await create(waldo);
    expect([await publishedOf(foo, 'v6'), await publishedOf(waldo, 'v6')]).toEqual([FOO, WALDO]);
    await gone(foo);
    await gone(waldo);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one version gets renamed [Conformance]', async () => {
    const crd = crdOf('renamed', FOO, {}, ['v2', 'v3']);
    await create(crd);
    const etag = async () => {
      const answer = await api.fetch('GET', '/openapi/v2');
      await answer.text();
      return answer.headers.get('etag');
    };
    const before = await etag();
    await api.json('PATCH', `${CRDS}/${crd.metadata.name}`, {
      body: [
        { op: 'test', path: '/spec/versions/1/name', value: 'v3' },
        { op: 'replace', path: '/spec/versions/1/name', value: 'v4' },
      ],
      headers: JSON_PATCH,
    });
    expect(await publishedOf(crd, 'v4')).toEqual(FOO);
    expect(await publishedOf(crd, 'v3')).toBeUndefined();
    expect(await publishedOf(crd, 'v2')).toEqual(FOO);
    expect(await etag()).not.toBe(before);
  });

  test('[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] removes definition from spec when one version gets changed to not be served [Conformance]', async () => {
    const crd = crdOf('unserved', FOO, {}, ['v5', 'v6alpha1']);
    await create(crd);
    expect([await publishedOf(crd, 'v5'), await publishedOf(crd, 'v6alpha1')]).toEqual([FOO, FOO]);
    const current = await api.json<CustomResourceDefinition>('GET', `${CRDS}/${crd.metadata.name}`);
    const [, second] = current.spec.versions;
    if (second !== undefined) second.served = false;
    await api.json('PUT', `${CRDS}/${crd.metadata.name}`, { body: current });
    expect(await publishedOf(crd, 'v6alpha1')).toBeUndefined();
    expect(await publishedOf(crd, 'v5')).toEqual(FOO);
    expect(await api.code('GET', pathOf(crd, 'v6alpha1'))).toBe(404);
  });
});

describe('AggregatedDiscovery', () => {
  const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  interface Discovered {
    items: {
      metadata: { name?: string };
      versions: {
        version: string;
        resources: { resource: string; scope: string; verbs: string[]; subresources?: { subresource: string }[] }[];
      }[];
    }[];
  }
  const discovered = async (crd: Crd) => {
    const answer = await api.fetch('GET', '/apis', { headers: { accept: AGGREGATED } });
    expect(answer.headers.get('content-type')).toContain('as=APIGroupDiscoveryList');
    const { items } = (await answer.json()) as Discovered;
    return items.find((each) => each.metadata.name === crd.spec.group);
  };

  test('[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs [Conformance]', async () => {
    const crd = crdOf('discovered', OPEN, { subresources: { status: {} } }, ['v1', 'v2']);
    await create(crd);
    const group = await discovered(crd);
    expect(group?.versions.map((each) => each.version)).toEqual(['v2', 'v1']);
    expect(group?.versions[1]?.resources[0]).toMatchObject({
      resource: 'discovereds',
      scope: 'Namespaced',
      singularResource: 'discovered',
      responseKind: { group: 'discovered.example.com', version: 'v1', kind: 'Discovered' },
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      subresources: [{ subresource: 'status', verbs: ['get', 'patch', 'update'] }],
    });
    await api.json('DELETE', `${CRDS}/${crd.metadata.name}`);
    expect(await discovered(crd)).toBeUndefined();
  });

  test('[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs [Conformance]', async () => {
    const crd = crdOf('raw', OPEN, {}, ['v1'], 'Cluster');
    const before = await api.fetch('GET', '/apis', { headers: { accept: AGGREGATED } });
    await before.text();
    await create(crd);
    const after = await api.fetch('GET', '/apis', {
      headers: { accept: AGGREGATED, 'if-none-match': before.headers.get('etag') ?? '' },
    });
    expect(after.status).toBe(200);
    const { items } = (await after.json()) as Discovered;
    const [version] = items.find((each) => each.metadata.name === 'raw.example.com')?.versions ?? [];
    expect(version).toMatchObject({ version: 'v1', resources: [{ resource: 'raws', scope: 'Cluster' }] });
    await api.evict();
    const same = await api.fetch('GET', '/apis', {
      headers: { accept: AGGREGATED, 'if-none-match': after.headers.get('etag') ?? '' },
    });
    await same.text();
    expect(same.status).toBe(304);
  });
});

// ---- Field validation -----------------------------------------------------------------------------------------------

const PORTS: JSONSchemaProps = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
  items: {
    type: 'object',
    required: ['containerPort', 'protocol'],
    properties: {
      containerPort: { type: 'integer', format: 'int32' },
      protocol: { type: 'string' },
      name: { type: 'string' },
    },
  },
};
const NOXU: Record<string, JSONSchemaProps> = {
  foo: { type: 'string' },
  cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
  ports: PORTS,
};
const SPEC_LINES =
  '  foo: foo1\n  cronSpec: "* * * * */5"\n  ports:\n  - name: x\n    containerPort: 80\n    protocol: TCP';

describe('FieldValidation', () => {
  const apply = (crd: Crd, raw: string) =>
    text('PATCH', `${pathOf(crd)}/mytest?fieldManager=field_validation_mgr&fieldValidation=Strict`, {
      raw,
      headers: APPLY,
    });
  const head = (crd: Crd, metadata = '') =>
    `\napiVersion: ${crd.spec.group}/v1\nkind: ${crd.spec.names.kind}\nmetadata:\n  name: mytest\n${metadata}  finalizers:\n  - test-finalizer\n`;
  const noxu = async (name: string, schema: JSONSchemaProps) => {
    const crd = crdOf(name, schema, {}, ['v1'], 'Cluster');
    await create(crd);
    return crd;
  };

  test('[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema [Conformance]', async () => {
    const crd = await noxu('noxuopen', OPEN);
    const answer = await apply(crd, `${head(crd)}spec:\n  unknown: uk1\n  foo: foo1`);
    expect(JSON.parse(answer)).toMatchObject({ kind: 'Noxuopen', spec: { unknown: 'uk1' } });
  });

  test('[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema [Conformance]', async () => {
    const crd = await noxu('noxuvalid', SPEC(NOXU));
    const answer = await apply(crd, `${head(crd)}spec:\n${SPEC_LINES}`);
    expect(JSON.parse(answer)).toMatchObject({ spec: { ports: [{ name: 'x', containerPort: 80, protocol: 'TCP' }] } });
  });

  test('[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema [Conformance]', async () => {
    const crd = await noxu('noxuextra', SPEC(NOXU));
    const answer = await apply(crd, `${head(crd)}unknownField: unknown\nspec:\n${SPEC_LINES}`);
    expect(answer).toContain('.unknownField: field not declared in schema');
    const refused = await api.refusal('POST', `${pathOf(crd)}?fieldValidation=Strict`, {
      body: objectOf(crd, 'x', { unknownField: 1, spec: { unknownNested: 2 } }),
    });
    expect(refused).toMatchObject({ code: 400, reason: 'BadRequest' });
    expect(refused.message).toContain(
      'strict decoding error: unknown field "unknownField", unknown field "spec.unknownNested"',
    );
    const warned = await api.fetch('POST', pathOf(crd), { body: objectOf(crd, 'warned', { unknownField: 1 }) });
    expect(warned.headers.get('warning')).toBe('299 - "unknown field \\"unknownField\\""');
    expect(await warned.json()).not.toHaveProperty('unknownField');
  });

  test('[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR [Conformance]', async () => {
    const template: JSONSchemaProps = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { metadata: { type: 'object', properties: { name: { type: 'string' } } }, spec: { type: 'object' } },
    };
    const crd = await noxu('noxumeta', SPEC({ ...NOXU, template }, { 'x-kubernetes-preserve-unknown-fields': true }));
    const body = `spec:\n  template:\n    apiversion: foo/v1\n    kind: Sub\n    metadata:\n        unknownSubMeta: unknown\n        name: subobject\n        namespace: default\n${SPEC_LINES}`;
    const answer = await apply(crd, `${head(crd, '  unknownMeta: unknown\n')}${body}`);
    expect(answer).toMatch(
      /\.spec\.template\.metadata\.unknownSubMeta: field not declared in schema|\.metadata\.unknownMeta: field not declared in schema/,
    );
    const spec = { template: { apiVersion: 'foo/v1', kind: 'Sub', metadata: { name: 'x', unknownSubMeta: 'y' } } };
    const refused = await api.refusal('POST', `${pathOf(crd)}?fieldValidation=Strict`, {
      body: { ...objectOf(crd, 'x', { spec }), metadata: { name: 'x', unknownMeta: 'y' } },
    });
    expect(refused.message).toContain('unknown field "metadata.unknownMeta"');
    expect(refused.message).toContain('unknown field "spec.template.metadata.unknownSubMeta"');
  });

  test('[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields [Conformance]', async () => {
    const crd = await noxu('noxudouble', SPEC(NOXU, { 'x-kubernetes-preserve-unknown-fields': true }));
    const lines = SPEC_LINES.replace('  foo: foo1\n', '  foo: foo1\n  foo: foo2\n');
    const answer = await apply(crd, `${head(crd)}spec:\n  unknown: uk1\n${lines}`);
    expect(answer).toContain('line 11: key \\"foo\\" already set in map');
    const refused = await api.refusal('POST', `${pathOf(crd)}?fieldValidation=Strict`, {
      raw: `{"apiVersion":"${crd.spec.group}/v1","kind":"Noxudouble","metadata":{"name":"x"},"spec":{"foo":"1","foo":"2","open":{"a":1,"a":2}}}`,
    });
    expect(refused.message).toContain('duplicate field "spec.foo", duplicate field "spec.open.a"');
  });
});
