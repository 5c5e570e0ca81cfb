/** One call to a webhook, as `http/webhook-calls.ts` wants it made and `webhook-transport.ts` makes it. */
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
