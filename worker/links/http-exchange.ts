/**
 * One HTTP request of a client over a stream of a minion, and what becomes of it: an answer whose body streams, or a
 * WebSocket. Who is asked, and what a failure means, is its users' affair: public requests (`worker/edge`) and the API's
 * proxies (`worker/http/proxy.ts`).
 */
import type { StreamHead } from '../../shared/tunnel/kinds.ts';
import type { TunnelStream } from '../../shared/tunnel/stream.ts';
import { type ByteWriter, TunnelEnds } from '../../shared/tunnel/streams.ts';
import { responseHeaders } from './proxy-headers.ts';
import { SocketBridge } from './socket-bridge.ts';

export class HttpExchange {
  readonly ends: TunnelEnds;
  response: Response | undefined;
  private readonly request: Request;

  constructor(request: Request) {
    this.request = request;
    this.ends = new TunnelEnds({}, (head) => this.answer(head));
  }

  begin(stream: TunnelStream): void {
    this.ends.stream = stream;
    const { request } = this;
    request.signal.addEventListener('abort', () => stream.reset('the client went away'));
    if (request.body !== null && request.headers.get('upgrade') === null) {
      this.ends.send(0, request.body).catch((error: unknown) => stream.reset(`the client broke off: ${String(error)}`));
    }
  }

  private answer(head: StreamHead): void {
    if (!head.ok || head.http === undefined) return;
    const { status, statusText, headers: given } = head.http;
    const headers = responseHeaders(given);
    if (status === 101) {
      this.response = this.upgrade(headers);
      return;
    }
    // What the pod encoded stays encoded as it is.
    const init = { status, statusText, headers, encodeBody: 'manual' } as const;
    if (this.request.method === 'HEAD' || status === 204 || status === 205 || status === 304) {
      this.response = new Response(null, init);
      return;
    }
    const length = Number(headers.get('content-length') ?? Number.NaN);
    const { readable, writable } = Number.isSafeInteger(length)
      ? new FixedLengthStream(length)
      : new IdentityTransformStream();
    this.ends.into(0, writable.getWriter());
    this.response = new Response(readable, init);
  }

  private upgrade(headers: Headers): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    const bridge = new SocketBridge(ours);
    if (this.ends.stream !== undefined) bridge.join(this.ends.stream);
    this.ends.into(0, writerInto(bridge));
    return new Response(null, { status: 101, headers, webSocket: theirs });
  }
}

function writerInto(bridge: SocketBridge): ByteWriter {
  return {
    write: (bytes = new Uint8Array(0)) => bridge.receive(bytes),
    close: async () => bridge.ended(undefined),
    abort: async (reason) => bridge.ended(String(reason)),
  };
}
