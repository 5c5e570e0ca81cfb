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
import { ANNOTATIONS_HEADER, BASE_PATH_HEADER, CLUSTER_HEADER, type Question, USER_HEADER } from '../rpc.ts';
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
  const etcd = new Hono<App>();
  etcd.use('/v3/*', async (context, next) => {
    context.set('caller', requireKnown(await callerOf(context)));
    return next();
  });
  etcd.route(
    '/',
    etcdRoutes<App>((context, path, question) => ask(context, context.get('caller'), path, question)),
  );
  app.route('/', etcd);
  app.route('/clusters/:cluster', etcd);
  // Of everything else there is one handler: hono runs that as it is, and layers of them cost every request.
  app.all('*', async (context) => {
    const caller = await callerOf(context);
    return (await answerHere(context, caller)) ?? onApi(context, requireKnown(caller));
  });
  return app;
}

const isPretty = ({ req }: Exchange): boolean => {
  const headers = new Headers({ 'user-agent': req.header('user-agent') ?? '' });
  return negotiate(headers, new URLSearchParams(splitTarget(req.url).query), []).pretty;
};

const isAnonymous = (user: UserInfo): boolean => user.groups.includes('system:unauthenticated');

/** Anonymous callers wake nobody. @throws StatusError 403 */
function requireKnown(caller: Caller): Caller {
  if (isAnonymous(caller.user)) throw forbiddenError(attributesOf(caller.user, caller.info));
  return caller;
}

/** Tokens must not travel in the clear: the plain port serves public Services and hooks only, which never come here. */
function requireTLS(url: string): void {
  if (!url.startsWith('https:')) throw badRequest('Client sent an HTTP request to an HTTPS server.');
}

/** @throws StatusError 400 without TLS, 401 for a token that is not good, 403 for one who may not act as whom he names. */
async function callerOf({ env, req }: Exchange): Promise<Caller> {
  requireTLS(req.url);
  const target = targetOf(req.url);
  const info = parseRequestInfo(req.method, target.path, target.query);
  const { headers } = req.raw;
  const { cluster } = target;
  const trail = trailOf(env, req.raw);
  trail?.asked(cluster, info);
  const object = () => clusterObject(env, cluster);
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

/** Durable Objects: an id is a keyed hash of its name, which costs more than remembering it. */
const ids = new Map<string, DurableObjectId>();
const MAX_IDS = 1000;

function clusterObject({ CLUSTER }: Env, name: string) {
  let id = ids.get(name);
  if (id === undefined) {
    id = CLUSTER.idFromName(name);
    if (ids.size >= MAX_IDS) ids.clear();
    ids.set(name, id);
  }
  return CLUSTER.get(id);
}

/** The Cluster object of the request, as its caller. */
async function ask(
  context: Exchange,
  { user, target }: Caller,
  path: string,
  { method = 'GET', headers: given, body }: Question,
): Promise<Response> {
  const { env } = context;
  const headers: Record<string, string> = {
    ...given,
    [USER_HEADER]: encodeUser(user),
    [CLUSTER_HEADER]: target.cluster,
  };
  if (target.basePath !== '') headers[BASE_PATH_HEADER] = target.basePath;
  const trail = trailOf(env, context.req.raw);
  if (trail?.isOn) {
    headers[AUDIT_ID] = trail.auditId;
    headers[ANNOTATIONS_HEADER] = 'wanted';
  }
  const object = clusterObject(env, target.cluster);
  try {
    const answer = await object.fetch(`https://cluster${path}`, { method, headers, body, redirect: 'manual' });
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

async function onApi(context: Exchange, caller: Caller): Promise<Response> {
  const { env } = context;
  const request = context.req.raw;
  const { user, target, info } = caller;
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
    const call = (path: string) => ask(context, caller, path, { method, headers, body });
    if (info.path === RESTORE_PATH && info.query.has('time')) return rewindThrough(call, info.query);
    const answer = await call(path);
    return headers.accept?.includes('yaml') ? yamlAnswer(answer) : answer;
  }
  headers.upgrade = 'websocket';
  return watchAnswer(request, {
    open: () => ask(context, caller, path, { method, headers }),
    timeoutSeconds: parseListOptions(info.query, true).timeoutSeconds,
    random: Math.random,
    waitUntil: (promise) => context.executionCtx.waitUntil(promise),
  });
}

/** What needs no object. With a token, readiness is the object's to say: it has the store. */
async function answerHere({ env, req }: Exchange, { user, info, target }: Caller): Promise<Response | undefined> {
  if (info.isResource || (req.method !== 'GET' && req.method !== 'HEAD')) return undefined;
  const { path, query } = info;
  if (path === '/version' || path === '/version/') return versionAnswer(true);
  const issuer = await issuerAnswer(path, issuerOf(env.API_URL, target.cluster), env.ROOT_SECRET);
  if (issuer !== undefined) return issuer;
  if (!isAnonymous(user) && !path.startsWith('/livez')) return undefined;
  return healthAnswer(path, query, { ping: () => undefined, log: () => undefined });
}

/** The object gets no YAML: what it says goes on as JSON. */
function forObject(
  info: RequestInfo,
  headers: Record<string, string>,
  body: Uint8Array | undefined,
): Uint8Array | undefined {
  if (body === undefined || body.length === 0) return body;
  const isPacked = info.isResource && isPackedType(mediaTypeOf(headers['content-type'] ?? null));
  if (!isPacked) return body;
  delete headers['content-length'];
  return new TextEncoder().encode(packYaml(body));
}

/** What the object reads of a client's headers. The caller is what the Worker found, and its token goes no further. */
const FORWARDED = [
  'accept',
  'accept-encoding',
  AUDIT_ID,
  'content-length',
  'content-type',
  'host',
  'if-none-match',
  'transfer-encoding',
  'upgrade',
  'user-agent',
];

function forwardedHeaders(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = headers.get(name);
    if (value !== null) forwarded[name] = value;
  }
  return forwarded;
}

/** An answer of the object has its headers already; one that was made here, or by a Relay, gets them on a copy. */
export function withApiHeaders(request: Request, response: Response, auditId?: string): Response {
  if (hasApiHeaders(response)) return response;
  const answer = new Response(response.body, response);
  setApiHeaders(request.headers, answer, auditId);
  return answer;
}
