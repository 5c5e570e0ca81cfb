/**
 * How a call reaches a webhook. A public one that names no authorities of its own is an ordinary fetch. Everything else is
 * made by a minion, because a Worker can neither dial into the cluster nor trust a certificate authority that a call brings
 * along: the minion connects, judges the certificate by the caBundle alone and the name that was asked for, and hands back
 * what it was answered. So whoever is between here and the webhook has to be the minion itself to read along.
 */
import { StatusError } from '../../shared/errors.ts';
import type { HttpHeader, StreamHead } from '../../shared/tunnel/kinds.ts';
import type { ProxyLocation } from '../rpc.ts';
import { HttpExchange } from './http-exchange.ts';
import { openStream, statusErrorOfEnd } from './tunnel.ts';
import type { WebhookCall } from './webhook-call.ts';

export interface WebhookTransportParts {
  env: Parameters<typeof openStream>[0];
  cluster: string;
  /** @throws StatusError when the Service has no ready endpoint. */
  locate(service: { namespace: string; name: string; port: number }): ProxyLocation;
  /** Some minion that is connected. */
  anyMinion(): string | undefined;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

const HTTPS_PORT = 443;

/** @throws Error whose message says why there is no answer. */
export async function postToWebhook(parts: WebhookTransportParts, call: WebhookCall): Promise<Response> {
  const { url, body, service, caBundle, signal } = call;
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  if (service === undefined && caBundle === undefined) {
    return parts.fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
  }
  const { hostname, port, pathname, search, host } = new URL(url);
  const endpoint =
    service === undefined ? viaAnyMinion(parts, hostname, Number(port) || HTTPS_PORT) : endpointOf(parts, service);
  const bytes = new TextEncoder().encode(body);
  const header: HttpHeader = {
    kind: 'http',
    address: endpoint.address,
    port: endpoint.port,
    method: 'POST',
    path: `${pathname}${search}`,
    headers: [...Object.entries(headers), ['host', host], ['content-length', String(bytes.byteLength)]],
    body: true,
    tls: true,
    trust: { serverName: hostname, ...(caBundle === undefined ? {} : { caBundle }) },
  };
  const exchange = new HttpExchange(new Request(url, { method: 'POST', body: bytes, signal }));
  const stream = await openStream(parts.env, { cluster: parts.cluster, node: endpoint.node }, header, exchange.ends);
  exchange.begin(stream);
  const answer = await Promise.race([exchange.ends.answered, aborted(signal)]);
  if (answer.ok && exchange.response !== undefined) return exchange.response;
  throw refusal(answer);
}

function refusal(answer: StreamHead | { ok: false; end: Parameters<typeof statusErrorOfEnd>[0] }): Error {
  if ('status' in answer) return new Error(answer.status.message ?? 'the minion refused the call');
  return 'end' in answer ? statusErrorOfEnd(answer.end) : new Error('the minion gave no answer');
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

interface Endpoint {
  node: string;
  address: string;
  port: number;
}

function endpointOf(parts: WebhookTransportParts, service: NonNullable<WebhookCall['service']>): Endpoint {
  const { namespace, name, port = HTTPS_PORT } = service;
  const { endpoints } = parts.locate({ namespace, name, port });
  const endpoint = endpoints[Math.floor(Math.random() * endpoints.length)];
  if (endpoint === undefined) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
  return endpoint;
}

function viaAnyMinion(parts: WebhookTransportParts, address: string, port: number): Endpoint {
  const node = parts.anyMinion();
  if (node !== undefined) return { node, address, port };
  throw new StatusError(503, 'ServiceUnavailable', 'a caBundle is judged by a minion, and none is connected');
}
