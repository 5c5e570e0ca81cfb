/**
 * What mutating and validating webhooks make of a write: which are asked, in which order, what their answers change, and
 * the words in which they refuse. Asking is not done here: an answer that is missing is thrown as WebhooksNeeded.
 * Source: apiserver, pkg/admission/plugin/webhook/{generic,mutating,validating,errors}
 */
import type { MutatingWebhook, ValidatingWebhook } from '../../shared/api/admissionregistration.ts';
import { apiVersionOf, type KubeObject } from '../../shared/api/meta.ts';
import { badRequest, internalError, StatusError } from '../../shared/errors.ts';
import type { RegisteredWebhook } from '../admission/configurations.ts';
import { isExempt, matchingForm, selectorsMatch } from '../admission/matching.ts';
import type { Admission } from '../admission/plugin.ts';
import { requestOf } from '../admission/request.ts';
import { type ShownKind, shownKind } from '../admission/shown-kinds.ts';
import { compileConditions } from '../resources/admission-cel.ts';
import { schemaOf } from '../resources/catalog.ts';
import { CelCompileError, CelCostError, CelEvaluationError } from '../resources/cel.ts';
import type { JsonObject } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import { schemaOfKind } from '../resources/schemas.ts';
import { fillIn } from './fill-in.ts';
import { applyJsonPatch } from './json-patch.ts';
import type { Session } from './session.ts';
import { type AdmissionResponse, questionOf, type WebhookQuestion, WebhooksNeeded } from './webhook-journal.ts';

/**
 * Mutating webhooks, one after the other; when one has changed something, the plugins see the object once more, and so do
 * the webhooks that ask for it. @throws WebhooksNeeded, StatusError
 */
export function admitByWebhooks(session: Session, admission: Admission, readmit: () => void): void {
  const { mutating } = admission.configurations;
  const { journal } = session;
  if (mutating.length === 0 || journal === undefined || isExempt(admission)) return;
  /** Webhooks that want to be asked again, by what they left behind. */
  const reinvocable = new Set<string>();
  const due = new Set<string>();
  const round = (again: boolean): boolean => {
    let changed = false;
    for (const registered of mutating) {
      if (again && !due.has(registered.key)) continue;
      if (!changeByWebhook(session, admission, registered)) {
        if (registered.webhook.reinvocationPolicy === 'IfNeeded' && wasAsked(admission, registered)) {
          reinvocable.add(registered.key);
        }
        continue;
      }
      changed = true;
      for (const key of reinvocable) due.add(key);
      if (registered.webhook.reinvocationPolicy === 'IfNeeded') reinvocable.add(registered.key);
    }
    return changed;
  };
  if (!round(false)) return;
  const before = JSON.stringify(admission.draft);
  readmit();
  if (JSON.stringify(admission.draft) !== before) for (const key of reinvocable) due.add(key);
  if (due.size > 0) round(true);
}

const wasAsked = (admission: Admission, registered: RegisteredWebhook): boolean =>
  questionFor('mutating', admission, registered) !== undefined;

/** @returns whether the object is another one now. */
function changeByWebhook(
  session: Session,
  admission: Admission,
  registered: RegisteredWebhook<MutatingWebhook>,
): boolean {
  const question = questionFor('mutating', admission, registered);
  if (question === undefined) return false;
  const response = responseTo(session, question);
  if (response === undefined) return false;
  heed(admission, registered, response);
  const { draft } = admission;
  if (response.patch === undefined || draft === undefined) return false;
  const before = JSON.stringify(draft);
  takePatched(admission, draft, patchedAsShown(admission, question, draft, response.patch));
  return JSON.stringify(draft) !== before;
}

/** A patch is of what the webhook was shown, which may be another version than the one that is written. */
function patchedAsShown(
  admission: Admission,
  { request }: WebhookQuestion,
  draft: KubeObject,
  patch: unknown,
): JsonObject {
  const { definition, subresource } = admission;
  const { conversion, identity } = definition;
  const isItself = shownKind(definition, subresource) === undefined;
  if (conversion === undefined || !isItself || request.kind.version === identity.version) return patched(draft, patch);
  const shown = patched(admission.inVersion(conversion, draft, request.kind.version), patch) as unknown as KubeObject;
  return admission.inVersion(conversion, shown, identity.version) as unknown as JsonObject;
}

function patched(draft: KubeObject, patch: unknown): JsonObject {
  try {
    // As it was sent: an update leaves members without a value, which are no JSON.
    return applyJsonPatch(JSON.parse(JSON.stringify(draft)) as JsonObject, patch);
  } catch (error) {
    if (error instanceof StatusError) throw internalError(error.message);
    throw error;
  }
}

