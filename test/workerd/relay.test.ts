import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test, vi } from 'vitest';
import { encodeFrame, encodeJsonFrame, FRAME } from '../../shared/tunnel/frames.ts';
import type { StreamEnd, StreamHeader } from '../../shared/tunnel/kinds.ts';
import { Session } from '../../shared/tunnel/session.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import type { Env } from '../../worker/env.ts';
import { connectMinion, openStream, requireConnected } from '../../worker/links/tunnel.ts';
import { sessionContract } from '../contracts/session.ts';
import { eventually } from '../support/eventually.ts';

const bindings = env as unknown as Env;
const HEADER: StreamHeader = { kind: 'dial', address: '10.244.0.2', port: 80 };
let count = 0;
const freshTarget = () => ({ cluster: 'relay-test', node: `m${count++}` });
type Target = ReturnType<typeof freshTarget>;

const relayOf = ({ cluster, node }: Target) => bindings.RELAY.get(bindings.RELAY.idFromName(`${cluster}/${node}`));

/** A minion's end of its data socket, as the agent has it. */
async function connectedMinion(target: Target) {
  const response = await connectMinion(bindings, target);
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status}`);
  socket.binaryType = 'arraybuffer';
  socket.accept();
  const closes: { code: number; reason: string }[] = [];
  let moved = 0;
  let handler: ((stream: TunnelStream, header: StreamHeader) => StreamEvents) | undefined;
  const session = new Session({
    onOutput: () =>
      queueMicrotask(() => {
        for (let message = session.takeOutput(); message; message = session.takeOutput()) socket.send(message);
      }),
    onOpen: (stream, header) => {
      if (handler === undefined) throw new Error('nobody answers');
      return handler(stream, header);
    },
  });
  socket.addEventListener('message', ({ data }) => {
    moved++;
    session.receive(new Uint8Array(data as ArrayBuffer));
  });
  socket.addEventListener('close', ({ code, reason }) => {
    closes.push({ code, reason });
    session.abort(reason);
  });
  return {
    socket,
    session,
    closes,
    messages: () => moved,
    answer: (given: NonNullable<typeof handler>) => {
      handler = given;
    },
  };
}

const silent = (): StreamEvents & { ends: StreamEnd[]; bytes: number[] } => {
  const ends: StreamEnd[] = [];
  const bytes: number[] = [];
  return { ends, bytes, data: (_channel, chunk) => bytes.push(...chunk), close: (end) => ends.push(end) };
};

/** Nothing has moved for a while; the Relay then forgets what it only remembers. */
async function quiet(activity: () => string): Promise<void> {
  let before = '';
  let same = 0;
  await eventually('quiet', () => {
    const now = activity();
    same = now === before ? same + 1 : 0;
    before = now;
    return same >= 2;
  });
}

sessionContract('a Relay that is evicted between steps', async () => {
  const target = freshTarget();
  const minion = await connectedMinion(target);
  let received = 0;
  const counted = (events: StreamEvents): StreamEvents => ({
    head: (head) => {
      received++;
      events.head?.(head);
    },
    data: (channel, bytes) => {
      received += bytes.length;
      events.data(channel, bytes);
    },
    end: (channel) => {
      received++;
      events.end?.(channel);
    },
    close: (end) => {
      received++;
      events.close(end);
    },
  });
  return {
    open: (header, events) => openStream(bindings, target, header, counted(events)),
    answer: (handler) => minion.answer(handler),
    settle: async () => {
      await quiet(() => `${minion.messages()} ${received}`);
      await evictDurableObject(relayOf(target));
    },
  };
});

describe('the Relay', () => {
  test('answers 503 with a Status while its minion is not connected', async () => {
    const target = freshTarget();
    const refused = { status: { code: 503, message: `minion ${target.node} is not connected` } };
    await expect(openStream(bindings, target, HEADER, silent())).rejects.toMatchObject(refused);
    await expect(requireConnected(bindings, target)).rejects.toMatchObject(refused);
    await connectedMinion(target);
    await expect(requireConnected(bindings, target)).resolves.toBeUndefined();
  });

  test('ends the streams of a minion that disconnects', async () => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    minion.answer(silent);
    const events = silent();
    await openStream(bindings, target, HEADER, events);
    await eventually('the stream arrives', () => minion.session.streamCount === 1);
    await evictDurableObject(relayOf(target));
    minion.socket.close(1000, 'stopping');
    await eventually('the client hears of it', () => events.ends.length > 0);
    expect(events.ends).toEqual([{ error: `minion ${target.node} disconnected` }]);
    await expect(requireConnected(bindings, target)).rejects.toMatchObject({ status: { code: 503 } });
  });

  test('lets a new socket of the minion replace the old, and ends the streams of the old', async () => {
    const target = freshTarget();
    const old = await connectedMinion(target);
    old.answer(silent);
    const events = silent();
    await openStream(bindings, target, HEADER, events);
    await evictDurableObject(relayOf(target));
    const fresh = await connectedMinion(target);
    fresh.answer((stream) => {
      stream.write(0, Uint8Array.of(42));
      return silent();
    });
    await eventually('both ends hear of it', () => events.ends.length > 0 && old.closes.length > 0);
    expect(events.ends).toEqual([{ error: `minion ${target.node} connected anew` }]);
    expect(old.closes).toEqual([{ code: 4001, reason: 'the minion connected anew' }]);
    const second = silent();
    await openStream(bindings, target, HEADER, second);
    await eventually('the new socket answers', () => second.bytes.length > 0);
    expect(second.bytes).toEqual([42]);
  });

  test('answers the close of either side, so that nobody waits for it', async () => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    minion.socket.close(1000, 'stopping');
    await eventually('the handshake ends', () => minion.closes.length > 0);
    expect(minion.closes[0]?.code).toBe(1000);
  });

  test('tells the minion when a client goes away without a word', async () => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    const far = silent();
    minion.answer(() => far);
    const answer = await relayOf(target).fetch(`https://relay/stream?node=${target.node}`, {
      headers: { Upgrade: 'websocket' },
    });
    const socket = answer.webSocket;
    if (socket === null) throw new Error('no socket');
    socket.accept();
    socket.send(encodeJsonFrame(FRAME.open, 1, HEADER));
    await eventually('the stream arrives', () => minion.session.streamCount === 1);
    await evictDurableObject(relayOf(target));
    socket.close(1000, 'gone');
    await eventually('the minion hears of it', () => far.ends.length > 0);
    expect(far.ends).toEqual([{ error: 'the client went away' }]);
  });

  test('closes a socket that sends what is no frame, and keeps the others', async () => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    minion.answer((stream) => {
      const events = silent();
      return { ...events, data: (channel, bytes) => stream.write(channel, bytes.slice()) };
    });
    const good = silent();
    const stream = await openStream(bindings, target, HEADER, good);
    const answer = await relayOf(target).fetch(`https://relay/stream?node=${target.node}`, {
      headers: { Upgrade: 'websocket' },
    });
    const socket = answer.webSocket;
    if (socket === null) throw new Error('no socket');
    const closed = Promise.withResolvers<number>();
    socket.addEventListener('close', ({ code }) => closed.resolve(code));
    socket.accept();
    socket.send(encodeFrame(FRAME.data, 1, Uint8Array.of(0, 1)).subarray(0, 5));
    expect(await closed.promise).toBe(1002);
    stream.write(0, Uint8Array.of(1, 2, 3));
    await eventually('the echo', () => good.bytes.length === 3);
    expect(minion.closes).toEqual([]);
  });

  test.each([
    ['a frame cut short', encodeFrame(FRAME.data, 1, Uint8Array.of(0, 1)).subarray(0, 5), 'a frame is cut short'],
    ['a frame of no type', Uint8Array.of(99, 0, 0, 0, 1, 0, 0, 0, 0), 'no frame has type 99'],
    ['text', 'hello', 'a data socket carries frames, not text'],
  ])(
    'closes a minion’s socket that sends %s, says so in one line, and takes it back',
    async (_what, message, reason) => {
      const target = freshTarget();
      const minion = await connectedMinion(target);
      minion.answer(silent);
      const events = silent();
      await openStream(bindings, target, HEADER, events);
      const lines: unknown[] = [];
      vi.spyOn(console, 'warn').mockImplementation((line: string) => void lines.push(JSON.parse(line)));
      minion.socket.send(message);
      await eventually('both ends hear of it', () => minion.closes.length > 0 && events.ends.length > 0);
      vi.restoreAllMocks();
      expect(minion.closes).toEqual([{ code: 1002, reason }]);
      expect(events.ends).toEqual([{ error: `minion ${target.node} disconnected` }]);
      expect(lines).toEqual([{ level: 'warn', room: 'relay', node: target.node, malformed: reason }]);
      await connectedMinion(target);
      await expect(requireConnected(bindings, target)).resolves.toBeUndefined();
    },
  );

  const malformedHead = 'the head of an answer is malformed';
  test.each([
    ['a head that is nothing', FRAME.head, null, malformedHead],
    ['a head that says neither yes nor no', FRAME.head, {}, malformedHead],
    ['a refusal without its Status', FRAME.head, { ok: false }, malformedHead],
    ['a Status with a code of its own', FRAME.head, { ok: false, status: { code: 9999 } }, malformedHead],
    [
      'an answer with a code of its own',
      FRAME.head,
      { ok: true, http: { status: 99, statusText: '', headers: [] } },
      malformedHead,
    ],
    [
      'headers that are none',
      FRAME.head,
      { ok: true, http: { status: 200, statusText: '', headers: [['a b', 'c']] } },
      malformedHead,
    ],
    ['an end that is nothing', FRAME.close, null, 'the end of a stream is malformed'],
    ['a reset with a number for a reason', FRAME.reset, { error: 1 }, 'the end of a stream is malformed'],
  ])('lets %s end that stream alone, in one line of the log', async (_what, type, word, reason) => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    minion.answer((stream) => {
      const events = silent();
      return { ...events, data: (channel, bytes) => stream.write(channel, bytes.slice()) };
    });
    const [bad, good] = [silent(), silent()];
    const lines: unknown[] = [];
    vi.spyOn(console, 'warn').mockImplementation((line: string) => void lines.push(JSON.parse(line)));
    await openStream(bindings, target, HEADER, bad);
    const other = await openStream(bindings, target, HEADER, good);
    minion.socket.send(encodeJsonFrame(type, 1, word));
    await eventually('the end', () => bad.ends.length > 0);
    vi.restoreAllMocks();
    expect(bad.ends).toEqual([{ error: reason }]);
    expect(lines).toEqual([{ level: 'warn', room: 'links', node: target.node, malformed: reason }]);
    other.write(0, Uint8Array.of(1, 2, 3));
    await eventually('the echo', () => good.bytes.length === 3);
    expect(minion.closes).toEqual([]);
  });

  test('never gives a stream id twice to one minion socket', async () => {
    const target = freshTarget();
    const minion = await connectedMinion(target);
    const ids: number[] = [];
    minion.answer((stream) => {
      ids.push(stream.id);
      stream.close();
      return silent();
    });
    for (let turn = 0; turn < 3; turn++) {
      const events = silent();
      await openStream(bindings, target, HEADER, events);
      await eventually('the end', () => events.ends.length > 0);
      await evictDurableObject(relayOf(target));
    }
    expect(new Set(ids).size).toBe(3);
  });
});
