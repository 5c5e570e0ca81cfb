/**
 * The Cluster object's side of REST: an authenticated request becomes calls on the registry, and what they leave becomes a
 * response. Synchronous but for the body of the request. Routes that are no resource are `cluster-routes.ts`.
 */

import type { DeleteOptions, KubeObject } from '../../shared/api/meta.ts';
import { invalid, invalidValue, noSuchPath } from '../../shared/errors.ts';
import { admitUnwritten } from '../registry/admit.ts';
import type { Written } from '../registry/commit.ts';
import { create } from '../registry/create.ts';
import { deleteCollection, deletedStatus, deleteObject, validateDeleteOptions } from '../registry/delete.ts';
import { copyJson } from '../registry/json.ts';
import { requireKind } from '../registry/metadata.ts';
import { parseSelection } from '../registry/selection.ts';
import { type ObjectPart, update } from '../registry/update.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import { decodeBody } from '../resources/decode.ts';
import type { JsonObject } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import { schemaOfKind } from '../resources/schemas.ts';
import type { UserInfo } from '../users.ts';
import { apiHeaders, json, pageNotFound, warningHeader } from './answers.ts';
import { applyObject } from './apply.ts';
import { onComponentStatuses } from './component-statuses.ts';
import {
  type Annotate,
  bodyOf,
  type Exchange,
  formOf,
  fresh,
  LIST_FORMS,
  methodRefused,
  type RestParts,
  readObject,
  readPatch,
  report,
  requireCreateRight,
  requireCurrent,
  storedForm,
  TABLE_FORMS,
  userAgentOf,
  writing,
} from './exchange.ts';
import { parseListOptions } from './list-options.ts';
import { getObject, listObjects, objectAnswer, servedText } from './lists.ts';
import { APPLY, patchTypeOf } from './patch-body.ts';
import type { RequestInfo } from './request-info.ts';
import { answerReview } from './reviews.ts';
import { notImplemented, onBinding, onEviction, onScale, onTokenRequest } from './subresources.ts';
import { deleteOptionsOf, parseWriteOptions } from './write-options.ts';

/** @throws StatusError; authorization has already said yes. */
export async function answerResource(
  parts: RestParts,
  request: Request,
  info: RequestInfo,
  user: UserInfo,
  annotate: Annotate,
): Promise<Response> {
  const served = findServed(parts.catalog(), info);
  if (served === undefined) return pageNotFound();
  const exchange: Exchange = {
    parts,
    read: {
      reader: parts.registry.store,
      nowMs: parts.nowMs,
      webhooks: parts.webhooks,
      headers: apiHeaders(request.headers),
    },
    request,
    info,
    user,
    served,
    namespace: served.identity.namespaced ? info.namespace : '',
    warnings: served.definition.deprecation === undefined ? [] : [served.definition.deprecation],
    annotate,
  };
  const answer = await (info.subresource === '' ? onObject(exchange) : onSubresource(exchange));
  for (const warning of exchange.warnings) answer.headers.append('warning', warningHeader(warning));
  return answer;
}

/** Undefined: nobody serves this group version. @throws StatusError 404: it has no such resource. */
export function findServed(catalog: Catalog, info: RequestInfo): ServedResource | undefined {
  const { group, version, resource, prefix } = info;
  if ((prefix === 'api') !== (group === '')) return undefined;
  // Kubernetes: the old way to bind, `POST namespaces/NS/bindings`.
  const name = group === '' && resource === 'bindings' ? 'pods' : resource;
  const served = catalog.findResource(group, version, name);
  if (served !== undefined) {
    if (served.identity.namespaced && info.namespace === '' && info.name !== '') throw noSuchPath();
    if (!served.identity.namespaced && info.namespace !== '' && resource !== 'namespaces') throw noSuchPath();
    return served;
  }
  const known = catalog.served.some((each) => each.identity.group === group && each.identity.version === version);
  if (known) throw noSuchPath();
  return undefined;
}

type Answer = (exchange: Exchange) => Response | Promise<Response>;

const VERBS: Record<string, Answer> = {
  get: onGet,
  list: onList,
  create: onCreate,
  update: (exchange) => onUpdate(exchange, ''),
  patch: (exchange) => onPatch(exchange, ''),
  delete: onDelete,
  deletecollection: onDeleteCollection,
};
const COLLECTION_VERBS = new Set(['create', 'list', 'deletecollection']);

