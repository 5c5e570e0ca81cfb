/** Whether the addresses that the control plane is to listen on are free, said before anything is started. */
import { createServer } from 'node:net';

export class PortInUse extends Error {
  constructor(address: string, port: number, what: string, flag: string) {
    super(
      `port ${port} on ${address}, meant for ${what}, is in use by another program. ` +
        `See which with \`ss -ltnp 'sport = :${port}'\`, or take another port with \`${flag} PORT\`.`,
    );
  }
}

function listen(address: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** @throws PortInUse, or an error naming the address when it is not this machine's. */
export async function requireFreePort(address: string, port: number, what: string, flag: string): Promise<void> {
  const error = await listen(address, port);
  if (error === undefined) return;
  if (error.code === 'EADDRINUSE') throw new PortInUse(address, port, what, flag);
  if (error.code === 'EADDRNOTAVAIL') throw new Error(`cannot listen on ${address}: it is no address of this machine`);
  throw new Error(`cannot listen on ${address}:${port} for ${what}: ${error.message}`);
}
