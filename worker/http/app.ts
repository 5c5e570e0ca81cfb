/**
 * The API's routes in the Worker: who asks is judged here, before any object is woken; then the request goes to whoever owns
 * it: a Cluster object, a stream, or this isolate itself (health, version). What is public is not here but in `edge/`. Errors become a Status here and in
 * `cluster-routes.ts`, through the one function of `answers.ts`.
 */
import { type Context, Hono } from 'hono';
import { MAX_RESTORE_BODY_BYTES, RESTORE_PATH } from '../../shared/backup.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { badRequest, StatusError, serviceUnavailable, tooManyRequests } from '../../shared/errors.ts';
import { DATA_PATH } from '../../shared/link/protocol.ts';
import type { Env } from '../env.ts';
import { statusErrorOf } from '../links/tunnel.ts';
import { mediaTypeOf } from '../resources/decode.ts';
import { isPackedType, packYaml } from '../resources/yaml-body.ts';
import { ANNOTATIONS_HEADER, BASE_PATH_HEADER, CLUSTER_HEADER, USER_HEADER } from '../rpc.ts';
import type { UserInfo } from '../users.ts';
import { AUDIT_ID, errorAnswer, hasApiHeaders, setApiHeaders } from './answers.ts';
import { trailOf } from './audit/audit.ts';
import { authenticate, encodeUser, trustOf } from './authentication.ts';
import { attributesOf, forbiddenError } from './authorization.ts';
import { readBody } from './body.ts';
import { etcdRoutes } from './etcd.ts';
import { healthAnswer } from './health.ts';
import { impersonationOf, impersonationRights } from './impersonation.ts';
import { issuerAnswer, issuerOf } from './issuer.ts';
import { parseListOptions } from './list-options.ts';
import { negotiate } from './negotiation.ts';
import { handleProxy, isProxy } from './proxy.ts';
import { parseRequestInfo, type RequestInfo, splitTarget } from './request-info.ts';
import { rewindThrough } from './rewind.ts';
import { handleDataSocket, handleStream, isStream } from './streams.ts';
import { handleUsage, isUsage } from './usage.ts';
import { versionAnswer } from './version.ts';
import { watchAnswer } from './watch.ts';
import { yamlAnswer } from './yaml-answer.ts';

const CLUSTER_PATH = /^\/clusters\/([^/]+)(\/.*)?$/;
const CLUSTER_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

interface Target {
  cluster: string;
  /** What stands before the API's own paths: `/clusters/NAME`, or ''. */
  basePath: string;
  /** Below the cluster's base path, as the client wrote it. */
  path: string;
  query: string;
}

/** `/clusters/NAME/…` is that cluster; everything else the default one. @throws StatusError 404 for a name that is none. */
export function targetOf(url: string): Target {
  const { path, query } = splitTarget(url);
  const match = CLUSTER_PATH.exec(path);
  if (match === null) return { cluster: DEFAULTS.clusterName, basePath: '', path, query };
  const [, cluster = '', rest = '/'] = match;
  if (!CLUSTER_NAME.test(cluster))
    throw new StatusError(404, 'NotFound', `clusters ${JSON.stringify(cluster)} not found`, {});
  return { cluster, basePath: `/clusters/${cluster}`, path: rest, query };
}

interface Caller {
  user: UserInfo;
  target: Target;
  info: RequestInfo;
}

interface App {
  Bindings: Env;
  Variables: { caller: Caller };
}
type Exchange = Context<App>;

export function createApp(): Hono<App> {
  // Routed by the raw path: what is in it is judged by request-info, as the apiserver would.
  const app = new Hono<App>({ getPath: (request) => splitTarget(request.url).path });
  app.onError((error, context) => {
    const { path } = splitTarget(context.req.url);
    return errorAnswer(error, { method: context.req.method, path }, isPretty(context));
  });
  app.use('*', async (context, next) => {
    requireTLS(context.req.url);
    context.set('caller', await callerOf(context));
    return next();
  });
  app.get('*', async (context, next) => (await answerHere(context)) ?? next());
  app.use('*', async (context, next) => {
    const { user, info } = context.get('caller');
    // Anonymous callers wake nobody.
    if (isAnonymous(user)) throw forbiddenError(attributesOf(user, info));
    return next();
  });
  const etcd = etcdRoutes<App>((context, path, init) => ask(context, path, init));
  app.route('/', etcd);
  app.route('/clusters/:cluster', etcd);
  app.all('*', onApi);
  return app;
}

const isPretty = ({ req }: Exchange): boolean => {
  const headers = new Headers({ 'user-agent': req.header('user-agent') ?? '' });
  return negotiate(headers, new URLSearchParams(splitTarget(req.url).query), []).pretty;
};

const isAnonymous = (user: UserInfo): boolean => user.groups.includes('system:unauthenticated');

/** Tokens must not travel in the clear: the plain port serves public Services and hooks only, which never come here. */
function requireTLS(url: string): void {
  if (!url.startsWith('https:')) throw badRequest('Client sent an HTTP request to an HTTPS server.');
}

