/**
 * One outbound socket that is kept up: dialled again with jittered back-off when it breaks, given up when the other side
 * falls silent. What is said on it is `control.ts` and `data.ts`. Clock, randomness and the dialling itself are passed in.
 */
import { HEARTBEAT_MS, PING, PONG } from '../../shared/link/protocol.ts';
import type { LinkLog } from './log.ts';

/** A socket that may still be connecting. */
export interface OutSocket {
  /** `sent` is called once the bytes have left, or never will. */
  send(data: string | Uint8Array, sent?: () => void): void;
  /** Bytes given to `send` that have not left yet. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
  /** At once, without a closing handshake. */
  terminate(): void;
}

export interface OutSocketEvents {
  open(): void;
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  /** Last event, exactly once: never opened, broken or closed. `status`: the server's HTTP answer instead of an upgrade. */
  down(reason: string, status?: number): void;
}

export type Dial = (events: OutSocketEvents) => OutSocket;

export interface Timers {
  nowMs(): number;
  /** Returns what cancels it. */
  after(ms: number, action: () => void): () => void;
}

export const SYSTEM_TIMERS: Timers = {
  nowMs: () => Date.now(),
  after: (ms, action) => {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};

export interface KeptSocketParts {
  /** For the log. */
  name: string;
  dial: Dial;
  timers: Timers;
  random(): number;
  log: LinkLog;
  onOpen(socket: OutSocket): void;
  onText?(text: string): void;
  onBinary?(bytes: Uint8Array): void;
  onDown?(reason: string, status?: number): void;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
/** A closing handshake that takes longer is cut short. */
const CLOSE_TIMEOUT_MS = 2000;
/** So many heartbeats without any word: the path is dead, though nobody said so. */
const SILENT_HEARTBEATS = 2.5;
/** What is asked is answered within this, or it did not arrive: heartbeats are answered by the platform, whoever else hears. */
const ANSWER_MS = 30_000;

export class KeptSocket {
  private readonly parts: KeptSocketParts;
  private socket: OutSocket | undefined;
  private stopped = true;
  private failures = 0;
  private heardMs = 0;
  private cancelTimer: () => void = () => undefined;
  private cancelAnswer: (() => void) | undefined;
  private onStopped: (() => void) | undefined;

  constructor(parts: KeptSocketParts) {
    this.parts = parts;
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.dial();
  }

  /** The other side is well: the next failure starts from a short delay again. */
  settled(): void {
    this.failures = 0;
  }

  /** Something was said to which there is an answer; without it the socket is given up. */
  awaits(what: string): void {
    this.cancelAnswer ??= this.parts.timers.after(ANSWER_MS, () => this.drop(`no answer to ${what}: dialling again`));
  }

  answered(): void {
    this.cancelAnswer?.();
    this.cancelAnswer = undefined;
  }

  /** Breaks the socket and dials again with back-off. */
  drop(reason: string): void {
    this.parts.log.warn({ socket: this.parts.name }, reason);
    this.socket?.terminate();
  }

  /** Closes for good; resolves when the socket is down. */
  stop(reason: string): Promise<void> {
    this.stopped = true;
    this.cancelTimer();
    this.answered();
    const { socket } = this;
    if (socket === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.onStopped = resolve;
      this.cancelTimer = this.parts.timers.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
      socket.close(1000, reason);
    });
  }

  private dial(): void {
    const { parts } = this;
    this.heardMs = parts.timers.nowMs();
    const socket: OutSocket = parts.dial({
      open: () => {
        this.heardMs = parts.timers.nowMs();
        this.guarded(() => parts.onOpen(socket));
        this.beat(socket);
      },
      text: (text) => {
        this.heardMs = parts.timers.nowMs();
        if (text === PONG) this.settled();
        else this.guarded(() => parts.onText?.(text));
      },
      binary: (bytes) => {
        this.heardMs = parts.timers.nowMs();
        this.guarded(() => parts.onBinary?.(bytes));
      },
      down: (reason, status) => this.down(reason, status),
    });
    this.socket = socket;
  }

  /** What one message breaks must not take the agent down: the socket begins anew. */
  private guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.parts.log.error({ socket: this.parts.name, err: error }, 'a message could not be handled');
      this.drop('beginning anew after an error');
    }
  }

  private beat(socket: OutSocket): void {
    this.cancelTimer = this.parts.timers.after(HEARTBEAT_MS, () => {
      if (this.parts.timers.nowMs() - this.heardMs > SILENT_HEARTBEATS * HEARTBEAT_MS) {
        this.drop('the control plane is silent: dialling again');
        return;
      }
      socket.send(PING);
      this.beat(socket);
    });
  }

  private down(reason: string, status?: number): void {
    this.cancelTimer();
    this.answered();
    this.socket = undefined;
    this.parts.onDown?.(reason, status);
    if (this.stopped) {
      this.onStopped?.();
      return;
    }
    const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 16);
    const delayMs = ceiling * (0.5 + this.parts.random() / 2);
    this.parts.log.warn({ socket: this.parts.name, retryMs: Math.round(delayMs) }, `disconnected: ${reason}`);
    this.cancelTimer = this.parts.timers.after(delayMs, () => this.dial());
  }
}
