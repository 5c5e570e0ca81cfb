/** The process behind `network-peer.ts`: one request a line on standard input, one answer a line on standard output. */
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { PeerRequest } from './network-peer.ts';

const open = new Map<string, Socket>();

function listen(protocol: 'tcp' | 'udp', port: number, server: string, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (protocol === 'tcp') {
      const listener = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.write(`${JSON.stringify({ server, client: socket.remoteAddress })}\n`);
        socket.pipe(socket);
      });
      listener.once('error', reject);
      listener.listen(port, address, () => resolve());
    } else {
      const socket = createSocket('udp4');
      socket.on('message', (_message, from) => {
        socket.send(JSON.stringify({ server, client: from.address }), from.port, from.address);
      });
      socket.once('error', reject);
      socket.bind(port, address, () => resolve());
    }
  });
}

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes('\n')) return;
      socket.off('data', onData);
      resolve(text.split('\n')[0] ?? '');
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

function dialTcp(address: string, port: number, timeoutMs: number, localPort?: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, localPort });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('timed out'));
    }, timeoutMs);
    firstLine(socket)
      .then((line) => resolve(JSON.parse(line)), reject)
      .finally(() => {
        clearTimeout(timer);
        socket.destroy();
      });
  });
}

function dialUdp(address: string, port: number, timeoutMs: number, localPort?: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const finish = (end: () => void) => {
      clearTimeout(timer);
      socket.close();
      end();
    };
    const timer = setTimeout(() => finish(() => reject(new Error('timed out'))), timeoutMs);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (message) => finish(() => resolve(JSON.parse(message.toString()))));
    // Connected, so that an ICMP error comes back as ECONNREFUSED.
    socket.bind({ port: localPort }, () => socket.connect(port, address, () => socket.send('hello')));
  });
}

async function perform(request: PeerRequest): Promise<unknown> {
  switch (request.verb) {
    case 'listen':
      return listen(request.protocol, request.port, request.name, request.address);
    case 'dial': {
      const dial = request.protocol === 'tcp' ? dialTcp : dialUdp;
      return dial(request.address, request.port, request.timeoutMs, request.localPort);
    }
    case 'open': {
      const socket = connect({ host: request.address, port: request.port });
      open.set(request.connection, socket);
      return JSON.parse(await firstLine(socket));
    }
    case 'say': {
      const socket = open.get(request.connection);
      if (socket === undefined) throw new Error(`no connection ${request.connection}`);
      const answer = firstLine(socket);
      socket.write(`${request.text}\n`);
      return answer;
    }
    case 'resolve': {
      const resolver = new Resolver({ timeout: 3000, tries: 1 });
      resolver.setServers([request.server]);
      return resolver.resolve(request.name, request.type as 'A');
    }
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, ...request } = JSON.parse(line) as { id: number } & PeerRequest;
  perform(request as PeerRequest).then(
    (value) => console.log(JSON.stringify({ id, value: value ?? null })),
    (error: NodeJS.ErrnoException) => console.log(JSON.stringify({ id, error: error.code ?? error.message })),
  );
});
process.stdin.on('end', () => process.exit(0));
