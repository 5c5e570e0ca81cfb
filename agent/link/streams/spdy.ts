/**
 * The server end of a SPDY/3.1 session as kubectl speaks it (through Go's spdystream), over a byte stream. Two of that
 * client's habits need allowance, and the library's reader needs bounds; both are made here. What the streams mean is
 * `portforward.ts`.
 */
/// <reference path="./spdy-transport.d.ts" />
import type { Duplex } from 'node:stream';
import transport, { type Connection, type Stream } from 'spdy-transport';

export type SpdyStream = Stream;
export type SpdyConnection = Connection;

export function spdyServer(socket: Duplex, onStream: (stream: SpdyStream) => void): SpdyConnection {
  const connection = transport.connection.create(socket, { protocol: 'spdy', isServer: true });
  withoutRequestLine(connection);
  bound(connection);
  connection.on('stream', onStream);
  // The library reads no further, and would keep the rest for ever.
  connection.on('error', () => socket.destroy());
  connection.start(3.1);
  return connection;
}

/** kubectl: its streams have neither `:method` nor `:path`, without which the parser would refuse them. */
function withoutRequestLine({ _spdyState: { parser } }: SpdyConnection): void {
  const parse = parser.parseKVs.bind(parser);
  parser.parseKVs = (buffer, callback) =>
    parse(buffer, (error, headers) => {
      const isLong = Object.values(headers ?? {}).some((value) => value.length > MAX_HEADER_LENGTH);
      if (isLong) callback(new Error(`a header of more than ${MAX_HEADER_LENGTH} characters`));
      else callback(error, headers && { ':method': 'POST', ':path': '/', ...headers });
    });
}

/** kubectl's frames of headers have some hundred bytes; compressed, each byte may stand for a thousand. */
const MAX_CONTROL_BYTES = 4096;
const MAX_HEADER_LENGTH = 1024;

/** The reader keeps a frame until it is whole, whatever length it announces. */
function bound({ _spdyState: { parser } }: SpdyConnection): void {
  const readHead = parser.onFrameHead.bind(parser);
  parser.onFrameHead = (buffer, callback) =>
    readHead(buffer, (error, frame) => {
      const { control = false, length = 0 } = parser.pendingHeader ?? {};
      if (control && length > MAX_CONTROL_BYTES) callback(new Error(`a control frame of ${length} bytes is too long`));
      else callback(error, frame);
    });
}

/**
 * kubectl: spdystream neither sends nor heeds window updates, so a window would only ever run out. What bounds the bytes on
 * their way is the tunnel's credit below, which the callback of `write` waits for.
 */
export function writeFreely(connection: SpdyConnection, stream: SpdyStream, bytes: Uint8Array, sent: () => void): void {
  stream._spdyState.window.send.update(bytes.length);
  connection._spdyState.window.send.update(bytes.length);
  stream.write(bytes, sent);
}
