/**
 * What a request asks for, read from its method, path and query alone, exactly as the apiserver's RequestInfoFactory does:
 * verb, API group, version, namespace, resource, subresource, name. Knows no resources; whether they exist is the
 * registry's to say.
 * Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go
 */
import { badRequest, noSuchPath } from '../../shared/errors.ts';

export interface RequestInfo {
  /** `get`, `list`, `watch`, `create` …; for paths that are no resource, the method in lower case. */
  verb: string;
  isResource: boolean;
  /** Decoded, without the cluster's base path. */
  path: string;
  query: URLSearchParams;
  prefix: 'api' | 'apis' | '';
  group: string;
  version: string;
  namespace: string;
  resource: string;
  subresource: string;
  name: string;
  /** What follows the subresource. */
  rest: readonly string[];
}

/** Path and query as the client wrote them: `new URL` would resolve `..` before anybody could refuse it. */
export function splitTarget(url: string): { path: string; query: string } {
  const afterScheme = url.indexOf('://') + 3;
  const start = url.indexOf('/', afterScheme);
  const target = start === -1 ? '/' : url.slice(start);
  const hash = target.indexOf('#');
  const bare = hash === -1 ? target : target.slice(0, hash);
  const mark = bare.indexOf('?');
  return mark === -1 ? { path: bare, query: '' } : { path: bare.slice(0, mark), query: bare.slice(mark + 1) };
}

/** Most requests ask for nothing more. Nobody changes what a query says. */
const NO_QUERY = new URLSearchParams();

const VERBS: Record<string, string> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** Subresources that end what can be said about a namespaced thing: `/namespaces/x/status` is the namespace's own. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) throw badRequest(`invalid URL escape in ${JSON.stringify(path)}`);
    throw error;
  }
}

/** Without the slashes around it. Not by a pattern, which would begin anew at every slash of a long row of them. */
function segmentsOf(path: string): string[] {
  let [start, end] = [0, path.length];
  while (path[start] === '/') start++;
  while (end > start && path[end - 1] === '/') end--;
  return path.slice(start, end).split('/');
}

/** @throws StatusError 400 for an escape that is none, or a name that cannot be a path segment; 404 for empty segments. */
export function parseRequestInfo(method: string, rawPath: string, query: string): RequestInfo {
  const path = decodePath(rawPath);
  const info: RequestInfo = {
    verb: method.toLowerCase(),
    isResource: false,
    path,
    query: query === '' ? NO_QUERY : new URLSearchParams(query),
    prefix: '',
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: [],
  };
  const segments = segmentsOf(path);
  const prefix = segments[0];
  if (prefix !== 'api' && prefix !== 'apis') return info;
  info.prefix = prefix;
  // `/apis/GROUP/VERSION/…` or `/api/VERSION/…`; anything shorter is discovery.
  const parts = segments.slice(1);
  if (prefix === 'apis') info.group = parts.shift() ?? '';
  info.version = parts.shift() ?? '';
  if (parts.length === 0) return info;
  if (segments.includes('')) throw noSuchPath();
  info.isResource = true;
  info.verb = VERBS[method] ?? '';
  return resourceOf(info, parts);
}

function resourceOf(info: RequestInfo, all: string[]): RequestInfo {
  let parts = all;
  // Kubernetes: the old `/watch/` form; the rest of the path is as without it.
  if (parts[0] === 'watch' && parts.length > 1 && info.verb === 'get') {
    parts = parts.slice(1);
    info.verb = 'watch';
  }
  if (parts[0] === 'namespaces') {
    if (parts.length > 1) {
      info.namespace = parts[1] ?? '';
      if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2] ?? '')) parts = parts.slice(2);
    }
  }
  info.resource = parts[0] ?? '';
  info.name = parts[1] ?? '';
  info.subresource = parts[2] ?? '';
  info.rest = parts.slice(3);
  requireSegment(info.namespace, 'Namespace');
  requireSegment(info.name, 'Name');
  if (info.name === '' && info.verb === 'get') info.verb = isTrue(info.query.get('watch')) ? 'watch' : 'list';
  // Kubernetes: a list with a field selector for one name and watch=true is still a watch.
  if (info.name === '' && info.verb === 'delete') info.verb = 'deletecollection';
  return info;
}

const isTrue = (value: string | null): boolean => value !== null && value !== 'false' && value !== '0';

function requireSegment(value: string, what: string): void {
  const why =
    value === '.' || value === '..' ? `may not be '${value}'` : value.includes('%') ? `may not contain '%'` : undefined;
  if (why !== undefined) throw badRequest(`${what} parameter invalid: ${JSON.stringify(value)}: ${why}`);
}
