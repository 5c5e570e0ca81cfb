/**
 * Public requests for Services of type LoadBalancer: Worker → Relay of a minion with a ready endpoint → agent → pod, over
 * the minion's own outbound socket. HTTP/1.1 with streaming bodies both ways, and WebSockets. Which Service a URL means is
 * `routes.ts`; webhooks are `hooks.ts`.
 */
import { StatusError } from '../../shared/errors.ts';
import type { HttpHeader, StreamEnd, StreamHead } from '../../shared/tunnel/kinds.ts';
import type { Env } from '../env.ts';
import { HttpExchange } from '../links/http-exchange.ts';
import { requestHeaders } from '../links/proxy-headers.ts';
import { openStream } from '../links/tunnel.ts';
import type { ServiceLocation } from '../rpc.ts';
import { matchPublic, mayBePublic, type PublicRoute, RouteMemory } from './routes.ts';

type Endpoint = ServiceLocation['endpoints'][number];

/** How many endpoints one request tries. */
const MAX_TRIES = 3;
const routes = new RouteMemory();

export const isPublic = (request: Request, env: Pick<Env, 'PUBLIC_URL'>): boolean =>
  mayBePublic(env.PUBLIC_URL, request.url) && matchPublic(env.PUBLIC_URL, new URL(request.url)) !== undefined;

/** Never throws for what the client or the cluster did: every failure is a plain page. */
export async function handlePublic(request: Request, env: Env): Promise<Response> {
  const route = matchPublic(env.PUBLIC_URL, new URL(request.url));
  if (route === undefined) return page(404, 'there is nothing at this address');
  const { cluster, namespace, name } = route;
  const outcome = await routes.locate(route, Date.now(), () =>
    env.CLUSTER.get(env.CLUSTER.idFromName(cluster)).locateService({ namespace, name }),
  );
  if (!outcome.ok) {
    const { code } = outcome.status;
    if (code === 404) return page(404, `there is no public service "${name}" in namespace "${namespace}"`);
    if (code === 503) return page(503, `service "${name}" has no ready endpoint`);
    return page(500, 'the service could not be looked up');
  }
  return tryEndpoints(request, env, route, outcome.value.endpoints);
}

async function tryEndpoints(
  request: Request,
  env: Env,
  route: PublicRoute,
  endpoints: readonly Endpoint[],
): Promise<Response> {
  const start = Math.floor(Math.random() * endpoints.length);
  const inTurn = [...endpoints.slice(start), ...endpoints.slice(0, start)].slice(0, MAX_TRIES);
  let failure = page(503, `service "${route.name}" has no ready endpoint`);
  for (const endpoint of inTurn) {
    const attempt = await tryEndpoint(request, env, route, endpoint);
    if (attempt.response !== undefined) return attempt.response;
    routes.drop(route);
    failure = attempt.failure;
    if (attempt.sent) break;
  }
  return failure;
}

type Attempt = { response: Response } | { response?: undefined; failure: Response; sent: boolean };

/** One exchange with one endpoint. `sent`: the pod may have seen a part of the request, so no other may. */
async function tryEndpoint(request: Request, env: Env, route: PublicRoute, endpoint: Endpoint): Promise<Attempt> {
  const isSocket = request.headers.get('upgrade')?.toLowerCase() === 'websocket';
  const header: HttpHeader = {
    kind: 'http',
    address: endpoint.address,
    port: endpoint.port,
    method: request.method,
    path: route.target,
    headers: requestHeaders(request, route.prefix),
    body: request.body !== null && !isSocket,
    ...(isSocket ? { upgrade: 'websocket' as const } : {}),
  };
  const exchange = new HttpExchange(request);
  try {
    const stream = await openStream(env, { cluster: route.cluster, node: endpoint.node }, header, exchange.ends);
    exchange.begin(stream);
  } catch (error) {
    if (error instanceof RangeError) {
      return { failure: page(431, 'the header of the request is too long'), sent: true };
    }
    if (!(error instanceof StatusError)) throw error;
    return { failure: page(503, `service "${route.name}" has no endpoint on a connected minion`), sent: false };
  }
  const answer = await exchange.ends.answered;
  if (answer.ok && exchange.response !== undefined) return { response: exchange.response };
  const code = 'status' in answer ? answer.status.code : undefined;
  // 503: the minion could not connect to the pod. A body, though, has been read from the client by now.
  const sent = code !== 503 || header.body;
  return { failure: page(502, `service "${route.name}" did not answer: ${reasonOf(answer)}`), sent };
}

const reasonOf = (answer: StreamHead | { ok: false; end: StreamEnd }): string => {
  if ('status' in answer) return answer.status.message ?? 'no reason given';
  return 'end' in answer ? (answer.end.error ?? 'the connection ended') : 'no answer';
};

const page = (status: number, text: string): Response =>
  new Response(`${status} ${text}\n`, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' },
  });
