/**
 * Counts what Cloudflare bills of a Durable Object, and nothing else: requests and calls to it, socket messages that come
 * in, alarms, rows read and written (those of `setAlarm` and of the key-value part too). Auto-responses, outgoing messages
 * and pings are free and uncounted. It listens on the classes themselves, so that it survives evictions.
 * Source: https://developers.cloudflare.com/durable-objects/platform/pricing/
 */

export interface Usage {
  /** HTTP, upgrades included, and calls of methods. */
  requests: number;
  /** Of sockets, incoming; twenty make one request on the bill. */
  messages: number;
  /** Sockets that were seen to close or break. */
  closes: number;
  alarms: number;
  rowsRead: number;
  /** `setAlarm`'s row included. */
  rowsWritten: number;
  /** How often an alarm was set. */
  alarmsSet: number;
}

const HANDLERS: Record<string, keyof Usage> = {
  fetch: 'requests',
  webSocketMessage: 'messages',
  webSocketClose: 'closes',
  webSocketError: 'closes',
  alarm: 'alarms',
};

interface Cursor {
  rowsRead: number;
  rowsWritten: number;
}
// biome-ignore lint/suspicious/noExplicitAny: methods of any shape are wrapped.
type Method = (this: unknown, ...parameters: any[]) => unknown;

/** A platform class seen from below: where its methods lie. */
export type Prototype = object;

export interface Metered {
  /** The object class. Methods that are no handler are calls from outside: requests. */
  object: Prototype;
  sql: Prototype;
  storage: Prototype;
  kv: Prototype;
}

const nothing = (): Usage => ({
  requests: 0,
  messages: 0,
  closes: 0,
  alarms: 0,
  rowsRead: 0,
  rowsWritten: 0,
  alarmsSet: 0,
});

export class Meter {
  private readonly total = nothing();
  private cursors: Cursor[] = [];
  private readonly undo: (() => void)[] = [];

  constructor(parts: Metered) {
    for (const name of methodsOf(parts.object)) this.count(parts.object, name, HANDLERS[name] ?? 'requests');
    const { cursors } = this;
    this.wrap(
      parts.sql,
      'exec',
      (original) =>
        function (...parameters) {
          const cursor = original.apply(this, parameters);
          cursors.push(cursor as Cursor);
          return cursor;
        },
    );
    this.onCall(parts.storage, 'setAlarm', () => {
      this.total.alarmsSet++;
      this.total.rowsWritten++;
    });
    this.onCall(parts.kv, 'put', () => this.total.rowsWritten++);
    this.onCall(parts.kv, 'get', () => this.total.rowsRead++);
  }

  /** What there was since the last call. */
  take(): Usage {
    this.settle();
    const taken = { ...this.total };
    Object.assign(this.total, nothing());
    return taken;
  }

  dispose(): void {
    for (const step of this.undo.splice(0)) step();
  }

  /** Statements' cursors know their rows for good only when they were read; they end with their object. */
  private settle(): void {
    for (const cursor of this.cursors.splice(0)) {
      this.total.rowsRead += cursor.rowsRead;
      this.total.rowsWritten += cursor.rowsWritten;
    }
  }

  private count(prototype: Prototype, name: string, as: keyof Usage): void {
    const meter = this;
    this.wrap(
      prototype,
      name,
      (original) =>
        async function (...parameters) {
          meter.total[as]++;
          try {
            return await original.apply(this, parameters);
          } finally {
            meter.settle();
          }
        },
    );
  }

  private onCall(prototype: Prototype, name: string, heard: () => void): void {
    this.wrap(
      prototype,
      name,
      (original) =>
        function (...parameters) {
          heard();
          return original.apply(this, parameters);
        },
    );
  }

  private wrap(prototype: Prototype, name: string, make: (original: Method) => Method): void {
    const before = Object.getOwnPropertyDescriptor(prototype, name);
    if (typeof before?.value !== 'function') throw new Error(`there is no method ${name} to count`);
    Object.defineProperty(prototype, name, { ...before, value: make(before.value as Method) });
    this.undo.push(() => Object.defineProperty(prototype, name, before));
  }
}

const methodsOf = (prototype: Prototype): string[] =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
