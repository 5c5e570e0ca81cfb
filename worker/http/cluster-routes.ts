/**
 * Every request that reaches a Cluster object: who asks (the Worker said so), whether the token still holds, whether it is
 * allowed, and whose business it is. The Worker's own routes are `app.ts`.
 */

import { badRequest, methodNotAllowed, unauthorized } from '../../shared/errors.ts';
import { JOIN_PATH, LINK_PATH } from '../../shared/link/protocol.ts';
import type { WatchRequest } from '../links/event-texts.ts';
import type { KeyspaceWatches } from '../links/keyspace-watches.ts';
import type { Minions } from '../links/minions.ts';
import type { Watches } from '../links/watches.ts';
import { ANNOTATIONS_HEADER, BASE_PATH_HEADER } from '../rpc.ts';
import type { Reader } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import { compressible, errorAnswer, hasApiHeaders, pageNotFound, setApiHeaders, warningHeader } from './answers.ts';
import { annotationsHeader, annotationsOf } from './audit/trail.ts';
import { decodeUser } from './authentication.ts';
import { attributesOf, authorize, forbiddenError } from './authorization.ts';
import { answerBackups, type BackupParts, isBackupPath } from './backups.ts';
import { answerDiscovery } from './discovery.ts';
import { type Annotate, methodRefused, type RestParts, wantsProtobuf } from './exchange.ts';
import { healthAnswer } from './health.ts';
import { answerJoin } from './join.ts';
import { parseListOptions, parseResourceVersion } from './list-options.ts';
import { includeObject, requireReached } from './lists.ts';
import { metricsAnswer } from './metrics.ts';
import { acceptsGzip, negotiate } from './negotiation.ts';
import { answerOpenApi, type Describe } from './openapi.ts';
import { protobufAnswer } from './protobuf-answer.ts';
import { parseRequestInfo, type RequestInfo, splitTarget } from './request-info.ts';
import { answerResource, findServed } from './rest.ts';
import { whyTokenEnded } from './token-status.ts';
import { isUpgrade } from './watch.ts';
import { PROTOBUF_WATCH_TYPE } from './watch-frames.ts';

export interface ClusterParts extends RestParts {
  minions: Minions;
  watches: Watches;
  keyspace: KeyspaceWatches;
  backups: BackupParts;
  /** Descriptions for OpenAPI, from the static assets. */
  describe: Describe;
}

const KEYSPACE_PATH = '/v3/';

/** Always an answer: errors become a Status here, for they do not keep their class on the way to the Worker. */
export async function answerClusterRequest(parts: ClusterParts, request: Request): Promise<Response> {
  const annotations: Record<string, string> = {};
  const made = await answerOf(parts, request, (key, value) => {
    // Kubernetes: what was said first stays.
    annotations[key] ??= value;
  });
  const answer = await protobufAnswer(request, made);
  if (Object.keys(annotations).length > 0 && request.headers.has(ANNOTATIONS_HEADER)) {
    answer.headers.set(ANNOTATIONS_HEADER, annotationsHeader(annotations));
  }
  if (!hasApiHeaders(answer)) setApiHeaders(request.headers, answer);
  return answer;
}

async function answerOf(parts: ClusterParts, request: Request, annotate: Annotate): Promise<Response> {
  const { path, query } = splitTarget(request.url);
  try {
    const user = decodeUser(request.headers);
    return await route(parts, request, parseRequestInfo(request.method, path, query), user, annotate);
  } catch (error) {
    return errorAnswer(error, { method: request.method, path }, isPretty(request, query));
  }
}

const isPretty = (request: Request, query: string): boolean =>
  negotiate(new Headers({ 'user-agent': request.headers.get('user-agent') ?? '' }), new URLSearchParams(query), [])
    .pretty;

async function route(
  parts: ClusterParts,
  request: Request,
  info: RequestInfo,
  user: UserInfo,
  annotate: Annotate,
): Promise<Response> {
  const { store } = parts.registry;
  if (whyTokenEnded(user, store, parts.nowMs()) !== undefined) throw unauthorized();
  const attributes = attributesOf(user, info);
  const decision = authorize(attributes, store);
  const { allowed, reason } = decision;
  for (const [key, value] of Object.entries(annotationsOf(decision))) annotate(key, value);
  const served = info.isResource ? parts.catalog().findResource(info.group, info.version, info.resource) : undefined;
  // What is stored is read or written on the way to its answer; anything else could come from memory alone.
  if (!allowed || served === undefined || served.definition.virtual === true) requireCurrentInstance(store);
  if (!allowed) throw forbiddenError(attributes, reason);
  if (!info.isResource) return (await onPath(parts, request, info, user)) ?? pageNotFound();
  if (info.verb === '') throw methodRefused();
  if (info.verb === 'watch') return onWatch(parts, request, info);
  return answerResource(parts, request, info, user, annotate);
}

