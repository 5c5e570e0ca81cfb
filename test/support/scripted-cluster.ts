/** The cluster's end of outbound sockets, in memory: each dial is kept, what the minion says can be read and answered. */
import type { Dial, OutSocketEvents } from '../../agent/link/kept-socket.ts';
import type { LinkLog } from '../../agent/link/log.ts';
import type { DownMessage, UpMessage } from '../../shared/link/protocol.ts';

export class ScriptedSocket {
  readonly sent: (string | Uint8Array)[] = [];
  readonly closes: string[] = [];
  private readonly events: OutSocketEvents;
  private isDown = false;

  constructor(events: OutSocketEvents) {
    this.events = events;
  }

  open(): void {
    this.events.open();
  }
  /** Resolves when the minion has done what it does at once. */
  async say(message: DownMessage): Promise<void> {
    this.events.text(JSON.stringify(message));
    await Promise.resolve();
  }
  text(text: string): void {
    this.events.text(text);
  }
  binary(bytes: Uint8Array): void {
    this.events.binary(bytes);
  }
  down(reason: string, status?: number): void {
    if (this.isDown) return;
    this.isDown = true;
    this.events.down(reason, status);
  }
  /** The messages that the minion sent, heartbeats left out. */
  heard(): UpMessage[] {
    return this.sent
      .filter((each): each is string => typeof each === 'string' && each.startsWith('{'))
      .map((each) => JSON.parse(each) as UpMessage);
  }
  heardOf<T extends UpMessage['type']>(type: T): Extract<UpMessage, { type: T }>[] {
    return this.heard().filter((each): each is Extract<UpMessage, { type: T }> => each.type === type);
  }
}

export class ScriptedCluster {
  readonly sockets: ScriptedSocket[] = [];

  /** The newest. */
  get socket(): ScriptedSocket {
    const newest = this.sockets.at(-1);
    if (newest === undefined) throw new Error('nobody has dialled');
    return newest;
  }

  readonly dial: Dial = (events) => {
    const socket = new ScriptedSocket(events);
    this.sockets.push(socket);
    return {
      send: (data, sent) => {
        socket.sent.push(data);
        sent?.();
      },
      bufferedBytes: 0,
      close: (_code, reason) => {
        socket.closes.push(reason);
        socket.down(reason);
      },
      terminate: () => {
        socket.closes.push('terminated');
        socket.down('terminated');
      },
    };
  };
}

/** Keeps what is logged, so that a test may ask for it. */
export function keptLog(): LinkLog & { lines: string[] } {
  const lines: string[] = [];
  const keep = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level}: ${message}`);
  };
  return { lines, info: keep('info'), warn: keep('warn'), error: keep('error') };
}
