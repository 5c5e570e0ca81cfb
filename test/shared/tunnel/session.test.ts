import { describe, expect, test } from 'vitest';
import {
  encodeCredit,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  ProtocolError,
  runsOf,
  withStream,
} from '../../../shared/tunnel/frames.ts';
import type { StreamEnd, StreamHead, StreamHeader } from '../../../shared/tunnel/kinds.ts';
import { MESSAGE_BYTES, Session } from '../../../shared/tunnel/session.ts';
import { ATOMIC_BYTES, type TunnelStream, WINDOW_BYTES } from '../../../shared/tunnel/stream.ts';
import { pairedSessions } from '../../support/paired-transport.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const HEADER: StreamHeader = { kind: 'dial', address: '10.244.0.2', port: 80 };
const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);

/** A peer that keeps what it gets and gives credit only when told to. */
function recorder() {
  const got = {
    chunks: [] as { channel: number; bytes: Uint8Array }[],
    ended: [] as number[],
    heads: [] as StreamHead[],
  };
  const ends: StreamEnd[] = [];
  let roomTold = 0;
  return {
    ...got,
    ends,
    get roomTold() {
      return roomTold;
    },
    get total() {
      return got.chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    },
    events: {
      head: (head: StreamHead) => got.heads.push(head),
      data: (channel: number, chunk: Uint8Array) => got.chunks.push({ channel, bytes: chunk.slice() }),
      end: (channel: number) => got.ended.push(channel),
      writable: () => {
        roomTold++;
      },
      close: (end: StreamEnd) => ends.push(end),
    },
  };
}

function openPair() {
  const here = recorder();
  const there = recorder();
  let answered: TunnelStream | undefined;
  let header: StreamHeader | undefined;
  const pair = pairedSessions(
    {},
    {
      onOpen: (stream, given) => {
        answered = stream;
        header = given;
        return there.events;
      },
    },
  );
  const stream = pair.opener.open(HEADER, here.events);
  const random = seededRandom(1).next;
  pair.settle(random);
  if (answered === undefined) throw new Error('the stream was not opened at the other end');
  return { pair, here, there, stream, answered, header, settle: () => pair.settle(random) };
}

