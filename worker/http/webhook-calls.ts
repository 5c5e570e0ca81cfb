/**
 * Asks admission webhooks: AdmissionReview out, AdmissionResponse in, with the checks and the words of upstream. Which are to
 * be asked, and what follows from an answer, is `registry/webhooks.ts`; ConversionReview is `links/conversion-call.ts`; how
 * bytes reach a webhook inside the cluster is `links/webhook-transport.ts`.
 * Source: apiserver, pkg/admission/plugin/webhook/{request,mutating,validating}; https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
import { answerConversions } from '../links/conversion-call.ts';
import { callWebhook, type WebhookClient } from '../links/webhook-call.ts';
import type {
  AdmissionResponse,
  Question,
  WebhookAnswer,
  WebhookJournal,
  WebhookQuestion,
} from '../registry/webhook-journal.ts';
import type { JsonObject } from '../resources/definition.ts';

const GROUP = 'admission.k8s.io';
const VERSIONS = ['v1', 'v1beta1'];
const DEFAULT_TIMEOUT_SECONDS = 10;

/** Workers: more connections wait for one of these, and a webhook's time should not run while its call waits. */
const CALLS_AT_ONCE = 6;

/** Asks all of these, and writes down what they say. */
export async function askWebhooks(
  client: WebhookClient,
  questions: readonly Question[],
  journal: WebhookJournal,
): Promise<void> {
  const conversions = questions.filter((each) => each.type === 'conversion');
  const judgements = questions.filter((each) => each.type !== 'conversion').values();
  // Each takes the next question when it is done with one.
  const callers = Array.from({ length: CALLS_AT_ONCE }, async () => {
    for (const question of judgements) journal.write(question, await ask(client, question));
  });
  await Promise.all([...callers, answerConversions(client, conversions, journal)]);
}

/** What cannot be used, in the words that follow `failed calling webhook "x": `. */
class UnusableAnswer extends Error {}

async function ask(client: WebhookClient, question: WebhookQuestion): Promise<WebhookAnswer> {
  const { webhook } = question.registered;
  const version = webhook.admissionReviewVersions?.find((each) => VERSIONS.includes(each)) ?? 'v1';
  const apiVersion = `${GROUP}/${version}`;
  const uid = client.newUid();
  const body = JSON.stringify({ kind: 'AdmissionReview', apiVersion, request: { ...question.request, uid } });
  const seconds = webhook.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  const answer = await callWebhook(client, webhook.clientConfig, body, seconds);
  if ('error' in answer) return { error: `failed to call webhook: ${answer.error}` };
  try {
    return { response: parseReview(answer.text, apiVersion, uid, question.type) };
  } catch (error) {
    if (!(error instanceof UnusableAnswer)) throw error;
    return { error: error.message };
  }
}

// ---- The answer -----------------------------------------------------------------------------------------------------

const isRecord = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UnusableAnswer(
      `failed to call webhook: couldn't get version/kind; json parse error: ${error.message.slice(0, 200)}`,
    );
  }
}

/** @throws UnusableAnswer */
function parseReview(text: string, apiVersion: string, uid: string, type: WebhookQuestion['type']): AdmissionResponse {
  const invalid = (why: string): never => {
    throw new UnusableAnswer(`received invalid webhook response: ${why}`);
  };
  const review = parseJson(text);
  if (!isRecord(review) || !isRecord(review.response)) return invalid('webhook response was absent');
  const { response } = review;
  const strict = apiVersion === `${GROUP}/v1`;
  if (strict && response.uid !== uid) {
    return invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  }
  if (strict && (review.apiVersion !== apiVersion || review.kind !== 'AdmissionReview')) {
    const got = `${String(review.apiVersion ?? '')}, Kind=${String(review.kind ?? '')}`;
    return invalid(`expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${got}`);
  }
  const { allowed, status, warnings, auditAnnotations } = response;
  return {
    allowed: allowed === true,
    ...(isRecord(status) ? { status: statusOf(status) } : {}),
    ...(type === 'mutating' ? patchOf(response, strict, invalid) : {}),
    ...(Array.isArray(warnings) ? { warnings: warnings.filter(isText) } : {}),
    ...(isRecord(auditAnnotations) ? { auditAnnotations: textsOf(auditAnnotations) } : {}),
  };
}

function statusOf({ code, status, reason, message, details }: JsonObject): NonNullable<AdmissionResponse['status']> {
  return {
    ...(typeof code === 'number' ? { code } : {}),
    ...(isText(status) ? { status } : {}),
    ...(isText(reason) ? { reason } : {}),
    ...(isText(message) ? { message } : {}),
    ...(isRecord(details) ? { details } : {}),
  };
}

const textsOf = (values: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => isText(entry[1])));

function patchOf(response: JsonObject, strict: boolean, invalid: (why: string) => never): { patch?: unknown } {
  const { patch, patchType } = response;
  if (patch === undefined || patch === null || patch === '') {
    if (strict && patchType) invalid('webhook returned response.patchType but not response.patch');
    return {};
  }
  if (!isText(patch)) return invalid('response.patch is no base64 text');
  if (strict && !patchType) invalid('webhook returned response.patch but not response.patchType');
  if (patchType && patchType !== 'JSONPatch') {
    invalid(`invalid response.patchType ${JSON.stringify(patchType)}, expected "JSONPatch"`);
  }
  return { patch: parseJson(decodeText(patch, invalid)) };
}

function decodeText(base64: string, invalid: (why: string) => never): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return invalid('response.patch is no base64 text');
  }
}
