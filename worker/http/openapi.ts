/**
 * OpenAPI v3 (an index and one document per group version, under hashed URLs) and v2, made from the catalog: what kubectl's
 * validation, `apply` and `explain` read. Pure but for descriptions, which come from the static assets when there are any.
 * Source: kube-openapi, pkg/handler3/handler.go and pkg/handler/handler.go.
 */
import { apiVersionOf, type Identity } from '../../shared/api/meta.ts';
import { KUBERNETES_VERSION, LONGSHORE_VERSION } from '../../shared/defaults.ts';
import { notAcceptable } from '../../shared/errors.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import { digestOf } from '../resources/digest.ts';
import { TABLE_DIGEST } from '../resources/generated/schemas.ts';
import { definition, type Schema, schemaOfKind } from '../resources/schemas.ts';
import { type DocumentAnswer, type DocumentRequest, groupsOf } from './discovery.ts';
import { parseAccept } from './negotiation.ts';
import { customDefinitions } from './openapi-custom.ts';
import { pathsOf } from './openapi-paths.ts';
import {
  COMMON,
  closureOf,
  type Descriptions,
  definitionOf,
  type OpenApiSchema,
  type SchemaForm,
} from './openapi-schemas.ts';
import { encodeDocumentV2 } from './openapi-v2-protobuf.ts';

/** The texts of one package (`io.k8s.api.core.v1`); undefined when there are none. */
export type Describe = (packageName: string) => Promise<Descriptions | undefined>;

const V3: SchemaForm = { prefix: '#/components/schemas/', version: 3 };
const V2: SchemaForm = { prefix: '#/definitions/', version: 2 };
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const YEAR_MS = 365 * 24 * 3_600_000;

/** Clients ask in the old spelling, with an @; the answer is in the new one. */
const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const V2_FORMS: Record<string, 'json' | 'protobuf'> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  [PROTOBUF_V2]: 'protobuf',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf': 'protobuf',
};

const packageOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));

/** The definition's name in a document: the generated one, or the group turned round, as for CRDs. */
export function definitionNameOf(served: ServedResource, suffix = ''): string {
  if (served.schema.name !== '') return `${served.schema.name}${suffix}`;
  const { group, version, kind } = served.identity;
  return [...group.split('.').reverse(), version, `${kind}${suffix}`].join('.');
}

/** Schemas that a resource's operations take or give, besides the resource itself. */
function companionsOf({ subresources, identity }: ServedResource): Schema[] {
  const names = new Map<string, [string, string]>([
    ['scale', ['autoscaling/v1', 'Scale']],
    ['binding', ['v1', 'Binding']],
    ['eviction', ['policy/v1', 'Eviction']],
    ['token', ['authentication.k8s.io/v1', 'TokenRequest']],
  ]);
  const found = subresources.map((each) => names.get(each)).filter((each) => each !== undefined);
  const list = schemaOfKind(apiVersionOf(identity), `${identity.kind}List`);
  return [...found.map(([apiVersion, kind]) => schemaOfKind(apiVersion, kind)), list].filter(
    (each) => each !== undefined,
  );
}

function rootsOf(resources: readonly ServedResource[]): Schema[] {
  const builtIn = resources.filter((served) => served.definition.structural === undefined);
  const meta = ['ObjectMeta', 'ListMeta'].map((name) => definition(META + name));
  return [...COMMON, ...meta, ...builtIn.flatMap((served) => [served.schema, ...companionsOf(served)])];
}

function definitionsFor(
  resources: readonly ServedResource[],
  form: SchemaForm,
  texts: ReadonlyMap<string, Descriptions>,
  groupVersions: readonly string[],
): Record<string, OpenApiSchema> {
  const describe = (name: string) => texts.get(packageOf(name))?.[name.slice(name.lastIndexOf('.') + 1)];
  const made = [...closureOf(rootsOf(resources))].map(([name, schema]): [string, OpenApiSchema] => [
    name,
    definitionOf(schema, form, describe, groupVersions),
  ]);
  const custom = resources.filter((served) => served.definition.structural !== undefined);
  return Object.fromEntries([
    ...made,
    ...custom.flatMap((served) => customDefinitions(served, definitionNameOf(served), form)),
  ]);
}

