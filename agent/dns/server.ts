/** Cluster DNS on this minion: its sockets, UDP and TCP, and the zone that they answer from. */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { ClusterDns, DnsService, DnsSettings } from './dns.ts';
import { Forwarder } from './forwarder.ts';
import { ServiceZone } from './records.ts';
import { upstreamSource } from './resolv-conf.ts';
import { type ResponderOptions, respond } from './respond.ts';

export interface DnsServerOptions {
  log: (message: string) => void;
  now?: () => number;
  random?: () => number;
  /** The host's resolv.conf. */
  resolvConf?: string;
  patienceMs?: number;
  deadlineMs?: number;
}

const TCP_IDLE_MS = 10_000;
const MAX_TCP_CLIENTS = 256;

export class DnsServer implements ClusterDns {
  readonly #options: DnsServerOptions;
  #zone = new ServiceZone('cluster.local');
  readonly #services = new Map<string, DnsService>();
  #stop: (() => Promise<void>)[] = [];

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  async start(settings: DnsSettings): Promise<void> {
    const { log, now = Date.now, random = Math.random, resolvConf, patienceMs, deadlineMs } = this.#options;
    this.#zone = new ServiceZone(settings.domain.toLowerCase().replace(/\.$/, ''));
    for (const [name, known] of this.#services) this.#zone.set(name, known);
    const upstreams = upstreamSource({
      configured: settings.upstreams,
      own: settings.addresses,
      ...(resolvConf === undefined ? {} : { path: resolvConf }),
      now,
    });
    const forwarder = new Forwarder({
      upstreams,
      now,
      randomId: () => randomInt(65_536),
      log,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    const responder: ResponderOptions = { zone: () => this.#zone, forwarder, random };
    const answer = async (query: Buffer, transport: 'udp' | 'tcp') => {
      try {
        return await respond(query, transport, responder);
      } catch (error) {
        log(`DNS query ${query.toString('hex')}: ${error instanceof Error ? error.stack : String(error)}`);
        return undefined;
      }
    };
    try {
      for (const address of settings.addresses) {
        this.#stop.push(await listenUdp(address, settings.port, answer, log));
        this.#stop.push(await listenTcp(address, settings.port, answer, log));
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  update(name: string, known: DnsService): void {
    if (known.service === undefined) this.#services.delete(name);
    else this.#services.set(name, known);
    this.#zone.set(name, known);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stop.splice(0)) await stop();
  }
}

type Answerer = (query: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;
type Log = (message: string) => void;

function listenUdp(address: string, port: number, answer: Answerer, log: Log): Promise<() => Promise<void>> {
  const socket: UdpSocket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let open = true;
  socket.on('message', async (query, from) => {
    const response = await answer(query, 'udp');
    if (response !== undefined && open) socket.send(response, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(cannotListen(address, port, 'UDP', error)));
    socket.bind(port, address, () => {
      socket.removeAllListeners('error');
      // A client that has gone answers with an ICMP error: nothing to do about it.
      socket.on('error', (error) => log(`DNS on ${address}: ${error.message}`));
      resolve(async () => {
        open = false;
        await new Promise<void>((closed) => socket.close(() => closed()));
      });
    });
  });
}

function listenTcp(address: string, port: number, answer: Answerer, log: Log): Promise<() => Promise<void>> {
  const clients = new Set<Socket>();
  const server: Server = createServer((socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    serveTcp(socket, answer);
  });
  server.maxConnections = MAX_TCP_CLIENTS;
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(address, port, 'TCP', error)));
    server.listen(port, address, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => log(`DNS on ${address}: ${error.message}`));
      resolve(async () => {
        for (const client of clients) client.destroy();
        await new Promise<void>((closed) => server.close(() => closed()));
      });
    });
  });
}

/** Each message is preceded by its length; answers go back as they come, in any order (RFC 7766). */
function serveTcp(socket: Socket, answer: Answerer): void {
  let received = Buffer.alloc(0);
  let asked = 0;
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const query = Buffer.from(received.subarray(2, end));
      received = received.subarray(end);
      asked += 1;
      // A client that asks without end and reads nothing is paused, not buffered for.
      if (asked >= MAX_ASKED_AT_ONCE) socket.pause();
      answer(query, 'tcp').then((response) => {
        asked -= 1;
        if (socket.isPaused() && asked < MAX_ASKED_AT_ONCE) socket.resume();
        if (response === undefined) return socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(response.length);
        return socket.write(Buffer.concat([length, response]));
      });
    }
  });
}

const MAX_ASKED_AT_ONCE = 64;

function cannotListen(address: string, port: number, protocol: string, error: NodeJS.ErrnoException): Error {
  const why = error.code === 'EADDRINUSE' ? 'another DNS server listens there' : error.message;
  return new Error(`cluster DNS cannot listen on ${protocol} ${address}:${port}: ${why}`, { cause: error });
}
