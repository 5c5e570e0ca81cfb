/**
 * A long answer on its way to its client: one chunk at a time; what comes while the client still takes the last one goes out
 * with the next. It tells what the client has taken, so that whoever writes can keep to that (`worker/links/watch-credit.ts`).
 */
import { joined } from './watch-frames.ts';

export interface ClientStreamEvents {
  /** The client has taken what was sent at this cost. */
  onTaken(cost: number): void;
  /** The client has gone. */
  onGone(): void;
}

export class ClientStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #events: ClientStreamEvents;
  #waiting: Uint8Array[] = [];
  #waitingCost = 0;
  /** One chunk after the other is written, until none is left. */
  #writing: Promise<void> | undefined;

  constructor(events: ClientStreamEvents) {
    const { readable, writable } = new IdentityTransformStream();
    this.body = readable;
    this.#writer = writable.getWriter();
    this.#events = events;
    this.#writer.closed.catch(() => events.onGone());
  }

  /** Nothing waits for the client. */
  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  send(bytes: Uint8Array, cost: number): void {
    this.#waiting.push(bytes);
    this.#waitingCost += cost;
    this.#writing ??= this.#write();
  }

  /** Ends it with what still waits; resolves when the client has all of it, or has gone. */
  async end(): Promise<void> {
    await this.#writing;
    await this.#writer.close().catch(() => this.#events.onGone());
  }

  /** Ends it at once. */
  async cut(reason: string): Promise<void> {
    await this.#writer.abort(new Error(reason)).catch(() => this.#events.onGone());
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const [first = new Uint8Array(), ...others] = this.#waiting;
        const all = others.length === 0 ? first : joined(this.#waiting);
        const cost = this.#waitingCost;
        this.#waiting = [];
        this.#waitingCost = 0;
        // Workers: it has been taken when this resolves, and not before.
        await this.#writer.write(all);
        this.#events.onTaken(cost);
      }
    } catch {
      this.#waiting = [];
      this.#events.onGone();
    }
    this.#writing = undefined;
  }
}
