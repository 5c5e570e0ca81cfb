/**
 * Durable Object Relay, one a minion (`CLUSTER/NODE`): joins the minion's data socket to the sockets of its clients, one a
 * stream. It forwards whole frames and rewrites only their stream id; credit is between the two ends, so nothing is
 * buffered here but what a socket holds. All sockets hibernate, and all that this object must know is in them: their tags
 * and attachments. Who may connect is judged before, in the Worker; what a stream does is in `agent/link/streams.ts`.
 *
 * A Relay without a name is a client's own: it reads what one client sends, no faster than the minion takes it
 * (`http/streams/upload.ts`).
 */
import { DurableObject } from 'cloudflare:workers';
import { serviceUnavailable } from '../shared/errors.ts';
import { PING, PONG } from '../shared/link/protocol.ts';
import { encodeJsonFrame, FRAME, ProtocolError, runsOf, withStream } from '../shared/tunnel/frames.ts';
import type { StreamEnd } from '../shared/tunnel/kinds.ts';
import type { Env } from './env.ts';
import { answerUpload, UPLOAD_PATH } from './http/streams/upload.ts';
import { bufferedBytes } from './links/client-socket.ts';

/** The only stream id on a client's socket. */
const CLIENT_STREAM = 1;
/** A socket that holds back more than this is not read from: its stream is given up, before the object runs out of memory. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
const CLOSE = { normal: 1000, protocol: 1002, gone: 4001 } as const;

type Attachment = { role: 'minion'; node: string; nextStream: number } | { role: 'client'; stream: number };

const MINION_TAG = 'minion';
const CLIENT_TAG = 'client';
const streamTag = (stream: number) => `s:${stream}`;

/** Credit is not read either meanwhile, so as short as a timer can be. */
const PAUSE_MS = 1;

export class Relay extends DurableObject<Env> {
  private isPaused = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /** `/minion`, `/stream` and UPLOAD_PATH upgrade; `/connected` says whether a stream could be opened. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const node = url.searchParams.get('node') ?? '';
    if (url.pathname === '/minion') return this.acceptMinion(node);
    if (url.pathname === UPLOAD_PATH) return answerUpload(request, this.env, () => this.pauseReading());
    const minion = this.minion();
    if (minion === undefined) {
      const { status } = serviceUnavailable(`minion ${node} is not connected`);
      return Response.json(status, { status: 503 });
    }
    if (url.pathname === '/connected') return new Response(null, { status: 204 });
    if (url.pathname === '/stream') return this.acceptClient(minion);
    return new Response('no such path', { status: 404 });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const from = attachmentOf(socket);
    try {
      // PING is answered by the platform; no other text has a meaning here.
      if (typeof message === 'string') throw new ProtocolError('a data socket carries frames, not text');
      const bytes = new Uint8Array(message);
      if (from?.role === 'minion') this.fromMinion(socket, bytes);
      else if (from?.role === 'client') this.fromClient(socket, from.stream, bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const node = from?.role === 'minion' ? { node: from.node } : {};
      console.warn(JSON.stringify({ level: 'warn', room: 'relay', ...node, malformed: error.message }));
      close(socket, CLOSE.protocol, error.message);
      this.lost(socket);
    }
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    // Answers the other side's close.
    if (socket.readyState !== WebSocket.CLOSED) socket.close(CLOSE.normal, '');
    this.lost(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.lost(socket);
  }

  /**
   * Durable Objects: while this runs no event is delivered, so no message is read, and the client is held back. Only in an
   * object that serves one client; minions' Relays never pause.
   */
  private pauseReading(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.ctx.blockConcurrencyWhile(async () => {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      this.isPaused = false;
    });
  }

  private acceptMinion(node: string): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    for (const old of this.ctx.getWebSockets(MINION_TAG)) close(old, CLOSE.gone, 'the minion connected anew');
    this.endClients(`minion ${node} connected anew`);
    this.ctx.acceptWebSocket(ours, [MINION_TAG]);
    ours.serializeAttachment({ role: 'minion', node, nextStream: 1 } satisfies Attachment);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  private acceptClient(minion: WebSocket): Response {
    const known = attachmentOf(minion);
    if (known?.role !== 'minion') throw new Error('the minion socket has no attachment');
    // Never used twice on one minion socket, so that late frames cannot reach a stranger's stream.
    const stream = known.nextStream;
    minion.serializeAttachment({ ...known, nextStream: stream + 1 } satisfies Attachment);
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.ctx.acceptWebSocket(ours, [CLIENT_TAG, streamTag(stream)]);
    ours.serializeAttachment({ role: 'client', stream } satisfies Attachment);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  private fromClient(client: WebSocket, stream: number, message: Uint8Array): void {
    const minion = this.minion();
    if (minion === undefined) {
      this.endClient(client, 'the minion is not connected');
      return;
    }
    // Read whole before anything is sent on: a client's broken frame must not break the minion's socket.
    runsOf(message);
    if (send(minion, withStream(message, stream))) return;
    this.endClient(client, 'the minion reads too slowly');
    send(minion, resetFrame(stream, 'the minion reads too slowly'));
  }

  private fromMinion(minion: WebSocket, message: Uint8Array): void {
    for (const run of runsOf(message)) {
      const client = this.ctx.getWebSockets(streamTag(run.stream)).find(isOpen);
      if (client === undefined) {
        if (!run.final) send(minion, resetFrame(run.stream, 'the client went away'));
      } else if (!send(client, withStream(message.subarray(run.start, run.end), CLIENT_STREAM))) {
        this.endClient(client, 'the client reads too slowly');
        send(minion, resetFrame(run.stream, 'the client reads too slowly'));
      }
    }
  }

  /** A socket is closed or broken: the other side of what it carried hears of it. */
  private lost(socket: WebSocket): void {
    const left = attachmentOf(socket);
    if (left?.role === 'client') {
      const minion = this.minion();
      if (minion !== undefined) send(minion, resetFrame(left.stream, 'the client went away'));
    } else if (left?.role === 'minion' && this.minion() === undefined) {
      this.endClients(`minion ${left.node} disconnected`);
    }
  }

  private endClients(error: string): void {
    for (const client of this.ctx.getWebSockets(CLIENT_TAG)) this.endClient(client, error);
  }

  private endClient(client: WebSocket, error: string): void {
    if (!isOpen(client)) return;
    client.send(resetFrame(CLIENT_STREAM, error));
    close(client, CLOSE.gone, error);
  }

  private minion(): WebSocket | undefined {
    return this.ctx.getWebSockets(MINION_TAG).find(isOpen);
  }
}

const isOpen = (socket: WebSocket) => socket.readyState === WebSocket.OPEN;

const attachmentOf = (socket: WebSocket) => socket.deserializeAttachment() as Attachment | null;

const resetFrame = (stream: number, error: string) =>
  encodeJsonFrame(FRAME.reset, stream, { error } satisfies StreamEnd);

/** False when the socket's reader is too far behind. A socket that is closing takes nothing, and its end is on the way. */
function send(socket: WebSocket, frames: Uint8Array): boolean {
  if (!isOpen(socket)) return true;
  if (bufferedBytes(socket) > MAX_BUFFERED_BYTES) return false;
  socket.send(frames);
  return true;
}

function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED || socket.readyState === WebSocket.CLOSING) return;
  // A close frame has room for 123 bytes.
  socket.close(code, reason.slice(0, 100));
}
