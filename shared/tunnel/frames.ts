/**
 * The frames of a data socket, as bytes. A socket message is one or more whole frames; a frame is
 *
 *     type u8 · stream u32 · length u32 · payload        (big-endian)
 *
 * The stream id stands at a fixed place, so that the Relay can hand a frame on by rewriting only that. What the frames
 * mean, and in which order they may come, is in `session.ts`.
 */

export const FRAME = {
  /** JSON StreamHeader: begins a stream. */
  open: 1,
  /** JSON StreamHead: the answerer's first word. */
  head: 2,
  /** Channel u8, then at least one byte. */
  data: 3,
  /** Channel u8: nothing more comes on it from this side. */
  end: 4,
  /** JSON StreamEnd: the stream is over, after everything before it has been read. */
  close: 5,
  /** u32: the peer may send so many bytes of data more. */
  credit: 6,
  /** JSON StreamEnd: the stream is over at once; what is still on its way is dropped. */
  reset: 7,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export const FRAME_HEADER_BYTES = 9;
/** Longest payload that is accepted. A header carries an HTTP request's head, so it is far above what data needs. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;

export interface Frame {
  type: FrameType;
  stream: number;
  payload: Uint8Array;
}

/** The peer sent what no correct peer sends: the socket that carried it must be closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

export function encodeFrame(type: FrameType, stream: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, type, stream, payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** The header alone, for writers that fill in the payload themselves. */
export function writeFrameHeader(
  into: Uint8Array,
  offset: number,
  type: FrameType,
  stream: number,
  length: number,
): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setUint8(offset, type);
  view.setUint32(offset + 1, stream);
  view.setUint32(offset + 5, length);
}

export const encodeJsonFrame = (type: FrameType, stream: number, value: unknown): Uint8Array =>
  encodeFrame(type, stream, encoder.encode(JSON.stringify(value)));

export const encodeCredit = (stream: number, bytes: number): Uint8Array => {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + 4);
  writeFrameHeader(frame, 0, FRAME.credit, stream, 4);
  new DataView(frame.buffer).setUint32(FRAME_HEADER_BYTES, bytes);
  return frame;
};

export function decodeJson<T>(payload: Uint8Array): T {
  try {
    return JSON.parse(decoder.decode(payload)) as T;
  } catch (error) {
    throw new ProtocolError(`a frame's JSON cannot be read: ${String(error)}`);
  }
}

export function decodeCredit(payload: Uint8Array): number {
  if (payload.length !== 4) throw new ProtocolError(`a credit of ${payload.length} bytes`);
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

/** The frames of one message; payloads are views into it. @throws ProtocolError */
export function* framesOf(message: Uint8Array): Generator<Frame> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at < message.length) {
    if (message.length - at < FRAME_HEADER_BYTES) throw new ProtocolError('a frame is cut short');
    const type = view.getUint8(at);
    const length = view.getUint32(at + 5);
    if (type < FRAME.open || type > FRAME.reset) throw new ProtocolError(`no frame has type ${type}`);
    if (length > MAX_PAYLOAD_BYTES) throw new ProtocolError(`a frame of ${length} bytes is too long`);
    const start = at + FRAME_HEADER_BYTES;
    if (message.length - start < length) throw new ProtocolError('a frame is cut short');
    yield {
      type: type as FrameType,
      stream: view.getUint32(at + 1),
      payload: message.subarray(start, start + length),
    };
    at = start + length;
  }
}

/** Neighbouring frames of one stream. */
export interface Run {
  stream: number;
  start: number;
  end: number;
  /** Whether a frame among them ends the stream. */
  final: boolean;
}

/** A message cut where the stream changes: what the Relay sends on in one piece. @throws ProtocolError */
export function runsOf(message: Uint8Array): Run[] {
  const runs: Run[] = [];
  let at = 0;
  for (const frame of framesOf(message)) {
    const end = at + FRAME_HEADER_BYTES + frame.payload.length;
    const final = frame.type === FRAME.close || frame.type === FRAME.reset;
    const last = runs.at(-1);
    if (last !== undefined && last.stream === frame.stream) {
      last.end = end;
      last.final ||= final;
    } else {
      runs.push({ stream: frame.stream, start: at, end, final });
    }
    at = end;
  }
  return runs;
}

/** A copy of whole frames with another stream id in each. */
export function withStream(frames: Uint8Array, stream: number): Uint8Array {
  // Not `slice`, which in Node's Buffer copies nothing.
  const copy = new Uint8Array(frames);
  const view = new DataView(copy.buffer);
  let at = 0;
  while (at < copy.length) {
    view.setUint32(at + 1, stream);
    at += FRAME_HEADER_BYTES + view.getUint32(at + 5);
  }
  return copy;
}
