/**
 * The API for pods: what they send to the Service default/kubernetes ends here, on the minion's own bridge, and goes on to
 * the cluster's base URL as the pod wrote it: with the pod's token, never the minion's. TLS is ended and begun anew,
 * because a public API has neither the certificate that pods expect nor, with a base path, their paths. Bodies stream both
 * ways, upgrades become plain pipes. Whom pods trust for this is `trust.ts`; the way here is `agent/proxy`'s.
 */
import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, Agent as HttpsAgent, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { badRequest, type StatusError, serviceUnavailable } from '../../../shared/errors.ts';
import type { LinkLog } from '../log.ts';

export interface ForwarderSettings {
  /** Base URL of the cluster, e.g. `https://host/clusters/name`. */
  server: string;
  /** PEM text of the CA that signed the server's certificate; undefined: the system's. */
  ca?: string | undefined;
  /** PEM texts, shown to pods. */
  certificate: string;
  privateKey: string;
}

/** Longer than clients keep idle connections, so that they close first and never meet a closed one. */
const KEEP_ALIVE_MS = 120_000;
/** Belong to one connection. `te` and `trailer` would promise what is not carried. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'te', 'trailer']);

export class ApiForwarder {
  readonly #base: URL;
  readonly #ca: string | undefined;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #log: LinkLog;
  readonly #upgraded = new Set<Duplex>();

  constructor({ server, ca, certificate, privateKey }: ForwarderSettings, log: LinkLog) {
    this.#base = new URL(server);
    this.#ca = ca;
    this.#log = log;
    this.#agent =
      this.#base.protocol === 'https:' ? new HttpsAgent({ keepAlive: true, ca }) : new Agent({ keepAlive: true });
    this.#server = createServer({
      cert: certificate,
      key: privateKey,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: 0,
    });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#forward(request, response),
    );
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  /** @returns the port, one that nobody used. */
  listen(address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, address, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#log.error({ err: error }, 'the API for pods'));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** For new connections; those that are open keep what they began with. */
  renew(certificate: string, privateKey: string): void {
    this.#server.setSecureContext({ cert: certificate, key: privateKey });
  }

  /** Watches and streams are cut: whoever asked comes again, after a restart as well. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#upgraded) socket.destroy();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const outgoing = this.#send(request, [], this.#agent);
    if (outgoing === undefined) {
      answer(response, badRequest('the path of the request must begin with a slash'));
      return;
    }
    outgoing.once('response', (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage ?? '', endToEnd(incoming.rawHeaders));
      // A watch has headers long before its first event.
      response.flushHeaders();
      incoming.pipe(response);
      incoming.once('error', () => response.destroy());
    });
    outgoing.once('error', (error) => {
      // A pod that left ends its request by itself.
      if (response.destroyed) return;
      if (response.headersSent) response.destroy();
      else answer(response, serviceUnavailable(`cannot reach the API: ${error.message}`));
    });
    response.once('close', () => outgoing.destroy());
    request.pipe(outgoing);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    const asked: [string, string][] = [
      ['connection', 'Upgrade'],
      ['upgrade', request.headers.upgrade ?? ''],
    ];
    const outgoing = this.#send(request, asked, undefined);
    socket.on('error', () => outgoing?.destroy());
    if (outgoing === undefined) {
      socket.end(rawAnswer(badRequest('the path of the request must begin with a slash')));
      return;
    }
    socket.once('close', () => outgoing.destroy());
    outgoing.once('upgrade', (incoming: IncomingMessage, upstream: Socket, first: Buffer) => {
      upstream.on('error', () => socket.destroy());
      socket.once('close', () => upstream.destroy());
      upstream.once('close', () => socket.destroy());
      socket.write(rawHead(incoming, true));
      socket.write(first);
      upstream.write(head);
      upstream.setNoDelay(true);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    outgoing.once('response', (incoming) => {
      socket.write(rawHead(incoming, false));
      incoming.pipe(socket);
    });
    outgoing.once('error', (error) => {
      if (socket.writable) socket.end(rawAnswer(serviceUnavailable(`cannot reach the API: ${error.message}`)));
    });
    outgoing.end();
  }

  /** Undefined for a target that is no path: this is no proxy to other hosts. */
  #send(request: IncomingMessage, extra: [string, string][], agent: Agent | undefined): ClientRequest | undefined {
    const { url = '', method } = request;
    if (!url.startsWith('/')) return undefined;
    const base = this.#base;
    const headers = endToEnd(request.rawHeaders).filter(([name]) => !REPLACED.has(name.toLowerCase()));
    const framing: [string, string][] =
      request.headers['transfer-encoding'] === undefined ? [] : [['transfer-encoding', 'chunked']];
    const isTls = base.protocol === 'https:';
    return (isTls ? httpsRequest : httpRequest)({
      host: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port === '' ? (isTls ? 443 : 80) : base.port,
      method,
      path: `${base.pathname.replace(/\/$/, '')}${url}`,
      headers: [['host', base.host] as [string, string], ...headers, ...framing, ...extra].flat(),
      setHost: false,
      agent: agent ?? false,
      ...(this.#ca === undefined || !isTls ? {} : { ca: this.#ca }),
    });
  }
}

/** The server is called by its own name, and each connection upgrades for itself. */
const REPLACED = new Set(['host', 'upgrade']);

function endToEnd(raw: readonly string[]): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push([name, raw[at + 1] ?? '']);
  }
  return kept;
}

function answer(response: ServerResponse, { status }: StatusError): void {
  response.writeHead(status.code ?? 500, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(status)}\n`);
}

/** The head of an answer on a socket that HTTP has let go of. Without `upgrade` the body ends with the connection. */
function rawHead({ statusCode, statusMessage, rawHeaders }: IncomingMessage, upgrade: boolean): string {
  const own: [string, string][] = upgrade
    ? endToEnd(rawHeaders).concat([['Connection', 'Upgrade']])
    : endToEnd(rawHeaders).concat([['Connection', 'close']]);
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${own.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

function rawAnswer({ status }: StatusError): string {
  const body = `${JSON.stringify(status)}\n`;
  return (
    `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}
