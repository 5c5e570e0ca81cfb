/**
 * The Worker's routes: who asks is judged here, before any object is woken; then the request goes to whoever owns it:
 * the edge, a Cluster object, a stream, or this isolate itself (health, version). Errors become a Status here and in
 * `cluster-routes.ts`, through the one function of `answers.ts`.
 */
import { type Context, Hono } from 'hono';
import { DEFAULTS } from '../../shared/defaults.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import { DATA_PATH } from '../../shared/link/protocol.ts';
import { handleHook, parseHookPath } from '../edge/hooks.ts';
import type { Env, UserInfo } from '../env.ts';
import { USER_HEADER } from '../rpc.ts';
import { errorAnswer } from './answers.ts';
import { authenticate, encodeUser } from './authentication.ts';
import { attributesOf, forbiddenError } from './authorization.ts';
import { requireBodyFits } from './body.ts';
import { healthAnswer } from './health.ts';
import { parseListOptions } from './list-options.ts';
import { negotiate } from './negotiation.ts';
import { parseRequestInfo, splitTarget } from './request-info.ts';
import { handleDataSocket, handleStream, isStream } from './streams.ts';
import { versionAnswer } from './version.ts';
import { watchAnswer } from './watch.ts';

export const CLUSTER_HEADER = 'x-longshore-cluster';
const CLUSTER_PATH = /^\/clusters\/([^/]+)(\/.*)?$/;
const CLUSTER_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Flow control is the platform's; the headers tell clients that they need not throttle themselves. */
const FLOW_HEADERS = {
  'x-kubernetes-pf-flowschema-uid': '6b1a1a5e-3f0e-4c11-9e0b-6c6f6e677368',
  'x-kubernetes-pf-prioritylevel-uid': '0f3c7d52-8a44-4f6e-8a57-6f7265000001',
};

interface Target {
  cluster: string;
  /** Below the cluster's base path, as the client wrote it. */
  path: string;
  query: string;
}

/** `/clusters/NAME/…` is that cluster; everything else the default one. @throws StatusError 404 for a name that is none. */
export function targetOf(url: string): Target {
  const { path, query } = splitTarget(url);
  const match = CLUSTER_PATH.exec(path);
  if (match === null) return { cluster: DEFAULTS.clusterName, path, query };
  const [, cluster = '', rest = '/'] = match;
  if (!CLUSTER_NAME.test(cluster))
    throw new StatusError(404, 'NotFound', `clusters ${JSON.stringify(cluster)} not found`, {});
  return { cluster, path: rest, query };
}

type App = { Bindings: Env };
type Exchange = Context<App>;

export function createApp(): Hono<App> {
  // Routed by the raw path: what is in it is judged by request-info, as the apiserver would.
  const app = new Hono<App>({ getPath: (request) => splitTarget(request.url).path });
  app.onError((error, context) =>
    errorAnswer(error, { method: context.req.method, path: splitTarget(context.req.url).path }, isPretty(context)),
  );
  app.all('*', async (context) => {
    if (parseHookPath(splitTarget(context.req.url).path) !== undefined) return handleHook(context.req.raw, context.env);
    requireTLS(context.req.url);
    return onApi(context);
  });
  return app;
}

const isPretty = ({ req }: Exchange): boolean => {
  const headers = new Headers({ 'user-agent': req.header('user-agent') ?? '' });
  return negotiate(headers, new URLSearchParams(splitTarget(req.url).query), []).pretty;
};

/** Tokens must not travel in the clear: the plain port serves public Services and hooks only. */
function requireTLS(url: string): void {
  if (!url.startsWith('https:')) throw badRequest('Client sent an HTTP request to an HTTPS server.');
}

async function onApi(context: Exchange): Promise<Response> {
  const { env } = context;
  const request = context.req.raw;
  const { cluster, path, query } = targetOf(request.url);
  const info = parseRequestInfo(request.method, path, query);
  const user = await authenticate(request, env.ROOT_SECRET, cluster, Date.now());
  const own = answerHere(context, user, info.path, info.query);
  if (own !== undefined) return own;
  // Anonymous callers wake nobody.
  if (user.groups.includes('system:unauthenticated')) throw forbiddenError(attributesOf(user, info));
  requireBodyFits(request.headers);
  if (info.path === DATA_PATH) return handleDataSocket(request, env, cluster, user);
  if (isStream(info)) return handleStream(request, env, cluster, info, user);
  const forward = (upgrade: boolean) => {
    const headers = forwardedHeaders(request.headers, user, cluster);
    if (upgrade) headers.set('upgrade', 'websocket');
    const url = `https://cluster${path}${query === '' ? '' : `?${query}`}`;
    const object = env.CLUSTER.get(env.CLUSTER.idFromName(cluster));
    return object.fetch(url, { method: request.method, headers, body: request.body, redirect: 'manual' });
  };
  if (info.verb !== 'watch' || !info.isResource) return forward(false);
  return watchAnswer(request, {
    open: () => forward(true),
    timeoutSeconds: parseListOptions(info.query, true).timeoutSeconds,
    random: Math.random,
    waitUntil: (promise) => context.executionCtx.waitUntil(promise),
  });
}

/** What needs no object. With a token, readiness is the object's to say: it has the store. */
function answerHere(context: Exchange, user: UserInfo, path: string, query: URLSearchParams): Response | undefined {
  if (context.req.method !== 'GET' && context.req.method !== 'HEAD') return undefined;
  if (path === '/version' || path === '/version/') return versionAnswer(true);
  const known = !user.groups.includes('system:unauthenticated');
  if (known && !path.startsWith('/livez')) return undefined;
  return healthAnswer(path, query, { ping: () => undefined, log: () => undefined });
}

/** The caller is what the Worker found, whatever the client says; its token goes no further. */
function forwardedHeaders(headers: Headers, user: UserInfo, cluster: string): Headers {
  const forwarded = new Headers(headers);
  for (const name of ['authorization', 'sec-websocket-protocol', 'sec-websocket-extensions']) forwarded.delete(name);
  forwarded.set(USER_HEADER, encodeUser(user));
  forwarded.set(CLUSTER_HEADER, cluster);
  return forwarded;
}

/** On every answer of the API. A 101 stays as it is: copying it would lose its socket. */
export function withApiHeaders(request: Request, response: Response): Response {
  if (response.status === 101) return response;
  const answer = new Response(response.body, response);
  answer.headers.set('audit-id', auditIdOf(request.headers));
  for (const [name, value] of Object.entries(FLOW_HEADERS)) answer.headers.set(name, value);
  return answer;
}

const auditIdOf = (headers: Headers): string => {
  const given = headers.get('audit-id') ?? '';
  return /^[\x21-\x7e]{1,64}$/.test(given) ? given : crypto.randomUUID();
};
