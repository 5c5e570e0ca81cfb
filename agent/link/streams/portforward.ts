/**
 * Port-forward into a pod: either a SPDY/3.1 session on channel 0, as kubectl speaks it (for each connection a stream for
 * errors and one for data), or the older form with two channels a port. Both end in connections to the pod's own loopback.
 * Source: k8s.io/kubernetes/pkg/kubelet/portforward
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { badRequest } from '../../../shared/errors.ts';
import type { PortForwardHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { refuse, type StreamParts } from './answer.ts';
import { NodeEnds } from './node-ends.ts';
import { HOST_LOOPBACK, type PodLoopback, podLoopback } from './pod-loopback.ts';
import { type SpdyConnection, type SpdyStream, spdyServer, writeFreely } from './spdy.ts';

export function portForward(stream: TunnelStream, header: PortForwardHeader, parts: StreamParts): StreamEvents {
  let loopback: PodLoopback;
  try {
    loopback = loopbackOf(header, parts);
  } catch (error) {
    refuse(stream, error);
    return { data: () => undefined, close: () => undefined };
  }
  stream.head({ ok: true });
  const failure = (port: number, error: Error) =>
    `error forwarding port ${port} to pod ${header.pod}, uid ${header.uid}: ${error.message}`;
  return header.ports === undefined
    ? spdySession(stream, loopback, failure, parts)
    : plainPorts(stream, header.ports, loopback, failure);
}

/** @throws StatusError: a pod that does not run must never lead to the minion's own ports. */
function loopbackOf(header: PortForwardHeader, parts: StreamParts): PodLoopback {
  const pid = parts.pods.sandboxPid(header.uid);
  if (pid !== undefined) return podLoopback(pid);
  if (header.hostNetwork) return HOST_LOOPBACK;
  throw badRequest(`unable to forward port because pod ${header.pod} is not running`);
}

type Failure = (port: number, error: Error) => string;

/** A Duplex over channel 0, for the SPDY session. */
function channelDuplex(stream: TunnelStream): { duplex: Duplex; events: StreamEvents } {
  let read: () => void = () => undefined;
  const pending: Uint8Array[] = [];
  let ended = false;
  const duplex = new Duplex({
    read: () => read(),
    write: (chunk: Buffer, _encoding, done) => {
      ends.write(0, chunk).then(() => done(), done);
    },
    final: (done) => {
      stream.end(0);
      done();
    },
  });
  read = () => {
    for (;;) {
      const chunk = pending.shift();
      if (chunk === undefined) break;
      const more = duplex.push(chunk);
      stream.consumed(chunk.length);
      if (!more) return;
    }
    if (ended) duplex.push(null);
  };
  const ends = new NodeEnds(stream, () => duplex.destroy());
  return {
    duplex,
    events: {
      data: (_channel, bytes) => {
        pending.push(bytes);
        read();
      },
      end: () => {
        ended = true;
        read();
      },
      writable: () => ends.writable(),
      close: (end) => ends.close(end),
    },
  };
}

function spdySession(stream: TunnelStream, loopback: PodLoopback, failure: Failure, parts: StreamParts): StreamEvents {
  const { duplex, events } = channelDuplex(stream);
  /** Error streams that wait for their data stream, by request id. */
  const errors = new Map<string, SpdyStream>();
  const connection = spdyServer(duplex, (spdy) => {
    spdy.on('error', (error: Error) => parts.log.warn({ err: error }, 'a forwarded connection broke'));
    spdy.respond(200, {});
    const { streamtype: type = '', port = '', requestid: id = '' } = spdy.headers;
    if (type === 'error') {
      errors.set(id, spdy);
      spdy.resume();
      return;
    }
    const errorStream = errors.get(id);
    errors.delete(id);
    forward(connection, spdy, Number(port), loopback).then(
      () => errorStream?.end(),
      (error: Error) => {
        errorStream?.end(failure(Number(port), error));
        spdy.end();
        spdy.resume();
      },
    );
  });
  connection.on('error', (error) => parts.log.warn({ err: error }, 'a port-forward session broke'));
  duplex.once('close', () => {
    loopback.close();
    stream.close();
  });
  return events;
}

/** Joins one data stream to the pod; resolves when both directions have ended. Rejects when connecting failed. */
async function forward(
  connection: SpdyConnection,
  spdy: SpdyStream,
  port: number,
  loopback: PodLoopback,
): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`${port} is no port`);
  const socket = await loopback.connect(port);
  await new Promise<void>((resolve, reject) => {
    spdy.pipe(socket);
    spdy.once('close', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      socket.pause();
      writeFreely(connection, spdy, bytes, () => socket.resume());
    });
    socket.once('end', () => spdy.end());
    socket.once('error', reject);
    socket.once('close', () => {
      spdy.end();
      resolve();
    });
  });
}

/** containerd: what the pod's side of a connection gets to end as well. */
const LINGER_MS = 500;

/** Lets the pod have what was written. Something must read meanwhile: what is unread at the end breaks off what was sent. */
function finish(socket: Socket): void {
  socket.end(() => setTimeout(() => socket.destroy(), LINGER_MS).unref());
}

/** The older form: the n-th port has its data on channel 2n and the text of an error on 2n + 1. */
function plainPorts(
  stream: TunnelStream,
  ports: readonly number[],
  loopback: PodLoopback,
  failure: Failure,
): StreamEvents {
  const sockets: Socket[] = [];
  const early = new Map<number, Uint8Array[]>();
  /** The client closed: what it sent is still the pod's. */
  let left = false;
  const ends = new NodeEnds(stream, ({ error }) => {
    left = error === undefined;
    for (const socket of sockets) {
      if (left) finish(socket);
      else socket.destroy();
    }
    if (!left) loopback.close();
  });
  if (ports.length === 0) stream.close({ status: badRequest('no port was asked for').status });
  const run = async (port: number, channel: number): Promise<void> => {
    try {
      const socket = await loopback.connect(port);
      sockets.push(socket);
      socket.on('error', () => socket.destroy());
      for (const bytes of early.get(channel) ?? []) socket.write(bytes, () => stream.consumed(bytes.length));
      early.delete(channel);
      ends.sink(channel, socket);
      if (left) finish(socket);
      await ends.sendOrDrain(channel, socket);
    } catch (error) {
      const text = failure(port, error instanceof Error ? error : new Error(String(error)));
      await ends.write(channel + 1, new TextEncoder().encode(text));
    }
  };
  for (const each of ports.keys()) early.set(2 * each, []);
  Promise.all(ports.map((port, index) => run(port, 2 * index))).then(() => {
    loopback.close();
    stream.close();
  });
  return {
    data: (channel, bytes) => {
      const waiting = early.get(channel);
      if (waiting === undefined) ends.data(channel, bytes);
      else waiting.push(bytes);
    },
    end: (channel) => ends.end(channel),
    writable: () => ends.writable(),
    close: (end) => ends.close(end),
  };
}