/** The draft becomes the patched object, in place, but for what no patch may change. */
function takePatched({ definition, subresource }: Admission, draft: KubeObject, object: JsonObject): void {
  const other = shownKind(definition, subresource);
  if (other !== undefined) {
    takeOther(other, draft, object);
    return;
  }
  checkFields(schemaOf(definition), object);
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, managedFields } = draft.metadata;
  const kept = { name, namespace, uid, resourceVersion, generation, creationTimestamp, managedFields };
  const next: JsonObject = { ...object, kind: draft.kind, apiVersion: draft.apiVersion };
  const { status } = draft as KubeObject & { status?: unknown };
  if (subresource === 'status') {
    for (const key of Object.keys(next)) if (key !== 'status') delete next[key];
    const { status: _, ...rest } = draft as KubeObject & { status?: unknown };
    Object.assign(next, rest);
  } else {
    next.metadata = present({ ...(object.metadata as JsonObject | undefined), ...present(kept) });
    if (definition.subresources.includes('status')) {
      if (status === undefined) delete next.status;
      else next.status = status;
    }
  }
  become(draft, next);
  // The rest is as it is stored, and may be that very object.
  if (subresource !== 'status') fillIn(definition, draft);
}

/** What is not stored has no defaults, and only its place is not the webhook's to change. */
function takeOther(kind: ShownKind, draft: KubeObject, object: JsonObject): void {
  const schema = schemaOfKind(apiVersionOf(kind), kind.kind);
  if (schema !== undefined) checkFields(schema, object);
  const next: JsonObject = { ...object, kind: draft.kind, apiVersion: draft.apiVersion };
  if (draft.metadata !== undefined) {
    const { name, namespace } = draft.metadata;
    next.metadata = { ...(object.metadata as JsonObject | undefined), ...present({ name, namespace }) };
  }
  become(draft, next);
}

function become(draft: KubeObject, next: JsonObject): void {
  const target = draft as unknown as JsonObject;
  for (const key of Object.keys(target)) delete target[key];
  Object.assign(target, next);
}

const present = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Validating webhooks: all are asked at once, the first that refuses is heard. @throws WebhooksNeeded, StatusError */
export function validateByWebhooks(session: Session, admission: Admission): void {
  const { validating } = admission.configurations;
  const { journal } = session;
  if (validating.length === 0 || journal === undefined || isExempt(admission)) return;
  const questions = validating
    .map((registered) => questionFor('validating', admission, registered))
    .filter((question) => question !== undefined);
  const unanswered = questions.filter((question) => journal.answerTo(question) === undefined);
  if (unanswered.length > 0) throw new WebhooksNeeded(unanswered);
  for (const question of questions) {
    const response = responseTo(session, question);
    if (response !== undefined) heed(admission, question.registered, response);
  }
}

// ---- One webhook ----------------------------------------------------------------------------------------------------

/** Undefined: it is not to be asked about this write. @throws StatusError when that cannot be told, or it must not be asked. */
function questionFor(
  type: WebhookQuestion['type'],
  admission: Admission,
  registered: RegisteredWebhook<ValidatingWebhook>,
): WebhookQuestion | undefined {
  const { webhook } = registered;
  const form = matchingForm(webhook.rules, webhook.matchPolicy, admission);
  if (form === undefined || !selectorsMatch(webhook, admission)) return undefined;
  const request = requestOf(admission, form);
  if (!conditionsHold(webhook, request, admission)) return undefined;
  if (admission.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  return questionOf(type, registered, request);
}

function conditionsHold(
  webhook: ValidatingWebhook,
  request: ReturnType<typeof requestOf>,
  admission: Admission,
): boolean {
  const { matchConditions } = webhook;
  if (!matchConditions?.length) return true;
  const errors: string[] = [];
  try {
    for (const { program } of compileConditions(matchConditions)) {
      try {
        const { object, oldObject } = request;
        if (program.evaluate({ object, oldObject, request }) !== true) return false;
      } catch (error) {
        if (!(error instanceof CelEvaluationError || error instanceof CelCostError)) throw error;
        errors.push(error.message);
      }
    }
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    errors.push(error.message);
  }
  if (errors.length === 0) return true;
  if (webhook.failurePolicy === 'Ignore') return false;
  const { identity } = admission.definition;
  const text = errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`;
  throw new StatusError(
    403,
    'Forbidden',
    `${identity.resource} ${JSON.stringify(admission.name)} is forbidden: ${text}`,
    {
      name: admission.name,
      kind: identity.resource,
    },
  );
}

/** Undefined: it could not be asked, and that is to be ignored. @throws WebhooksNeeded, StatusError 500 */
function responseTo(session: Session, question: WebhookQuestion): AdmissionResponse | undefined {
  const answer = session.journal?.answerTo(question);
  if (answer === undefined) throw new WebhooksNeeded([question]);
  if ('response' in answer) return answer.response;
  const { name, failurePolicy } = question.registered.webhook;
  if (failurePolicy === 'Ignore') return undefined;
  throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${answer.error}`);
}

/** Warnings and audit annotations count in any case. @throws StatusError when the webhook refuses. */
function heed(admission: Admission, { webhook }: RegisteredWebhook, response: AdmissionResponse): void {
  for (const warning of response.warnings ?? []) admission.warn(warning);
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) {
    admission.annotate(`${webhook.name}/${key}`, value);
  }
  if (response.allowed) return;
  const { code = 0, reason = '', message = '', details } = response.status ?? {};
  const denied = `admission webhook ${JSON.stringify(webhook.name)} denied the request`;
  const why = message || reason;
  throw new StatusError(
    Math.max(code, 400),
    reason,
    why === '' ? `${denied} without explanation` : `${denied}: ${why}`,
    details,
  );
}
