/**
 * Custom resources whose versions a webhook converts, over the whole Worker, with the webhook's side of `fetch` played by the
 * test: version v1 has `hostPort`, v2 has `host` and `port`, as in upstream's test.
 */
import { runInDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CustomResourceDefinition, JSONSchemaProps } from '../../shared/api/apiextensions.ts';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import type { AdmissionRequest } from '../../worker/admission/request.ts';
import type { Attachment } from '../../worker/links/event-texts.ts';
import { CREDIT_BYTES } from '../../worker/links/watch-credit.ts';
import { eventually } from '../support/eventually.ts';
import { bindings, TestApi } from './support/api.ts';
import { eventsOf } from './support/events.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const GROUP = 'stable.example.com';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

type Endpoint = KubeObject & {
  hostPort?: string;
  host?: string;
  port?: string;
  replicas?: number;
  status?: { replicas?: number };
};
interface Review {
  uid: string;
  desiredAPIVersion: string;
  objects: Endpoint[];
}

/** What the webhook was asked, and whatever else it is to answer. */
const asked: Review[] = [];
let answers: (review: Review) => object | Promise<object>;
/** Admission, where a test has some. */
let judge: (request: AdmissionRequest) => object = () => ({ allowed: true });

function convert(object: Endpoint, apiVersion: string): Endpoint {
  const { hostPort, host, port, ...rest } = object;
  if (apiVersion.endsWith('/v1')) return { ...rest, apiVersion, hostPort: `${host ?? ''}:${port ?? ''}` };
  const [before, after] = (hostPort ?? ':').split(':');
  return { ...rest, apiVersion, ...(before ? { host: before } : {}), ...(after ? { port: after } : {}) };
}
const converted = ({ uid, objects, desiredAPIVersion }: Review) => ({
  uid,
  result: { status: 'Success' },
  convertedObjects: objects.map((each) => convert(each, desiredAPIVersion)),
});

beforeEach(() => {
  asked.length = 0;
  answers = converted;
  judge = () => ({ allowed: true });
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const body = JSON.parse(String(init?.body)) as { apiVersion: string; kind: string; request: Review };
    if (body.kind === 'AdmissionReview') {
      const request = body.request as unknown as AdmissionRequest;
      return Response.json({ ...body, request: undefined, response: { uid: request.uid, ...judge(request) } });
    }
    expect(body).toMatchObject({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' });
    expect(String(input)).toBe('https://convert.example.com/crdconvert?timeout=30s');
    asked.push(body.request);
    const response = await answers(body.request);
    return Response.json({ apiVersion: body.apiVersion, kind: body.kind, response });
  });
});
afterEach(() => vi.restoreAllMocks());

