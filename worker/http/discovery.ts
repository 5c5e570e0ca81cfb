/**
 * What is served, told to clients: `/api`, `/apis` and each group version below, plain and aggregated (v2, v2beta1). Pure:
 * a catalog and a request's path and headers become status, headers and body; `app.ts` mounts it.
 * Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api, KEP-3352
 */
import { apiVersionOf } from '../../shared/api/meta.ts';
import { notAcceptable } from '../../shared/errors.ts';
import { encodeBase64 } from '../resources/base64.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import type { Subresource, Verb } from '../resources/definition.ts';
import { digestOf, sha256 } from '../resources/digest.ts';
import { parseAccept } from './negotiation.ts';

export interface DocumentRequest {
  /** Below the cluster's base path, without a query: `/apis/apps/v1`. */
  path: string;
  headers: Headers;
}

export interface DocumentAnswer<Body extends string | Uint8Array = string> {
  status: 200 | 301 | 304;
  headers: Record<string, string>;
  body: Body;
}

interface SubresourceForm {
  group?: string;
  version?: string;
  /** The resource's own kind when absent. */
  kind?: string;
  verbs: readonly (Verb | 'get')[];
}

const CHANGE: readonly Verb[] = ['get', 'patch', 'update'];
const STREAM: readonly Verb[] = ['create', 'get'];
const ANY: readonly Verb[] = ['create', 'delete', 'get', 'patch', 'update'];

const SUBRESOURCES: Record<Subresource, SubresourceForm> = {
  status: { verbs: CHANGE },
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: CHANGE },
  binding: { kind: 'Binding', verbs: ['create'] },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  log: { verbs: ['get'] },
  exec: { kind: 'PodExecOptions', verbs: STREAM },
  attach: { kind: 'PodAttachOptions', verbs: STREAM },
  portforward: { kind: 'PodPortForwardOptions', verbs: STREAM },
  proxy: { verbs: ANY },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] },
  ephemeralcontainers: { verbs: CHANGE },
  resize: { verbs: CHANGE },
  finalize: { verbs: ['update'] },
  approval: { verbs: CHANGE },
};

const kindOf = (served: ServedResource, subresource: Subresource): string =>
  subresource === 'proxy'
    ? `${served.identity.kind}ProxyOptions`
    : (SUBRESOURCES[subresource].kind ?? served.identity.kind);

/** Upstream's order, which is priority: a short name that two groups have means the first. Others follow by name. */
const GROUP_ORDER = [
  '',
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
];

const rankOf = (group: string): number => {
  const rank = GROUP_ORDER.indexOf(group);
  return rank === -1 ? GROUP_ORDER.length : rank;
};

/** `v2` before `v1` before `v1beta1`. Source: apimachinery, pkg/version CompareKubeAwareVersionStrings. */
function compareVersions(left: string, right: string): number {
  const parts = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return [-1, 0, 0];
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const [a, b] = [parts(left), parts(right)];
  return b[0] - a[0] || b[1] - a[1] || b[2] - a[2] || (left < right ? -1 : left > right ? 1 : 0);
}

interface GroupVersions {
  group: string;
  versions: { version: string; resources: ServedResource[] }[];
}

export function groupsOf(catalog: Catalog): GroupVersions[] {
  const groups = new Map<string, Map<string, ServedResource[]>>();
  for (const served of catalog.served) {
    const { group, version } = served.identity;
    const versions = groups.get(group) ?? new Map<string, ServedResource[]>();
    groups.set(group, versions);
    versions.set(version, [...(versions.get(version) ?? []), served]);
  }
  return [...groups]
    .sort(([left], [right]) => rankOf(left) - rankOf(right) || (left < right ? -1 : 1))
    .map(([group, versions]) => ({
      group,
      versions: [...versions]
        .sort(([left], [right]) => compareVersions(left, right))
        .map(([version, resources]) => ({
          version,
          resources: resources.toSorted((left, right) => (left.identity.resource < right.identity.resource ? -1 : 1)),
        })),
    }));
}

// ---- Plain ------------------------------------------------------------------------------------------------------

/** As upstream: base64 of the first eight bytes of a digest over group, version and kind of what is stored. */
function storageVersionHash({ definition }: ServedResource): string {
  const { group, version, kind } = definition.identity;
  return encodeBase64(sha256(new TextEncoder().encode(`${group}/${version}/${kind}`)).subarray(0, 8));
}

/** Keys in upstream's order: scripts grep the text. */
function plainResources(served: ServedResource): object[] {
  const { identity, definition } = served;
  const own = {
    name: identity.resource,
    singularName: definition.singular,
    namespaced: identity.namespaced,
    kind: identity.kind,
    verbs: [...definition.verbs],
    ...(definition.shortNames?.length ? { shortNames: definition.shortNames } : {}),
    ...(definition.categories?.length ? { categories: definition.categories } : {}),
    ...(definition.virtual ? {} : { storageVersionHash: storageVersionHash(served) }),
  };
  const subresources = subresourcesOf(served).map((subresource) => {
    const { group, version, verbs } = SUBRESOURCES[subresource];
    return {
      name: `${identity.resource}/${subresource}`,
      singularName: '',
      namespaced: identity.namespaced,
      ...(group === undefined ? {} : { group, version }),
      kind: kindOf(served, subresource),
      verbs: [...verbs],
    };
  });
  return [own, ...subresources];
}

