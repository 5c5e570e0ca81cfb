/**
 * The Cluster object's side of REST: an authenticated request becomes calls on the registry, and what they leave becomes a
 * response. Synchronous but for the body of the request. Routes that are no resource are `cluster-routes.ts`.
 */

import type { Binding } from '../../shared/api/core.ts';
import type { DeleteOptions, KubeObject, Status } from '../../shared/api/meta.ts';
import { badRequest, invalid, invalidValue, noSuchPath, StatusError } from '../../shared/errors.ts';
import type { UserInfo } from '../env.ts';
import { bind } from '../registry/binding.ts';
import { parseStored, readCurrent, type Written } from '../registry/commit.ts';
import { create } from '../registry/create.ts';
import { deleteCollection, deletedStatus, deleteObject, validateDeleteOptions } from '../registry/delete.ts';
import { applyJsonPatch, applyMergePatch } from '../registry/json-patch.ts';
import { requireKind } from '../registry/metadata.ts';
import type { Registry } from '../registry/registry.ts';
import { scaleOf, withScale } from '../registry/scale.ts';
import { parseSelection } from '../registry/selection.ts';
import type { Session } from '../registry/session.ts';
import { applyStrategicMergePatch } from '../registry/strategic-merge-patch.ts';
import { update } from '../registry/update.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import { decodeBody } from '../resources/decode.ts';
import type { JsonObject } from '../resources/definition.ts';
import { checkFields, strictError } from '../resources/fields.ts';
import { type Schema, schemaOfKind } from '../resources/schemas.ts';
import { json, pageNotFound, warningHeader } from './answers.ts';
import { readBody } from './body.ts';
import { parseListOptions } from './list-options.ts';
import { getObject, listObjects, objectAnswer, type ReadParts, servedText } from './lists.ts';
import { type AnswerForm, negotiate } from './negotiation.ts';
import { type PatchType, parsePatch, patchTypeOf } from './patch-body.ts';
import type { RequestInfo } from './request-info.ts';
import { answerReview } from './reviews.ts';
import { answerTokenRequest } from './token-request.ts';
import { deleteOptionsOf, type FieldValidation, parseWriteOptions, type WriteOptions } from './write-options.ts';

export interface RestParts {
  registry: Registry;
  catalog(): Catalog;
  secret: string;
  cluster: string;
  nowMs(): number;
}

/** One request on its way. */
interface Exchange {
  parts: RestParts;
  read: ReadParts;
  request: Request;
  info: RequestInfo;
  user: UserInfo;
  served: ServedResource;
  /** '' for cluster-scoped resources. */
  namespace: string;
  warnings: string[];
}

const TABLE_FORMS = ['Table', 'PartialObjectMetadata'];
const LIST_FORMS = ['Table', 'PartialObjectMetadataList'];

