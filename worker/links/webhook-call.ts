/**
 * One call to a webhook, of either sort: where it goes, and what there is to read of its answer. `webhook-transport.ts` makes
 * it; what is asked and answered is `http/webhook-calls.ts` and `conversion-call.ts`.
 * Source: apiserver, pkg/util/webhook; client-go, rest/request.go
 */
import type { WebhookClientConfig } from '../../shared/api/admissionregistration.ts';

export interface WebhookCall {
  /** With path and query. In-cluster Services as `https://NAME.NAMESPACE.svc:PORT/…`. */
  url: string;
  body: string;
  service: { namespace: string; name: string; port?: number } | undefined;
  /** PEM: the only authorities that count. Undefined: the public ones. */
  caBundle: string | undefined;
  signal: AbortSignal;
}

export interface WebhookClient {
  newUid(): string;
  /** @throws Error whose message says why there is no answer. */
  post(call: WebhookCall): Promise<Response>;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Many objects at once, each as large as may be stored, are no more than a list of them. */
export const MAX_CONVERSION_BYTES = 64 * 1024 * 1024;

/** `error`: why there is no answer, in client-go's words. */
export async function callWebhook(
  client: WebhookClient,
  clientConfig: WebhookClientConfig,
  body: string,
  seconds: number,
  maxBytes = MAX_ANSWER_BYTES,
): Promise<{ text: string } | { error: string }> {
  const controller = new AbortController();
  const { signal } = controller;
  // Durable Objects: a timer that is left running keeps the object awake, as AbortSignal.timeout would.
  const timer = setTimeout(() => controller.abort(), seconds * 1000);
  const { service, caBundle } = clientConfig;
  const url = urlOf(clientConfig, seconds);
  try {
    const response = await client.post({ url, body, service, caBundle: caBundle && atob(caBundle), signal });
    const text = await readText(response, maxBytes);
    return response.ok ? { text } : { error: refusalText(response.status, text) };
  } catch (error) {
    const why = signal.aborted ? 'context deadline exceeded' : error instanceof Error ? error.message : String(error);
    return { error: `Post ${JSON.stringify(url)}: ${why}` };
  } finally {
    clearTimeout(timer);
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

async function readText(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array;
    length += bytes.byteLength;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
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
