/** A command whose connection breaks: whoever asks hears of it, and nothing else does. */
import { PassThrough } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { startExec } from '../../../agent/runtime/exec.ts';

type Engine = Parameters<typeof startExec>[0];

/** An engine whose exec is this connection. */
const engineWith = (connection: PassThrough): Engine =>
  ({
    getContainer: () => ({
      exec: async () => ({
        start: async () => connection,
        inspect: async () => ({ ExitCode: 0 }),
        resize: async () => undefined,
      }),
    }),
  }) as unknown as Engine;

const OPTIONS = { command: ['true'], tty: false, stdin: true };

test('a connection that breaks with nobody reading the output throws nothing into the process', async () => {
  const uncaught = vi.fn();
  process.on('uncaughtException', uncaught);
  try {
    const connection = new PassThrough();
    const session = await startExec(engineWith(connection), 'id', OPTIONS);
    connection.destroy(new Error('cut'));
    await expect(session.ended).rejects.toThrow('cut');
    await new Promise((resolve) => setImmediate(resolve));
    expect(uncaught).not.toHaveBeenCalled();
  } finally {
    process.off('uncaughtException', uncaught);
  }
});

test('a reader of the output of a broken connection is told that it is not whole', async () => {
  const connection = new PassThrough();
  const session = await startExec(engineWith(connection), 'id', OPTIONS);
  session.ended.catch(() => undefined);
  const reading = session.stdout.toArray();
  connection.destroy(new Error('cut'));
  await expect(reading).rejects.toThrow();
});