/** @throws StatusError; authorization has already said yes. */
export async function answerResource(
  parts: RestParts,
  request: Request,
  info: RequestInfo,
  user: UserInfo,
): Promise<Response> {
  const served = findServed(parts.catalog(), info);
  if (served === undefined) return pageNotFound();
  const exchange: Exchange = {
    parts,
    read: { reader: parts.registry.store, nowMs: parts.nowMs },
    request,
    info,
    user,
    served,
    namespace: served.identity.namespaced ? info.namespace : '',
    warnings: [],
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

export const methodRefused = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

async function onObject(exchange: Exchange): Promise<Response> {
  const { info, served, user, parts } = exchange;
  const { definition } = served;
  const verb = info.verb as Exclude<typeof info.verb, ''>;
  if (info.resource === 'bindings') return verb === 'create' ? onBinding(exchange) : refuseMethod();
  if (definition.virtual) return verb === 'create' ? onReview(exchange, parts, user) : refuseMethod();
  if (!(definition.verbs as readonly string[]).includes(verb)) throw methodRefused();
  if (served.identity.namespaced && exchange.namespace === '' && !['list', 'watch'].includes(verb))
    throw methodRefused();
  const onCollection = ['create', 'list', 'deletecollection'].includes(verb);
  if (onCollection !== (info.name === '')) throw methodRefused();
  switch (verb) {
    case 'get':
      return onGet(exchange);
    case 'list':
      return onList(exchange);
    case 'create':
      return onCreate(exchange);
    case 'update':
      return onUpdate(exchange, '');
    case 'patch':
      return onPatch(exchange, '');
    case 'delete':
      return onDelete(exchange);
    case 'deletecollection':
      return onDeleteCollection(exchange);
    default:
      throw methodRefused();
  }
}

function refuseMethod(): never {
  throw methodRefused();
}

const formOf = ({ request, info }: Exchange, allowed: readonly string[]): AnswerForm =>
  negotiate(request.headers, info.query, allowed);

function onGet(exchange: Exchange): Response {
  const { read, served, namespace, info } = exchange;
  return getObject(read, served, namespace, info.name, formOf(exchange, TABLE_FORMS), info.query);
}

function onList(exchange: Exchange): Response {
  const { read, served, info } = exchange;
  const form = formOf(exchange, LIST_FORMS);
  const namespace = served.identity.namespaced && info.namespace !== '' ? info.namespace : undefined;
  const options = parseListOptions(info.query, false);
  return listObjects(read, served, served.identity.namespaced ? namespace : undefined, options, form, info.query);
}

// ---- Bodies ----------------------------------------------------------------------------------------------------

/** The body as the served resource's kind: of the right kind, known fields only, as fieldValidation says. */
async function readObject(exchange: Exchange, validation: FieldValidation): Promise<JsonObject> {
  const { request, served } = exchange;
  const decoded = decodeBody(await readBody(request), request.headers.get('content-type'), served);
  const checked = checkFields(served.schema, decoded.object, { duplicates: decoded.duplicates });
  const problems = [...decoded.problems, ...checked.problems];
  report(exchange, validation, problems, () => strictError(served.schema, problems));
  return decoded.object;
}

function report(
  exchange: Exchange,
  validation: FieldValidation,
  problems: readonly string[],
  strict: () => StatusError,
): void {
  if (problems.length === 0 || validation === 'Ignore') return;
  if (validation === 'Strict') throw strict();
  exchange.warnings.push(...problems);
}

const stored = (served: ServedResource, object: JsonObject): KubeObject =>
  (served.convert === undefined ? object : served.convert.toStored(object)) as unknown as KubeObject;

function writing<T>(exchange: Exchange, options: Pick<WriteOptions, 'dryRun'>, body: (session: Session) => T): T {
  const caller = {
    user: exchange.user,
    dryRun: options.dryRun,
    warn: (text: string) => void exchange.warnings.push(text),
  };
  return exchange.parts.registry.transact(caller, body as never) as T;
}

const userAgent = (request: Request): string => request.headers.get('user-agent') ?? '';

// ---- Verbs -----------------------------------------------------------------------------------------------------

async function onCreate(exchange: Exchange): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgent(request));
  const object = await readObject(exchange, options.fieldValidation);
  const draft = stored(served, object);
  const written = writing(exchange, options, (session) => create(session, served.definition, namespace, draft));
  return objectAnswer(exchange.read, served, written.text, form, info.query, 201);
}

async function onUpdate(exchange: Exchange, subresource: 'status' | 'finalize' | ''): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const options = parseWriteOptions(info.query, 'UpdateOptions', userAgent(request));
  const object = await readObject(exchange, options.fieldValidation);
  const draft = stored(served, object);
  const written = writing(exchange, options, (session) =>
    update(session, served.definition, namespace, info.name, draft, { subresource }),
  );
  return objectAnswer(exchange.read, served, written.text, form, info.query, written.created ? 201 : 200);
}

type ApplyPatch = (before: JsonObject) => JsonObject;

async function readPatch(exchange: Exchange, type: PatchType, schema: Schema | undefined): Promise<ApplyPatch> {
  const patch = parsePatch(await readBody(exchange.request));
  switch (type) {
    case 'application/json-patch+json':
      return (before) => applyJsonPatch(before, patch);
    case 'application/merge-patch+json':
      return (before) => applyMergePatch(before, patch);
    case 'application/strategic-merge-patch+json':
      return (before) => applyStrategicMergePatch(before, patch, schema);
  }
}

async function onPatch(exchange: Exchange, subresource: 'status' | 'finalize' | ''): Promise<Response> {
  const { request, info, served, namespace } = exchange;
  const form = formOf(exchange, TABLE_FORMS);
  const type = patchTypeOf(request.headers);
  const options = parseWriteOptions(info.query, 'PatchOptions', userAgent(request), type);
  const apply = await readPatch(exchange, type, served.schema);
  const written = writing(exchange, options, (session): Written => {
    const current = session.transaction.get(keyOf(served, namespace, info.name));
    if (current === undefined) {
      throw new StatusError(
        404,
        'NotFound',
        `${resourceName(served)} "${info.name}" not found`,
        detailsOf(served, info.name),
      );
    }
    const before = JSON.parse(servedText(served, current.text)) as JsonObject;
    const after = apply(before);
    requireKind(served.identity, after);
    const text = JSON.stringify(after);
    const { problems } = checkFields(served.schema, after);
    report(exchange, options.fieldValidation, problems, () =>
      invalid({ group: '', kind: '' }, '', [
        invalidValue('patch', text, `strict decoding error: ${problems.join(', ')}`),
      ]),
    );
    return update(session, served.definition, namespace, info.name, stored(served, after), {
      subresource,
      patched: true,
    });
  });
  return objectAnswer(exchange.read, served, written.text, form, info.query);
}

