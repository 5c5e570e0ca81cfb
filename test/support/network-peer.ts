/**
 * A pair of hands inside a network namespace: a Node process there that listens, dials and resolves on request, so that a
 * test says `await pod.tcp(address, port)`. The process itself is `network-peer-process.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a server in a peer answers with: its name, and whom it saw. */
export interface PeerAnswer {
  server: string;
  client: string;
}

export type PeerRequest =
  | { verb: 'listen'; protocol: 'tcp' | 'udp'; port: number; name: string; address: string }
  | { verb: 'dial'; protocol: 'tcp' | 'udp'; address: string; port: number; timeoutMs: number; localPort?: number }
  | { verb: 'open'; connection: string; address: string; port: number }
  | { verb: 'say'; connection: string; text: string }
  | { verb: 'resolve'; server: string; type: string; name: string };

/** One connection that stays; each text is echoed. */
export interface PeerConnection {
  say(text: string): Promise<string>;
}

export class NetworkPeer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 0;

  /** `netns` is a path: `/run/netns/NAME`, or `/proc/PID/ns/net`. */
  constructor(netns: string) {
    const script = new URL('./network-peer-process.ts', import.meta.url).pathname;
    this.#child = spawn('nsenter', [`--net=${netns}`, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    if (this.#child.stdout === null) throw new Error('the peer has no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as { id: number; value?: unknown; error?: string };
      const waiter = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiter?.resolve(answer.value);
      else waiter?.reject(new Error(answer.error));
    });
    this.#child.once('exit', (code) => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error(`the peer in ${netns} ended with ${code}`));
    });
  }

  /** Answers every TCP connection or UDP packet with a PeerAnswer, then echoes what comes on that connection. */
  async listen(protocol: 'tcp' | 'udp', port: number, name: string, address = '0.0.0.0'): Promise<void> {
    await this.#ask({ verb: 'listen', protocol, port, name, address });
  }

  tcp(address: string, port: number, options: { timeoutMs?: number; localPort?: number } = {}): Promise<PeerAnswer> {
    return this.#ask({
      verb: 'dial',
      protocol: 'tcp',
      address,
      port,
      timeoutMs: 3000,
      ...options,
    }) as Promise<PeerAnswer>;
  }

  udp(address: string, port: number, options: { timeoutMs?: number; localPort?: number } = {}): Promise<PeerAnswer> {
    return this.#ask({
      verb: 'dial',
      protocol: 'udp',
      address,
      port,
      timeoutMs: 3000,
      ...options,
    }) as Promise<PeerAnswer>;
  }

  async open(address: string, port: number): Promise<PeerConnection> {
    const connection = `c${this.#next}`;
    await this.#ask({ verb: 'open', connection, address, port });
    return { say: (text) => this.#ask({ verb: 'say', connection, text }) as Promise<string> };
  }

  /** Through Node's own resolver, pointed at `server`. */
  resolve(server: string, name: string, type = 'A'): Promise<unknown> {
    return this.#ask({ verb: 'resolve', server, type, name });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  #ask(request: PeerRequest): Promise<unknown> {
    this.#next += 1;
    const id = this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }
}
