import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import type { DocumentAnswer } from '../../../worker/http/discovery.ts';
import { answerOpenApi } from '../../../worker/http/openapi.ts';
import type { Descriptions } from '../../../worker/http/openapi-schemas.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';

const catalog = catalogOf();
const texts: Record<string, Descriptions> = {
  'io.k8s.api.core.v1': {
    Pod: { '': 'A pod.', spec: 'What it shall be.' },
    ContainerPort: { 'protocol=': ['TCP', 'UDP'] },
  },
};

async function ask(
  url: string,
  headers: Record<string, string> = {},
  basePath = '',
): Promise<DocumentAnswer<string | Uint8Array>> {
  const { pathname: path, searchParams: query } = new URL(url, 'http://x');
  const request = { path, query, headers: new Headers(headers), basePath, nowMs: Date.UTC(2026, 0, 1) };
  const answer = await answerOpenApi(catalog, request, async (name) => texts[name]);
  if (answer === undefined) throw new Error(`nothing at ${url}`);
  return answer;
}
const json = async (url: string) => JSON.parse(String((await ask(url)).body));

describe('the index of OpenAPI v3', () => {
  test('gives each group version a URL that holds for a year', async () => {
    const { paths } = await json('/openapi/v3');
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['api/v1', 'apis/apps/v1', 'apis/longshore.dev/v1']));
    const url = paths['apis/apps/v1'].serverRelativeURL;
    expect(url).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{64}$/);
    const { status, headers } = await ask(url);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'cache-control': 'public, immutable',
      expires: 'Fri, 01 Jan 2027 00:00:00 GMT',
      vary: 'Accept',
    });
    expect((await ask(url, { 'if-none-match': headers.etag ?? '' })).status).toBe(304);
  });

  test('sends who has an old hash to the new one, below the cluster’s own path', async () => {
    const answer = await ask('/openapi/v3/api/v1?hash=OLD', {}, '/clusters/a');
    expect(answer.status).toBe(301);
    expect(answer.headers.location).toMatch(/^\/clusters\/a\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/);
  });

  test('has no document for what is not served', async () => {
    const request = { query: new URLSearchParams(), headers: new Headers(), basePath: '', nowMs: 0 };
    for (const path of ['/openapi/v3/apis/none/v1', '/openapi/v3/api', '/openapi/v4', '/openapi']) {
      expect(await answerOpenApi(catalog, { ...request, path }, async () => undefined)).toBeUndefined();
    }
  });
});

