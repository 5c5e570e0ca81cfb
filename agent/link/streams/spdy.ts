/**
 * The server end of a SPDY/3.1 session as kubectl speaks it (through Go's spdystream), over a byte stream. Two of that
 * client's habits need allowance, and this file is where both are made; what the streams mean is `portforward.ts`.
 */
/// <reference path="./spdy-transport.d.ts" />
import type { Duplex } from 'node:stream';
import transport, { type Connection, type Stream } from 'spdy-transport';

export type SpdyStream = Stream;
export type SpdyConnection = Connection;

export function spdyServer(socket: Duplex, onStream: (stream: SpdyStream) => void): SpdyConnection {
  const connection = transport.connection.create(socket, { protocol: 'spdy', isServer: true });
  withoutRequestLine(connection);
  connection.on('stream', onStream);
  connection.start(3.1);
  return connection;
}

/** kubectl: its streams have neither `:method` nor `:path`, without which the parser would refuse them. */
function withoutRequestLine({ _spdyState: { parser } }: SpdyConnection): void {
  const parse = parser.parseKVs.bind(parser);
  parser.parseKVs = (buffer, callback) =>
    parse(buffer, (error, headers) => callback(error, headers && { ':method': 'POST', ':path': '/', ...headers }));
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
