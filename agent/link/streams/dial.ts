/** Raw bytes between channel 0 and a TCP address of the pod network. */
import { connect, type Socket } from 'node:net';
import { serviceUnavailable } from '../../../shared/errors.ts';
import type { DialHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { refuse } from './answer.ts';
import { NodeEnds } from './node-ends.ts';

export function dial(stream: TunnelStream, { address, port }: DialHeader): StreamEvents {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  return joined(stream, socket, `${address}:${port}`);
}

/** A TCP connection that may still be under way, joined to channel 0. */
function joined(stream: TunnelStream, socket: Socket, name: string): StreamEvents {
  const ends = new NodeEnds(stream, () => socket.destroy());
  ends.sink(0, socket);
  let connected = false;
  socket.once('connect', () => {
    connected = true;
    stream.head({ ok: true });
    ends.send(0, socket).catch((error: Error) => stream.close({ error: error.message }));
  });
  socket.on('error', (error) => {
    if (connected) stream.close({ error: error.message });
    else refuse(stream, serviceUnavailable(`cannot connect to ${name}: ${error.message}`));
  });
  socket.once('close', () => stream.close());
  return ends;
}
