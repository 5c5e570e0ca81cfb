/**
 * WebSocket messages as records in a byte stream, since a tunnel may cut bytes anywhere:
 *
 *     type u8 · length u32 (big-endian) · payload
 *
 * Both directions of an upgraded `http` stream carry these on channel 0. A close record is the last one.
 */

export type SocketMessage =
  | { type: 'text'; text: string }
  | { type: 'binary'; bytes: Uint8Array }
  | { type: 'close'; code: number; reason: string };

const TYPE = { text: 0, binary: 1, close: 2 } as const;
const HEADER_BYTES = 5;
/** As Cloudflare's limit for one message. */
export const MAX_SOCKET_MESSAGE_BYTES = 32 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeMessage(message: SocketMessage): Uint8Array {
  if (message.type === 'text') return record(TYPE.text, encoder.encode(message.text));
  if (message.type === 'binary') return record(TYPE.binary, message.bytes);
  const reason = encoder.encode(message.reason);
  const payload = new Uint8Array(2 + reason.length);
  new DataView(payload.buffer).setUint16(0, message.code);
  payload.set(reason, 2);
  return record(TYPE.close, payload);
}

function record(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint32(1, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Puts records together again from pieces of any length. */
export class MessageReader {
  private readonly pieces: Uint8Array[] = [];
  private buffered = 0;

  /** The messages that this piece completes. @throws RangeError for one that is too long or of an unknown type. */
  push(piece: Uint8Array): SocketMessage[] {
    this.pieces.push(piece);
    this.buffered += piece.length;
    const messages: SocketMessage[] = [];
    for (;;) {
      const message = this.next();
      if (message === undefined) return messages;
      messages.push(message);
    }
  }

  private next(): SocketMessage | undefined {
    if (this.buffered < HEADER_BYTES) return undefined;
    const header = this.peek(HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
    const length = view.getUint32(1);
    if (length > MAX_SOCKET_MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes is too long`);
    if (this.buffered < HEADER_BYTES + length) return undefined;
    const whole = this.peek(HEADER_BYTES + length);
    // Not `slice`, which in Node's Buffer copies nothing.
    const payload = new Uint8Array(whole.subarray(HEADER_BYTES, HEADER_BYTES + length));
    const rest = whole.subarray(HEADER_BYTES + length);
    this.pieces.splice(0, this.pieces.length, ...(rest.length > 0 ? [rest] : []));
    this.buffered = rest.length;
    const type = view.getUint8(0);
    if (type === TYPE.text) return { type: 'text', text: decoder.decode(payload) };
    if (type === TYPE.binary) return { type: 'binary', bytes: payload };
    if (type !== TYPE.close || payload.length < 2) throw new RangeError(`no message has type ${type}`);
    const code = new DataView(payload.buffer, payload.byteOffset, 2).getUint16(0);
    return { type: 'close', code, reason: decoder.decode(payload.subarray(2)) };
  }

  /** At least so many bytes in one piece, which becomes the first of `pieces`. */
  private peek(bytes: number): Uint8Array {
    const first = this.pieces[0];
    if (first !== undefined && first.length >= bytes) {
      if (this.pieces.length === 1) return first;
      if (bytes === HEADER_BYTES) return first;
    }
    const joined = new Uint8Array(this.buffered);
    let at = 0;
    for (const piece of this.pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    this.pieces.splice(0, this.pieces.length, joined);
    return joined;
  }
}