const schemaOf = (properties: Record<string, JSONSchemaProps>): JSONSchemaProps => ({
  type: 'object',
  properties: {
    ...properties,
    replicas: { type: 'integer', default: 1 },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
});
const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
const versions = (storage: string) => [
  {
    name: 'v1',
    served: true,
    storage: storage === 'v1',
    schema: { openAPIV3Schema: schemaOf({ hostPort: { type: 'string', pattern: ':' } }) },
    subresources: { status: {} },
    additionalPrinterColumns: [{ name: 'HostPort', type: 'string', jsonPath: '.hostPort' }],
  },
  {
    name: 'v2',
    served: true,
    storage: storage === 'v2',
    schema: { openAPIV3Schema: schemaOf({ host: { type: 'string', maxLength: 10 }, port: { type: 'string' } }) },
    subresources: { status: {} },
    additionalPrinterColumns: [{ name: 'Port', type: 'string', jsonPath: '.port' }],
  },
];
const CONVERSION = {
  strategy: 'Webhook',
  webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://convert.example.com/crdconvert' } },
};
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `endpointers.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'endpointers', kind: 'Endpointer' },
    versions: versions('v1'),
    conversion: CONVERSION,
  },
};
const path = (version: string) => `/apis/${GROUP}/${version}/namespaces/default/endpointers`;
const v1 = (name: string, hostPort = 'local:7070', metadata: object = {}) => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Endpointer',
  metadata: { name, ...metadata },
  hostPort,
});
const v2 = (name: string, host = 'local', port = '7070') => ({
  apiVersion: `${GROUP}/v2`,
  kind: 'Endpointer',
  metadata: { name },
  host,
  port,
});

let clusters = 0;
async function fresh(more: object = {}): Promise<TestApi> {
  const api = new TestApi(`conversion-${clusters++}`);
  await api.json('POST', CRDS, { body: { ...CRD, spec: { ...CRD.spec, ...more } } });
  return api;
}
/** From now on objects are written in this version. */
async function store(api: TestApi, version: string): Promise<CustomResourceDefinition> {
  return api.json('PATCH', `${CRDS}/${CRD.metadata.name}`, {
    body: { spec: { versions: versions(version) } },
    headers: MERGE,
  });
}
const get = (api: TestApi, version: string, name: string) => api.json<Endpoint>('GET', `${path(version)}/${name}`);

describe('an object', () => {
  test('is shown in the version that was asked for', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('cr-instance') });
    const read = await get(api, 'v2', 'cr-instance');
    expect(read).toMatchObject({ apiVersion: `${GROUP}/v2`, kind: 'Endpointer', host: 'local', port: '7070' });
    expect(read).not.toHaveProperty('hostPort');
    expect(asked).toMatchObject([{ desiredAPIVersion: `${GROUP}/v2`, objects: [{ hostPort: 'local:7070' }] }]);
  });

  test('is listed with others that are stored in another version', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('first') });
    const crd = await store(api, 'v2');
    expect(crd.status?.storedVersions).toEqual(['v1', 'v2']);
    await api.json('POST', path('v1'), { body: v1('second') });
    asked.length = 0;
    const [one, two] = await Promise.all(
      ['v1', 'v2'].map((version) => api.json<KubeList<Endpoint>>('GET', path(version))),
    );
    expect(one?.items).toMatchObject([
      { apiVersion: `${GROUP}/v1`, metadata: { name: 'first' }, hostPort: 'local:7070' },
      { apiVersion: `${GROUP}/v1`, metadata: { name: 'second' }, hostPort: 'local:7070' },
    ]);
    expect(two?.items).toMatchObject([
      { apiVersion: `${GROUP}/v2`, metadata: { name: 'first' }, host: 'local', port: '7070' },
      { apiVersion: `${GROUP}/v2`, metadata: { name: 'second' }, host: 'local', port: '7070' },
    ]);
    // Each list asks for what lies there in the other version.
    expect(asked.map((review) => review.objects.map((each) => each.metadata.name))).toEqual(
      expect.arrayContaining([['second'], ['first']]),
    );
    expect(asked).toHaveLength(2);
  });
});

describe('reads', () => {
  test('of the version that is stored cost no call, and are what was stored', async () => {
    const api = await fresh();
    const made = await api.json<Endpoint>('POST', path('v1'), { body: v1('plain') });
    expect(await get(api, 'v1', 'plain')).toEqual(made);
    await api.json('GET', path('v1'));
    expect(asked).toEqual([]);
  });

  test('of a long list are streamed with one review a page', async () => {
    const api = await fresh();
    for (let index = 0; index < 520; index++) {
      await api.json('POST', path('v1'), { body: v1(`many-${String(index).padStart(4, '0')}`, `local:${index}`) });
    }
    const list = await api.json<KubeList<Endpoint>>('GET', path('v2'));
    expect(list.items.map((each) => each.port)).toEqual(Array.from({ length: 520 }, (_, index) => String(index)));
    expect(asked.map((review) => review.objects.length)).toEqual([500, 20]);
    asked.length = 0;
    const table = await api.json<{ rows: { cells: unknown[] }[] }>('GET', `${path('v2')}?limit=2`, { headers: TABLE });
    expect(table.rows.map((row) => row.cells)).toEqual([
      ['many-0000', '0'],
      ['many-0001', '1'],
    ]);
    expect(asked).toHaveLength(1);
  });

  test('fail in upstream’s words when the webhook cannot be used', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('odd', 'local:1', { labels: { a: 'b' } }) });
    const told = async (answer: typeof answers) => {
      answers = answer;
      const refused = await api.refusal('GET', `${path('v2')}/odd`);
      expect(refused.http).toBe(500);
      return refused.message;
    };
    const failed = `conversion webhook for ${GROUP}/v1, Kind=Endpointer`;
    const change = (to: (object: Endpoint) => object) => (review: Review) => ({
      ...converted(review),
      convertedObjects: review.objects.map((each) => to(convert(each, review.desiredAPIVersion))),
    });
    expect(await told(() => Promise.reject(new TypeError('connection refused')))).toBe(
      `${failed} failed: Post "https://convert.example.com/crdconvert?timeout=30s": connection refused`,
    );
    expect(await told(({ uid }) => ({ uid, result: { status: 'Failed', message: 'no such luck' } }))).toBe(
      `${failed} failed: no such luck`,
    );
    expect(await told(({ uid }) => ({ uid, result: {} }))).toBe(
      `${failed} failed: response.result.status was '', not 'Success'`,
    );
    expect(await told((review) => ({ ...converted(review), uid: 'x' }))).toContain(
      `${failed} failed: expected response.uid=`,
    );
    expect(await told((review) => ({ ...converted(review), convertedObjects: [] }))).toBe(
      `${failed} returned 0 objects, expected 1`,
    );
    expect(await told(change((each) => ({ ...each, apiVersion: `${GROUP}/v3` })))).toBe(
      `${failed} returned invalid object at index 0: invalid groupVersion (expected ${GROUP}/v2, received ${GROUP}/v3)`,
    );
    expect(await told(change((each) => ({ ...each, kind: 'Other' })))).toBe(
      `${failed} returned invalid object at index 0: invalid kind (expected Endpointer, received Other)`,
    );
    expect(await told(change((each) => ({ ...each, metadata: { ...each.metadata, name: 'other' } })))).toBe(
      `${failed} returned invalid object: must have the same name: odd != other`,
    );
    expect(await told(change((each) => ({ ...each, metadata: { ...each.metadata, uid: 'other' } })))).toContain(
      `${failed} returned invalid object: must have the same UID: `,
    );
    expect(await told(change((each) => ({ ...each, metadata: { ...each.metadata, labels: { a: 1 } } })))).toContain(
      `${failed} returned invalid metadata: metadata.labels[a] must be a string`,
    );
    expect((await api.refusal('GET', path('v2'))).message).toContain(failed);
  });

  test('take labels and annotations from the webhook, and nothing else of metadata', async () => {
    const api = await fresh();
    const made = await api.json<Endpoint>('POST', path('v1'), { body: v1('meta', 'local:1', { labels: { a: 'b' } }) });
    answers = (review) => ({
      ...converted(review),
      convertedObjects: review.objects.map((each) => ({
        ...convert(each, review.desiredAPIVersion),
        metadata: {
          name: each.metadata.name,
          namespace: each.metadata.namespace,
          uid: each.metadata.uid,
          labels: { a: 'c' },
          annotations: { seen: 'yes' },
          finalizers: ['example.com/sneaked'],
        },
        unknown: 'pruned',
      })),
    });
    const read = await get(api, 'v2', 'meta');
    expect(read.metadata).toEqual({ ...made.metadata, labels: { a: 'c' }, annotations: { seen: 'yes' } });
    expect(read).not.toHaveProperty('unknown');
  });
});

describe('writes through the other version', () => {
  test('are stored in the storage version, whatever the verb', async () => {
    const api = await fresh();
    const made = await api.json<Endpoint>('POST', path('v2'), { body: v2('w') });
    expect(made).toMatchObject({ apiVersion: `${GROUP}/v2`, host: 'local', port: '7070', replicas: 1 });
    expect(made).not.toHaveProperty('hostPort');
    expect(await get(api, 'v1', 'w')).toMatchObject({
      apiVersion: `${GROUP}/v1`,
      hostPort: 'local:7070',
      metadata: { uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion },
    });
    const put = await api.json<Endpoint>('PUT', `${path('v2')}/w`, { body: { ...made, port: '1' } });
    expect(put).toMatchObject({ port: '1', metadata: { generation: 2 } });
    const merged = await api.json<Endpoint>('PATCH', `${path('v2')}/w`, { body: { host: 'far' }, headers: MERGE });
    expect(merged).toMatchObject({ host: 'far', port: '1' });
    const patched = await api.json<Endpoint>('PATCH', `${path('v2')}/w`, {
      body: [
        { op: 'test', path: '/host', value: 'far' },
        { op: 'replace', path: '/port', value: '2' },
      ],
      headers: JSON_PATCH,
    });
    expect(patched).toMatchObject({ host: 'far', port: '2' });
    const status = await api.json<Endpoint>('PUT', `${path('v2')}/w/status`, {
      body: { ...patched, host: 'ignored', status: { replicas: 3 } },
    });
    expect(status).toMatchObject({ host: 'far', status: { replicas: 3 } });
    const stored = await get(api, 'v1', 'w');
    expect(stored).toMatchObject({ hostPort: 'far:2', status: { replicas: 3 } });
    // The same once more is no write.
    const again = await api.json<Endpoint>('PUT', `${path('v2')}/w`, { body: { ...status, status: undefined } });
    expect(again.metadata.resourceVersion).toBe(stored.metadata.resourceVersion);
    expect(await api.code('DELETE', `${path('v2')}/w`)).toBe(200);
    expect(await api.code('GET', `${path('v1')}/w`)).toBe(404);
  });

  test('are judged by the rules of the version that was written, and nothing stays of what cannot be converted', async () => {
    const api = await fresh();
    const long = await api.refusal('POST', path('v2'), { body: v2('long', 'much-too-long') });
    expect(long).toMatchObject({ http: 422, reason: 'Invalid' });
    expect(long.message).toContain('host: Too long');
    // Valid in v1, though v2 would have it shorter.
    await api.json('POST', path('v1'), { body: v1('long', 'much-too-long:1') });
    answers = ({ uid }) => ({ uid, result: { status: 'Failed', message: 'no' } });
    expect((await api.refusal('POST', path('v2'), { body: v2('never') })).message).toBe(
      `conversion webhook for ${GROUP}/v2, Kind=Endpointer failed: no`,
    );
    answers = converted;
    expect(await api.code('GET', `${path('v1')}/never`)).toBe(404);
    const dry = await api.json<Endpoint>('POST', `${path('v2')}?dryRun=All`, { body: v2('dry') });
    expect(dry).toMatchObject({ host: 'local', port: '7070' });
    expect(await api.code('GET', `${path('v1')}/dry`)).toBe(404);
  });

  test('are asked for again when somebody else was faster', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('race', 'near:1') });
    let raced = false;
    answers = async (review) => {
      if (!raced) {
        raced = true;
        await api.json('PATCH', `${path('v1')}/race`, { body: { hostPort: 'near:2' }, headers: MERGE });
      }
      return converted(review);
    };
    const patched = await api.json<Endpoint>('PATCH', `${path('v2')}/race`, { body: { host: 'far' }, headers: MERGE });
    expect(patched).toMatchObject({ host: 'far', port: '2' });
  });

  test('of a collection are one review, and an object in the end is shown as it was asked for', async () => {
    const api = await fresh();
    for (const name of ['a', 'b', 'c']) await api.json('POST', path('v1'), { body: v1(name) });
    const gone = await api.json<KubeList<Endpoint>>('DELETE', path('v2'));
    expect(gone.items.map((each) => each.host)).toEqual(['local', 'local', 'local']);
    expect(asked.map((review) => review.objects.length)).toEqual([3]);
    expect((await api.json<KubeList<Endpoint>>('GET', path('v1'))).items).toEqual([]);
  });

  test('keep a scale', async () => {
    const scaled = versions('v1').map((each) => ({ ...each, subresources: { scale: SCALE } }));
    const withSpec = scaled.map((each) => {
      const schema = each.schema.openAPIV3Schema;
      const spec: JSONSchemaProps = { type: 'object', properties: { replicas: { type: 'integer' } } };
      return { ...each, schema: { openAPIV3Schema: { ...schema, properties: { ...schema.properties, spec } } } };
    });
    const api = await fresh({ versions: withSpec });
    await api.json('POST', path('v1'), { body: { ...v1('s'), spec: { replicas: 2 } } });
    const scale = await api.json<object>('GET', `${path('v2')}/s/scale`);
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 2 } });
    await api.json('PUT', `${path('v2')}/s/scale`, { body: { ...scale, spec: { replicas: 5 } } });
    expect(await get(api, 'v1', 's')).toMatchObject({ hostPort: 'local:7070', spec: { replicas: 5 } });
  });

  test('migrate an object to the storage version, even when nothing else changes', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('old') });
    await store(api, 'v2');
    const before = await get(api, 'v2', 'old');
    const after = await api.json<Endpoint>('PUT', `${path('v2')}/old`, { body: before });
    expect(Number(after.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
    asked.length = 0;
    await get(api, 'v2', 'old');
    expect(asked).toEqual([]);
    const again = await api.json<Endpoint>('PUT', `${path('v2')}/old`, { body: after });
    expect(again.metadata.resourceVersion).toBe(after.metadata.resourceVersion);
    const trimmed = await api.json<CustomResourceDefinition>('PATCH', `${CRDS}/${CRD.metadata.name}/status`, {
      body: { status: { storedVersions: ['v2'] } },
      headers: MERGE,
    });
    expect(trimmed.status?.storedVersions).toEqual(['v2']);
  });
});

describe('server-side apply', () => {
  const apply = (api: TestApi, version: string, manager: string, config: object, force = false) =>
    api.fetch('PATCH', `${path(version)}/a?fieldManager=${manager}${force ? '&force=true' : ''}`, {
      body: { apiVersion: `${GROUP}/${version}`, kind: 'Endpointer', metadata: { name: 'a' }, ...config },
      headers: APPLY,
    });

  test('owns fields of the version that was applied, and sees conflicts across versions', async () => {
    const api = await fresh();
    const made = (await (await apply(api, 'v2', 'one', { host: 'local', port: '1' })).json()) as Endpoint;
    expect(made).toMatchObject({ host: 'local', port: '1' });
    expect(made.metadata.managedFields).toMatchObject([
      { manager: 'one', apiVersion: `${GROUP}/v2`, fieldsV1: { 'f:host': {}, 'f:port': {} } },
    ]);
    expect(await get(api, 'v1', 'a')).toMatchObject({ hostPort: 'local:1' });
    const refused = await apply(api, 'v1', 'two', { hostPort: 'local:2' });
    expect(refused.status).toBe(409);
    expect(((await refused.json()) as { message: string }).message).toBe(
      'Apply failed with 1 conflict: conflict with "one": .port',
    );
    const forced = (await (await apply(api, 'v1', 'two', { hostPort: 'local:2' }, true)).json()) as Endpoint;
    expect(forced).toMatchObject({ hostPort: 'local:2' });
    expect(forced.metadata.managedFields).toMatchObject([
      { manager: 'one', fieldsV1: { 'f:host': {} } },
      { manager: 'two', apiVersion: `${GROUP}/v1`, fieldsV1: { 'f:hostPort': {} } },
    ]);
  });

  test('is one manager through both versions, and drops only what nobody else owns', async () => {
    const api = await fresh();
    await (await apply(api, 'v2', 'one', { host: 'local', port: '1' })).arrayBuffer();
    const moved = (await (await apply(api, 'v1', 'one', { hostPort: 'local:3', replicas: 4 })).json()) as Endpoint;
    expect(moved).toMatchObject({ hostPort: 'local:3', replicas: 4 });
    expect(moved.metadata.managedFields).toHaveLength(1);
    await (await apply(api, 'v2', 'other', { replicas: 4 })).arrayBuffer();
    const left = (await (await apply(api, 'v1', 'one', { hostPort: 'local:3' })).json()) as Endpoint;
    expect(left).toMatchObject({ hostPort: 'local:3', replicas: 4 });
    expect(left.metadata.managedFields?.map((each) => each.manager).sort()).toEqual(['one', 'other']);
  });

  test('after an update through the other version has lost what that changed', async () => {
    const api = await fresh();
    await (await apply(api, 'v2', 'one', { host: 'local', port: '1' })).arrayBuffer();
    const patched = await api.json<Endpoint>('PATCH', `${path('v1')}/a?fieldManager=editor`, {
      body: { hostPort: 'local:9' },
      headers: MERGE,
    });
    expect(patched.metadata.managedFields).toMatchObject([
      { manager: 'one', fieldsV1: { 'f:host': {} } },
      { manager: 'editor', apiVersion: `${GROUP}/v1`, fieldsV1: { 'f:hostPort': {} } },
    ]);
  });
});

describe('admission', () => {
  test('shows a webhook the version that its rules speak of, and takes its patch of that', async () => {
    const api = await fresh();
    const hook = {
      name: 'port.example.com',
      clientConfig: { url: 'https://judge.example.com/' },
      rules: [{ operations: ['CREATE'], apiGroups: [GROUP], apiVersions: ['v2'], resources: ['endpointers'] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    };
    await api.json('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
      body: { metadata: { name: 'port' }, webhooks: [hook] },
    });
    const seen: AdmissionRequest[] = [];
    judge = (request) => {
      seen.push(request);
      const patch = btoa(JSON.stringify([{ op: 'replace', path: '/port', value: '443' }]));
      return { allowed: true, patchType: 'JSONPatch', patch };
    };
    const made = await api.json<Endpoint>('POST', path('v1'), { body: v1('judged') });
    expect(made).toMatchObject({ apiVersion: `${GROUP}/v1`, hostPort: 'local:443' });
    expect(seen).toMatchObject([
      { kind: { version: 'v2' }, requestKind: { version: 'v1' }, object: { host: 'local', port: '7070' } },
    ]);
  });
});

describe('a watch', () => {
  test('shows objects as they are converted, in order, and those of the stored version are not held up', async () => {
    const api = await fresh();
    await api.json('POST', path('v1'), { body: v1('a', 'local:0') });
    const watch = eventsOf(
      await api.fetch(
        'GET',
        `${path('v2')}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      ),
    );
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { apiVersion: `${GROUP}/v2`, port: '0' } });
    expect(await watch.next()).toMatchObject({ type: 'BOOKMARK', object: { apiVersion: `${GROUP}/v2` } });
    const plain = eventsOf(await api.fetch('GET', `${path('v1')}?watch=1`));
    expect(await plain.next()).toMatchObject({ type: 'ADDED' });
    const { promise, resolve } = Promise.withResolvers<void>();
    answers = async (review) => {
      await promise;
      return converted(review);
    };
    for (const port of ['1', '2', '3']) {
      await api.json('PATCH', `${path('v1')}/a`, { body: { hostPort: `local:${port}` }, headers: MERGE });
    }
    // The webhook has not answered yet.
    for (const port of ['1', '2', '3']) expect((await plain.next()).object.hostPort).toBe(`local:${port}`);
    resolve();
    for (const port of ['1', '2', '3']) {
      expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { host: 'local', port } });
    }
    await api.json('DELETE', `${path('v1')}/a`);
    expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { host: 'local', port: '3' } });
    await Promise.all([watch.cancel(), plain.cancel()]);
  });

  test('shares reviews with others of its version', async () => {
    const api = await fresh();
    const watches = await Promise.all(
      [1, 2, 3].map(async () => eventsOf(await api.fetch('GET', `${path('v2')}?watch=1`))),
    );
    await api.json('POST', path('v1'), { body: v1('shared') });
    for (const watch of watches) expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { host: 'local' } });
    expect(asked).toHaveLength(1);
    await Promise.all(watches.map((watch) => watch.cancel()));
  });

  test('asks for no more than its client takes, and goes on where it was after its object slept', async () => {
    const api = await fresh();
    const text = 'x'.repeat(200_000);
    const names = Array.from({ length: 20 }, (_, index) => `a${String(index).padStart(2, '0')}`);
    for (const name of names) await api.json('POST', path('v1'), { body: v1(name, `local:${text}`) });
    const unread = await api.fetch('GET', `${path('v2')}?watch=1`);
    const stub = bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster));
    await eventually('all that it may be written', () =>
      runInDurableObject(stub, (_, state) => {
        const [attachment] = state.getWebSockets('watch').map((each) => each.deserializeAttachment() as Attachment);
        return attachment !== undefined && attachment.flow.writtenBytes >= CREDIT_BYTES;
      }),
    );
    expect(asked.flatMap(({ objects }) => objects).length).toBeLessThan(names.length / 2);
    await api.evict();
    await api.json('PATCH', `${path('v1')}/a00`, { body: { hostPort: 'local:1' }, headers: MERGE });
    const watch = eventsOf(unread);
    expect(await watch.told(names.length)).toEqual(names.map((name) => `ADDED ${name}`));
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { metadata: { name: 'a00' }, port: '1' } });
    await api.json('DELETE', `${path('v1')}/a01`);
    expect(await watch.told(1)).toEqual(['DELETED a01']);
    await watch.cancel();
  });

  test('goes on after its object slept, and ends with an error where something cannot be converted', async () => {
    const api = await fresh();
    const watch = eventsOf(await api.fetch('GET', `${path('v2')}?watch=1`));
    await api.json('POST', path('v1'), { body: v1('a', 'local:1') });
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { port: '1' } });
    await api.evict();
    await api.json('PATCH', `${path('v1')}/a`, { body: { hostPort: 'local:2' }, headers: MERGE });
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { port: '2' } });
    answers = ({ uid }) => ({ uid, result: { status: 'Failed', message: 'not this one' } });
    await api.json('PATCH', `${path('v1')}/a`, { body: { hostPort: 'local:3' }, headers: MERGE });
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: { code: 500, message: `conversion webhook for ${GROUP}/v1, Kind=Endpointer failed: not this one` },
    });
    await expect(watch.next()).rejects.toThrow('the watch ended');
  });
});

test('a definition goes with its objects, though its webhook is gone already', async () => {
  const api = await fresh();
  await api.json('POST', path('v1'), { body: v1('old', 'local:1', { finalizers: ['example.com/held'] }) });
  await store(api, 'v2');
  answers = () => Promise.reject(new TypeError('connection refused'));
  await api.json('DELETE', `${CRDS}/${CRD.metadata.name}`);
  const terminating = await api.json<CustomResourceDefinition>('GET', `${CRDS}/${CRD.metadata.name}`);
  expect(terminating.status?.conditions?.find((each) => each.type === 'Terminating')?.status).toBe('True');
  await api.json('PATCH', `${path('v1')}/old`, { body: { metadata: { finalizers: null } }, headers: MERGE });
  expect(await api.code('GET', `${CRDS}/${CRD.metadata.name}`)).toBe(404);
  expect(asked).toEqual([]);
});
