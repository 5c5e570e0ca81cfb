/**
 * One resource request on its way through the Cluster object, and what every verb does with it: the form of the answer, the
 * body as the kind that the URL asks for, the transaction. The verbs are `rest.ts` and `subresources.ts`.
 */
import { apiVersionOf, type KubeObject } from '../../shared/api/meta.ts';
import { conflict, MODIFIED, notAcceptable, notFound, StatusError } from '../../shared/errors.ts';
import type { WebhookClient } from '../links/webhook-call.ts';
import { transactAsking } from '../registry/asking.ts';
import { readCurrent } from '../registry/commit.ts';
import type { Current } from '../registry/current.ts';
import { copyJson } from '../registry/json.ts';
import { applyJsonPatch, applyMergePatch } from '../registry/json-patch.ts';
import { compilePolicy } from '../registry/rbac/policy.ts';
import type { Registry } from '../registry/registry.ts';
import type { Session } from '../registry/session.ts';
import { applyStrategicMergePatch } from '../registry/strategic-merge-patch.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import { decodeBody, type ExpectedKind, mediaTypeOf } from '../resources/decode.ts';
import type { JsonObject } from '../resources/definition.ts';
import { checkFields, strictError } from '../resources/fields.ts';
import { hasProtobuf } from '../resources/protobuf-write.ts';
import type { Schema } from '../resources/schemas.ts';
import { isPackedType } from '../resources/yaml-body.ts';
import type { Synchronous } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import type { TokenTrust } from './authentication.ts';
import { attributesOf, authorize, forbiddenError } from './authorization.ts';
import { readBody } from './body.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ReadParts } from './lists.ts';
import { type AnswerForm, negotiate, protobufWish } from './negotiation.ts';
import { type APPLY, type PatchType, parsePatch } from './patch-body.ts';
import type { RequestInfo } from './request-info.ts';
import { askWebhooks } from './webhook-calls.ts';
import type { FieldValidation, WriteOptions } from './write-options.ts';

export interface RestParts extends TokenTrust {
  registry: Registry;
  webhooks: WebhookClient;
  catalog(): Catalog;
  cluster: string;
  nowMs(): number;
  commits: GroupCommit;
}

/** One request on its way. */
/** Says something for the request's audit event. */
export type Annotate = (key: string, value: string) => void;

export interface Exchange {
  parts: RestParts;
  read: ReadParts;
  request: Request;
  info: RequestInfo;
  user: UserInfo;
  served: ServedResource;
  /** '' for cluster-scoped resources. */
  namespace: string;
  warnings: string[];
  annotate: Annotate;
}

export const TABLE_FORMS = ['Table', 'PartialObjectMetadata'];
export const LIST_FORMS = ['Table', 'PartialObjectMetadataList'];

/** @throws StatusError 406, before anything is done, for a form that the kind does not have. */
export function formOf({ request, info, served }: Exchange, allowed: readonly string[]): AnswerForm {
  const form = negotiate(request.headers, info.query, allowed);
  wantsProtobuf(form, request, served);
  return form;
}

/** Whether the answer will be protobuf: asked for, and the kind has it. @throws StatusError 406 where nothing else is taken. */
export function wantsProtobuf(form: AnswerForm, { headers }: Request, { identity }: ServedResource): boolean {
  if (!form.protobuf) return false;
  if (hasProtobuf(apiVersionOf(identity), identity.kind)) return true;
  if (protobufWish(headers) === 'rather') return false;
  throw notAcceptable(['application/json', 'application/yaml']);
}

export const methodRefused = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

/** The bytes of a write's body. What follows is one turn, and its transaction is committed with those of others. */
export async function bodyOf({ request, parts }: Pick<Exchange, 'request' | 'parts'>): Promise<Uint8Array> {
  // What the Worker made of YAML is longer than that was, and was counted there.
  const isPacked = isPackedType(mediaTypeOf(request.headers.get('content-type')));
  const body = await readBody(request, isPacked ? Number.POSITIVE_INFINITY : undefined);
  await parts.commits.turn();
  return body;
}

/** The body as the served resource's kind: of the right kind, known fields only, as fieldValidation says. */
export async function readObject(exchange: Exchange, validation: FieldValidation): Promise<JsonObject> {
  const { request, served } = exchange;
  const decoded = decodeBody(await bodyOf(exchange), request.headers.get('content-type'), served);
  const checked = checkFields(served.schema, decoded.object, { duplicates: decoded.duplicates });
  const problems = [...decoded.problems, ...checked.problems];
  report(exchange, validation, problems, () => strictError(served.schema, problems));
  return decoded.object;
}

