/**
 * Asks admission webhooks: AdmissionReview out, AdmissionResponse in, with the checks and the words of upstream. Which are to
 * be asked, and what follows from an answer, is `registry/webhooks.ts`; how bytes reach one inside the cluster is
 * `links/webhook-transport.ts`.
 * Source: apiserver, pkg/admission/plugin/webhook/{request,mutating,validating}; https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
import type { WebhookClientConfig } from '../../shared/api/admissionregistration.ts';
import type { WebhookClient } from '../links/webhook-call.ts';
import type { AdmissionResponse, WebhookAnswer, WebhookJournal, WebhookQuestion } from '../registry/webhook-journal.ts';
import type { JsonObject } from '../resources/definition.ts';

const GROUP = 'admission.k8s.io';
const VERSIONS = ['v1', 'v1beta1'];
const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Asks all of these at once, and writes down what they say. */
export async function askWebhooks(
  client: WebhookClient,
  questions: readonly WebhookQuestion[],
  journal: WebhookJournal,
): Promise<void> {
  await Promise.all(questions.map(async (question) => journal.write(question, await ask(client, question))));
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
  const signal = AbortSignal.timeout(seconds * 1000);
  const { service, caBundle } = webhook.clientConfig;
  const url = urlOf(webhook.clientConfig, seconds);
  let text: string;
  try {
    const response = await client.post({ url, body, service, caBundle: caBundle && atob(caBundle), signal });
    text = await readText(response);
    if (!response.ok) return { error: `failed to call webhook: ${refusalText(response.status, text)}` };
  } catch (error) {
    const why = signal.aborted ? 'context deadline exceeded' : error instanceof Error ? error.message : String(error);
    return { error: `failed to call webhook: Post ${JSON.stringify(url)}: ${why}` };
  }
  try {
    return { response: parseReview(text, apiVersion, uid, question.type) };
  } catch (error) {
    if (!(error instanceof UnusableAnswer)) throw error;
    return { error: error.message };
  }
}

function urlOf({ url, service }: WebhookClientConfig, seconds: number): string {
  const target =
    url !== undefined
      ? new URL(url)
      : new URL(
          `https://${service?.name}.${service?.namespace}.svc:${service?.port ?? 443}${servicePath(service?.path)}`,
        );
  target.searchParams.set('timeout', `${seconds}s`);
  // Kubernetes: the port is part of a Service's name, the default one too.
  return url !== undefined || target.port !== '' ? target.href : target.href.replace(target.host, `${target.host}:443`);
}

const servicePath = (path = '/'): string => (path.startsWith('/') ? path : `/${path}`);

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array;
    length += bytes.byteLength;
    if (length > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    parts.push(bytes);
  }
  return new TextDecoder().decode(await new Response(new Blob(parts as Uint8Array<ArrayBuffer>[])).arrayBuffer());
}

/** As client-go words an answer that is no success. */
function refusalText(code: number, body: string): string {
  if (code === 404) return 'the server could not find the requested resource';
  if (code === 503) return 'the server is currently unable to handle the request';
  if (code >= 500) {
    return `an error on the server (${JSON.stringify(body.trim().slice(0, 2048))}) has prevented the request from succeeding`;
  }
  return `the server responded with the status code ${code} but did not return more information`;
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
