/** Responses as an apiserver writes them: JSON with its headers, and errors as Status. The one place where an error becomes one. */
import type { Status } from '../../shared/api/meta.ts';
import { internalError, StatusError } from '../../shared/errors.ts';
import { storageErrorOf } from './storage-error.ts';

export const AUDIT_ID = 'audit-id';
const UNEXPECTED = 'an unexpected error; the control plane logged it';

/** Flow control is the platform's; the headers tell clients that they need not throttle themselves. */
const FLOW_HEADERS = {
  'x-kubernetes-pf-flowschema-uid': '6b1a1a5e-3f0e-4c11-9e0b-6c6f6e677368',
  'x-kubernetes-pf-prioritylevel-uid': '0f3c7d52-8a44-4f6e-8a57-6f7265000001',
};

/** The client's own, where it is one. */
export const auditIdOf = (headers: Headers): string => {
  const given = headers.get(AUDIT_ID) ?? '';
  return /^[\x21-\x7e]{1,64}$/.test(given) ? given : crypto.randomUUID();
};

/** A 101 needs none: copying it for them would lose its socket. */
export const hasApiHeaders = (response: Response): boolean => response.status === 101 || response.headers.has(AUDIT_ID);

/** What is on every answer of the API to this request. An answer that is made with them need not be given them later. */
export const apiHeaders = (request: Headers, auditId = auditIdOf(request)): Record<string, string> => ({
  [AUDIT_ID]: auditId,
  ...FLOW_HEADERS,
});

/** Set where the answer is made: on its way it cannot be changed without a copy. */
export function setApiHeaders(request: Headers, { headers }: Response, auditId?: string): void {
  for (const [name, value] of Object.entries(apiHeaders(request, auditId))) headers.set(name, value);
}

/** Unknown ones a proxy or tool may cache otherwise. */
export const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };

export const jsonText = (text: string, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(text, { status, headers: { ...JSON_HEADERS, ...headers } });

export const json = (value: unknown, status = 200, pretty = false): Response =>
  jsonText(`${JSON.stringify(value, null, pretty ? 2 : undefined)}\n`, status);

export function statusAnswer(status: Status, pretty = false): Response {
  const answer = json(status, status.code ?? 500, pretty);
  const retryAfter = status.details?.retryAfterSeconds;
  if (retryAfter !== undefined) answer.headers.set('retry-after', String(retryAfter));
  return answer;
}

/** What is no StatusError is a bug, or the storage's trouble: logged with its stack, answered without internals. */
export function errorAnswer(error: unknown, context: Record<string, unknown>, pretty = false): Response {
  if (error instanceof StatusError) return statusAnswer(error.status, pretty);
  console.error(
    JSON.stringify({
      level: 'error',
      message: 'unexpected error',
      ...context,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
  return statusAnswer((storageErrorOf(error) ?? internalError(UNEXPECTED)).status, pretty);
}

/** Whether a Status is what `errorAnswer` says of a bug. */
export const isUnexpected = ({ code, message }: Status): boolean =>
  code === 500 && message?.endsWith(UNEXPECTED) === true;

/** As Go's http.NotFound: what the apiserver's mux says about paths that no API group claims. */
export const pageNotFound = (): Response =>
  new Response('404 page not found\n', {
    status: 404,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  });

/** RFC 7234, the warning header as apimachinery writes it: quoted, without control characters, 256 runes. */
export function warningHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out.
  const clean = [...text.replace(/[\u0000-\u001f\u007f]/g, ' ')].slice(0, 256).join('');
  return `299 - "${clean.replace(/(["\\])/g, '\\$1')}"`;
}

/** Kubernetes: shorter bodies are not worth the work. */
const LONG_BODY = 128 * 1024;

/** Compressed for who takes it, when it is long. Whoever holds a stream knows nothing of its length: it is long. */
export function compressible(
  answer: Response,
  { gzip }: { gzip: boolean },
  length = Number.POSITIVE_INFINITY,
): Response {
  if (!gzip || length <= LONG_BODY) return answer;
  // Workers: the platform compresses a body that says it is.
  answer.headers.set('content-encoding', 'gzip');
  answer.headers.append('vary', 'Accept-Encoding');
  return answer;
}
