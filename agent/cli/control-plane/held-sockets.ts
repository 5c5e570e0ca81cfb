/**
 * Listening sockets that outlive the process which serves them: `longshore` holds them and workerd is given them, so that
 * whoever connects while one workerd follows another waits in the kernel's queue instead of being refused.
 *
 * Node accepts from every socket that it listens on itself. So they are opened by the process that starts the supervisor,
 * which is at its end; the supervisor has only numbers, which it hands on to each workerd and to its own successor.
 */
import { createServer, type Server } from 'node:net';

export interface SocketAddress {
  /** As in workerd's configuration. */
  name: string;
  address: string;
  port: number;
}

/** The first descriptor after standard input, output and error. */
const FIRST = 3;

/** The descriptors of so many sockets in a process that was started with them. */
export const inheritedSockets = (count: number): number[] => Array.from({ length: count }, (_, index) => FIRST + index);

/** How workerd is told of them, in a process that has them as `inheritedSockets` says. */
export const socketArguments = (names: readonly string[]): string[] =>
  names.map((name, index) => `--socket-fd=${name}=${FIRST + index}`);

/** As workerd itself listens. */
const BACKLOG = 1024;

/** Opens them all, lets `use` give their descriptors to another process, and closes them here. @throws when one is taken. */
export async function withOpenSockets<T>(
  addresses: readonly SocketAddress[],
  use: (descriptors: number[]) => T,
): Promise<T> {
  const servers: Server[] = [];
  try {
    for (const each of addresses) servers.push(await listen(each));
    return use(servers.map(descriptorOf));
  } finally {
    for (const server of servers) server.close();
  }
}

function listen({ address, port }: SocketAddress): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Whoever comes before there is anybody to answer.
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true, backlog: BACKLOG }, () => resolve(server));
  });
}

function descriptorOf(server: Server): number {
  // Node: the public interface does not tell it.
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return fd;
}
