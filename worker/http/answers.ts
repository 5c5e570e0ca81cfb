/** Responses as an apiserver writes them: JSON with its headers, and errors as Status. The one place where an error becomes one. */
import type { Status } from '../../shared/api/meta.ts';
import { internalError, StatusError } from '../../shared/errors.ts';

/** Unknown ones a proxy or tool may cache otherwise. */
const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };

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

/** What is no StatusError is a bug: logged with its stack, answered without internals. */
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
  return statusAnswer(internalError('an unexpected error; the control plane logged it').status, pretty);
}

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
