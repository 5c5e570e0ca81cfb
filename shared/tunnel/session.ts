/**
 * One end of a data socket: many streams over one sequence of messages, each with its own credit, so that no peer can
 * make the other buffer without bound. Sans-I/O and synchronous: `receive` takes a message, `takeOutput` gives the next
 * one; sockets, timers and promises are the caller's. Both ends and every kind of stream use this same class.
 *
 * Rules
 * - The opener begins a stream with `open`; the answerer's first word is `head`. Then both send data on numbered channels.
 * - At most WINDOW_BYTES of a stream's data, all channels together, are on their way or unread: a receiver gives credit
 *   back with `consumed`. A peer that sends beyond its credit gets its stream reset, the others go on.
 * - A chunk of at most ATOMIC_BYTES arrives as one `data` event; longer ones are cut anywhere. Order is kept within a stream,
 *   across channels too.
 * - `end` half-closes one channel of one direction. `close` ends the stream once everything before it is sent; `reset` now.
 * - `events.close` is a stream's last event, and comes exactly once, unless this side ended the stream itself.
 */
import { decodeJson, encodeJsonFrame, FRAME, type Frame, framesOf, ProtocolError } from './frames.ts';
import type { StreamEnd, StreamHeader } from './kinds.ts';
import { isTooLong, type StreamEvents, type StreamPort, TunnelStream } from './stream.ts';

/** How long a message gets before it is sent; also the longest piece of data in one frame. */
export const MESSAGE_BYTES = 64 * 1024;
export const MAX_STREAMS = 1024;
/** Answers to a peer's nonsense that wait for a slow socket; beyond this the peer is not worth keeping. */
const MAX_URGENT_FRAMES = 16_384;

export interface SessionParts {
  /** There is something for `takeOutput`. May be called many times for one message; must not throw. */
  onOutput(): void;
  /** A peer opened a stream. undefined: this end answers none, and they are reset. */
  onOpen?(stream: TunnelStream, header: StreamHeader): StreamEvents;
  maxStreams?: number;
}

export class Session {
  private readonly parts: SessionParts;
  private readonly streams = new Map<number, TunnelStream>();
  /** Credit and resets: sent before anything else, for they free memory. */
  private readonly urgent: Uint8Array[] = [];
  /** Streams that have something they may send, each once, in turn. */
  private readonly ready: TunnelStream[] = [];
  private nextId = 1;

  constructor(parts: SessionParts) {
    this.parts = parts;
  }

  get streamCount(): number {
    return this.streams.size;
  }

  /** @throws RangeError for a header of more than MAX_PAYLOAD_BYTES. */
  open(header: StreamHeader, events: StreamEvents): TunnelStream {
    const frame = encodeJsonFrame(FRAME.open, this.nextId, header);
    if (isTooLong(frame)) throw new RangeError('the header of the stream is too long');
    const stream = new TunnelStream(this.nextId++, this.port, events);
    this.streams.set(stream.id, stream);
    stream.enqueue({ frame, final: false });
    return stream;
  }

  /** Takes one message in. @throws ProtocolError: close the socket, then call `abort`. */
  receive(message: Uint8Array): void {
    for (const frame of framesOf(message)) {
      if (frame.type === FRAME.open) this.accept(frame);
      // Frames for a stream that is over are late, not wrong.
      else this.streams.get(frame.stream)?.receive(frame);
    }
  }

  /** The next message to send; undefined when there is none. Streams take turns, small frames travel together. */
  takeOutput(): Uint8Array | undefined {
    const pieces: Uint8Array[] = [];
    const roomy: TunnelStream[] = [];
    let room = MESSAGE_BYTES;
    while (room > 0 && this.urgent.length > 0) {
      const frame = this.urgent.shift()!;
      pieces.push(frame);
      room -= frame.length;
    }
    while (room > 0 && this.ready.length > 0) {
      const stream = this.ready.shift()!;
      const frame = stream.takeFrame(room, pieces.length === 0);
      if (frame === undefined) {
        if (stream.isReady) this.ready.unshift(stream);
        break;
      }
      pieces.push(frame);
      room -= frame.length;
      if (stream.isReady) this.ready.push(stream);
      if (stream.hasRoomAgain) roomy.push(stream);
    }
    // Only now, for a writer that fills its queue from inside the event changes the list of ready streams.
    for (const stream of roomy) stream.tellRoom();
    return joined(pieces);
  }

  /** The socket is gone: every stream ends with this error. */
  abort(error: string): void {
    const streams = [...this.streams.values()];
    this.streams.clear();
    this.ready.length = 0;
    this.urgent.length = 0;
    for (const stream of streams) stream.finish({ error });
  }

  private accept(frame: Frame): void {
    const { onOpen, maxStreams = MAX_STREAMS } = this.parts;
    const existing = this.streams.get(frame.stream);
    if (existing !== undefined) {
      existing.fail('the peer opened a stream that is open already');
      return;
    }
    if (onOpen === undefined) {
      this.port.refuse(frame.stream, 'this end opens streams and answers none');
      return;
    }
    if (this.streams.size >= maxStreams) {
      this.port.refuse(frame.stream, `more than ${maxStreams} streams at once`);
      return;
    }
    const header = decodeJson<StreamHeader | null>(frame.payload);
    if (typeof header !== 'object' || header === null) {
      this.port.refuse(frame.stream, 'the header is no object');
      return;
    }
    let events: StreamEvents | undefined;
    const stream = new TunnelStream(frame.stream, this.port, {
      data: (channel, bytes) => events?.data(channel, bytes),
      end: (channel) => events?.end?.(channel),
      writable: () => events?.writable?.(),
      close: (end) => events?.close(end),
    });
    this.streams.set(stream.id, stream);
    events = onOpen(stream, header);
  }

  /** What streams may do to their session. */
  private readonly port: StreamPort = {
    ready: (stream) => {
      this.ready.push(stream);
      this.parts.onOutput();
    },
    urgent: (frame) => {
      if (this.urgent.length >= MAX_URGENT_FRAMES)
        throw new ProtocolError('the peer does not read what it is answered');
      this.urgent.push(frame);
      this.parts.onOutput();
    },
    refuse: (id, error) => this.port.urgent(encodeJsonFrame(FRAME.reset, id, { error } satisfies StreamEnd)),
    forget: (stream) => {
      this.streams.delete(stream.id);
      const at = this.ready.indexOf(stream);
      if (at >= 0) this.ready.splice(at, 1);
    },
  };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array | undefined {
  if (pieces.length <= 1) return pieces[0];
  const message = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    message.set(piece, at);
    at += piece.length;
  }
  return message;
}
