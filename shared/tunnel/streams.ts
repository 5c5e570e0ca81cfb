/**
 * A tunnel stream as web streams: what the Worker end works with. Bytes that arrive go into writers, one a channel, and
 * give credit back only when the writer has taken them; a readable is read only while the tunnel has room.
 */
import type { StreamEnd, StreamHead } from './kinds.ts';
import type { StreamEvents, TunnelStream } from './stream.ts';

export type ByteWriter = Pick<WritableStreamDefaultWriter<Uint8Array>, 'write' | 'close' | 'abort'>;

/** Where a stream's events go. Set `stream` once it is open, before the first event can come. */
export class TunnelEnds implements StreamEvents {
  stream: TunnelStream | undefined;
  /** The answerer's first word; a stream that ended without one gives its end as a failure. */
  readonly answered: Promise<StreamHead | { ok: false; end: StreamEnd }>;
  readonly ended: Promise<StreamEnd>;
  private answer: (head: StreamHead | { ok: false; end: StreamEnd }) => void = () => {};
  private finish: (end: StreamEnd) => void = () => {};
  private readonly writers: Map<number, ByteWriter>;
  private readonly onHead: ((head: StreamHead, ends: TunnelEnds) => void) | undefined;
  private room: (() => void) | undefined;

  /**
   * @param writers where each channel's bytes go; others are thrown away.
   * @param onHead called before the bytes that came with the head, so that it may name writers with `into`.
   */
  constructor(writers: Record<number, ByteWriter>, onHead?: (head: StreamHead, ends: TunnelEnds) => void) {
    this.onHead = onHead;
    this.writers = new Map(Object.entries(writers).map(([channel, writer]) => [Number(channel), writer]));
    this.answered = new Promise((resolve) => {
      this.answer = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  into(channel: number, writer: ByteWriter): void {
    this.writers.set(channel, writer);
  }

  head(head: StreamHead): void {
    this.onHead?.(head, this);
    this.answer(head);
  }

  data(channel: number, bytes: Uint8Array): void {
    const writer = this.writers.get(channel);
    if (writer === undefined) {
      this.stream?.consumed(bytes.length);
      return;
    }
    // A copy: byte streams detach the buffer that they are given, and others' frames lie in the same one.
    writer.write(new Uint8Array(bytes)).then(
      () => this.stream?.consumed(bytes.length),
      (error: unknown) => this.stream?.reset(`the reader went away: ${String(error)}`),
    );
  }

  end(channel: number): void {
    const writer = this.writers.get(channel);
    this.writers.delete(channel);
    writer?.close().catch((error: unknown) => this.stream?.reset(`the reader went away: ${String(error)}`));
  }

  writable(): void {
    this.room?.();
    this.room = undefined;
  }

  close(end: StreamEnd): void {
    this.answer({ ok: false, end });
    for (const channel of [...this.writers.keys()]) {
      if (end.error === undefined) this.end(channel);
      else this.breakOff(channel, end.error);
    }
    this.writable();
    this.finish(end);
  }

  /** Sends all of `source` on `channel`, then its end. Rejects when the source does; stops when the stream is over. */
  async send(channel: number, source: ReadableStream<Uint8Array>): Promise<void> {
    const { stream } = this;
    if (stream === undefined) throw new Error('the stream is not open yet');
    const reader = source.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (stream.closed) return reader.cancel('the stream has ended');
      if (done) return stream.end(channel);
      if (!stream.write(channel, value)) {
        await new Promise<void>((resolve) => {
          this.room = resolve;
        });
      }
    }
  }

  private breakOff(channel: number, error: string): void {
    const writer = this.writers.get(channel);
    this.writers.delete(channel);
    // A reader that is gone already cannot be told, and need not be.
    writer?.abort(new Error(error)).catch(() => undefined);
  }
}
