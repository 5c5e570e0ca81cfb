import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ExecSession } from '../../../../agent/runtime/runtime.ts';
import { badRequest } from '../../../../shared/errors.ts';
import {
  CHANNELS,
  type ExecHeader,
  type LogsHeader,
  type PortForwardHeader,
  type StreamHeader,
} from '../../../../shared/tunnel/kinds.ts';
import { eventually } from '../../../support/eventually.ts';
import { streamWorld } from '../../../support/stream-world.ts';

const POD = { namespace: 'default', pod: 'web', uid: 'u1' };
const EXEC: ExecHeader = {
  kind: 'exec',
  ...POD,
  container: 'main',
  command: ['sh'],
  stdin: true,
  stdout: true,
  stderr: true,
  tty: false,
};
const LOGS: LogsHeader = { kind: 'logs', ...POD, container: 'main', follow: false, previous: false, timestamps: false };

/** A command that a test plays. */
function command() {
  const ended = Promise.withResolvers<number>();
  const sizes: [number, number][] = [];
  const stdin = new PassThrough();
  const session = {
    stdin,
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    closed: false,
    resize: async (columns: number, rows: number) => {
      sizes.push([columns, rows]);
    },
    ended: ended.promise,
    close: () => {
      session.closed = true;
    },
  };
  const exit = (code: number) => {
    session.stdout.end();
    session.stderr.end();
    ended.resolve(code);
  };
  return { session: session as ExecSession & { closed: boolean }, stdin, sizes, exit, fail: ended.reject };
}

describe('exec', () => {
  test('carries stdin with its end, both outputs apart, and the exit code as Kubernetes’ Status', async () => {
    const { session, stdin, exit } = command();
    const opened = streamWorld({ exec: async () => session }).open(EXEC);
    opened.stream.write(CHANNELS.stdin, Buffer.from('input'));
    opened.stream.end(CHANNELS.stdin);
    let read = '';
    for await (const chunk of stdin) read += String(chunk);
    expect(read).toBe('input');
    (session.stdout as PassThrough).write('out');
    (session.stderr as PassThrough).write('err');
    exit(7);
    expect(await opened.ended()).toEqual({
      status: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'command terminated with non-zero exit code: exit status 7',
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: '7' }] },
      },
    });
    expect([opened.text(CHANNELS.stdout), opened.text(CHANNELS.stderr)]).toEqual(['out', 'err']);
  });

  test('ends with Success only when all output has been sent', async () => {
    const { session, exit } = command();
    const opened = streamWorld({ exec: async () => session }).open(EXEC);
    for (let count = 0; count < 50; count++) (session.stdout as PassThrough).write(Buffer.alloc(20_000, count));
    exit(0);
    expect(await opened.ended()).toMatchObject({ status: { status: 'Success' } });
    expect(opened.bytes(CHANNELS.stdout).length).toBe(1_000_000);
  });

  test('resizes the terminal, also when the size came before the command began', async () => {
    const { session, sizes, exit } = command();
    const begin = Promise.withResolvers<ExecSession>();
    const opened = streamWorld({ exec: () => begin.promise }).open({ ...EXEC, tty: true });
    const resize = (text: string) => opened.stream.write(CHANNELS.resize, Buffer.from(text));
    resize('{"Width":80,"Height":24}');
    resize('{"Width":100,"Height":30}');
    resize('nonsense');
    begin.resolve(session);
    await opened.head();
    await eventually('the first size', () => sizes.length > 0);
    resize('{"Width":120,"Height":40}');
    await eventually('the second size', () => sizes.length > 1);
    expect(sizes.at(-1)).toEqual([120, 40]);
    exit(0);
    await opened.ended();
  });

  test('that cannot begin is refused in the kubelet’s words', async () => {
    const world = streamWorld({ exec: () => Promise.reject(badRequest('container not found ("x")')) });
    expect(await world.open(EXEC).head()).toMatchObject({
      ok: false,
      status: { code: 400, message: 'container not found ("x")' },
    });
  });

  test('is let go when the client leaves, and outputs that break then harm nobody', async () => {
    const { session } = command();
    const opened = streamWorld({ exec: async () => session }).open(EXEC);
    await opened.head();
    opened.stream.reset('the client went away');
    await eventually('the session is closed', () => session.closed);
    session.stdout.destroy(new Error('the connection was closed'));
    session.stderr.destroy(new Error('the connection was closed'));
    await eventually('both are gone', () => session.stdout.destroyed && session.stderr.destroyed);
  });

  test('goes on when the client closes behind its last byte: all input, then its end, and outputs that nobody holds up', async () => {
    const { session, stdin, exit } = command();
    const begin = Promise.withResolvers<ExecSession>();
    const world = streamWorld({ exec: () => begin.promise });
    const { stream } = world.open(EXEC);
    const input = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * 31) % 256));
    for (let at = 0; at < input.length; at += 100_000) stream.write(CHANNELS.stdin, input.subarray(at, at + 100_000));
    stream.close();
    await eventually('the window is full', () => stream.waitingBytes > 0 && stream.waitingBytes < input.length);
    begin.resolve(session);
    const read: Buffer[] = [];
    for await (const chunk of stdin) read.push(chunk as Buffer);
    expect(Buffer.concat(read).equals(input)).toBe(true);
    await eventually('both ends forget the stream', () => world.worker.streamCount + world.agent.streamCount === 0);
    const stdout = session.stdout as PassThrough;
    for (let count = 0; count < 200; count++) {
      if (!stdout.write(Buffer.alloc(20_000))) await once(stdout, 'drain');
    }
    expect(session.closed).toBe(false);
    exit(0);
    await eventually('the outputs are read to their end', () => stdout.readableEnded && session.stderr.readableEnded);
  });

  test('that nobody sends input is let go when the client closes', async () => {
    const { session } = command();
    const opened = streamWorld({ exec: async () => session }).open({ ...EXEC, stdin: false });
    await opened.head();
    opened.stream.close();
    await eventually('the session is closed', () => session.closed);
  });

  test('whose engine fails after the client closed says so in the log', async () => {
    const { session, fail } = command();
    const world = streamWorld({ exec: async () => session });
    const opened = world.open(EXEC);
    await opened.head();
    opened.stream.close();
    await eventually('the end of the input', () => (session.stdin as PassThrough).writableEnded);
    fail(new Error('the engine went away'));
    await eventually('the session is closed', () => session.closed);
    expect(world.log.lines.join('\n')).toContain('a command that nobody watches broke off');
  });

  test('ends with a Status when the engine fails in the middle', async () => {
    const { session, fail } = command();
    const opened = streamWorld({ exec: async () => session }).open(EXEC);
    await opened.head();
    fail(new Error('the engine went away'));
    expect(await opened.ended()).toMatchObject({
      status: { code: 500, message: expect.stringContaining('the engine went away') },
    });
  });
});