const resourceName = ({ identity }: ServedResource): string =>
  identity.group === '' ? identity.resource : `${identity.resource}.${identity.group}`;
const detailsOf = ({ identity }: ServedResource, name: string): Status['details'] => ({
  name,
  ...(identity.group === '' ? {} : { group: identity.group }),
  kind: identity.resource,
});
const keyOf = (served: ServedResource, namespace: string, name: string) => ({
  resource: resourceName({ ...served, identity: served.definition.identity }),
  namespace,
  name,
});

const DELETE_OPTIONS = { identity: { group: '', version: 'v1', kind: 'DeleteOptions' } };

/** Kubernetes: with a body the query is not read at all. */
async function readDeleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const { request, info } = exchange;
  const body = await readBody(request);
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
  const deleted = writing(exchange, { dryRun }, (session) =>
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
  const deleted = writing(exchange, { dryRun }, (session) =>
    deleteCollection(session, served.definition, { ...selection, namespace, limit: list.limit }, options),
  );
  const items = deleted.map((each) => JSON.parse(servedText(served, each.text)) as unknown);
  const metadata = { resourceVersion: String(parts.registry.store.revision) };
  const kind = served.convert === undefined ? served.definition.listKind : `${served.identity.kind}List`;
  const apiVersion = served.identity.group === '' ? 'v1' : `${served.identity.group}/${served.identity.version}`;
  return json({ kind, apiVersion, metadata, items }, 200, form.pretty);
}

// ---- Subresources ----------------------------------------------------------------------------------------------

async function onSubresource(exchange: Exchange): Promise<Response> {
  const { info, served } = exchange;
  const { verb, subresource } = info;
  if (!(served.definition.subresources as readonly string[]).includes(subresource) || info.name === '')
    throw noSuchPath();
  if (served.identity.namespaced && exchange.namespace === '') throw noSuchPath();
  switch (subresource) {
    case 'status':
      if (verb === 'get') return onGet(exchange);
      if (verb === 'update') return onUpdate(exchange, 'status');
      if (verb === 'patch') return onPatch(exchange, 'status');
      throw methodRefused();
    case 'finalize':
      if (verb === 'update') return onUpdate(exchange, 'finalize');
      throw methodRefused();
    case 'scale':
      return onScale(exchange);
    case 'binding':
      return verb === 'create' ? onBinding(exchange) : refuseMethod();
    case 'eviction':
      return verb === 'create' ? onEviction(exchange) : refuseMethod();
    case 'token':
      return verb === 'create' ? onTokenRequest(exchange) : refuseMethod();
    default:
      throw new StatusError(
        501,
        'NotImplemented',
        `${served.identity.resource}/${subresource} is not supported by Longshore yet`,
        {},
      );
  }
}

const SCALE = { identity: { group: 'autoscaling', version: 'v1', kind: 'Scale' } };