async function onObject(exchange: Exchange): Promise<Response> {
  const { info, served } = exchange;
  const { definition } = served;
  const { verb } = info;
  if (info.resource === 'bindings') return onBinding(exchange);
  if (definition.identity.resource === 'componentstatuses') return onComponentStatuses(exchange);
  if (definition.virtual) return onReview(exchange);
  const answer = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (answer === undefined || !(definition.verbs as readonly string[]).includes(verb)) throw methodRefused();
  if (served.identity.namespaced && exchange.namespace === '' && verb !== 'list') throw methodRefused();
  if (COLLECTION_VERBS.has(verb) !== (info.name === '')) throw methodRefused();
  return answer(exchange);
}

const partOf =
  (part: ObjectPart, verbs: readonly string[]): Answer =>
  (exchange) => {
    const { verb } = exchange.info;
    if (!verbs.includes(verb)) throw methodRefused();
    if (verb === 'get') return onGet(exchange);
    return verb === 'patch' ? onPatch(exchange, part) : onUpdate(exchange, part);
  };

const SUBRESOURCES: Record<string, Answer> = {
  status: partOf('status', ['get', 'update', 'patch']),
  finalize: partOf('finalize', ['update']),
  approval: partOf('approval', ['get', 'update', 'patch']),
  ephemeralcontainers: partOf('ephemeralcontainers', ['get', 'update', 'patch']),
  resize: partOf('resize', ['get', 'update', 'patch']),
  scale: onScale,
  binding: onBinding,
  eviction: onEviction,
  token: onTokenRequest,
};

async function onSubresource(exchange: Exchange): Promise<Response> {
  const { info, served } = exchange;
  const { subresource } = info;
  const known = (served.definition.subresources as readonly string[]).includes(subresource);
  if (!known || info.name === '') throw noSuchPath();
  if (served.identity.namespaced && exchange.namespace === '') throw noSuchPath();
  const answer = Object.hasOwn(SUBRESOURCES, subresource) ? SUBRESOURCES[subresource] : undefined;
  return answer === undefined ? notImplemented(exchange) : answer(exchange);
}

function onGet(exchange: Exchange): Response | Promise<Response> {
  const { read, served, namespace, info } = exchange;
  return getObject(read, served, namespace, info.name, formOf(exchange, TABLE_FORMS), info.query);
}

function onList(exchange: Exchange): Response | Promise<Response> {
  const { read, served, info } = exchange;
  const form = formOf(exchange, LIST_FORMS);
  const namespace = served.identity.namespaced && info.namespace !== '' ? info.namespace : undefined;
  const options = parseListOptions(info.query, false);
  return listObjects(read, served, served.identity.namespaced ? namespace : undefined, options, form, info.query);
}

// ---- Verbs -----------------------------------------------------------------------------------------------------

async function onCreate(exchange: Exchange): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgentOf(request));
  const object = await readObject(exchange, options.fieldValidation);
  const draft = storedForm(served, object);
  const written = await writing(exchange, options, (session) =>
    create(session, served.definition, namespace, fresh(exchange, draft)),
  );
  return objectAnswer(exchange.read, served, written.text, form, info.query, 201);
}

async function onUpdate(exchange: Exchange, subresource: ObjectPart | ''): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const options = parseWriteOptions(info.query, 'UpdateOptions', userAgentOf(request));
  const object = await readObject(exchange, options.fieldValidation);
  const draft = storedForm(served, object);
  const written = await writing(exchange, options, (session) => {
    const updated = update(session, served.definition, namespace, info.name, fresh(exchange, draft), { subresource });
    requireCreateRight(exchange, session, updated.created);
    return updated;
  });
  return objectAnswer(exchange.read, served, written.text, form, info.query, written.created ? 201 : 200);
}