describe('logs', () => {
  test('are sent to their end', async () => {
    const world = streamWorld({
      async *logs(_uid, query) {
        yield Buffer.from(`of ${query.container}\n`);
        yield Buffer.from('two\n');
      },
    });
    const opened = world.open(LOGS);
    expect(await opened.head()).toEqual({ ok: true });
    expect(await opened.ended()).toEqual({});
    expect(opened.text()).toBe('of main\ntwo\n');
  });

  test('that cannot be read are refused in the kubelet’s words', async () => {
    const text = 'container "main" in pod "web" is waiting to start: ContainerCreating';
    const world = streamWorld({
      logs() {
        throw badRequest(text);
      },
    });
    for (const follow of [false, true]) {
      expect(await world.open({ ...LOGS, follow }).head()).toMatchObject({ ok: false, status: { message: text } });
    }
  });

  test('that are followed are answered before the first line, and stop when the reader leaves', async () => {
    let aborted = false;
    const world = streamWorld({
      async *logs(_uid, _query, signal) {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        aborted = true;
        yield* [];
      },
    });
    const opened = world.open({ ...LOGS, follow: true });
    expect(await opened.head()).toEqual({ ok: true });
    opened.stream.reset('the client went away');
    await eventually('reading stops', () => aborted);
  });
});

test('a kind that this minion does not know is refused, and the others go on', async () => {
  const { session, exit } = command();
  const world = streamWorld({ exec: async () => session });
  const unknown = world.open({ kind: 'teleport' } as unknown as StreamHeader);
  expect(await unknown.head()).toMatchObject({
    ok: false,
    status: { code: 400, message: 'this minion knows no streams of kind "teleport"' },
  });
  const opened = world.open(EXEC);
  exit(0);
  expect(await opened.ended()).toMatchObject({ status: { status: 'Success' } });
});

test('port-forward to a pod that does not run never reaches the minion’s own ports', async () => {
  const header: PortForwardHeader = { kind: 'portforward', ...POD, hostNetwork: false, ports: [22] };
  const world = streamWorld({ sandboxPid: () => undefined });
  expect(await world.open(header).head()).toMatchObject({
    ok: false,
    status: { message: 'unable to forward port because pod web is not running' },
  });
});

describe('port-forward by channels', () => {
  /** Less than a window, so that the close is there before the connection is. */
  const INPUT = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 31) % 251));

  /** A server on this machine's loopback, and a forward to it as a pod on the host network has it. */
  async function forwarded(onConnection: (socket: Socket) => void) {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const world = streamWorld({ sandboxPid: () => undefined });
    return { world, opened: world.open({ kind: 'portforward', ...POD, hostNetwork: true, ports: [port] }) };
  }

  test.each([
    ['says nothing', (socket: Socket) => void socket.on('end', () => socket.end())],
    [
      'talks on, and never ends its side',
      (socket: Socket) => {
        const chatter = setInterval(() => socket.write('and more'), 10);
        socket.on('close', () => clearInterval(chatter));
      },
    ],
  ])('gives a pod that %s all that came before its client closed, an end, and a close', async (_what, talk) => {
    const got: Buffer[] = [];
    const [ended, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { world, opened } = await forwarded((socket) => {
      socket.on('data', (bytes) => got.push(bytes)).on('end', () => ended.resolve());
      socket.on('error', () => undefined).on('close', () => closed.resolve());
      talk(socket);
    });
    for (let at = 0; at < INPUT.length; at += 50_000) opened.stream.write(0, INPUT.subarray(at, at + 50_000));
    opened.stream.close();
    await ended.promise;
    expect(Buffer.concat(got).equals(INPUT)).toBe(true);
    await eventually('both ends forget the stream', () => world.worker.streamCount + world.agent.streamCount === 0);
    await closed.promise;
  });

  test('breaks its connections off when the client is lost', async () => {
    const closed = Promise.withResolvers<void>();
    const { opened } = await forwarded((socket) => {
      socket.on('error', () => undefined).on('close', () => closed.resolve());
      socket.resume().on('end', () => socket.end());
    });
    opened.stream.write(0, Buffer.from('x'));
    await opened.head();
    opened.stream.reset('the minion’s Relay is gone');
    await closed.promise;
  });
});
