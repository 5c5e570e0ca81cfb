/**
 * A watch as the client sees it: the Worker holds the chunked response (or the client's own WebSocket) and joins it to a
 * hibernating socket of the Cluster object, which may sleep meanwhile. What is sent is `worker/links/watches.ts`.
 */
import { whenRead } from '../links/client-socket.ts';
import { TakenBytes } from '../links/watch-credit.ts';
import { ClientStream, closeQuietly } from './client-stream.ts';
import { framesOf, linesOf, type WatchFrames } from './watch-frames.ts';

const DEFAULT_TIMEOUT_SECONDS = 1800;

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
  // Blank lines are nothing to a JSON reader.
  const stream = new ClientStream({ socket, signal: request.signal, nothing: frames.nothing });
  const timeout = setTimeout(() => stream.finish('timeout'), timeoutMs);
  socket.addEventListener('message', ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    stream.send(frames.bytes(message), message.byteLength);
  });
  socket.accept();
  side.waitUntil(stream.ended.then(() => clearTimeout(timeout)));
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
