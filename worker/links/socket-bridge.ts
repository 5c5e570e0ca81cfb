/** A client's WebSocket joined to an upgraded stream of the minion: messages stay messages, close codes pass. */
import { encodeMessage, MessageReader, type SocketMessage } from '../../shared/tunnel/messages.ts';
import type { TunnelStream } from '../../shared/tunnel/stream.ts';
import { closeSocket, MAX_WAITING_BYTES, whenRead } from './client-socket.ts';

/** The side of the minion, usable from the first byte on; `join` gives it the stream. */
export class SocketBridge {
  private readonly socket: WebSocket;
  private readonly reader = new MessageReader();
  private stream: TunnelStream | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.accept();
  }

  join(stream: TunnelStream): void {
    this.stream = stream;
    const { socket } = this;
    socket.addEventListener('message', ({ data }) => {
      this.send(
        typeof data === 'string'
          ? { type: 'text', text: data }
          : { type: 'binary', bytes: new Uint8Array(data as ArrayBuffer) },
      );
      if (stream.waitingBytes <= MAX_WAITING_BYTES) return;
      stream.reset('the client sends faster than the pod reads');
      this.ended('the pod reads too slowly');
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.send({ type: 'close', code, reason });
      stream.end(0);
    });
    socket.addEventListener('error', () => stream.reset('the client went away'));
  }

  /** Resolves once the client keeps up. Rejects for bytes that are no messages. */
  async receive(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    for (const message of this.reader.push(bytes)) {
      if (socket.readyState !== WebSocket.OPEN) break;
      if (message.type === 'text') socket.send(message.text);
      else if (message.type === 'binary') socket.send(message.bytes);
      else socket.close(sendable(message.code), message.reason);
    }
    await new Promise<void>((resolve) => whenRead(socket, resolve));
  }

  /** The stream is over; when no close record came before, the path broke. */
  ended(error: string | undefined): void {
    closeSocket(this.socket, 1014, error ?? '');
  }

  private send(message: SocketMessage): void {
    this.stream?.write(0, encodeMessage(message));
  }
}

/** Codes that stand for "no code" or "broken" may not be sent. */
const sendable = (code: number) => (code === 1005 || code === 1006 || code === 1015 ? 1000 : code);
