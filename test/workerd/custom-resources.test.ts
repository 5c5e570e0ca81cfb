/** Custom resources beyond what conformance asks: rules, columns, scale, versions, names, and what a deletion leaves. */
import { describe, expect, test } from 'vitest';
import type { CustomResourceDefinition, JSONSchemaProps } from '../../shared/api/apiextensions.ts';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { TestApi } from './support/api.ts';
import { eventsOf } from './support/events.ts';

const api = new TestApi('custom-more');
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

const SCHEMA: JSONSchemaProps = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      'x-kubernetes-validations': [
        {
          rule: 'self.size <= self.limit',
          messageExpression: "'size %d is over %d'.format([self.size, self.limit])",
          fieldPath: '.size',
        },
        { rule: 'self.size >= oldSelf.size', message: 'size may not shrink', reason: 'FieldValueForbidden' },
      ],
      properties: {
        size: { type: 'integer', minimum: 0 },
        limit: { type: 'integer', default: 10 },
        colour: { type: 'string', pattern: '^[a-z]+$' },
        replicas: { type: 'integer' },
        mode: { 'x-kubernetes-int-or-string': true },
        names: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      },
    },
    status: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        selector: { type: 'string' },
        conditions: {
          type: 'array',
          items: { type: 'object', properties: { type: { type: 'string' }, status: { type: 'string' } } },
        },
      },
    },
  },
};

const crdOf = (name: string, group: string, more: object = {}, names: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${name}s.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: `${name}s`, kind: name[0]?.toUpperCase() + name.slice(1), ...names },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: SCHEMA }, ...more }],
  },
});
const create = (crd: object) => api.json<CustomResourceDefinition>('POST', CRDS, { body: crd });
const box = (name: string, spec: object, version = 'v1', metadata: object = {}) => ({
  apiVersion: `box.example.com/${version}`,
  kind: 'Box',
  metadata: { name, ...metadata },
  spec,
});
const BOXES = '/apis/box.example.com/v1/namespaces/default/boxs';
const message = async (method: string, path: string, body: unknown, headers?: Record<string, string>) =>
  (await api.refusal(method, path, { body, ...(headers ? { headers } : {}) })).message;

