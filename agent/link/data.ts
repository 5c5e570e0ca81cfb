/**
 * The data socket: one Session over a kept socket, which answers every stream that the control plane opens. What a kind of
 * stream does is in `streams.ts`; frames and credit are `shared/tunnel`.
 */
import { ProtocolError } from '../../shared/tunnel/frames.ts';
import { Session } from '../../shared/tunnel/session.ts';
import { type Dial, KeptSocket, type OutSocket, type Timers } from './kept-socket.ts';
import type { LinkLog } from './log.ts';
import type { Answer } from './streams.ts';

export interface DataParts {
  dial: Dial;
  timers: Timers;
  random(): number;
  log: LinkLog;
  answer: Answer;
}

/** What may lie in the socket at once: enough to keep it busy, little enough that credit and resets are not held up. */
const MAX_BUFFERED_BYTES = 512 * 1024;

export class DataSocket {
  private readonly kept: KeptSocket;
  private session: Session | undefined;

  constructor(parts: DataParts) {
    const { dial, timers, random, log, answer } = parts;
    this.kept = new KeptSocket({
      name: 'data',
      dial,
      timers,
      random,
      log,
      onOpen: (socket) => {
        this.kept.settled();
        this.session = this.sessionOver(socket, answer);
      },
      onBinary: (bytes) => this.receive(bytes),
      onDown: (reason) => {
        this.session?.abort(`the minion's socket broke: ${reason}`);
        this.session = undefined;
      },
    });
  }

  start(): void {
    this.kept.start();
  }

  stop(): Promise<void> {
    return this.kept.stop('the agent stops');
  }

  private sessionOver(socket: OutSocket, answer: Answer): Session {
    let pumping = false;
    const pump = (): void => {
      if (pumping) return;
      pumping = true;
      // One turn later, so that small frames of this turn share a message.
      queueMicrotask(() => {
        pumping = false;
        while (socket.bufferedBytes < MAX_BUFFERED_BYTES) {
          const message = session.takeOutput();
          if (message === undefined) return;
          socket.send(message, pump);
        }
      });
    };
    const session = new Session({ onOutput: pump, onOpen: answer });
    return session;
  }

  private receive(bytes: Uint8Array): void {
    try {
      this.session?.receive(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.kept.drop(`the peer broke the protocol: ${error.message}`);
    }
  }
}