const INFO = { title: 'Kubernetes', version: KUBERNETES_VERSION.gitVersion };
const SECURITY = {
  BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' },
};

/** Those that a CRD does not change, so that a new one leaves the other documents as they are. */
const builtInVersions = (catalog: Catalog): string[] => [
  ...new Set(
    catalog.served
      .filter(({ definition: resource }) => resource.structural === undefined)
      .map(({ identity }) => apiVersionOf(identity)),
  ),
];

function documentV3(
  catalog: Catalog,
  groupVersion: string,
  texts: ReadonlyMap<string, Descriptions>,
): object | undefined {
  const resources = catalog.served.filter(({ identity }) => apiVersionOf(identity) === groupVersion);
  if (resources.length === 0) return undefined;
  const versions = builtInVersions(catalog);
  return {
    openapi: '3.0.0',
    info: INFO,
    paths: Object.assign({}, ...resources.map((served) => pathsOf(served, definitionNameOf(served), V3))),
    components: {
      schemas: definitionsFor(resources, V3, texts, versions),
      securitySchemes: SECURITY,
    },
  };
}

const NO_TEXTS: ReadonlyMap<string, Descriptions> = new Map();

/** `api/v1`, `apis/apps/v1`: the path of a group version, and the key of its document. */
const locationOf = ({ group, version }: Pick<Identity, 'group' | 'version'>): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