async function onScale(exchange: Exchange): Promise<Response> {
  const { info, served, namespace, request, parts } = exchange;
  const { definition } = served;
  const form = formOf(exchange, TABLE_FORMS);
  if (definition.scale === undefined) throw noSuchPath();
  const shown = (object: KubeObject, code = 200) => json(scaleOf(definition, object), code, form.pretty);
  if (info.verb === 'get') {
    const found = parts.registry.store.get(keyOf(served, namespace, info.name));
    if (found === undefined)
      throw new StatusError(
        404,
        'NotFound',
        `${resourceName(served)} "${info.name}" not found`,
        detailsOf(served, info.name),
      );
    return shown(parseStored(found).object);
  }
  const schema = schemaOfKind('autoscaling/v1', 'Scale');
  const isPatch = info.verb === 'patch';
  if (!isPatch && info.verb !== 'update') throw methodRefused();
  const type = isPatch ? patchTypeOf(request.headers) : undefined;
  const options = parseWriteOptions(
    info.query,
    isPatch ? 'PatchOptions' : 'UpdateOptions',
    userAgent(request),
    type ?? '',
  );
  const change: ApplyPatch =
    type === undefined
      ? (
          (body) => () =>
            body
        )(decodeBody(await readBody(request), request.headers.get('content-type'), SCALE).object)
      : await readPatch(exchange, type, schema);
  const written = writing(exchange, options, (session) => {
    const current = readCurrent(session, definition, namespace, info.name);
    if (current === undefined)
      throw new StatusError(
        404,
        'NotFound',
        `${resourceName(served)} "${info.name}" not found`,
        detailsOf(served, info.name),
      );
    const scale = change(scaleOf(definition, current.object) as unknown as JsonObject);
    if (schema !== undefined) checkFields(schema, scale);
    const metadata = (scale.metadata ?? {}) as Partial<KubeObject['metadata']>;
    if (metadata.name !== undefined && metadata.name !== info.name) {
      throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${info.name})`);
    }
    const replicas = ((scale.spec ?? {}) as { replicas?: number }).replicas ?? 0;
    if (replicas < 0) {
      throw invalid({ group: 'autoscaling', kind: 'Scale' }, info.name, [
        invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
      ]);
    }
    const draft = withScale(definition, current.object, scale);
    draft.metadata.resourceVersion = metadata.resourceVersion || draft.metadata.resourceVersion;
    if (metadata.uid) draft.metadata.uid = metadata.uid;
    return update(session, definition, namespace, info.name, draft);
  });
  return shown(JSON.parse(written.text) as KubeObject);
}

const SUCCESS = (code: number): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code,
});

const BINDING = { identity: { group: '', version: 'v1', kind: 'Binding' } };

async function onBinding(exchange: Exchange): Promise<Response> {
  const { info, namespace, request } = exchange;
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgent(request));
  const { object } = decodeBody(await readBody(request), request.headers.get('content-type'), BINDING);
  const binding = object as unknown as Binding;
  const name = info.name || binding.metadata?.name || '';
  if (binding.metadata?.name && binding.metadata.name !== name) {
    throw badRequest(`the name of the object (${binding.metadata.name}) does not match the name on the URL (${name})`);
  }
  if (!binding.target?.name) {
    throw invalid({ group: '', kind: 'Binding' }, name, [
      { reason: 'FieldValueRequired', message: 'Required value', field: 'target.name' },
    ]);
  }
  if (binding.target.kind && binding.target.kind !== 'Node') {
    throw invalid({ group: '', kind: 'Binding' }, name, [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(binding.target.kind)}: supported values: "Node"`,
        field: 'target.kind',
      },
    ]);
  }
  const { uid } = binding.metadata ?? {};
  const node = binding.target.name;
  writing(exchange, options, (session) => bind(session, { namespace, name, ...(uid ? { uid } : {}) }, node));
  return json(SUCCESS(201), 201);
}

const EVICTION = { identity: { group: 'policy', version: 'v1', kind: 'Eviction' } };

/** No PodDisruptionBudgets are served, so nothing can stand in the way of an eviction. */
async function onEviction(exchange: Exchange): Promise<Response> {
  const { info, namespace, request, served } = exchange;
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgent(request));
  const { object } = decodeBody(await readBody(request), request.headers.get('content-type'), EVICTION);
  const eviction = object as { metadata?: { name?: string }; deleteOptions?: DeleteOptions };
  if ((eviction.metadata?.name ?? info.name) !== info.name) {
    throw badRequest(`name in URL does not match name in Eviction object`);
  }
  const deleteOptions = eviction.deleteOptions ?? {};
  validateDeleteOptions(deleteOptions);
  const dryRun = options.dryRun || (deleteOptions.dryRun ?? []).length > 0;
  writing(exchange, { dryRun }, (session) =>
    deleteObject(session, served.definition, namespace, info.name, deleteOptions),
  );
  return json(SUCCESS(201), 201);
}

const TOKEN_REQUEST = { identity: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } };

async function onTokenRequest(exchange: Exchange): Promise<Response> {
  const { info, namespace, request, parts, read } = exchange;
  const form = formOf(exchange, []);
  const { object } = decodeBody(await readBody(request), request.headers.get('content-type'), TOKEN_REQUEST);
  const schema = schemaOfKind('authentication.k8s.io/v1', 'TokenRequest');
  if (schema !== undefined) checkFields(schema, object);
  const answer = await answerTokenRequest(
    { ...parts, reader: read.reader },
    namespace,
    info.name,
    object as unknown as KubeObject,
  );
  return json(answer, 201, form.pretty);
}

async function onReview(exchange: Exchange, parts: RestParts, user: UserInfo): Promise<Response> {
  const { request, info, namespace, read } = exchange;
  const form = formOf(exchange, []);
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgent(request));
  const object = await readObject(exchange, options.fieldValidation);
  const { kind, apiVersion } = {
    kind: exchange.served.identity.kind,
    apiVersion: `${exchange.served.identity.group}/v1`,
  };
  const review = { kind, apiVersion, metadata: {}, ...object } as unknown as KubeObject;
  return json(await answerReview({ ...parts, reader: read.reader }, user, namespace, review), 201, form.pretty);
}
