/**
 * Paths below an object: scale, binding, eviction, token, and status and finalize, which are the verbs of `rest.ts` on a part
 * of the object. Streams of pods (log, exec …) are `streams.ts`.
 */
import type { Binding } from '../../shared/api/core.ts';
import type { KubeObject, Status } from '../../shared/api/meta.ts';
import type { Eviction } from '../../shared/api/policy.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import { admit, admitValid } from '../registry/admit.ts';
import type { JsonMap } from '../registry/apply/typed.ts';
import { applyConfiguration } from '../registry/apply.ts';
import { bind } from '../registry/binding.ts';
import { evict } from '../registry/eviction.ts';
import { copyJson } from '../registry/json.ts';
import { SCALE_TABLE, type Scale, scaleOf, withScale } from '../registry/scale.ts';
import type { Session } from '../registry/session.ts';
import { columnDefinitions, partialMetadata, tableOf, tableRow } from '../registry/table.ts';
import { update } from '../registry/update.ts';
import type { Write } from '../registry/write.ts';
import type { JsonObject } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import { schemaOfKind } from '../resources/schemas.ts';
import { json } from './answers.ts';
import { readConfig } from './apply.ts';
import {
  type Exchange,
  formOf,
  methodRefused,
  type Patch,
  readOther,
  readPatch,
  requireCurrent,
  TABLE_FORMS,
  userAgentOf,
  writing,
} from './exchange.ts';
import { includeObject, readText } from './lists.ts';
import type { AnswerForm } from './negotiation.ts';
import { APPLY, patchTypeOf } from './patch-body.ts';
import { answerTokenRequest, settleTokenRequest, type TokenRequest } from './token-request.ts';
import { parseWriteOptions, type WriteOptions } from './write-options.ts';
import { namedYaml } from './yaml-answer.ts';

const SCALE = { identity: { group: 'autoscaling', version: 'v1', kind: 'Scale' } };
const SCALE_SCHEMA = () => schemaOfKind('autoscaling/v1', 'Scale');

/** GET, PUT and PATCH of the Scale of anything that has replicas. */
export async function onScale(exchange: Exchange): Promise<Response> {
  const { info, served, namespace, request } = exchange;
  const { definition } = served;
  const form = formOf(exchange, TABLE_FORMS);
  const answer = (object: KubeObject) => scaleAnswer(exchange, form, scaleOf(definition, object));
  if (info.verb === 'get') return answer(JSON.parse(await readText(exchange.read, served, namespace, info.name)));
  const custom = definition.structural !== undefined;
  const type = info.verb === 'patch' ? patchTypeOf(request.headers, custom) : undefined;
  if (type === undefined && info.verb !== 'update') throw methodRefused();
  const kind = type === undefined ? 'UpdateOptions' : 'PatchOptions';
  const options = parseWriteOptions(info.query, kind, userAgentOf(request), type);
  if (type === APPLY) return answer(await applyScale(exchange, options));
  const change =
    type === undefined ? await replacement(exchange) : (await readPatch(exchange, type, SCALE_SCHEMA())).apply;
  const written = await writing(exchange, options, (session) => {
    const { object } = requireCurrent(session, exchange);
    const scale = change(scaleOf(definition, object) as unknown as JsonObject);
    return update(session, definition, namespace, info.name, scaled(exchange, object, scale), { trackedAs: 'scale' });
  });
  return answer(JSON.parse(written.text) as KubeObject);
}

function scaleAnswer({ info, parts }: Exchange, { as, version, pretty, yaml }: AnswerForm, scale: Scale): Response {
  if (yaml) return namedYaml(json(scale));
  if (as === 'PartialObjectMetadata') return json(partialMetadata(scale, version), 200, pretty);
  if (as !== 'Table') return json(scale, 200, pretty);
  const row = tableRow(SCALE_TABLE, scale, includeObject(info.query), parts.nowMs(), version);
  const { resourceVersion } = scale.metadata;
  return json(tableOf({ resourceVersion }, columnDefinitions(SCALE_TABLE), [row], version), 200, pretty);
}

/** The object after the apply. An apply of a Scale owns the replicas of what it scales. */
async function applyScale(exchange: Exchange, options: WriteOptions): Promise<KubeObject> {
  const { served, namespace, info } = exchange;
  const { definition } = served;
  const schema = schemaOfKind('autoscaling/v1', 'Scale');
  if (schema === undefined) throw new Error('the table of schemas has no Scale');
  const config = await readConfig(exchange, options.fieldValidation, schema, SCALE.identity);
  checkKindOfScale(config);
  const written = await writing(exchange, options, (session) => {
    const { object } = requireCurrent(session, exchange);
    const { metadata } = scaled(exchange, object, config);
    const blank = { kind: object.kind, apiVersion: object.apiVersion, metadata: { name: metadata.name } };
    const wanted = withScale(definition, blank as KubeObject, config) as unknown as JsonMap;
    const force = options.force === true;
    return applyConfiguration(session, definition, namespace, info.name, wanted, { force, trackedAs: 'scale' });
  });
  return JSON.parse(written.text) as KubeObject;
}