const subresourcesOf = (served: ServedResource): Subresource[] => served.subresources.toSorted();

const groupVersionOf = (group: string, version: string) => ({
  groupVersion: apiVersionOf({ group, version }),
  version,
});

function plainGroup({ group, versions }: GroupVersions): object {
  const all = versions.map(({ version }) => groupVersionOf(group, version));
  return { name: group, versions: all, preferredVersion: all[0] };
}

function plainDocument(catalog: Catalog, path: string, host: string): object | undefined {
  const groups = groupsOf(catalog);
  if (path === '/api') {
    return {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }],
    };
  }
  if (path === '/apis') {
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: groups.filter(({ group }) => group !== '').map(plainGroup),
    };
  }
  const [root, ...names] = path.slice(1).split('/');
  const [group, version] = root === 'api' ? ['', names[0]] : names;
  const found = groups.find((each) => each.group === group && (root === 'api' || group !== ''));
  if (found === undefined) return undefined;
  if (root === 'apis' && version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...plainGroup(found) };
  const resources = found.versions.find((each) => each.version === version)?.resources;
  if (resources === undefined || names.length > (root === 'api' ? 1 : 2)) return undefined;
  return {
    kind: 'APIResourceList',
    ...(root === 'api' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group: found.group, version: version ?? '' }),
    resources: resources.flatMap(plainResources),
  };
}

// ---- Aggregated -------------------------------------------------------------------------------------------------

function aggregatedResource(served: ServedResource): object {
  const { identity, definition } = served;
  const { group, version, kind } = identity;
  const subresources = subresourcesOf(served).map((subresource) => {
    const form = SUBRESOURCES[subresource];
    return {
      subresource,
      responseKind: {
        group: form.group ?? group,
        version: form.version ?? version,
        kind: kindOf(served, subresource),
      },
      verbs: [...form.verbs],
    };
  });
  return {
    resource: identity.resource,
    responseKind: { group, version, kind },
    scope: identity.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: definition.singular,
    verbs: [...definition.verbs],
    ...(definition.shortNames?.length ? { shortNames: definition.shortNames } : {}),
    ...(definition.categories?.length ? { categories: definition.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

function aggregatedDocument(catalog: Catalog, core: boolean, version: string): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groupsOf(catalog)
      .filter(({ group }) => (group === '') === core)
      .map(({ group, versions }) => ({
        metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
        versions: versions.map((each) => ({
          version: each.version,
          resources: each.resources.map(aggregatedResource),
          freshness: 'Current',
        })),
      })),
  };
}

// ---- Answers ----------------------------------------------------------------------------------------------------

/** Texts made once per catalog: a catalog is a value, so what it says never changes. */
const texts = new WeakMap<Catalog, Map<string, { text: string; etag: string }>>();

function remembered(
  catalog: Catalog,
  key: string,
  make: () => object | undefined,
): { text: string; etag: string } | undefined {
  const known = texts.get(catalog) ?? new Map<string, { text: string; etag: string }>();
  texts.set(catalog, known);
  const found = known.get(key);
  if (found !== undefined) return found;
  const document = make();
  if (document === undefined) return undefined;
  const text = `${JSON.stringify(document)}\n`;
  const made = { text, etag: `"${digestOf(text)}"` };
  known.set(key, made);
  return made;
}

type Form = 'v2' | 'v2beta1' | 'plain';

/** The first form in the client's order that can be written. @throws StatusError 406 */
function formOf(headers: Headers, canAggregate: boolean): Form {
  const accept = headers.get('accept');
  if (accept === null || accept.trim() === '') return 'plain';
  for (const { type, parameters, quality } of parseAccept(accept)) {
    if (quality <= 0 || !['application/json', 'application/*', '*/*'].includes(type)) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return 'plain';
    const asked = as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io';
    if (canAggregate && asked && (v === 'v2' || v === 'v2beta1')) return v;
  }
  throw notAcceptable(['application/json']);
}

/** Undefined: nothing of discovery's is at this path. @throws StatusError 406 */
export function answerDiscovery(catalog: Catalog, request: DocumentRequest): DocumentAnswer | undefined {
  const path = request.path.length > 1 ? request.path.replace(/\/$/, '') : request.path;
  if (path !== '/api' && path !== '/apis' && !path.startsWith('/api/') && !path.startsWith('/apis/')) return undefined;
  const root = path === '/api' || path === '/apis';
  if (!root && plainDocument(catalog, path, '') === undefined) return undefined;
  const form = formOf(request.headers, root);
  const host = request.headers.get('host') ?? '';
  const found =
    path === '/api' && form === 'plain'
      ? { text: `${JSON.stringify(plainDocument(catalog, path, host))}\n`, etag: '' } // says who asked
      : form === 'plain'
        ? remembered(catalog, path, () => plainDocument(catalog, path, host))
        : remembered(catalog, `${path} ${form}`, () => aggregatedDocument(catalog, path === '/api', form));
  if (found === undefined) return undefined;
  const aggregated = form !== 'plain';
  const headers: Record<string, string> = {
    'content-type': aggregated
      ? `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`
      : 'application/json',
    ...(root ? { vary: 'Accept' } : {}),
    ...(aggregated ? { etag: found.etag, 'cache-control': 'public' } : { 'cache-control': 'no-cache, private' }),
  };
  if (aggregated && request.headers.get('if-none-match') === found.etag) return { status: 304, headers, body: '' };
  return { status: 200, headers, body: found.text };
}
