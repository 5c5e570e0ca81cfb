/**
 * What every pair of Sessions keeps, whatever lies between them: wires in a test's hand, or a Relay in workerd that is
 * evicted between steps.
 */
import { describe, expect, test } from 'vitest';
import type { StreamEnd, StreamHead, StreamHeader } from '../../shared/tunnel/kinds.ts';
import { type StreamEvents, type TunnelStream, WINDOW_BYTES } from '../../shared/tunnel/stream.ts';

export interface SessionWorld {
  open(header: StreamHeader, events: StreamEvents): Promise<TunnelStream>;
  /** Called for each stream that arrives at the other end. */
  answer(handler: (stream: TunnelStream, header: StreamHeader) => StreamEvents): void;
  /** Everything that is on its way arrives; what lies between the ends may forget what it only remembers. */
  settle(): Promise<void>;
}

const HEADER: StreamHeader = { kind: 'dial', address: '10.244.0.2', port: 80 };

/** Numbered bytes, so that loss and disorder show. */
const numbered = (from: number, length: number) => Uint8Array.from({ length }, (_, index) => (from + index) % 251);

class Reader implements StreamEvents {
  readonly seen: number[] = [];
  readonly heads: StreamHead[] = [];
  readonly ended: number[] = [];
  readonly closed: StreamEnd[] = [];
  unread = 0;

  head(head: StreamHead): void {
    this.heads.push(head);
  }
  data(_channel: number, bytes: Uint8Array): void {
    for (const byte of bytes) this.seen.push(byte);
    this.unread += bytes.length;
  }
  end(channel: number): void {
    this.ended.push(channel);
  }
  close(end: StreamEnd): void {
    this.closed.push(end);
  }
  take(stream: TunnelStream): void {
    const { unread } = this;
    this.unread = 0;
    stream.consumed(unread);
  }
}

export function sessionContract(name: string, makeWorld: () => Promise<SessionWorld>): void {
  describe(`sessions over ${name}`, () => {
    async function opened() {
      const world = await makeWorld();
      const far = new Reader();
      const near = new Reader();
      const answered = Promise.withResolvers<TunnelStream>();
      let header: StreamHeader | undefined;
      world.answer((stream, given) => {
        header = given;
        answered.resolve(stream);
        return far;
      });
      const stream = await world.open(HEADER, near);
      await world.settle();
      return { world, near, far, stream, answered: await answered.promise, header };
    }

    test('carry a header, an answer, bytes both ways, half-closes and an end', async () => {
      const { world, near, far, stream, answered, header } = await opened();
      expect(header).toEqual(HEADER);
      answered.head({ ok: true });
      stream.write(0, numbered(0, 5000));
      await world.settle();
      stream.write(0, numbered(5000, 100_000));
      stream.end(0);
      answered.write(1, numbered(0, 70_000));
      await world.settle();
      answered.close({ error: 'that is all' });
      await world.settle();
      expect(near.heads).toEqual([{ ok: true }]);
      expect(Uint8Array.from(far.seen)).toEqual(numbered(0, 105_000));
      expect(far.ended).toEqual([0]);
      expect(Uint8Array.from(near.seen)).toEqual(numbered(0, 70_000));
      expect(near.closed).toEqual([{ error: 'that is all' }]);
    });

    test('hold a fast writer back to the window of a slow reader, and lose nothing', async () => {
      const { world, far, stream, answered } = await opened();
      const total = 4 * WINDOW_BYTES;
      for (let sent = 0; sent < total; sent += 32_768) stream.write(0, numbered(sent, 32_768));
      await world.settle();
      while (far.seen.length < total) {
        expect(far.unread).toBeLessThanOrEqual(WINDOW_BYTES);
        expect(far.unread).toBeGreaterThan(0);
        far.take(answered);
        await world.settle();
      }
      expect(Buffer.from(far.seen).equals(Buffer.from(numbered(0, total)))).toBe(true);
    });

    test('tell the other end of a reset, in both directions', async () => {
      const first = await opened();
      first.stream.reset('the client went away');
      await first.world.settle();
      expect(first.far.closed).toEqual([{ error: 'the client went away' }]);
      const second = await opened();
      second.answered.reset('the pod went away');
      await second.world.settle();
      expect(second.near.closed).toEqual([{ error: 'the pod went away' }]);
    });

    test('keep many streams apart', async () => {
      const world = await makeWorld();
      world.answer((stream) => {
        const echo: StreamEvents = {
          data: (channel, bytes) => {
            stream.write(channel, bytes.slice());
            stream.consumed(bytes.length);
          },
          end: (channel) => {
            stream.end(channel);
            stream.close();
          },
          close: () => undefined,
        };
        return echo;
      });
      const lanes = await Promise.all(
        Array.from({ length: 20 }, async (_, lane) => {
          const reader = new Reader();
          return { reader, lane, stream: await world.open(HEADER, reader) };
        }),
      );
      for (let round = 0; round < 5; round++) {
        for (const { stream, lane } of lanes) stream.write(lane, numbered(lane + round * 1000, 1000));
        await world.settle();
      }
      for (const { stream, lane } of lanes) stream.end(lane);
      await world.settle();
      for (const { reader, lane } of lanes) {
        expect(Uint8Array.from(reader.seen)).toEqual(numbered(lane, 5000));
        expect(reader.closed).toEqual([{}]);
      }
    });
  });
}