function checkKindOfScale({ apiVersion, kind }: JsonObject): void {
  if (apiVersion === 'autoscaling/v1' && kind === 'Scale') return;
  const given = `${String(apiVersion)}, Kind=${String(kind)}`;
  throw badRequest(`the object provided is unrecognized (must be of type Scale): ${given}`);
}

async function replacement(exchange: Exchange): Promise<Patch['apply']> {
  const body = await readOther(exchange, SCALE, SCALE_SCHEMA());
  return () => copyJson(body);
}

/** The object as the Scale wants it; name, uid and resourceVersion of the Scale are preconditions. */
function scaled({ served, info }: Exchange, object: KubeObject, scale: JsonObject): KubeObject {
  const schema = SCALE_SCHEMA();
  if (schema !== undefined) checkFields(schema, scale);
  const metadata = (scale.metadata ?? {}) as Partial<KubeObject['metadata']>;
  requireSameName(metadata.name, info.name);
  const draft = withScale(served.definition, object, scale);
  if (metadata.resourceVersion) draft.metadata.resourceVersion = metadata.resourceVersion;
  if (metadata.uid) draft.metadata.uid = metadata.uid;
  return draft;
}

function requireSameName(given: string | undefined, name: string): void {
  if (!given || given === name) return;
  throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
}

const SUCCESS: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

const BINDING = { identity: { group: '', version: 'v1', kind: 'Binding' } };

/** POST pods/NAME/binding, and the old `POST bindings`. */
export async function onBinding(exchange: Exchange): Promise<Response> {
  const { info, namespace, request } = exchange;
  if (info.verb !== 'create') throw methodRefused();
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgentOf(request));
  const binding = (await readOther(exchange, BINDING)) as unknown as Binding;
  const given = binding.metadata?.name;
  const name = info.name || given || '';
  requireSameName(given, name);
  const path = info.resource === 'bindings' ? 'bindings' : 'pods';
  await writing(exchange, options, (session) => bind(session, namespace, name, binding, path));
  return json(SUCCESS, 201);
}

const EVICTION = { identity: { group: 'policy', version: 'v1', kind: 'Eviction' } };

export async function onEviction(exchange: Exchange): Promise<Response> {
  const { info, namespace, request } = exchange;
  if (info.verb !== 'create') throw methodRefused();
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgentOf(request));
  const eviction = (await readOther(exchange, EVICTION)) as Eviction;
  if ((eviction.metadata?.name ?? info.name) !== info.name) {
    throw badRequest('name in URL does not match name in Eviction object');
  }
  const dryRun = options.dryRun || (eviction.deleteOptions?.dryRun ?? []).length > 0;
  await writing(exchange, { ...options, dryRun }, (session) => evict(session, namespace, info.name, eviction));
  return json(SUCCESS, 201);
}

const TOKEN_REQUEST = { identity: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } };

export async function onTokenRequest(exchange: Exchange): Promise<Response> {
  const { info, parts, read, request } = exchange;
  if (info.verb !== 'create') throw methodRefused();
  const { pretty } = formOf(exchange, []);
  const options = parseWriteOptions(info.query, 'CreateOptions', userAgentOf(request));
  const body = await readOther(exchange, TOKEN_REQUEST, schemaOfKind('authentication.k8s.io/v1', 'TokenRequest'));
  const given = body as unknown as TokenRequest;
  requireSameName(given.metadata?.name, info.name);
  const admitted = await writing(exchange, options, (session) => admittedTokenRequest(session, exchange, given));
  return json(await answerTokenRequest({ ...parts, reader: read.reader }, admitted), 201, pretty);
}

function admittedTokenRequest(
  session: Session,
  { info, namespace, served }: Exchange,
  given: TokenRequest,
): TokenRequest {
  const { name } = info;
  const draft = copyJson(given);
  Object.assign(draft, { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1' });
  draft.metadata = { ...draft.metadata, name, namespace };
  const { definition } = served;
  const asked: Write = { operation: 'CREATE', definition, part: 'token', namespace, name, draft };
  admit(session, asked);
  settleTokenRequest(session.transaction, session.transaction.nowMs, draft);
  admitValid(session, asked);
  return draft;
}

/** Discovery names it, Longshore does not do it yet. */
export function notImplemented({ served, info }: Exchange): never {
  const what = `${served.identity.resource}/${info.subresource}`;
  throw new StatusError(501, 'NotImplemented', `${what} is not supported by Longshore yet`, {});
}