/** What the decoder found: warnings or, strictly, an error. */
export function report(
  exchange: Exchange,
  validation: FieldValidation,
  problems: readonly string[],
  strict: () => StatusError,
): void {
  if (problems.length === 0 || validation === 'Ignore') return;
  if (validation === 'Strict') throw strict();
  exchange.warnings.push(...problems);
}

/** The object as it is stored, whatever group version it came in. */
export const storedForm = (served: ServedResource, object: JsonObject): KubeObject =>
  (served.convert === undefined ? object : served.convert.toStored(object)) as unknown as KubeObject;

/**
 * One transaction as the caller; a dry run leaves nothing of it. Webhooks are asked between two tries of it, never inside.
 * @param body is run again after webhooks were asked: it must not change what it closes over (`fresh`).
 */
export async function writing<T>(
  exchange: Exchange,
  options: Pick<WriteOptions, 'dryRun'> & Partial<Pick<WriteOptions, 'fieldManager'>>,
  body: (session: Session) => Synchronous<T>,
): Promise<T> {
  const { parts, warnings } = exchange;
  const known = warnings.length;
  const caller = {
    user: exchange.user,
    manager: options.fieldManager ?? '',
    dryRun: options.dryRun,
    warn: (text: string) => void warnings.push(text),
    annotate: exchange.annotate,
  };
  const { served, info } = exchange;
  return transactAsking(
    (journal) => {
      warnings.length = known;
      return parts.registry.transact({ ...caller, journal }, body);
    },
    (questions, journal) => askWebhooks(parts.webhooks, questions, journal),
    () => conflict(served.identity, info.name, MODIFIED),
  );
}

/** For a body of `writing`, which a registry call uses up. */
export const fresh = <T>({ parts, served }: Exchange, object: T): T =>
  parts.registry.hasWebhooks || served.definition.conversion !== undefined ? copyJson(object) : object;

export const userAgentOf = (request: Request): string => request.headers.get('user-agent') ?? '';

/** A body of a kind that belongs to the subresource, not to the resource. */
export async function readOther(exchange: Exchange, expected: ExpectedKind, schema?: Schema): Promise<JsonObject> {
  const contentType = exchange.request.headers.get('content-type');
  const { object } = decodeBody(await bodyOf(exchange), contentType, expected);
  if (schema !== undefined) checkFields(schema, object);
  return object;
}

export interface Patch {
  /** From the object as it is to the object as the patch wants it. */
  apply(before: JsonObject): JsonObject;
  /** Keys that the patch has more than once, as strict validation words them. */
  problems: string[];
}

/** The patch types that say what changes; what an apply says is read by `apply.ts`. */
export type ChangeType = Exclude<PatchType, typeof APPLY>;

export async function readPatch(exchange: Exchange, type: ChangeType, schema: Schema | undefined): Promise<Patch> {
  const { patch, duplicates } = parsePatch(await bodyOf(exchange));
  const problems = duplicates.map((path) => `duplicate field "${path}"`);
  switch (type) {
    case 'application/json-patch+json':
      return { apply: (before) => applyJsonPatch(before, patch), problems: [] };
    case 'application/merge-patch+json':
      return { apply: (before) => applyMergePatch(before, patch), problems };
    case 'application/strategic-merge-patch+json':
      return { apply: (before) => applyStrategicMergePatch(before, patch, schema), problems };
  }
}

/** @throws StatusError 404 in the words of the group version that was asked for. */
export function requireCurrent(session: Session, { served, namespace, info }: Exchange): Current {
  const found = readCurrent(session, served.definition, namespace, info.name);
  if (found === undefined) throw notFound(served.identity, info.name);
  return found;
}

/** PUT and apply may make what was not there: that takes the right to create. @throws StatusError 403, and nothing stays. */
export function requireCreateRight({ info, user, parts }: Exchange, session: Session, created: boolean): void {
  if (!created) return;
  const attributes = { ...attributesOf(user, info), verb: 'create' };
  const { allowed, reason } = authorize(attributes, parts.registry.store, () => compilePolicy(session.transaction));
  if (!allowed) throw forbiddenError(attributes, reason);
}
