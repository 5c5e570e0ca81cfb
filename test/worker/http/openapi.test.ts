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

async function ask(url: string, headers: Record<string, string> = {}, basePath = ''): Promise<DocumentAnswer> {
  const { pathname: path, searchParams: query } = new URL(url, 'http://x');
  const request = { path, query, headers: new Headers(headers), basePath, nowMs: Date.UTC(2026, 0, 1) };
  const answer = await answerOpenApi(catalog, request, async (name) => texts[name]);
  if (answer === undefined) throw new Error(`nothing at ${url}`);
  return answer;
}
const json = async (url: string) => JSON.parse((await ask(url)).body);

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
      $ref: '#/definitions/io.k8s.api.core.v1.PodSpec',
    });
  });

  test('in protobuf is refused by name', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    await expect(ask('/openapi/v2', { accept })).rejects.toMatchObject({ code: 406, reason: 'NotAcceptable' });
    expect((await ask('/openapi/v2', { accept: `${accept}, */*` })).status).toBe(200);
  });
});
