/** The part of spdy-transport that port-forward uses; the package has no types of its own. */
declare module 'spdy-transport' {
  import type { Duplex } from 'node:stream';

  type Headers = Record<string, string>;

  interface WindowSide {
    update(bytes: number): void;
  }

  /** A Duplex; ending it ends this side only. */
  export interface Stream extends Duplex {
    id: number;
    headers: Headers;
    respond(status: number, headers: Headers, callback?: (error?: Error) => void): void;
    abort(code?: string, callback?: () => void): void;
    _spdyState: { window: { send: WindowSide } };
  }

  export interface Connection {
    start(version: number): void;
    end(callback?: () => void): void;
    on(event: 'stream', listener: (stream: Stream) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'close', listener: () => void): this;
    _spdyState: {
      window: { send: WindowSide };
      parser: {
        pendingHeader: { control: boolean; length: number } | null;
        onFrameHead(buffer: unknown, callback: (error: Error | null, frame?: unknown) => void): void;
        parseKVs(buffer: unknown, callback: (error: Error | null, headers?: Headers) => void): void;
      };
    };
  }

  const transport: {
    connection: {
      create(socket: Duplex, options: { protocol: 'spdy'; isServer: boolean; windowSize?: number }): Connection;
    };
  };
  export default transport;
}
