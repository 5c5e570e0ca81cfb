/**
 * A watch as the client sees it: the Worker holds the chunked response (or the client's own WebSocket) and joins it to a
 * hibernating socket of the Cluster object, which may sleep meanwhile. What is sent is `worker/links/watches.ts`.
 */
import { framesOf, joined, linesOf, type WatchFrames } from './watch-frames.ts';

/** A client that has gone is noticed only when a write fails; blank lines are nothing to a JSON reader. */
const KEEP_ALIVE_MS = 25_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** Of events that the client has not taken yet. Beyond, the watch ends with these, so that resuming it gets on. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface WatchSide {
  /** Asks the Cluster object for the watch's socket; anything but 101 is the client's answer. */
  open(): Promise<Response>;
  /** From the query; undefined: half an hour, times something between one and two. */
  timeoutSeconds: number | undefined;
  random(): number;
  waitUntil(promise: Promise<unknown>): void;
}

export const isUpgrade = (headers: Headers): boolean => headers.get('upgrade')?.toLowerCase() === 'websocket';

export async function watchAnswer(request: Request, side: WatchSide): Promise<Response> {
  const answer = await side.open();
  const socket = answer.webSocket;
  if (answer.status !== 101 || socket === null) return answer;
  const timeoutMs = 1000 * (side.timeoutSeconds ?? Math.floor(DEFAULT_TIMEOUT_SECONDS * (1 + side.random())));
  socket.binaryType = 'arraybuffer';
  const { headers } = answer;
  const warning = headers.get('warning');
  const parts = { request, socket, frames: framesOf(headers.get('content-type')), warning, timeoutMs, side };
  return isUpgrade(request.headers) ? overWebSocket(parts) : overStream(parts);
}

interface JoinedWatch {
  request: Request;
  /** Of the Cluster object. */
  socket: WebSocket;
  frames: WatchFrames;
  /** As a header; null: there is none. */
  warning: string | null;
  timeoutMs: number;
  side: WatchSide;
}

function overStream({ request, socket, frames, warning, timeoutMs, side }: JoinedWatch): Response {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const waiting = new WaitingBytes();
  let open = true;
  let finish = (_reason: string, _cancelled?: boolean) => {};
  const give = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    // One chunk at a time: what comes while the client still takes the last one goes out with the next.
    if (waiting.byteLength > 0 && (controller.desiredSize ?? 0) > 0) controller.enqueue(waiting.take());
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const send = (bytes: Uint8Array) => {
          if (!open) return;
          waiting.add(bytes);
          give(controller);
          if (waiting.byteLength > MAX_WAITING_BYTES) finish('the client reads too slowly');
        };
        const { nothing } = frames;
        const keepAlive = nothing === undefined ? null : setInterval(() => send(nothing), KEEP_ALIVE_MS);
        const timeout = setTimeout(() => finish('timeout'), timeoutMs);
        finish = (reason, cancelled = false) => {
          if (!open) return;
          open = false;
          clearInterval(keepAlive);
          clearTimeout(timeout);
          closeQuietly(socket, reason);
          // What was cancelled is closed already.
          if (!cancelled) {
            if (waiting.byteLength > 0) controller.enqueue(waiting.take());
            controller.close();
          }
          end();
        };
        socket.addEventListener('message', ({ data }) => send(frames.bytes(new Uint8Array(data as ArrayBuffer))));
        socket.addEventListener('close', () => finish('closed'));
        socket.addEventListener('error', () => finish('broken'));
        request.signal.addEventListener('abort', () => finish('the client has gone'));
        socket.accept();
      },
      pull: give,
      cancel: () => finish('the client has gone', true),
    },
    { highWaterMark: 1 },
  );
  side.waitUntil(ended);
  const headers = { 'content-type': frames.contentType, 'cache-control': 'no-cache, private, no-transform' };
  return new Response(body, { headers: warning === null ? headers : { ...headers, warning } });
}

/** Bytes that a client has not taken yet, in order: whole messages. */
class WaitingBytes {
  #parts: Uint8Array[] = [];
  byteLength = 0;

  add(part: Uint8Array): void {
    this.#parts.push(part);
    this.byteLength += part.byteLength;
  }

  /** All of them, as one. */
  take(): Uint8Array {
    const [first = new Uint8Array(), ...others] = this.#parts;
    const all = others.length === 0 ? first : joined(this.#parts);
    this.#parts = [];
    this.byteLength = 0;
    return all;
  }
}

/** One event a message, as upstream's watch over WebSocket. */
function overWebSocket({ request, socket, frames, timeoutMs, side }: JoinedWatch): Response {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { 0: theirs, 1: ours } = new WebSocketPair();
  const timeout = setTimeout(() => finish('timeout'), timeoutMs);
  const finish = (reason: string) => {
    clearTimeout(timeout);
    closeQuietly(socket, reason);
    closeQuietly(ours, reason);
    end();
  };
  socket.addEventListener('message', ({ data }) => {
    for (const line of linesOf(new Uint8Array(data as ArrayBuffer))) ours.send(frames.message(line));
  });
  for (const each of [socket, ours]) {
    each.addEventListener('close', () => finish('closed'));
    each.addEventListener('error', () => finish('broken'));
  }
  socket.accept();
  ours.accept();
  side.waitUntil(ended);
  const offered = (request.headers.get('sec-websocket-protocol') ?? '').split(',').map((each) => each.trim());
  // The token's subprotocol must not be echoed.
  const chosen = offered.find((each) => each !== '' && !each.startsWith('base64url.bearer.authorization.'));
  return new Response(null, {
    status: 101,
    webSocket: theirs,
    headers: chosen === undefined ? {} : { 'sec-websocket-protocol': chosen },
  });
}

/** Closing what is closed already is no error worth a word. */
function closeQuietly(socket: WebSocket, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED || socket.readyState === WebSocket.CLOSING) return;
  socket.close(1000, reason);
}