describe('a custom resource', () => {
  test('is served in the turn in which its definition is made, with all that the definition says', async () => {
    await create(
      crdOf(
        'box',
        'box.example.com',
        {
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
            { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
            { name: 'Names', type: 'string', jsonPath: '.spec.names[*]', priority: 1 },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
        { shortNames: ['bx'], categories: ['all'] },
      ),
    );
    const made = await api.json<KubeObject>('POST', BOXES, {
      body: box('a', { size: 3, replicas: 2, names: ['x', 'y'], mode: 1 }),
    });
    expect(made).toMatchObject({ metadata: { generation: 1 }, spec: { limit: 10 } });
    const { resources } = await api.json<{ resources: object[] }>('GET', '/apis/box.example.com/v1');
    expect(resources).toMatchObject([
      { name: 'boxs', singularName: 'box', shortNames: ['bx'], categories: ['all'], namespaced: true },
      { name: 'boxs/scale', kind: 'Scale' },
      { name: 'boxs/status', kind: 'Box' },
    ]);
  });

  test('is held against its schema, with the words of the apiserver', async () => {
    const refused = (spec: object) => message('POST', BOXES, box('bad', spec));
    expect(await refused({ size: '3' })).toBe(
      'Box.box.example.com "bad" is invalid: [spec.size: Invalid value: "string": spec.size in body must be of type integer: "string", <nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]',
    );
    expect(await refused({})).toContain('spec.size: Required value');
    expect(await refused({ size: -1 })).toContain(
      'spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0',
    );
    expect(await refused({ size: 1, colour: 'RED' })).toContain(
      'spec.colour: Invalid value: "RED": spec.colour in body should match \'^[a-z]+$\'',
    );
    expect(await refused({ size: 1, names: ['x', 'x'] })).toContain('spec.names[1]: Duplicate value: "x"');
    expect(await refused({ size: 1, mode: true })).toContain(
      'spec.mode in body must be of type integer,string: "boolean"',
    );
    expect(await refused({ size: 11 })).toBe(
      'Box.box.example.com "bad" is invalid: spec.size: Invalid value: "object": size 11 is over 10',
    );
  });

  test('obeys rules on what changes, and is let be where it was wrong before', async () => {
    const patch = (spec: object) => api.fetch('PATCH', `${BOXES}/a`, { body: { spec }, headers: MERGE });
    expect(await message('PATCH', `${BOXES}/a`, { spec: { size: 2 } }, MERGE)).toBe(
      'Box.box.example.com "a" is invalid: spec: Forbidden: size may not shrink',
    );
    const grown = await patch({ size: 4 });
    expect(await grown.json()).toMatchObject({ metadata: { generation: 2 } });
    // The schema becomes narrower than what is stored.
    await api.json('PATCH', `${CRDS}/boxs.box.example.com`, {
      body: [
        {
          op: 'add',
          path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/names/maxItems',
          value: 1,
        },
      ],
      headers: { 'content-type': 'application/json-patch+json' },
    });
    await api.evict();
    const other = await patch({ colour: 'red' });
    expect([other.status, await other.json()]).toMatchObject([200, { spec: { names: ['x', 'y'], colour: 'red' } }]);
    expect(await message('PATCH', `${BOXES}/a`, { spec: { names: ['x', 'z'] } }, MERGE)).toContain(
      'spec.names: Too many: 2: must have at most 1 items',
    );
  });

  test('has status and scale apart from itself', async () => {
    const current = await api.json<KubeObject>('GET', `${BOXES}/a`);
    const status = { replicas: 2, selector: 'app=a', conditions: [{ type: 'Ready', status: 'True' }] };
    const put = await api.json<KubeObject>('PUT', `${BOXES}/a/status`, {
      body: { ...current, spec: { size: 99 }, status },
    });
    expect(put).toMatchObject({ metadata: { generation: current.metadata.generation }, spec: { size: 4 }, status });
    const scale = await api.json('GET', `${BOXES}/a/scale`);
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 2, selector: 'app=a' } });
    const scaled = await api.json('PATCH', `${BOXES}/a/scale`, { body: { spec: { replicas: 5 } }, headers: MERGE });
    expect(scaled).toMatchObject({ spec: { replicas: 5 } });
    expect(await api.json('GET', `${BOXES}/a`)).toMatchObject({ spec: { replicas: 5 }, status });
    const table = await api.json<{
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[]; object: object }[];
    }>('GET', `${BOXES}/a/scale`, { headers: TABLE });
    expect(table.columnDefinitions.map((each) => each.name)).toEqual(['Name', 'Desired', 'Available', 'Age']);
    expect(table.rows).toMatchObject([
      { cells: ['a', 5, 2, expect.stringMatching(/^\d+s$/)], object: { kind: 'PartialObjectMetadata' } },
    ]);
  });

  test('has the columns that its definition names', async () => {
    const table = await api.json<{
      columnDefinitions: { name: string; priority: number }[];
      rows: { cells: unknown[] }[];
    }>('GET', BOXES, { headers: TABLE });
    expect(table.columnDefinitions.map((each) => [each.name, each.priority])).toEqual([
      ['Name', 0],
      ['Size', 0],
      ['Ready', 0],
      ['Names', 1],
      ['Age', 0],
    ]);
    expect(table.rows[0]?.cells).toEqual(['a', 4, 'True', 'x,y', expect.stringMatching(/^\d+s$/)]);
  });

  test('is patched and put as custom resources are', async () => {
    expect(
      await api.code('PATCH', `${BOXES}/a`, {
        body: {},
        headers: { 'content-type': 'application/strategic-merge-patch+json' },
      }),
    ).toBe(415);
    expect(await message('PUT', `${BOXES}/a`, box('a', { size: 4 }))).toBe(
      'Box.box.example.com "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    );
    expect(await api.code('PUT', `${BOXES}/none`, { body: box('none', { size: 4 }) })).toBe(404);
  });
});

