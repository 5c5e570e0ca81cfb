/**
 * A watch as the client sees it: the Worker holds the chunked response (or the client's own WebSocket) and joins it to a
 * hibernating socket of the Cluster object, which may sleep meanwhile. What is sent is `worker/links/watches.ts`.
 */
import { whenRead } from '../links/client-socket.ts';
import { TakenBytes } from '../links/watch-credit.ts';
import { ClientStream } from './client-stream.ts';
import { framesOf, linesOf, type WatchFrames } from './watch-frames.ts';

/** A client that has gone is noticed only when a write fails; blank lines are nothing to a JSON reader. */
const KEEP_ALIVE_MS = 25_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** How long a client may take over what it was sent before its watch ended. */
const LAST_MS = 60_000;

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
  const taken = new TakenBytes(socket);
  const stream = new ClientStream({ onTaken: (bytes) => taken.add(bytes), onGone: () => leave() });
  const { nothing } = frames;
  const keepAlive = setInterval(() => {
    // Of a client who still takes something it is known.
    if (nothing !== undefined && stream.isIdle) stream.send(nothing, 0);
  }, KEEP_ALIVE_MS);
  let timeout = setTimeout(() => finish('timeout'), timeoutMs);
  let open = true;
  const leave = () => {
    open = false;
    clearInterval(keepAlive);
    clearTimeout(timeout);
    closeQuietly(socket, 'the client has gone');
    end();
  };
  const finish = (reason: string) => {
    if (!open) return;
    open = false;
    clearInterval(keepAlive);
    clearTimeout(timeout);
    closeQuietly(socket, reason);
    timeout = setTimeout(() => void stream.cut(reason), LAST_MS);
    void stream.end().then(leave);
  };
  socket.addEventListener('message', ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    const cost = message.byteLength;
    if (open) stream.send(frames.bytes(message), cost);
  });
  socket.addEventListener('close', () => finish('closed'));
  socket.addEventListener('error', () => finish('broken'));
  request.signal.addEventListener('abort', leave);
  socket.accept();
  side.waitUntil(ended);
  const headers = { 'content-type': frames.contentType, 'cache-control': 'no-cache, private, no-transform' };
  return new Response(stream.body, { headers: warning === null ? headers : { ...headers, warning } });
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
  const taken = new TakenBytes(socket);
  socket.addEventListener('message', ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    for (const line of linesOf(message)) ours.send(frames.message(line));
    whenRead(ours, () => taken.add(message.byteLength));
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
