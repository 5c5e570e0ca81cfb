/**
 * A tunnel stream as Node streams: what arrives on a channel goes into its Writable and gives credit back when that has
 * taken it; a Readable is read only while the tunnel has room.
 */
import type { Readable, Writable } from 'node:stream';
import type { StreamEnd } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';

export class NodeEnds implements StreamEvents {
  private readonly stream: TunnelStream;
  private readonly sinks = new Map<number, Writable>();
  private readonly onClose: (end: StreamEnd) => void;
  private waiting: (() => void)[] = [];

  constructor(stream: TunnelStream, onClose: (end: StreamEnd) => void) {
    this.stream = stream;
    this.onClose = onClose;
  }

  /** Where this channel's bytes go. Its errors are the sink's owner's to handle. */
  sink(channel: number, sink: Writable): void {
    this.sinks.set(channel, sink);
  }

  data(channel: number, bytes: Uint8Array): void {
    const sink = this.sinks.get(channel);
    const taken = () => this.stream.consumed(bytes.length);
    // A reader that is gone takes everything: the writer must not hang on it.
    if (sink === undefined || sink.destroyed || sink.writableEnded) taken();
    else sink.write(bytes, taken);
  }

  end(channel: number): void {
    this.sinks.get(channel)?.end();
  }

  writable(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resume of waiting) resume();
  }

  close(end: StreamEnd): void {
    this.writable();
    this.onClose(end);
  }

  /** Resolves when there is room for more, or the stream is over. */
  async write(channel: number, bytes: Uint8Array): Promise<void> {
    if (this.stream.closed || this.stream.write(channel, bytes)) return;
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** As `send`, but read to its end also when nobody is there to take it. */
  async sendOrDrain(channel: number, source: Readable): Promise<void> {
    for await (const chunk of source as AsyncIterable<Buffer>) await this.write(channel, chunk);
    this.stream.end(channel);
  }

  /** All of `source`, then the channel's end; destroys it when the stream ends before. Rejects when the source breaks. */
  async send(channel: number, source: Readable): Promise<void> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      await this.write(channel, chunk);
      if (this.stream.closed) break;
    }
    this.stream.end(channel);
  }
}