describe('versions', () => {
  test('show one object in each, stored in one', async () => {
    const schema = (name: string): JSONSchemaProps => ({
      type: 'object',
      properties: { spec: { type: 'object', properties: { shared: { type: 'string' }, [name]: { type: 'string' } } } },
    });
    const crd = crdOf('part', 'part.example.com');
    await create({
      ...crd,
      spec: {
        ...crd.spec,
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema('one') } },
          {
            name: 'v2',
            served: true,
            storage: false,
            schema: { openAPIV3Schema: schema('two') },
            subresources: { status: {} },
          },
        ],
      },
    });
    const path = (version: string) => `/apis/part.example.com/${version}/namespaces/default/parts`;
    await api.json('POST', path('v2'), {
      body: {
        apiVersion: 'part.example.com/v2',
        kind: 'Part',
        metadata: { name: 'p' },
        spec: { shared: 'x', two: '2' },
      },
    });
    const watch = eventsOf(await api.fetch('GET', `${path('v2')}?watch=1`));
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { apiVersion: 'part.example.com/v2' } });
    await watch.cancel();
    expect(await api.json('GET', `${path('v1')}/p`)).toMatchObject({
      apiVersion: 'part.example.com/v1',
      spec: { shared: 'x' },
    });
    const list = await api.json<KubeList<KubeObject>>('GET', path('v2'));
    expect(list).toMatchObject({
      apiVersion: 'part.example.com/v2',
      kind: 'PartList',
      items: [{ apiVersion: 'part.example.com/v2', spec: { shared: 'x', two: '2' } }],
    });
    expect(await api.code('GET', `${path('v1')}/p/status`)).toBe(404);
    expect(await api.code('GET', `${path('v2')}/p/status`)).toBe(200);
    await api.json('PATCH', `${CRDS}/parts.part.example.com`, {
      body: [{ op: 'add', path: '/spec/versions/1/deprecated', value: true }],
      headers: { 'content-type': 'application/json-patch+json' },
    });
    const warned = await api.fetch('GET', `${path('v2')}/p`);
    await warned.text();
    expect(warned.headers.get('warning')).toBe('299 - "part.example.com/v2 Part is deprecated"');
  });
});