async function callerOf({ env, req }: Exchange): Promise<Caller> {
  const target = targetOf(req.url);
  const info = parseRequestInfo(req.method, target.path, target.query);
  const { headers } = req.raw;
  const { cluster } = target;
  const trail = trailOf(env, req.raw);
  trail?.asked(cluster, info);
  const object = () => env.CLUSTER.get(env.CLUSTER.idFromName(cluster));
  const user = await authenticate(headers, trustOf(env, cluster), cluster, Date.now(), (token) =>
    object().bootstrapUser(token),
  );
  trail?.identified(user);
  const asked = impersonationOf(headers);
  if (asked === undefined) return { user, target, info };
  const [first] = impersonationRights(user, asked);
  // Anonymous callers wake nobody.
  if (isAnonymous(user) && first !== undefined) throw forbiddenError(first);
  const outcome = await object().impersonate(user, asked);
  if (!outcome.ok) throw statusErrorOf(outcome.status);
  trail?.impersonated(outcome.value);
  return { user: outcome.value, target, info };
}

/** The Cluster object of the request, as its caller; the client's own headers only where the API reads them. */
async function ask(context: Exchange, path: string, init: RequestInit): Promise<Response> {
  const { env } = context;
  const { user, target } = context.get('caller');
  const headers = init.headers instanceof Headers ? init.headers : new Headers(init.headers);
  headers.set(USER_HEADER, encodeUser(user));
  headers.set(CLUSTER_HEADER, target.cluster);
  headers.set(BASE_PATH_HEADER, target.basePath);
  const trail = trailOf(env, context.req.raw);
  if (trail?.isOn) {
    headers.set(AUDIT_ID, trail.auditId);
    headers.set(ANNOTATIONS_HEADER, 'wanted');
  }
  const object = env.CLUSTER.get(env.CLUSTER.idFromName(target.cluster));
  try {
    const answer = await object.fetch(`https://cluster${path}`, { ...init, headers, redirect: 'manual' });
    trail?.decided(answer.headers.get(ANNOTATIONS_HEADER));
    return answer;
  } catch (error) {
    throw platformError(error);
  }
}

/** Durable Objects: what the platform says about the object itself. Clients wait and ask again; nothing else is hidden. */
function platformError(error: unknown): unknown {
  const { overloaded, retryable } = error as { overloaded?: boolean; retryable?: boolean };
  if (overloaded) return tooManyRequests('the control plane is overloaded, please try again later', 1);
  return retryable ? serviceUnavailable('the control plane is restarting, please try again') : error;
}

async function onApi(context: Exchange): Promise<Response> {
  const { env } = context;
  const request = context.req.raw;
  const { user, target, info } = context.get('caller');
  if (info.path === DATA_PATH) return handleDataSocket(request, env, target.cluster, user);
  if (isUsage(info)) return handleUsage(request, env, target.cluster, info, user);
  if (isProxy(info)) return handleProxy(request, env, target, info, user);
  if (isStream(info)) return handleStream(request, env, target.cluster, info, user);
  const { method } = request;
  const path = `${target.path}${target.query === '' ? '' : `?${target.query}`}`;
  const headers = forwardedHeaders(request.headers);
  if (info.verb !== 'watch' || !info.isResource) {
    // Read here, so that a body which is too large or never comes wakes no object.
    const limit = info.path === RESTORE_PATH ? MAX_RESTORE_BODY_BYTES : undefined;
    const sent = request.body === null ? undefined : await readBody(request, limit);
    const body = forObject(info, headers, sent);
    trailOf(env, request)?.received(body);
    const call = (target: string) => ask(context, target, { method, headers, body });
    if (info.path === RESTORE_PATH && info.query.has('time')) return rewindThrough(call, info.query);
    return yamlAnswer(await call(path));
  }
  headers.set('upgrade', 'websocket');
  return watchAnswer(request, {
    open: () => ask(context, path, { method, headers }),
    timeoutSeconds: parseListOptions(info.query, true).timeoutSeconds,
    random: Math.random,
    waitUntil: (promise) => context.executionCtx.waitUntil(promise),
  });
}

/** What needs no object. With a token, readiness is the object's to say: it has the store. */
async function answerHere(context: Exchange): Promise<Response | undefined> {
  const { user, info, target } = context.get('caller');
  const { env } = context;
  const { path, query } = info;
  if (path === '/version' || path === '/version/') return versionAnswer(true);
  const issuer = await issuerAnswer(path, issuerOf(env.API_URL, target.cluster), env.ROOT_SECRET);
  if (issuer !== undefined) return issuer;
  if (!isAnonymous(user) && !path.startsWith('/livez')) return undefined;
  return healthAnswer(path, query, { ping: () => undefined, log: () => undefined });
}

/** The object gets no YAML: what it says goes on as JSON. */
function forObject(info: RequestInfo, headers: Headers, body: Uint8Array | undefined): Uint8Array | undefined {
  const isPacked = info.isResource && isPackedType(mediaTypeOf(headers.get('content-type')));
  if (!isPacked || body === undefined || body.length === 0) return body;
  headers.delete('content-length');
  return new TextEncoder().encode(packYaml(body));
}

const NOT_FORWARDED = ['authorization', 'sec-websocket-protocol', 'sec-websocket-extensions', ANNOTATIONS_HEADER];

/** The caller is what the Worker found, whatever the client says; its token goes no further. */
function forwardedHeaders(headers: Headers): Headers {
  const forwarded = new Headers(headers);
  for (const name of NOT_FORWARDED) forwarded.delete(name);
  return forwarded;
}

/** An answer of the object has its headers already; one that was made here, or by a Relay, gets them on a copy. */
export function withApiHeaders(request: Request, response: Response, auditId?: string): Response {
  if (hasApiHeaders(response)) return response;
  const answer = new Response(response.body, response);
  setApiHeaders(request.headers, answer, auditId);
  return answer;
}