/** Durable Objects: an instance that another one has replaced learns it at its next look at storage, which throws. */
const requireCurrentInstance = (store: Reader): void => void store.revision;

async function onPath(
  parts: ClusterParts,
  request: Request,
  info: RequestInfo,
  user: UserInfo,
): Promise<Response | undefined> {
  const { path, query } = info;
  if (path === LINK_PATH) {
    if (!isUpgrade(request.headers)) throw badRequest('Upgrade request required');
    return parts.minions.accept(user);
  }
  if (path.startsWith(KEYSPACE_PATH)) return parts.keyspace.fetch(request);
  if (isBackupPath(path)) return answerBackups(parts.backups, request, path, query);
  if (path === JOIN_PATH) {
    if (request.method !== 'POST') throw methodNotAllowed({ group: '', resource: 'join' }, info.verb);
    return answerJoin({ ...parts, reader: parts.registry.store }, request);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  if (path === '/metrics') return metricsAnswer(parts.registry.store, parts.catalog());
  const checks = {
    ping: () => undefined,
    etcd: () => (parts.registry.store.revision >= 0 ? undefined : 'no revision'),
  };
  const health = healthAnswer(path, query, checks);
  if (health !== undefined) return health;
  const asked = { path, headers: request.headers };
  const document =
    answerDiscovery(parts.catalog(), asked) ??
    (await answerOpenApi(
      parts.catalog(),
      { ...asked, query, basePath: request.headers.get(BASE_PATH_HEADER) ?? '', nowMs: parts.nowMs() },
      parts.describe,
    ));
  if (document === undefined) return undefined;
  const answer = new Response(document.body || null, document);
  return compressible(answer, { gzip: acceptsGzip(request.headers) }, document.body.length);
}

const WATCH_FORMS = ['Table', 'PartialObjectMetadata'];

/** The Worker asks for every watch as an upgrade, whatever its client speaks. */
function onWatch(parts: ClusterParts, request: Request, info: RequestInfo): Response {
  if (!isUpgrade(request.headers)) throw badRequest('Upgrade request required');
  const served = findServed(parts.catalog(), info);
  if (served === undefined) return pageNotFound();
  if (!served.definition.verbs.includes('watch') || info.subresource !== '') throw methodRefused();
  const options = parseListOptions(info.query, true);
  const form = negotiate(request.headers, info.query, WATCH_FORMS);
  const protobuf = wantsProtobuf(form, request, served);
  const revision = parseResourceVersion(options.resourceVersion);
  const { store } = parts.registry;
  requireReached(store, revision);
  // Kubernetes: `/watch/…/NAME`, the old form, is a watch of one object.
  const byName = info.name === '' ? '' : `metadata.name=${info.name}`;
  const fieldSelector = [options.fieldSelector, byName].filter((each) => each !== '').join(',');
  const watch: WatchRequest = {
    group: info.group,
    version: info.version,
    resource: info.resource,
    namespace: served.identity.namespaced && info.namespace !== '' ? info.namespace : undefined,
    labelSelector: options.labelSelector,
    fieldSelector,
    as: form.as === 'PartialObjectMetadataList' ? '' : form.as,
    metaVersion: form.version,
    include: includeObject(info.query),
    revision,
    initial: options.sendInitialEvents ?? revision === 0,
    endsInitial: options.sendInitialEvents === true,
    bookmarks: options.allowWatchBookmarks,
  };
  if (options.sendInitialEvents === false && revision === 0) watch.revision = store.revision;
  const answer = parts.watches.accept(watch, served);
  // Events are texts that all watchers share: the Worker turns them.
  if (protobuf) answer.headers.set('content-type', PROTOBUF_WATCH_TYPE);
  const { deprecation } = served.definition;
  if (deprecation !== undefined) answer.headers.set('warning', warningHeader(deprecation));
  return answer;
}
