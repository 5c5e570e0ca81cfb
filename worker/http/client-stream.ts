/**
 * A client's long answer, fed by a hibernating socket of the Cluster object: one chunk at a time; what comes while the client
 * still takes the last one goes out with the next. It tells the object what the client has taken, so that the object writes no
 * faster (`worker/links/watch-credit.ts`). What the messages are is `watch.ts` and `etcd.ts`.
 */
import { release, TakenBytes } from '../links/watch-credit.ts';
import { joined } from './watch-frames.ts';

/** A client that has gone is noticed only when a write fails: the second one after it went. */
const KEEP_ALIVE_MS = 15_000;
/** How long a client may take over what it was sent before its stream ended. */
const LAST_MS = 60_000;

export interface ClientStreamParts {
  /** To the object; accepted by whoever listens to it. Its end is the stream's. */
  socket: WebSocket;
  /** Of the client's request. */
  signal: AbortSignal;
  /** What says nothing to such a client; undefined: there is no such thing. */
  nothing: Uint8Array | undefined;
}

export class ClientStream {
  readonly body: ReadableStream<Uint8Array>;
  /** The client has all that it gets, or has gone. */
  readonly ended: Promise<void>;
  readonly #end: () => void;
  readonly #socket: WebSocket;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #taken: TakenBytes;
  readonly #keepAlive: number;
  #last: number | null = null;
  #isOpen = true;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** One chunk after the other is written, until none is left. */
  #writing: Promise<void> | undefined;

  constructor({ socket, signal, nothing }: ClientStreamParts) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { readable, writable } = new IdentityTransformStream();
    this.body = readable;
    this.ended = promise;
    this.#end = resolve;
    this.#socket = socket;
    this.#writer = writable.getWriter();
    this.#taken = new TakenBytes(socket);
    this.#keepAlive = setInterval(() => {
      // Of a client who still takes something it is known.
      if (nothing !== undefined && this.#writing === undefined) this.send(nothing.slice(), 0);
    }, KEEP_ALIVE_MS);
    const leave = () => this.#leave();
    this.#writer.closed.then(leave, leave);
    signal.addEventListener('abort', leave);
    socket.addEventListener('close', () => this.finish('closed'));
    socket.addEventListener('error', () => this.finish('broken'));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * @param bytes the stream's own from here on.
   * @param messageBytes what of the object's messages this is.
   */
  send(bytes: Uint8Array, messageBytes: number): void {
    if (!this.#isOpen) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += messageBytes;
    this.#writing ??= this.#write();
  }

  /** Ends it behind what still waits. */
  finish(reason: string): void {
    if (!this.#isOpen) return;
    this.#close(reason);
    this.#last = setTimeout(() => this.#cut(reason), LAST_MS);
    void this.#closeWriter();
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const parts = this.#waiting;
        const chunk = joined(parts);
        const bytes = this.#waitingBytes;
        this.#waiting = [];
        this.#waitingBytes = 0;
        if (parts.length > 1) for (const part of parts) release(part);
        // Workers: it has been taken when this resolves, and not before.
        await this.#writer.write(chunk);
        release(chunk);
        this.#taken.add(bytes);
      }
    } catch {
      // The writer is closed then, which is heard of there.
      this.#waiting = [];
    }
    this.#writing = undefined;
  }

  async #closeWriter(): Promise<void> {
    await this.#writing;
    await this.#writer.close().catch(() => this.#leave());
  }

  #cut(reason: string): void {
    this.#writer.abort(new Error(reason)).catch(() => this.#leave());
  }

  #close(reason: string): void {
    this.#isOpen = false;
    clearInterval(this.#keepAlive);
    closeQuietly(this.#socket, reason);
  }

  #leave(): void {
    this.#close('the client has gone');
    clearTimeout(this.#last);
    this.#end();
  }
}

/** Closing what is closed already is no error worth a word. */
export function closeQuietly(socket: WebSocket, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED || socket.readyState === WebSocket.CLOSING) return;
  socket.close(1000, reason);
}