describe('a definition', () => {
  test('is refused where it is wrong, under the paths of upstream', async () => {
    const refused = async (schema: JSONSchemaProps, more: object = {}) => {
      const crd = crdOf('wrong', 'wrong.example.com', { schema: { openAPIV3Schema: schema } });
      return message('POST', CRDS, { ...crd, spec: { ...crd.spec, ...more } });
    };
    const inSpec = (node: JSONSchemaProps): JSONSchemaProps => ({ type: 'object', properties: { spec: node } });
    expect(await refused({ properties: {} })).toContain(
      'spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root',
    );
    expect(await refused(inSpec({}))).toContain(
      'spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
    );
    expect(
      await refused(inSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.nope == 1' }] })),
    ).toContain(
      'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: "self.nope == 1": compilation failed: ERROR: <input>:1:6: undefined field \'nope\'',
    );
    expect(await refused(inSpec({ type: 'string', default: 3 }))).toContain('.default');
    expect(await refused(inSpec({ type: 'array', items: { type: 'string' }, uniqueItems: true }))).toContain(
      'uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    );
    expect(await refused({ type: 'object' }, { preserveUnknownFields: true })).toContain(
      'spec.preserveUnknownFields: Invalid value: true: must be false',
    );
    expect(await refused({ type: 'object' }, { group: 'other.example.com' })).toContain(
      'metadata.name: Invalid value: "wrongs.wrong.example.com": must be spec.names.plural+"."+spec.group',
    );
    expect(await api.code('GET', `${CRDS}/wrongs.wrong.example.com`)).toBe(404);
  });

  test('whose names are taken waits until they are free', async () => {
    await create(crdOf('first', 'taken.example.com', {}, { shortNames: ['tk'] }));
    await create(crdOf('second', 'taken.example.com', {}, { shortNames: ['tk'] }));
    const second = () => api.json<CustomResourceDefinition>('GET', `${CRDS}/seconds.taken.example.com`);
    const told = async () =>
      (await second()).status?.conditions?.map((each) => `${each.type} ${each.status} ${each.reason}`);
    expect(await told()).toEqual(['NamesAccepted False ShortNamesConflict', 'Established False NotAccepted']);
    expect(await api.code('GET', '/apis/taken.example.com/v1/seconds')).toBe(404);
    await api.json('DELETE', `${CRDS}/firsts.taken.example.com`);
    expect(await told()).toEqual(['NamesAccepted True NoConflicts', 'Established True InitialNamesAccepted']);
    expect(await api.code('GET', '/apis/taken.example.com/v1/seconds')).toBe(200);
  });

  test('under deletion waits for objects that are held, and takes no new ones', async () => {
    await create(crdOf('held', 'held.example.com'));
    const path = '/apis/held.example.com/v1/namespaces/default/helds';
    const held = {
      apiVersion: 'held.example.com/v1',
      kind: 'Held',
      metadata: { name: 'x', finalizers: ['example.com/mine'] },
      spec: { size: 1 },
    };
    await api.json('POST', path, { body: held });
    await api.json('DELETE', `${CRDS}/helds.held.example.com`);
    const waiting = await api.json<CustomResourceDefinition>('GET', `${CRDS}/helds.held.example.com`);
    expect(waiting.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
    expect(waiting.status?.conditions?.find((each) => each.type === 'Terminating')?.status).toBe('True');
    await api.evict();
    expect(await api.refusal('POST', path, { body: { ...held, metadata: { name: 'y' } } })).toMatchObject({
      code: 405,
      message: 'create not allowed while custom resource definition is terminating',
    });
    await api.json('PATCH', `${path}/x`, { body: { metadata: { finalizers: null } }, headers: MERGE });
    expect(await api.code('GET', `${CRDS}/helds.held.example.com`)).toBe(404);
    expect(await api.code('GET', path)).toBe(404);
  });

  test('that is only tried leaves nothing behind', async () => {
    await api.json('POST', `${CRDS}?dryRun=All`, { body: crdOf('dry', 'dry.example.com') });
    expect(await api.code('GET', '/apis/dry.example.com/v1/drys')).toBe(404);
    expect(await api.code('GET', `${CRDS}/drys.dry.example.com`)).toBe(404);
  });
});

test('a watch ends, with all deletions told, when the definition of what it watches goes', async () => {
  await create(crdOf('ending', 'ending.example.com'));
  const path = '/apis/ending.example.com/v1/namespaces/default/endings';
  const watch = eventsOf(await api.fetch('GET', `${path}?watch=1`));
  await api.json('POST', path, {
    body: { apiVersion: 'ending.example.com/v1', kind: 'Ending', metadata: { name: 'x' }, spec: { size: 1 } },
  });
  await api.json('DELETE', `${CRDS}/endings.ending.example.com`);
  expect(await watch.told(2)).toEqual(['ADDED x', 'DELETED x']);
  await expect(watch.next()).rejects.toThrow('the watch ended');
});

test('objects are found by a field that can be selected only since they were made', async () => {
  await create(crdOf('late', 'late.example.com'));
  const path = '/apis/late.example.com/v1/namespaces/default/lates';
  for (const [name, size] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    await api.json('POST', path, {
      body: { apiVersion: 'late.example.com/v1', kind: 'Late', metadata: { name }, spec: { size } },
    });
  }
  expect(await api.code('GET', `${path}?fieldSelector=spec.size%3D2`)).toBe(400);
  await api.json('PATCH', `${CRDS}/lates.late.example.com`, {
    body: [{ op: 'add', path: '/spec/versions/0/selectableFields', value: [{ jsonPath: '.spec.size' }] }],
    headers: { 'content-type': 'application/json-patch+json' },
  });
  const found = await api.json<KubeList<KubeObject>>('GET', `${path}?fieldSelector=spec.size%3D2`);
  expect(found.items.map((each) => each.metadata.name)).toEqual(['b']);
});