async function onPatch(exchange: Exchange, subresource: ObjectPart | ''): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const type = patchTypeOf(request.headers, served.definition.structural !== undefined);
  const options = parseWriteOptions(info.query, 'PatchOptions', userAgentOf(request), type);
  if (type === APPLY) {
    if (subresource === 'finalize' || subresource === 'approval') throw methodRefused();
    const applied = await applyObject(exchange, options, subresource);
    return objectAnswer(exchange.read, served, applied.text, form, info.query, applied.created ? 201 : 200);
  }
  const patch = await readPatch(exchange, type, served.schema);
  const written = await writing(exchange, options, (session): Written => {
    const current = requireCurrent(session, exchange);
    const before = JSON.parse(servedText(served, current.text)) as JsonObject;
    const after = patch.apply(before);
    requireKind(served.identity, after);
    const text = JSON.stringify(after);
    const problems = [...patch.problems, ...checkFields(served.schema, after).problems];
    report(exchange, options.fieldValidation, problems, () =>
      invalid({ group: '', kind: '' }, '', [
        invalidValue('patch', text, `strict decoding error: ${problems.join(', ')}`),
      ]),
    );
    return update(session, served.definition, namespace, info.name, storedForm(served, after), { subresource });
  });
  return objectAnswer(exchange.read, served, written.text, form, info.query);
}

const DELETE_OPTIONS = { identity: { group: '', version: 'v1', kind: 'DeleteOptions' } };

/** Kubernetes: with a body the query is not read at all. */
async function readDeleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const { request, info } = exchange;
  const body = await bodyOf(exchange);
  if (body.byteLength === 0) {
    const options = deleteOptionsOf(info.query);
    validateDeleteOptions(options);
    return options;
  }
  const { object } = decodeBody(body, request.headers.get('content-type'), DELETE_OPTIONS);
  const schema = schemaOfKind('v1', 'DeleteOptions');
  if (schema !== undefined) checkFields(schema, object);
  const options = object as unknown as DeleteOptions;
  validateDeleteOptions(options);
  return options;
}

async function onDelete(exchange: Exchange): Promise<Response> {
  const { info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const options = await readDeleteOptions(exchange);
  const dryRun = (options.dryRun ?? []).length > 0;
  const deleted = await writing(exchange, { dryRun }, (session) =>
    deleteObject(session, served.definition, namespace, info.name, options),
  );
  const isPod = served.definition.identity.group === '' && served.definition.identity.kind === 'Pod';
  if (deleted.gone && !isPod) return json(deletedStatus(served.definition, deleted.object), 200, form.pretty);
  const code = !deleted.gone && options.orphanDependents === false ? 202 : 200;
  return objectAnswer(exchange.read, served, deleted.text, form, info.query, code);
}

async function onDeleteCollection(exchange: Exchange): Promise<Response> {
  const { info, served, parts } = exchange;
  const form = formOf(exchange, LIST_FORMS);
  const list = parseListOptions(info.query, false);
  const selection = parseSelection(served.definition, list.labelSelector, list.fieldSelector);
  const options = await readDeleteOptions(exchange);
  const namespace = served.identity.namespaced ? exchange.namespace : undefined;
  const dryRun = (options.dryRun ?? []).length > 0;
  const deleted = await writing(exchange, { dryRun }, (session) =>
    deleteCollection(session, served.definition, { ...selection, namespace, limit: list.limit }, options),
  );
  const items = deleted.map((each) => JSON.parse(servedText(served, each.text)) as unknown);
  const metadata = { resourceVersion: String(parts.registry.store.revision) };
  const apiVersion = served.identity.group === '' ? 'v1' : `${served.identity.group}/${served.identity.version}`;
  return json({ kind: served.listKind, apiVersion, metadata, items }, 200, form.pretty);
}

/** POST of a question: nothing is stored, and the answer is the object with its status. */
async function onReview(exchange: Exchange): Promise<Response> {
  const { request, info, namespace, parts, served, user } = exchange;
  if (info.verb !== 'create' || info.name !== '') throw methodRefused();
  const { pretty } = formOf(exchange, []);
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgentOf(request));
  const object = await readObject(exchange, options.fieldValidation);
  const { kind, group, version } = served.identity;
  const review = { kind, apiVersion: `${group}/${version}`, metadata: {}, ...object } as unknown as KubeObject;
  const admitted = await writing(exchange, options, (session) => {
    const draft = copyJson(review);
    admitUnwritten(session, { operation: 'CREATE', definition: served.definition, namespace, name: '', draft });
    return draft;
  });
  return json(await answerReview({ ...parts, store: parts.registry.store }, user, namespace, admitted), 201, pretty);
}
