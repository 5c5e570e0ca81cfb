/**
 * One stream of a Session: what it has queued, what credit it has, how it ends. The rules are stated in `session.ts`,
 * which owns all streams, gives them their frames and asks them for the next one to send.
 */
import {
  decodeCredit,
  encodeCredit,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  FRAME_HEADER_BYTES,
  type Frame,
  MAX_PAYLOAD_BYTES,
  ProtocolError,
  writeFrameHeader,
} from './frames.ts';
import type { StreamEnd, StreamHead } from './kinds.ts';
import { parseEnd, parseHead } from './words.ts';

export const WINDOW_BYTES = 256 * 1024;
export const ATOMIC_BYTES = 4096;
const DATA_HEADER_BYTES = FRAME_HEADER_BYTES + 1;
/** Credit goes back in pieces of at least this much. */
const CREDIT_STEP_BYTES = WINDOW_BYTES / 4;

export interface StreamEvents {
  /** Openers only. Absent when the stream ends before the answerer said a word. */
  head?(head: StreamHead): void;
  /** Never empty. Call `consumed` with its length once it has been passed on. */
  data(channel: number, bytes: Uint8Array): void;
  end?(channel: number): void;
  /** `write` said false before, and there is room again. */
  writable?(): void;
  close(end: StreamEnd): void;
}

type Queued = { channel: number; bytes: Uint8Array } | { frame: Uint8Array; final: boolean };

/** What a stream may do to its session. */
export interface StreamPort {
  ready(stream: TunnelStream): void;
  urgent(frame: Uint8Array): void;
  refuse(id: number, error: string): void;
  forget(stream: TunnelStream): void;
}

export class TunnelStream {
  readonly id: number;
  private readonly port: StreamPort;
  private readonly events: StreamEvents;
  private readonly queue: Queued[] = [];
  /** Bytes of data in `queue`. */
  private queuedBytes = 0;
  /** What the peer lets us send. */
  private sendCredit = WINDOW_BYTES;
  /** What we let the peer send. */
  private receiveCredit = WINDOW_BYTES;
  /** Consumed, and not yet given back. */
  private owedCredit = 0;
  private readonly endedByPeer = new Set<number>();
  private readonly endedByUs = new Set<number>();
  private headSent = false;
  private headSeen = false;
  private wantsRoom = false;
  /** We have said close or reset, or the peer has: nothing more is delivered or accepted. */
  private over = false;
  /** In the session's list of ready streams, or due to be put back into it. */
  isReady = false;

  constructor(id: number, port: StreamPort, events: StreamEvents) {
    this.id = id;
    this.port = port;
    this.events = events;
  }

  /** Whether the stream has ended or is ending: writes go nowhere. */
  get closed(): boolean {
    return this.over;
  }

  /** Bytes of data that wait for credit or for the socket: what a writer who cannot be told to wait must watch. */
  get waitingBytes(): number {
    return this.queuedBytes;
  }

  /** The answerer's first word, once. */
  head(head: StreamHead): void {
    if (this.over || this.headSent) return;
    this.headSent = true;
    const frame = encodeJsonFrame(FRAME.head, this.id, head);
    if (isTooLong(frame)) this.close({ error: 'the head of the answer is too long' });
    else this.enqueue({ frame, final: false });
  }

  /** Queues a chunk, which must not change afterwards. False: wait for `writable` before writing more. */
  write(channel: number, bytes: Uint8Array): boolean {
    if (this.over || this.endedByUs.has(channel)) return true;
    if (bytes.length > 0) {
      this.queuedBytes += bytes.length;
      this.enqueue({ channel, bytes });
    }
    this.wantsRoom = this.queuedBytes >= WINDOW_BYTES;
    return !this.wantsRoom;
  }

  end(channel: number): void {
    if (this.over || this.endedByUs.has(channel)) return;
    this.endedByUs.add(channel);
    this.enqueue({ frame: encodeFrame(FRAME.end, this.id, Uint8Array.of(channel)), final: false });
  }

  /** The stream is over once what was written before is sent. */
  close(end: StreamEnd = {}): void {
    if (this.over) return;
    this.over = true;
    this.enqueue({ frame: encodeJsonFrame(FRAME.close, this.id, end), final: true });
  }

  /** The stream is over now; what is queued is dropped. No event follows. */
  reset(error: string): void {
    if (this.over && this.queue.length === 0) return;
    this.over = true;
    this.drop();
    this.port.refuse(this.id, error);
  }

