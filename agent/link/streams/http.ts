/**
 * One HTTP/1.1 exchange with a pod, streaming both ways, or a WebSocket to it. Which headers travel is the Worker's to
 * decide; only what belongs to this one connection is added here.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { WebSocket } from 'ws';
import { StatusError, serviceUnavailable } from '../../../shared/errors.ts';
import type { HttpHeader } from '../../../shared/tunnel/kinds.ts';
import { encodeMessage, MAX_SOCKET_MESSAGE_BYTES, MessageReader } from '../../../shared/tunnel/messages.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { refuse, type StreamParts } from './answer.ts';
import { kubelet } from './kubelet.ts';
import { NodeEnds } from './node-ends.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
]);

/** The pod took the connection, and perhaps the request: unlike a 503, this may not be tried elsewhere. */
const badGateway = (message: string) => new StatusError(502, 'BadGateway', message);

export function http(stream: TunnelStream, header: HttpHeader, parts: StreamParts): StreamEvents {
  if (header.to === 'kubelet') return kubelet(stream, header, parts);
  return header.upgrade === 'websocket' ? webSocket(stream, header) : exchange(stream, header);
}

/** Whom a TLS connection has to trust. */
function tlsOf({ tls, trust }: HttpHeader): { rejectUnauthorized?: boolean; servername?: string; ca?: string } {
  if (!tls) return {};
  if (trust === undefined) return { rejectUnauthorized: false };
  return { servername: trust.serverName, ...(trust.caBundle === undefined ? {} : { ca: trust.caBundle }) };
}

function exchange(stream: TunnelStream, header: HttpHeader): StreamEvents {
  const { address, port, method, path, headers, body } = header;
  const hasLength = headers.some(([name]) => name.toLowerCase() === 'content-length');
  const framing: [string, string][] = body && !hasLength ? [['transfer-encoding', 'chunked']] : [];
  const outgoing = (header.tls ? httpsRequest : httpRequest)({
    ...tlsOf(header),
    host: address,
    port,
    method,
    path,
    // A flat list keeps duplicates, order and spelling.
    headers: [...headers, ...framing].flat(),
    setHost: false,
    timeout: CONNECT_TIMEOUT_MS,
    agent: false,
  });
  const ends = new NodeEnds(stream, () => outgoing.destroy());
  ends.sink(0, outgoing);
  if (!body) outgoing.end();
  let answered = false;
  // Only connecting is limited: how long a pod thinks is its own affair.
  let connected = false;
  outgoing.on('socket', (socket) =>
    socket.once('connect', () => {
      connected = true;
      socket.setTimeout(0);
    }),
  );
  outgoing.on('timeout', () => outgoing.destroy(new Error('connect ETIMEDOUT')));
  outgoing.on('response', (response) => {
    answered = true;
    stream.head({ ok: true, http: headOf(response) });
    ends.send(0, response).then(
      () => stream.close(),
      (error: Error) => stream.close({ error: error.message }),
    );
  });
  outgoing.on('error', (error) => {
    const name = `${address}:${port}`;
    if (answered) stream.close({ error: error.message });
    else if (connected) refuse(stream, badGateway(`${name} broke off: ${error.message}`));
    else refuse(stream, serviceUnavailable(`cannot reach ${name}: ${error.message}`));
  });
  return ends;
}

function headOf(response: IncomingMessage): { status: number; statusText: string; headers: [string, string][] } {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < response.rawHeaders.length; at += 2) {
    const name = response.rawHeaders[at] ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push([name, response.rawHeaders[at + 1] ?? '']);
  }
  return { status: response.statusCode ?? 502, statusText: response.statusMessage ?? '', headers };
}

function webSocket(stream: TunnelStream, header: HttpHeader): StreamEvents {
  const { address, port, path, headers } = header;
  const protocols: string[] = [];
  const rest: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'sec-websocket-protocol') protocols.push(...value.split(',').map((each) => each.trim()));
    else if (!key.startsWith('sec-websocket-')) rest[name] = value;
  }
  const socket = new WebSocket(`${header.tls ? 'wss' : 'ws'}://${address}:${port}${path}`, protocols, {
    ...tlsOf(header),
    headers: rest,
    perMessageDeflate: false,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    maxPayload: MAX_SOCKET_MESSAGE_BYTES,
  });
  socket.binaryType = 'nodebuffer';
  const reader = new MessageReader();
  /** Bytes of records that came before the pod answered. */
  const early: Uint8Array[] = [];
  let opened = false;
  const forward = (bytes: Uint8Array): void => {
    const messages = reader.push(bytes);
    const last = messages.at(-1);
    const taken = () => stream.consumed(bytes.length);
    if (last === undefined || last.type === 'close') taken();
    for (const message of messages) {
      // The pod's reading speed is the client's writing speed.
      const sent = message === last ? taken : undefined;
      if (message.type === 'text') socket.send(message.text, sent);
      else if (message.type === 'binary') socket.send(message.bytes, sent);
      else socket.close(sendable(message.code), message.reason);
    }
  };
  socket.on('upgrade', (response) => {
    const { headers: answerHeaders } = headOf(response);
    stream.head({ ok: true, http: { status: 101, statusText: 'Switching Protocols', headers: answerHeaders } });
  });
  socket.on('open', () => {
    opened = true;
    for (const bytes of early.splice(0)) forward(bytes);
  });
  socket.on('message', (data: Buffer, isBinary) => {
    const message = isBinary
      ? encodeMessage({ type: 'binary', bytes: data })
      : encodeMessage({ type: 'text', text: data.toString('utf8') });
    if (!stream.write(0, message)) socket.pause();
  });
  socket.on('unexpected-response', (outgoing, response) => {
    // The pod's own answer is the client's: usually an error that says why there is no WebSocket here.
    const ends = new NodeEnds(stream, () => undefined);
    stream.head({ ok: true, http: headOf(response) });
    ends
      .send(0, response)
      .then(
        () => stream.close(),
        (error: Error) => stream.close({ error: error.message }),
      )
      .finally(() => outgoing.destroy());
  });
  socket.on('close', (code, reason) => {
    stream.write(0, encodeMessage({ type: 'close', code, reason: reason.toString() }));
    stream.end(0);
    stream.close();
  });
  socket.on('error', (error) => {
    // After the upgrade `close` follows, and tells the client.
    if (!opened) refuse(stream, serviceUnavailable(`cannot reach ${address}:${port}: ${error.message}`));
  });
  return {
    data: (_channel, bytes) => {
      if (socket.readyState === WebSocket.CONNECTING) early.push(bytes);
      else forward(bytes);
    },
    writable: () => socket.resume(),
    close: () => socket.terminate(),
  };
}

/** Codes that stand for "no code" or "broken" may not be sent. */
const sendable = (code: number) => (code === 1005 || code === 1006 || code === 1015 ? 1000 : code);