describe('a stream', () => {
  test('carries its header, the head of the answer, bytes both ways and its end', () => {
    const { here, there, stream, answered, header, settle } = openPair();
    expect(header).toEqual(HEADER);
    answered.head({ ok: true });
    stream.write(0, bytes(3));
    answered.write(1, bytes(5));
    settle();
    answered.close({ status: { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success' } });
    settle();
    expect(here.heads).toEqual([{ ok: true }]);
    expect(there.total).toBe(3);
    expect(here.chunks.map((chunk) => [chunk.channel, chunk.bytes.length])).toEqual([[1, 5]]);
    expect(here.ends).toMatchObject([{ status: { status: 'Success' } }]);
    expect(there.ends).toEqual([]);
  });

  test('is forgotten by both ends once it is closed', () => {
    const { pair, answered, settle } = openPair();
    answered.close();
    settle();
    expect([pair.opener.streamCount, pair.answerer.streamCount]).toEqual([0, 0]);
  });

  test('goes on in one direction when the other is half-closed', () => {
    const { here, there, stream, answered, settle } = openPair();
    stream.end(0);
    settle();
    answered.write(1, bytes(10));
    settle();
    expect(there.ended).toEqual([0]);
    expect(here.total).toBe(10);
    expect(here.ends).toEqual([]);
  });

  test('sends no more than the window while the reader takes nothing, and the rest when it does', () => {
    const { there, stream, answered, settle } = openPair();
    let room = true;
    for (let sent = 0; sent < 3 * WINDOW_BYTES; sent += 50_000) room = stream.write(0, bytes(50_000));
    expect(room).toBe(false);
    settle();
    expect(there.total).toBeLessThanOrEqual(WINDOW_BYTES);
    expect(there.total).toBeGreaterThan(WINDOW_BYTES - ATOMIC_BYTES);
    for (let taken = 0; taken < there.total; ) {
      const unread = there.total - taken;
      answered.consumed(unread);
      taken += unread;
      settle();
    }
    expect(there.total).toBeGreaterThanOrEqual(3 * WINDOW_BYTES);
  });

  test('tells its writer once that there is room again', () => {
    const { here, there, stream, answered, settle } = openPair();
    stream.write(0, bytes(WINDOW_BYTES));
    expect(stream.write(0, bytes(WINDOW_BYTES))).toBe(false);
    settle();
    expect(here.roomTold).toBe(0);
    answered.consumed(there.total);
    settle();
    expect(here.roomTold).toBe(1);
  });

  test('keeps a small chunk in one piece, whatever the credit and the message leave', () => {
    const { there, stream, answered, settle } = openPair();
    stream.write(0, bytes(WINDOW_BYTES - 100));
    stream.write(4, bytes(ATOMIC_BYTES, 9));
    settle();
    expect(there.chunks.some((chunk) => chunk.channel === 4)).toBe(false);
    answered.consumed(there.total);
    settle();
    expect(there.chunks.filter((chunk) => chunk.channel === 4).map((chunk) => chunk.bytes.length)).toEqual([
      ATOMIC_BYTES,
    ]);
  });

  test('lets the others pass when its reader is stuck', () => {
    const stuck = openPair();
    stuck.stream.write(0, bytes(2 * WINDOW_BYTES));
    const other = stuck.pair.opener.open(HEADER, recorder().events);
    other.write(0, bytes(1000, 3));
    stuck.settle();
    expect(stuck.there.chunks.filter((chunk) => chunk.bytes[0] === 3).length).toBe(1);
  });

  test('drops what is queued and tells the other end when it is reset', () => {
    const { pair, here, there, stream, settle } = openPair();
    stream.write(0, bytes(1000));
    stream.reset('the client went away');
    settle();
    expect(there.total).toBe(0);
    expect(there.ends).toEqual([{ error: 'the client went away' }]);
    expect(here.ends).toEqual([]);
    expect([pair.opener.streamCount, pair.answerer.streamCount]).toEqual([0, 0]);
  });

  test('ends with the error of the socket when that is lost', () => {
    const { pair, here } = openPair();
    pair.opener.abort('the socket broke');
    expect(here.ends).toEqual([{ error: 'the socket broke' }]);
    expect(pair.opener.streamCount).toBe(0);
  });
});

describe('a session', () => {
  test('resets the stream of a peer that exceeds its credit and keeps the others', () => {
    const there = recorder();
    const session = new Session({ onOutput: () => undefined, onOpen: () => there.events });
    session.receive(encodeJsonFrame(FRAME.open, 1, HEADER));
    session.receive(encodeJsonFrame(FRAME.open, 2, HEADER));
    const piece = encodeFrame(FRAME.data, 1, bytes(64 * 1024 + 1));
    for (let sent = 0; sent < 5; sent++) session.receive(piece);
    expect(there.total).toBe(WINDOW_BYTES);
    expect(there.ends).toEqual([{ error: 'the peer sent more than its credit' }]);
    expect(session.streamCount).toBe(1);
    expect(session.takeOutput()?.[0]).toBe(FRAME.reset);
  });

  test('refuses more streams than it allows', () => {
    const { opener, settle } = pairedSessions({}, { maxStreams: 2, onOpen: () => recorder().events });
    const ends = [1, 2, 3].map(() => {
      const each = recorder();
      opener.open(HEADER, each.events);
      return each.ends;
    });
    settle(seededRandom(1).next);
    expect(ends).toEqual([[], [], [{ error: 'more than 2 streams at once' }]]);
  });

  test.each([
    ['a frame cut short', Uint8Array.of(FRAME.data, 0, 0)],
    ['a payload cut short', encodeFrame(FRAME.data, 1, bytes(10)).subarray(0, 12)],
    ['an unknown type', encodeFrame(99 as typeof FRAME.data, 1, bytes(1))],
    ['JSON that is none', encodeFrame(FRAME.open, 1, bytes(3))],
  ])('throws a ProtocolError for %s', (_name, message) => {
    const session = new Session({ onOutput: () => undefined, onOpen: () => recorder().events });
    expect(() => session.receive(message)).toThrow(ProtocolError);
  });

  test.each([
    ['gives back credit that was never used', encodeCredit(1, 1), 'the peer gave back more credit than it had'],
    ['opens it again', encodeJsonFrame(FRAME.open, 1, HEADER), 'the peer opened a stream that is open already'],
    ['sends data without a byte', encodeFrame(FRAME.data, 1, bytes(1)), 'the peer sent data without a byte'],
  ])('resets the stream of a peer that %s', (_name, message, error) => {
    const there = recorder();
    const session = new Session({ onOutput: () => undefined, onOpen: () => there.events });
    session.receive(encodeJsonFrame(FRAME.open, 1, HEADER));
    session.receive(message);
    expect(there.ends).toEqual([{ error }]);
  });

  test('ignores frames of streams that are over', () => {
    const session = new Session({ onOutput: () => undefined });
    session.receive(encodeFrame(FRAME.data, 77, bytes(10)));
    expect(session.takeOutput()).toBeUndefined();
  });

  test('puts the frames of several streams into one message', () => {
    const session = new Session({ onOutput: () => undefined });
    for (let count = 0; count < 5; count++) session.open(HEADER, recorder().events).write(0, bytes(10));
    const message = session.takeOutput();
    expect(runsOf(message ?? bytes(0)).map((run) => run.stream)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    expect(session.takeOutput()).toBeUndefined();
  });
});

describe('the frames of a message', () => {
  test('are cut into runs of one stream, and carried under another id', () => {
    const parts = [
      encodeFrame(FRAME.data, 5, bytes(3)),
      encodeFrame(FRAME.end, 5, Uint8Array.of(0)),
      encodeJsonFrame(FRAME.close, 9, {}),
    ];
    const message = new Uint8Array(parts.flatMap((part) => [...part]));
    const runs = runsOf(message);
    expect(runs.map(({ stream, final }) => ({ stream, final }))).toEqual([
      { stream: 5, final: false },
      { stream: 9, final: true },
    ]);
    const first = withStream(message.subarray(runs[0]?.start, runs[0]?.end), 0xfffffffe);
    expect(runsOf(first)).toEqual([{ stream: 0xfffffffe, start: 0, end: first.length, final: false }]);
  });
});

/** Many streams, random chunks, slow readers, half-closes and resets, over wires that carry messages in random order. */
describe('any traffic', () => {
  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'arrives whole, in order, within the windows (seed %i)',
    (seed) => {
      const random = seededRandom(seed).next;
      const pick = (limit: number) => Math.floor(random() * limit);
      const lanes: ReturnType<typeof lane>[] = [];

      function reader() {
        const unread: number[] = [];
        const seen: number[] = [];
        return {
          seen,
          ended: false,
          closed: undefined as StreamEnd | undefined,
          unread: () => unread.reduce((sum, each) => sum + each, 0),
          take(stream: TunnelStream) {
            const next = unread.shift();
            if (next !== undefined) stream.consumed(next);
            return next !== undefined;
          },
          got(chunk: Uint8Array) {
            unread.push(chunk.length);
            for (const each of chunk) seen.push(each);
          },
        };
      }

      function lane(stream: TunnelStream, far: ReturnType<typeof reader>, near: ReturnType<typeof reader>) {
        return {
          stream,
          answered: undefined as TunnelStream | undefined,
          far,
          near,
          sent: [] as number[],
          back: [] as number[],
          done: false,
          reset: false,
          blocked: false,
        };
      }

      const waiting: ReturnType<typeof reader>[] = [];
      const pair = pairedSessions(
        {},
        {
          onOpen: (stream) => {
            const far = waiting.shift()!;
            const mine = lanes.find((each) => each.far === far);
            if (mine !== undefined) mine.answered = stream;
            return {
              data: (_channel, chunk) => far.got(chunk),
              end: () => {
                far.ended = true;
              },
              close: (end) => {
                far.closed = end;
              },
            };
          },
        },
      );
      for (let count = 0; count < 2 + pick(6); count++) {
        const far = reader();
        const near = reader();
        waiting.push(far);
        const mine: ReturnType<typeof lane> = lane(
          pair.opener.open(HEADER, {
            data: (_channel, chunk) => near.got(chunk),
            writable: () => {
              mine.blocked = false;
            },
            close: (end) => {
              near.closed = end;
            },
          }),
          far,
          near,
        );
        lanes.push(mine);
      }
      const goal = 200_000 + pick(300_000);
      let mark = 0;
      for (let turn = 0; turn < 400; turn++) {
        const mine = lanes[pick(lanes.length)]!;
        const action = pick(10);
        if (action < 4 && !mine.done && !mine.blocked && mine.sent.length < goal) {
          const chunk = Uint8Array.from({ length: 1 + pick(pick(2) === 0 ? 100 : 40_000) }, () => mark++ % 251);
          mine.sent.push(...chunk);
          mine.blocked = !mine.stream.write(0, chunk);
        } else if (action < 5 && mine.answered && !mine.done) {
          const chunk = Uint8Array.from({ length: 1 + pick(2000) }, () => mark++ % 251);
          mine.back.push(...chunk);
          mine.answered.write(1, chunk);
        } else if (action < 7) {
          pair.step(random);
        } else if (action < 9 && mine.answered) {
          mine.far.take(mine.answered);
          mine.near.take(mine.stream);
        } else if (action === 9 && pick(40) === 0 && mine.answered && !mine.done) {
          mine.done = true;
          mine.reset = true;
          mine.stream.reset('enough');
        }
        for (const each of lanes)
          expect(Math.max(each.far.unread(), each.near.unread())).toBeLessThanOrEqual(WINDOW_BYTES);
      }
      for (const each of lanes) if (!each.done) each.stream.end(0);
      let more = true;
      while (more) {
        pair.settle(random);
        more = lanes.some((each) => {
          const far = each.answered !== undefined && each.far.take(each.answered);
          return each.near.take(each.stream) || far;
        });
      }
      for (const each of lanes) {
        if (each.reset) {
          expect(each.far.closed).toEqual({ error: 'enough' });
          expect(each.sent.slice(0, each.far.seen.length)).toEqual(each.far.seen);
        } else {
          expect(each.far.ended).toBe(true);
          expect(Buffer.from(each.far.seen).equals(Buffer.from(each.sent))).toBe(true);
          expect(Buffer.from(each.near.seen).equals(Buffer.from(each.back))).toBe(true);
        }
      }
      for (const each of lanes) if (!each.reset) each.answered?.close();
      pair.settle(random);
      expect([pair.opener.streamCount, pair.answerer.streamCount]).toEqual([0, 0]);
      expect(MESSAGE_BYTES).toBeLessThan(WINDOW_BYTES);
    },
  );
});
