/**
 * `pods/proxy`, `services/proxy` and `nodes/proxy`: a client's HTTP request, or WebSocket, carried to a pod or to the
 * minion's own endpoints and back. Where it leads is `links/locate-proxy.ts` (which follows authorization, in the Cluster
 * object); what the minion answers by itself is `agent/link/streams/kubelet.ts`. Pages are passed on as they are: links in
 * HTML are not rewritten, redirects are.
 * Source: https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
 */
import { badRequest, serviceUnavailable } from '../../shared/errors.ts';
import type { HttpHeader } from '../../shared/tunnel/kinds.ts';
import type { Env } from '../env.ts';
import { HttpExchange } from '../links/http-exchange.ts';
import { requestHeaders } from '../links/proxy-headers.ts';
import { openStream, statusErrorOf, statusErrorOfEnd } from '../links/tunnel.ts';
import type { UserInfo } from '../users.ts';
import { proxyOptions } from './connect-options.ts';
import type { RequestInfo } from './request-info.ts';
import { isUpgrade } from './streams/upgrade.ts';

const RESOURCES = ['pods', 'services', 'nodes'] as const;
type Proxied = (typeof RESOURCES)[number];

export const isProxy = (info: RequestInfo): info is RequestInfo & { resource: Proxied } =>
  info.group === '' &&
  info.isResource &&
  info.subresource === 'proxy' &&
  (RESOURCES as readonly string[]).includes(info.resource);

/** @param path below the cluster's base path. @throws StatusError before the answer has begun */
export async function handleProxy(
  request: Request,
  env: Env,
  target: { cluster: string; basePath: string; path: string; query: string },
  info: RequestInfo & { resource: Proxied },
  user: UserInfo,
): Promise<Response> {
  const { resource, namespace, name, verb } = info;
  const { prefix, rest } = splitProxyPath(target.path, resource);
  const query = target.query === '' ? '' : `?${target.query}`;
  if (rest === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    // Kubernetes: relative links on the page need the slash.
    return new Response(null, { status: 301, headers: { Location: `${target.basePath}${target.path}/${query}` } });
  }
  const asked = { resource, namespace, name, verb, options: proxyOptions(info) };
  const outcome = await env.CLUSTER.get(env.CLUSTER.idFromName(target.cluster)).locateProxy(user, asked);
  if (!outcome.ok) throw statusErrorOf(outcome.status);
  const { endpoints, tls, options } = outcome.value;
  const below = options === undefined ? rest : encodeURI(String(options.path ?? ''));
  const endpoint = endpoints[Math.floor(Math.random() * endpoints.length)];
  if (endpoint === undefined) throw serviceUnavailable(`no endpoints available for ${resource} ${name}`);
  const { node, address, port } = endpoint;
  const isSocket = isUpgrade(request);
  if (!isSocket && request.headers.has('upgrade')) {
    throw badRequest(`upgrades to ${request.headers.get('upgrade')} are not supported here, only to WebSocket`);
  }
  const header: HttpHeader = {
    kind: 'http',
    address,
    port,
    method: request.method,
    path: `${below === '' ? '/' : below}${query}`,
    headers: headersFor(request),
    body: request.body !== null && !isSocket,
    ...(isSocket ? { upgrade: 'websocket' as const } : {}),
    ...(tls ? { tls } : {}),
    ...(resource === 'nodes' ? { to: 'kubelet' as const } : {}),
  };
  const exchange = new HttpExchange(request);
  exchange.begin(await openStream(env, { cluster: target.cluster, node }, header, exchange.ends));
  const answer = await exchange.ends.answered;
  if (answer.ok && exchange.response !== undefined) return redirected(exchange.response, target.basePath, prefix);
  if (!('status' in answer)) throw 'end' in answer ? statusErrorOfEnd(answer.end) : serviceUnavailable('no answer');
  const { reason, message } = answer.status;
  const unreachable = reason === 'ServiceUnavailable' || reason === 'BadGateway';
  throw unreachable ? serviceUnavailable(`error trying to reach service: ${message}`) : statusErrorOf(answer.status);
}

/** The path up to and with `proxy`, and what follows it as the client wrote it. */
export function splitProxyPath(path: string, resource: string): { prefix: string; rest: string } {
  const parts = path.split('/');
  // `/api/v1/nodes/NAME/proxy` or `/api/v1/namespaces/NAMESPACE/KIND/NAME/proxy`, after the empty part of the first slash.
  const count = resource === 'nodes' ? 6 : 8;
  const prefix = parts.slice(0, count).join('/');
  return { prefix, rest: path.slice(prefix.length) };
}

/** What was for the API stays here: who asks, and as whom. */
function headersFor(request: Request): [string, string][] {
  const kept = requestHeaders(request, '').filter(
    ([name]) => name !== 'authorization' && !name.startsWith('impersonate-'),
  );
  return kept.flatMap(([name, value]): [string, string][] => {
    if (name !== 'sec-websocket-protocol') return [[name, value]];
    const protocols = value
      .split(',')
      .map((each) => each.trim())
      .filter((each) => !each.startsWith(BEARER_PROTOCOL));
    return protocols.length === 0 ? [] : [[name, protocols.join(', ')]];
  });
}

const BEARER_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

/** A redirect to a path of the same server leads to that path below the proxy. */
function redirected(response: Response, basePath: string, prefix: string): Response {
  const location = response.headers.get('location');
  if (location === null || !location.startsWith('/') || location.startsWith('//')) return response;
  const moved = new Response(response.body, response);
  moved.headers.set('location', `${basePath}${prefix}${location}`);
  return moved;
}