  /** So many bytes of `data` have been passed on: the peer may send as many again. */
  consumed(bytes: number): void {
    if (this.over) return;
    this.owedCredit += bytes;
    if (this.owedCredit < CREDIT_STEP_BYTES) return;
    this.receiveCredit += this.owedCredit;
    this.port.urgent(encodeCredit(this.id, this.owedCredit));
    this.owedCredit = 0;
  }

  // ---- Called by the session ---------------------------------------------------------------------------------------

  enqueue(item: Queued): void {
    this.queue.push(item);
    this.wake();
  }

  receive(frame: Frame): void {
    if (frame.type === FRAME.credit) this.creditFrom(frame);
    else if (frame.type === FRAME.reset) this.finish({ error: 'reset', ...parseEnd(frame.payload) });
    else if (frame.type === FRAME.close) this.finish(parseEnd(frame.payload));
    else if (this.over) return;
    else if (frame.type === FRAME.head) this.headFrom(frame);
    else this.channelFrom(frame);
  }

  /** The next frame of this stream that fits into `room`; a message's first frame may be as long as it has to. */
  takeFrame(room: number, first: boolean): Uint8Array | undefined {
    const next = this.queue[0];
    if (next === undefined) {
      this.isReady = false;
      return undefined;
    }
    if ('frame' in next) {
      if (next.frame.length > room && !first) return undefined;
      this.queue.shift();
      this.isReady = this.maySend();
      if (next.final) this.drop();
      return next.frame;
    }
    const fits = Math.min(next.bytes.length, room - DATA_HEADER_BYTES, this.sendCredit);
    const whole = fits === next.bytes.length;
    if (!whole && (next.bytes.length <= ATOMIC_BYTES || fits < ATOMIC_BYTES)) return undefined;
    const frame = new Uint8Array(DATA_HEADER_BYTES + fits);
    writeFrameHeader(frame, 0, FRAME.data, this.id, fits + 1);
    frame[FRAME_HEADER_BYTES] = next.channel;
    frame.set(whole ? next.bytes : next.bytes.subarray(0, fits), DATA_HEADER_BYTES);
    if (whole) this.queue.shift();
    else this.queue[0] = { channel: next.channel, bytes: next.bytes.subarray(fits) };
    this.sendCredit -= fits;
    this.queuedBytes -= fits;
    this.isReady = this.maySend();
    return frame;
  }

  get hasRoomAgain(): boolean {
    return this.wantsRoom && this.queuedBytes <= WINDOW_BYTES / 2;
  }

  tellRoom(): void {
    if (!this.hasRoomAgain || this.over) return;
    this.wantsRoom = false;
    this.events.writable?.();
  }

  /** The peer, or the loss of the socket, ended the stream. */
  finish(end: StreamEnd): void {
    const told = this.over;
    this.over = true;
    this.drop();
    if (!told) this.events.close(end);
  }

  /** The peer broke a rule of this stream. */
  fail(error: string): void {
    if (this.over) return;
    this.reset(error);
    this.events.close({ error });
  }

  private creditFrom(frame: Frame): void {
    this.sendCredit += decodeCredit(frame.payload);
    if (this.sendCredit > WINDOW_BYTES) this.fail('the peer gave back more credit than it had');
    else this.wake();
  }

  private headFrom(frame: Frame): void {
    if (this.headSeen) {
      this.fail('the peer answered twice');
      return;
    }
    this.headSeen = true;
    this.events.head?.(parseHead(frame.payload));
  }

  /** data and end. */
  private channelFrom(frame: Frame): void {
    const channel = frame.payload[0];
    if (channel === undefined) throw new ProtocolError('a frame without its channel');
    const bytes = frame.payload.subarray(1);
    if (this.endedByPeer.has(channel)) {
      this.fail(`the peer wrote on channel ${channel} after its end`);
    } else if (frame.type === FRAME.end) {
      this.endedByPeer.add(channel);
      this.events.end?.(channel);
    } else if (bytes.length === 0) {
      this.fail('the peer sent data without a byte');
    } else {
      this.receiveCredit -= bytes.length;
      if (this.receiveCredit < 0) this.fail('the peer sent more than its credit');
      else this.events.data(channel, bytes);
    }
  }

  private drop(): void {
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.isReady = false;
    this.port.forget(this);
  }

  private maySend(): boolean {
    const next = this.queue[0];
    if (next === undefined) return false;
    if ('frame' in next) return true;
    return this.sendCredit >= Math.min(next.bytes.length, ATOMIC_BYTES);
  }

  private wake(): void {
    if (this.isReady || !this.maySend()) return;
    this.isReady = true;
    this.port.ready(this);
  }
}

export const isTooLong = (frame: Uint8Array) => frame.length - FRAME_HEADER_BYTES > MAX_PAYLOAD_BYTES;
