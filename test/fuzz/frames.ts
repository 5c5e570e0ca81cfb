/** What comes over sockets: frames and sessions of the tunnel, records of messages, channels of Kubernetes' subprotocols. */
import { expect } from 'vitest';
import { encodeFrame, encodeJsonFrame, FRAME, framesOf, ProtocolError, runsOf } from '../../shared/tunnel/frames.ts';
import { encodeMessage, MessageReader } from '../../shared/tunnel/messages.ts';
import { Session } from '../../shared/tunnel/session.ts';
import { decodeChannelMessage, PORT_PROTOCOLS, TERMINAL_PROTOCOLS } from '../../worker/http/streams/subprotocols.ts';
import { isRefusal } from './bodies.ts';
import { type Parser, textOf } from './parser.ts';

const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const HEADER = { kind: 'dial', address: '10.244.0.2', port: 80 };
const hello = new TextEncoder().encode('hello');

/** A session that answers every stream and gives back what it reads. */
function receive(message: Uint8Array): void {
  let opened = 0;
  const session = new Session({
    onOutput: () => undefined,
    maxStreams: 64,
    onOpen: (stream) => {
      opened++;
      stream.head({ ok: true });
      return { data: (_, bytes) => stream.consumed(bytes.length), close: () => undefined };
    },
  });
  session.open(HEADER as never, { data: () => undefined, close: () => undefined });
  try {
    session.receive(message);
  } finally {
    expect(session.streamCount).toBeLessThanOrEqual(65);
    let sent = 0;
    for (let output = session.takeOutput(); output !== undefined; output = session.takeOutput()) sent += output.length;
    // An answer for each frame, and no more.
    expect(sent).toBeLessThan(200 * (message.length + opened + 1));
  }
}

export const FRAMES: Parser[] = [
  {
    name: 'frames of a tunnel',
    seeds: [
      joined(
        encodeJsonFrame(FRAME.open, 1, HEADER),
        encodeFrame(FRAME.data, 1, joined(Uint8Array.of(0), hello)),
        encodeFrame(FRAME.end, 1, Uint8Array.of(0)),
        encodeJsonFrame(FRAME.close, 1, {}),
      ),
      joined(
        encodeJsonFrame(FRAME.head, 1, { ok: true }),
        encodeFrame(FRAME.credit, 1, Uint8Array.of(0, 0, 1, 0)),
        encodeJsonFrame(FRAME.reset, 1, { error: 'x' }),
      ),
    ],
    tokens: Object.values(FRAME).map(
      (type) => `${String.fromCharCode(type)}\u0000\u0000\u0000\u0001\u0000\u0000\u0000\u0002{}`,
    ),
    longestBytes: 256 * 1024,
    read: (bytes) => {
      for (const frame of framesOf(bytes)) frame.payload.length;
      runsOf(bytes);
      receive(bytes);
    },
    refuses: (error) => error instanceof ProtocolError,
  },
  {
    name: 'records of messages',
    seeds: [
      joined(encodeMessage({ type: 'text', text: 'a' }), encodeMessage({ type: 'binary', bytes: hello })),
      encodeMessage({ type: 'close', code: 1000, reason: 'bye' }),
    ],
    tokens: [
      '\u0000\u0000\u0000\u0000\u0000',
      '\u0001\u0000\u0000\u0000\u0001x',
      '\u0002\u0000\u0000\u0000\u0002\u0003x',
      '\u007f',
      '\u0003',
    ],
    longestBytes: 256 * 1024,
    read: (bytes) => {
      const whole = new MessageReader().push(bytes);
      const reader = new MessageReader();
      const cut = bytes.length < 2000 ? [...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte))) : whole;
      expect(cut).toEqual(whole);
    },
    refuses: (error) => error instanceof RangeError,
  },
  {
    name: 'messages of channels',
    seeds: ['\u0000hello', '4{"Width":80,"Height":24}', '0aGVsbG8=', Uint8Array.of(255, 0)],
    tokens: ['\u0000', '\u0004', '0', '4', '=', 'aGVsbG8', '-', '\u00ff', '{"Width":'],
    longestBytes: 256 * 1024,
    read: (bytes) => {
      for (const protocol of [...TERMINAL_PROTOCOLS, ...PORT_PROTOCOLS]) {
        const message = protocol.base64 ? textOf(bytes) : bytes.slice().buffer;
        try {
          decodeChannelMessage(protocol, message);
        } catch (error) {
          if (!isRefusal(error)) throw error;
        }
      }
    },
    refuses: isRefusal,
  },
];
