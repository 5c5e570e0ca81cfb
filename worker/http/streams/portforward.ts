/**
 * pods/portforward: the bytes of kubectl's SPDY/3.1 session go to the minion untouched, which ends it; the older form names
 * its ports in the query and has two channels for each.
 */
import { badRequest, StatusError } from '../../../shared/errors.ts';
import type { PortForwardHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import type { Env } from '../../env.ts';
import { closeSocket, MAX_WAITING_BYTES, PAUSE_BYTES, type Pause, sendSlowly } from '../../links/client-socket.ts';
import { openStream, type TunnelTarget } from '../../links/tunnel.ts';
import {
  chooseSubprotocol,
  decodeChannelMessage,
  encodeChannelMessage,
  PORT_PROTOCOLS,
  SPDY_TUNNEL,
} from './subprotocols.ts';
import { upgraded } from './upgrade.ts';

export async function portForward(
  request: Request,
  env: Pick<Env, 'RELAY'>,
  target: TunnelTarget,
  pod: Omit<PortForwardHeader, 'kind' | 'ports'>,
  query: URLSearchParams,
  pause: Pause,
): Promise<Response> {
  const protocol = chooseSubprotocol(request, PORT_PROTOCOLS);
  const spdy = protocol.name === SPDY_TUNNEL;
  const ports = spdy ? undefined : portsOf(query);
  const header: PortForwardHeader = { kind: 'portforward', ...pod, ...(ports ? { ports } : {}) };
  const { socket, response } = upgraded(protocol);
  const events: StreamEvents = {
    head: (head) => {
      if (!head.ok) closeSocket(socket, 1011, head.status.message ?? '');
    },
    data: (channel, bytes) => {
      const message = spdy ? bytes.slice() : encodeChannelMessage(protocol, channel, bytes);
      sendSlowly(socket, message, () => stream.consumed(bytes.length));
    },
    close: (end) => closeSocket(socket, end.error === undefined ? 1000 : 1011, end.error ?? ''),
  };
  // The stream first: a client that is answered 101 may write at once.
  const stream: TunnelStream = await openStream(env, target, header, events);
  for (const [index, port] of (ports ?? []).entries()) {
    // Kubernetes: each channel begins with its port, so that a client can tell them apart.
    const number = Uint8Array.of(port & 0xff, port >> 8);
    socket.send(encodeChannelMessage(protocol, 2 * index, number));
    socket.send(encodeChannelMessage(protocol, 2 * index + 1, number));
  }
  socket.addEventListener('message', ({ data }) => {
    const message = data as ArrayBuffer | string;
    try {
      if (!spdy) {
        const decoded = decodeChannelMessage(protocol, message);
        if (decoded.type === 'data') stream.write(decoded.channel, decoded.bytes);
      } else if (typeof message !== 'string') {
        stream.write(0, new Uint8Array(message));
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      stream.reset('the client broke the protocol');
      closeSocket(socket, 1011, error.message);
      return;
    }
    if (stream.waitingBytes > PAUSE_BYTES) pause();
    if (stream.waitingBytes <= MAX_WAITING_BYTES) return;
    stream.reset('the client sends faster than the pod reads');
    closeSocket(socket, 1011, 'the client sends faster than the pod reads');
  });
  // Streams of SPDY have ends of their own, and who closes before them breaks them off; channels have none but this.
  const leave = () => (spdy ? stream.reset('the client went away') : stream.close());
  socket.addEventListener('close', leave);
  socket.addEventListener('error', leave);
  return response;
}

/** Two channels a port, and a channel is one byte. */
const MAX_PORTS = 128;

/** @throws StatusError 400 */
function portsOf(query: URLSearchParams): number[] {
  const ports = query
    .getAll('ports')
    .flatMap((each) => each.split(','))
    .map(Number);
  if (ports.length > MAX_PORTS) throw badRequest(`query parameter "ports" is invalid: at most ${MAX_PORTS} ports`);
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  const wrong = ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65535);
  if (wrong !== undefined) throw badRequest('query parameter "ports" is invalid: a port is a number from 1 to 65535');
  return ports;
}