const groupVersionAt = (location: string): string => location.replace(/^apis?\//, '');

/** Grows when these files come to write documents another way: clients keep a document for as long as its hash stands. */
const DOCUMENT_REVISION = 2;

/** A catalog is a value: what was made from it stays right. */
const hashes = new WeakMap<Catalog, Map<string, string>>();

/**
 * What documents are made of, not the documents: making them all for the index costs a cold start 200 ms.
 * Undefined: no such group version.
 */
function hashOf(catalog: Catalog, location: string): string | undefined {
  const known = hashes.get(catalog) ?? new Map<string, string>();
  hashes.set(catalog, known);
  const found = known.get(location);
  if (found !== undefined) return found;
  const resources = catalog.served.filter(({ identity }) => location === '' || locationOf(identity) === location);
  if (resources.length === 0) return undefined;
  const parts = resources.map(({ identity, definition: resource }) => [
    identity,
    resource.schema,
    resource.structural,
    resource.verbs,
    resource.subresources,
    resource.listKind,
  ]);
  const versions = builtInVersions(catalog);
  const hash = digestOf(JSON.stringify([DOCUMENT_REVISION, LONGSHORE_VERSION, TABLE_DIGEST, parts, versions]));
  known.set(location, hash);
  return hash;
}

/** The media types that a client takes, best first; anything when it names none. */
const acceptedTypes = (headers: Headers): string[] =>
  parseAccept(headers.get('accept')?.trim() || '*/*')
    .filter(({ quality }) => quality > 0)
    .map(({ type }) => type);

/** Version 3 is read as JSON by every client. @throws StatusError 406 for one that wants protobuf alone. */
function requireJson(headers: Headers): void {
  const types = acceptedTypes(headers);
  if (types.some((type) => V2_FORMS[type] === 'json')) return;
  throw notAcceptable(['application/json']);
}

/** The packages that a document takes definitions from. */
const packagesIn = (resources: readonly ServedResource[]): Set<string> =>
  new Set([...closureOf(rootsOf(resources)).keys()].map(packageOf));

/** None where the client has the document already. */
async function textsUnlessKnown(
  request: DocumentRequest,
  etag: string,
  resources: readonly ServedResource[],
  describe: Describe,
): Promise<ReadonlyMap<string, Descriptions>> {
  if (request.headers.get('if-none-match') === `"${etag}"`) return NO_TEXTS;
  return textsFor(packagesIn(resources), describe);
}

async function textsFor(packages: Set<string>, describe: Describe): Promise<ReadonlyMap<string, Descriptions>> {
  const texts = new Map<string, Descriptions>();
  for (const name of packages) {
    const found = await describe(name);
    if (found !== undefined) texts.set(name, found);
  }
  return texts;
}

function indexV3(catalog: Catalog): object {
  const paths: Record<string, { serverRelativeURL: string }> = {};
  for (const { group, versions } of groupsOf(catalog)) {
    for (const { version } of versions) {
      const location = locationOf({ group, version });
      paths[location] = { serverRelativeURL: `/openapi/v3/${location}?hash=${hashOf(catalog, location)}` };
    }
  }
  return { paths };
}

function documentV2(catalog: Catalog, texts: ReadonlyMap<string, Descriptions>): object {
  const versions = builtInVersions(catalog);
  return {
    swagger: '2.0',
    info: INFO,
    paths: Object.assign({}, ...catalog.served.map((served) => pathsOf(served, definitionNameOf(served), V2))),
    definitions: definitionsFor(catalog.served, V2, texts, versions),
    securityDefinitions: SECURITY,
    security: [{ BearerToken: [] }],
  };
}

function cached<Body extends string | Uint8Array>(
  request: DocumentRequest,
  body: () => Body,
  etag: string,
  more: Record<string, string> = {},
): DocumentAnswer<Body | ''> {
  const headers = { 'content-type': 'application/json', etag: `"${etag}"`, vary: 'Accept', ...more };
  if (request.headers.get('if-none-match') === headers.etag) return { status: 304, headers, body: '' };
  return { status: 200, headers, body: body() };
}

/** @throws StatusError 406 */
async function answerV2(
  catalog: Catalog,
  request: DocumentRequest,
  describe: Describe,
): Promise<DocumentAnswer<string | Uint8Array>> {
  const asked = acceptedTypes(request.headers).find((type) => Object.hasOwn(V2_FORMS, type));
  if (asked === undefined) throw notAcceptable(['application/json', PROTOBUF_V2]);
  const form = V2_FORMS[asked];
  const hash = hashOf(catalog, '') ?? '';
  const etag = form === 'json' ? hash : `${hash}-protobuf`;
  const texts = await textsUnlessKnown(request, etag, catalog.served, describe);
  const document = () => documentV2(catalog, texts);
  if (form === 'json') return cached(request, () => JSON.stringify(document()), etag);
  return cached(request, () => encodeDocumentV2(document()), etag, { 'content-type': PROTOBUF_V2 });
}

export interface OpenApiRequest extends DocumentRequest {
  query: URLSearchParams;
  /** What stands before the API's own paths (`/clusters/NAME`), for redirects; '' at the root. */
  basePath: string;
  nowMs: number;
}

/** Undefined: nothing of OpenAPI's is at this path. @throws StatusError 406 */
export async function answerOpenApi(
  catalog: Catalog,
  request: OpenApiRequest,
  describe: Describe,
): Promise<DocumentAnswer<string | Uint8Array> | undefined> {
  const path = request.path.replace(/\/$/, '');
  if (path === '/openapi/v2') return answerV2(catalog, request, describe);
  if (path === '/openapi/v3') {
    requireJson(request.headers);
    return cached(request, () => JSON.stringify(indexV3(catalog)), hashOf(catalog, '') ?? '');
  }
  if (!path.startsWith('/openapi/v3/')) return undefined;
  const location = path.slice('/openapi/v3/'.length);
  const hash = /^(api\/[^/]+|apis\/[^/]+\/[^/]+)$/.test(location) ? hashOf(catalog, location) : undefined;
  if (hash === undefined) return undefined;
  requireJson(request.headers);
  const asked = request.query.get('hash');
  if (asked !== null && asked !== hash) {
    const target = `${request.basePath}/openapi/v3/${location}?hash=${hash}`;
    return { status: 301, headers: { location: target, vary: 'Accept' }, body: '' };
  }
  const resources = catalog.served.filter(({ identity }) => locationOf(identity) === location);
  const texts = await textsUnlessKnown(request, hash, resources, describe);
  const immutable: Record<string, string> =
    asked === null
      ? {}
      : { 'cache-control': 'public, immutable', expires: new Date(request.nowMs + YEAR_MS).toUTCString() };
  const text = () => JSON.stringify(documentV3(catalog, groupVersionAt(location), texts));
  return cached(request, text, hash, immutable);
}
