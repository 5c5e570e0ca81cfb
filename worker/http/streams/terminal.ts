/** pods/exec and pods/attach: a client's WebSocket subprotocol on one side, a stream of the minion on the other. */
import type { Status } from '../../../shared/api/meta.ts';
import { badRequest, StatusError } from '../../../shared/errors.ts';
import { type AttachHeader, CHANNELS, type ExecHeader, type StreamEnd } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import type { Env } from '../../env.ts';
import { closeSocket, MAX_WAITING_BYTES, PAUSE_BYTES, type Pause, sendSlowly } from '../../links/client-socket.ts';
import { openStream, statusErrorOfEnd, type TunnelTarget } from '../../links/tunnel.ts';
import {
  chooseSubprotocol,
  decodeChannelMessage,
  encodeChannelMessage,
  type Subprotocol,
  TERMINAL_PROTOCOLS,
} from './subprotocols.ts';
import { upgraded } from './upgrade.ts';

/** Upgrades at once; whatever goes wrong afterwards is told on channel 3, where clients look for it. */
export function terminal(
  request: Request,
  env: Pick<Env, 'RELAY'>,
  target: TunnelTarget,
  header: ExecHeader | AttachHeader,
  pause?: Pause,
): Response {
  const protocol = chooseSubprotocol(request, TERMINAL_PROTOCOLS);
  const { socket, response } = upgraded(protocol);
  const client = new TerminalClient(socket, protocol, header, pause);
  openStream(env, target, header, client).then(
    (stream) => client.opened(stream),
    (error: unknown) => client.failed(error),
  );
  return response;
}

class TerminalClient implements StreamEvents {
  private readonly socket: WebSocket;
  private readonly protocol: Subprotocol;
  private readonly pause: Pause | undefined;
  private stream: TunnelStream | undefined;
  /** What came before the stream was open. */
  private early: (ArrayBuffer | string)[] = [];
  private earlyBytes = 0;
  /** Nothing more goes to the client, and nothing that it says counts. */
  private over = false;
  /** It is over because the client's connection ended: what it said before still goes to the command. */
  private left = false;

  constructor(socket: WebSocket, protocol: Subprotocol, header: ExecHeader | AttachHeader, pause: Pause | undefined) {
    this.pause = pause;
    this.socket = socket;
    this.protocol = protocol;
    socket.addEventListener('message', ({ data }) => this.fromClient(data as ArrayBuffer | string));
    socket.addEventListener('close', () => this.leave());
    socket.addEventListener('error', () => this.leave());
    // Kubernetes: tells the client that the connection is there, on the lowest channel that we write.
    const lowest = header.stdout ? CHANNELS.stdout : header.stderr ? CHANNELS.stderr : CHANNELS.error;
    socket.send(encodeChannelMessage(protocol, lowest, new Uint8Array(0)));
  }

  opened(stream: TunnelStream): void {
    this.stream = stream;
    if (this.over && !this.left) {
      stream.reset('the client sent more than is kept for it');
      return;
    }
    for (const each of this.early.splice(0)) this.pass(stream, each);
    if (this.left) stream.close();
  }

  failed(error: unknown): void {
    if (!(error instanceof StatusError)) console.error(error);
    this.finish(
      error instanceof StatusError ? error.status : statusErrorOfEnd({ error: 'cannot open the stream' }).status,
    );
  }

  // ---- From the minion ------------------------------------------------------------------------------------------------

  head(head: Parameters<NonNullable<StreamEvents['head']>>[0]): void {
    if (!head.ok) this.finish(head.status);
  }

  data(channel: number, bytes: Uint8Array): void {
    const message = encodeChannelMessage(this.protocol, channel, bytes);
    sendSlowly(this.socket, message, () => this.stream?.consumed(bytes.length));
  }

  close(end: StreamEnd): void {
    this.finish(end.status ?? statusErrorOfEnd(end).status);
  }

  // ---- From the client ------------------------------------------------------------------------------------------------

  private fromClient(data: ArrayBuffer | string): void {
    if (this.over) return;
    if (this.stream === undefined) {
      this.earlyBytes += typeof data === 'string' ? data.length : data.byteLength;
      this.early.push(data);
      this.limit(this.earlyBytes);
      return;
    }
    this.pass(this.stream, data);
  }

  private pass(stream: TunnelStream, data: ArrayBuffer | string): void {
    try {
      const message = decodeChannelMessage(this.protocol, data);
      if (message.type === 'end') stream.end(message.channel);
      if (message.type !== 'data') return;
      // stdin and resizes; what a client writes on other channels means nothing.
      if (message.channel !== CHANNELS.stdin && message.channel !== CHANNELS.resize) return;
      stream.write(message.channel, message.bytes);
      this.limit(stream.waitingBytes);
    } catch (error) {
      stream.reset('the client broke the protocol');
      this.failed(error);
    }
  }

  private limit(waitingBytes: number): void {
    if (waitingBytes > PAUSE_BYTES) this.pause?.();
    if (waitingBytes <= MAX_WAITING_BYTES) return;
    this.stream?.reset('the client sends faster than the command reads');
    this.finish(badRequest('the client sends faster than the command reads').status);
  }

  /** Kubernetes: however the connection ended, what came before goes to the command, and then its input ends. */
  private leave(): void {
    closeSocket(this.socket, 1000, '');
    if (this.over) return;
    this.over = true;
    this.left = true;
    this.stream?.close();
  }

  private finish(status: Status): void {
    if (this.over) return;
    this.over = true;
    const text =
      this.protocol.end === 'status'
        ? JSON.stringify(status)
        : status.status === 'Success'
          ? ''
          : (status.message ?? '');
    if (text !== '' && this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(encodeChannelMessage(this.protocol, CHANNELS.error, new TextEncoder().encode(text)));
    }
    closeSocket(this.socket, 1000, '');
  }
}
