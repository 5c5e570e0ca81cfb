/**
 * Questions that are not the cluster's, asked of the upstream servers: byte for byte, over the transport that the client
 * used, each from a socket and with an id of its own. The server that answered last is asked first; one that is slow is
 * overtaken by the next.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { AnswerCache } from './cache.ts';
import {
  ednsOf,
  HEADER_BYTES,
  idOf,
  isResponse,
  normalQuestion,
  questionOf,
  REFUSED,
  rcodeOf,
  SERVFAIL,
  withId,
} from './message.ts';

export interface Upstream {
  address: string;
  port: number;
}

export interface ForwarderOptions {
  upstreams: () => Promise<Upstream[]>;
  now: () => number;
  randomId: () => number;
  /** After how long the next server is asked as well. */
  patienceMs?: number;
  /** After how long the client is told that there is no answer. */
  deadlineMs?: number;
  log: (message: string) => void;
}

/** More than this at once is refused: each is a socket. */
const MAX_PENDING = 1000;

export class Forwarder {
  readonly #options: Required<ForwarderOptions>;
  readonly #cache: AnswerCache;
  #pending = 0;
  #preferred: string | undefined;
  #failing = false;

  constructor(options: ForwarderOptions) {
    this.#options = { patienceMs: 1000, deadlineMs: 5000, ...options };
    this.#cache = new AnswerCache(options.now);
  }

  /** The answer under the query's id. undefined: no server gave one in time. */
  async ask(query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const question = questionOf(query);
    const edns = ednsOf(query);
    if (question === undefined || edns === undefined || this.#pending >= MAX_PENDING) return undefined;
    // Bits of the header that change the answer: recursion desired, authentic data, checking disabled.
    const key = `${transport} ${query.readUInt16BE(2) & 0x0130} ${edns.key} ${normalQuestion(question)}`;
    // Options (cookies, client subnet) are between one client and one server.
    const cached = edns.plain ? this.#cache.get(key, query) : undefined;
    if (cached !== undefined) return cached;
    this.#pending += 1;
    try {
      const answer = await this.#race(query, transport);
      if (answer !== undefined && edns.plain) this.#cache.put(key, answer);
      return answer === undefined ? undefined : withId(answer, idOf(query));
    } finally {
      this.#pending -= 1;
    }
  }

  clear(): void {
    this.#cache.clear();
  }

  async #race(query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const servers = await this.#options.upstreams();
    const ordered = [...servers].sort(
      (a, b) => Number(nameOf(b) === this.#preferred) - Number(nameOf(a) === this.#preferred),
    );
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    const stop = new AbortController();
    let asked = 0;
    let open = 0;
    let poor: Buffer | undefined;

    const next = () => {
      const server = ordered[asked];
      if (server === undefined) {
        if (open === 0) resolve(poor);
        return;
      }
      asked += 1;
      open += 1;
      const overtake = setTimeout(next, this.#options.patienceMs);
      exchange(server, query, transport, this.#options.randomId(), stop.signal).then(
        (answer) => {
          clearTimeout(overtake);
          open -= 1;
          if (rcodeOf(answer) !== SERVFAIL && rcodeOf(answer) !== REFUSED) {
            this.#preferred = nameOf(server);
            this.#report(false, '');
            return resolve(answer);
          }
          poor = answer;
          next();
        },
        (error: Error) => {
          clearTimeout(overtake);
          open -= 1;
          if (stop.signal.aborted) return;
          this.#report(true, `${nameOf(server)}: ${error.message}`);
          next();
        },
      );
    };
    const deadline = setTimeout(() => resolve(poor), this.#options.deadlineMs);
    next();
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      stop.abort();
    }
  }

  /** Once when upstream stops answering, once when it answers again: not for every question. */
  #report(failing: boolean, message: string): void {
    if (failing && !this.#failing) this.#options.log(`DNS upstream does not answer: ${message}`);
    if (!failing && this.#failing) this.#options.log('DNS upstream answers again');
    this.#failing = failing;
  }
}

const nameOf = ({ address, port }: Upstream): string => `${address}:${port}`;

function exchange(
  server: Upstream,
  query: Buffer,
  transport: 'udp' | 'tcp',
  id: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const sent = withId(query, id);
  const question = normalQuestion(questionOf(query) ?? Buffer.alloc(0));
  const fits = (answer: Buffer) => {
    if (answer.length < HEADER_BYTES || !isResponse(answer) || idOf(answer) !== id) return false;
    const echoed = questionOf(answer);
    // A server that could not read the question may leave it out.
    return echoed === undefined
      ? answer.readUInt16BE(4) === 0 && rcodeOf(answer) !== 0
      : normalQuestion(echoed) === question;
  };
  return transport === 'udp' ? overUdp(server, sent, fits, signal) : overTcp(server, sent, fits, signal);
}

function overUdp(
  server: Upstream,
  sent: Buffer,
  fits: (answer: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Connected: answers of others are dropped by the kernel, and a closed port is an error at once.
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    let closed = false;
    const finish = (end: () => void) => {
      if (closed) return;
      closed = true;
      signal.removeEventListener('abort', onAbort);
      socket.close();
      end();
    };
    const onAbort = () => finish(() => reject(new Error('no longer wanted')));
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (answer) => {
      if (fits(answer)) finish(() => resolve(answer));
    });
    socket.connect(server.port, server.address, () => {
      if (!closed) socket.send(sent);
    });
  });
}

function overTcp(
  server: Upstream,
  sent: Buffer,
  fits: (answer: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port, signal });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(sent.length);
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before it answered')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      if (fits(answer)) resolve(Buffer.from(answer));
      else reject(new Error('the answer is to another question'));
      socket.destroy();
    });
    socket.write(Buffer.concat([length, sent]));
  });
}