describe('the document of a group version', () => {
  test('lets kubectl see that the server validates: an inline parameter of the kind’s PATCH', async () => {
    const { paths } = await json('/openapi/v3/apis/apps/v1');
    const { patch } = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' });
    expect(patch.parameters).toContainEqual(expect.objectContaining({ name: 'fieldValidation', in: 'query' }));
  });

  test('refers only to schemas that it has', async () => {
    for (const location of ['api/v1', 'apis/apps/v1', 'apis/longshore.dev/v1', 'apis/events.k8s.io/v1']) {
      const document = await json(`/openapi/v3/${location}`);
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
      expect(references.length).toBeGreaterThan(10);
      const missing = references
        .map((match) => match[1] ?? '')
        .filter((name) => !(name in document.components.schemas));
      expect([...new Set(missing)], location).toEqual([]);
    }
  });

  test('holds merge rules, formats and required fields as upstream’s does', async () => {
    const { schemas } = (await json('/openapi/v3/api/v1')).components;
    expect(schemas['io.k8s.api.core.v1.PodSpec'].properties.containers).toMatchObject({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
      items: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.Container' }] },
    });
    expect(schemas['io.k8s.api.core.v1.ContainerPort']).toMatchObject({
      required: ['containerPort'],
      properties: {
        containerPort: { type: 'integer', format: 'int32' },
        protocol: { type: 'string', enum: ['TCP', 'UDP'] },
      },
    });
    expect(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toEqual({
      oneOf: [{ type: 'integer' }, { type: 'string' }],
      format: 'int-or-string',
    });
    expect(schemas['io.k8s.api.core.v1.Secret'].properties.data).toMatchObject({
      additionalProperties: { type: 'string', format: 'byte' },
    });
    expect(schemas['io.k8s.api.core.v1.Pod']).toMatchObject({
      description: 'A pod.',
      properties: { spec: { description: 'What it shall be.' }, kind: { type: 'string' } },
      'x-kubernetes-group-version-kind': [{ group: '', kind: 'Pod', version: 'v1' }],
    });
    expect(schemas['io.k8s.api.core.v1.PodList'].properties.items.items).toBeDefined();
  });

  test('of our own group holds the hand-written schema', async () => {
    const { schemas } = (await json('/openapi/v3/apis/longshore.dev/v1')).components;
    expect(schemas['dev.longshore.v1.Hook']).toMatchObject({
      required: ['spec'],
      properties: { spec: { properties: { signature: { enum: ['github', 'hmac'] } } }, apiVersion: { type: 'string' } },
      'x-kubernetes-group-version-kind': [{ group: 'longshore.dev', kind: 'Hook', version: 'v1' }],
    });
    expect(schemas['dev.longshore.v1.HookList'].required).toEqual(['items']);
  });
});

describe('OpenAPI v2', () => {
  test('is JSON, and refers only to definitions that it has', async () => {
    const document = await json('/openapi/v2');
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)];
    const missing = references.map((match) => match[1] ?? '').filter((name) => !(name in document.definitions));
    expect([...new Set(missing)]).toEqual([]);
    expect(JSON.stringify(document)).not.toContain('#/components/');
    expect(document.definitions['io.k8s.api.core.v1.Pod'].properties.spec).toEqual({
      description: 'What it shall be.',
      $ref: '#/definitions/io.k8s.api.core.v1.PodSpec',
    });
  });

  test('is gnostic’s message for client-go, which asks for nothing else', async () => {
    const document = await protobufDocument({ accept: PROTOBUF });
    expect(textOf(document, 1)).toBe('2.0');
    const pod = mapOf(document, 9).get('io.k8s.api.core.v1.Pod');
    if (pod === undefined) throw new Error('no Pod');
    expect(textOf(pod, 4)).toBe('A pod.');
    expect(textOf(messageOf(pod, 22), 1)).toBe('object');
    expect(JSON.parse(textOf(mapOf(pod, 31, 'inline').get('x-kubernetes-group-version-kind'), 2))).toEqual([
      { group: '', kind: 'Pod', version: 'v1' },
    ]);
    const spec = mapOf(pod, 25).get('spec');
    expect(textOf(spec, 1)).toBe('#/definitions/io.k8s.api.core.v1.PodSpec');
    expect(textOf(spec, 4)).toBe('What it shall be.');
    const containers = mapOf(mapOf(document, 9).get('io.k8s.api.core.v1.PodSpec'), 25).get('containers');
    expect(textOf(messageOf(containers, 22), 1)).toBe('array');
    expect(textOf(messageOf(messageOf(containers, 23), 1), 1)).toBe('#/definitions/io.k8s.api.core.v1.Container');
    expect(mapOf(containers, 31, 'inline')).toHaveProperty('size', 4);
    const labels = mapOf(mapOf(document, 9).get('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'), 25).get('labels');
    expect(textOf(messageOf(messageOf(messageOf(labels, 21), 1), 22), 1)).toBe('string');
  });

  test('has every definition, path and operation of the JSON form in the message', async () => {
    const shown = await json('/openapi/v2');
    const document = await protobufDocument({ accept: PROTOBUF });
    expect([...mapOf(document, 9).keys()]).toEqual(Object.keys(shown.definitions));
    const paths = mapOf(document, 8, 2);
    expect([...paths.keys()]).toEqual(Object.keys(shown.paths));
    const patch = messageOf(paths.get('/apis/apps/v1/namespaces/{namespace}/deployments/{name}'), 8);
    expect(fieldsOf(patch).filter(([number]) => number === 8).length).toBeGreaterThan(3);
    // ParametersItem, Parameter, BodyParameter
    expect(textOf(messageOf(messageOf(messageOf(patch, 8), 1), 1), 3)).toBe('body');
  });

  test('has the form that the client named first, each under an ETag of its own', async () => {
    const both = await ask('/openapi/v2', { accept: `${PROTOBUF}, */*` });
    expect(both.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    const plain = await ask('/openapi/v2', { accept: 'application/json' });
    expect(plain.headers.etag).not.toBe(both.headers.etag);
    const again = await ask('/openapi/v2', { accept: PROTOBUF, 'if-none-match': both.headers.etag ?? '' });
    expect([again.status, again.body]).toEqual([304, '']);
    await expect(ask('/openapi/v2', { accept: 'image/png' })).rejects.toMatchObject({ code: 406 });
  });
});

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

// ---- A reader of gnostic's message that knows nothing of the writer's tables -----------------------------------------

type WireFields = [number: number, value: Uint8Array][];

function fieldsOf(message: Uint8Array | undefined): WireFields {
  if (message === undefined) throw new Error('the message is missing');
  const reader = new BinaryReader(message);
  const fields: WireFields = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    fields.push([number, type === WireType.LengthDelimited ? reader.bytes() : reader.skip(type)]);
  }
  return fields;
}

const messageOf = (message: Uint8Array | undefined, number: number): Uint8Array | undefined =>
  fieldsOf(message).find((field) => field[0] === number)?.[1];

const textOf = (message: Uint8Array | undefined, number: number): string =>
  new TextDecoder().decode(messageOf(message, number));

/** Named values { name 1, value 2 }: in field `inside` of the message in field `number`, or repeated in that field itself. */
function mapOf(
  message: Uint8Array | undefined,
  number: number,
  inside: number | 'inline' = 1,
): Map<string, Uint8Array | undefined> {
  const [holder, field] = inside === 'inline' ? [message, number] : [messageOf(message, number), inside];
  const entries = fieldsOf(holder).filter(([each]) => each === field);
  return new Map(entries.map(([, entry]) => [textOf(entry, 1), messageOf(entry, 2)]));
}

async function protobufDocument(headers: Record<string, string>): Promise<Uint8Array> {
  const { body } = await ask('/openapi/v2', headers);
  if (typeof body === 'string') throw new Error('the document is text');
  return body;
}
