/** The child of `pod-loopback.ts`, run inside a pod's network namespace: connects and hands sockets over, nothing else. */
import { connect } from 'node:net';
import type { ConnectReply, ConnectRequest } from './pod-loopback.ts';

const reply = (message: ConnectReply) => process.send?.(message);

process.on('message', ({ id, port }: ConnectRequest) => {
  // Kubernetes: first IPv4, then IPv6, as the container runtimes do.
  tryHosts(id, port, ['127.0.0.1', '::1']);
});
process.on('disconnect', () => process.exit(0));

function tryHosts(id: number, port: number, [host = '', ...others]: string[], first?: Error): void {
  const socket = connect({ host, port, allowHalfOpen: true });
  // What arrives before the parent has the socket must stay in the kernel.
  socket.pause();
  socket.once('connect', () => process.send?.({ id } satisfies ConnectReply, socket));
  socket.once('error', (error) => {
    if (others.length > 0) tryHosts(id, port, others, error);
    else reply({ id, error: (first ?? error).message });
  });
}
