/** Commands in running containers, and the first process's own streams: one hijacked connection each. */
import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { framesOf } from './demux.ts';
import type { ExecOptions, ExecSession } from './runtime.ts';

export async function startExec(docker: Docker, containerId: string, options: ExecOptions): Promise<ExecSession> {
  const exec = await docker.getContainer(containerId).exec({
    Cmd: options.command,
    Tty: options.tty,
    AttachStdin: options.stdin,
    AttachStdout: true,
    AttachStderr: true,
  });
  const connection = await exec.start({ hijack: true, stdin: options.stdin, Detach: false, Tty: options.tty });
  return session(connection, {
    ...options,
    resize: (columns, rows) => exec.resize({ w: columns, h: rows }),
    exitCode: async () => (await exec.inspect()).ExitCode ?? 0,
  });
}

export async function startAttach(
  docker: Docker,
  containerId: string,
  options: { stdin: boolean; tty: boolean },
): Promise<ExecSession> {
  const container = docker.getContainer(containerId);
  const connection = (await container.attach({
    hijack: true,
    stream: true,
    stdin: options.stdin,
    stdout: true,
    stderr: true,
  })) as Duplex;
  return session(connection, {
    ...options,
    resize: (columns, rows) => container.resize({ w: columns, h: rows }),
    // The output ends with the process, or because its stdin was closed once and for all.
    exitCode: async () => (await container.inspect()).State.ExitCode,
  });
}

interface Wiring {
  tty: boolean;
  stdin: boolean;
  resize(columns: number, rows: number): Promise<unknown>;
  exitCode(): Promise<number>;
}

function session(connection: Duplex, wiring: Wiring): ExecSession {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const drained = wiring.tty ? copyTerminal(connection, stdout) : copyFrames(connection, stdout, stderr);
  const finished = drained.then(
    () => {
      stdout.end();
      stderr.end();
    },
    (error: Error) => {
      // Without the error: one that nobody listens for would end the agent. A reader sees that the stream broke off.
      stdout.destroy();
      stderr.destroy();
      throw error;
    },
  );
  const ended = finished.then(wiring.exitCode);
  // Whoever wants the exit code gets the failure; nobody having asked is no reason to end the agent.
  ended.catch((error: Error) => connection.destroy(error));
  connection.on('error', () => stdout.destroy());
  if (!wiring.stdin) connection.end();
  return {
    stdin: wiring.stdin ? connection : undefined,
    stdout,
    stderr,
    resize: async (columns, rows) => {
      await wiring.resize(columns, rows);
    },
    ended,
    close: () => connection.destroy(),
  };
}

async function copyTerminal(source: Duplex, stdout: PassThrough): Promise<void> {
  for await (const chunk of source) await write(stdout, chunk as Buffer);
}

async function copyFrames(source: Duplex, stdout: PassThrough, stderr: PassThrough): Promise<void> {
  for await (const frame of framesOf(source)) await write(frame.stream === 'stdout' ? stdout : stderr, frame.bytes);
}

/** Waits for the reader: nothing piles up here. */
function write(target: PassThrough, bytes: Buffer): Promise<void> | undefined {
  if (target.destroyed || target.write(bytes)) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      target.off('drain', done).off('close', done);
      resolve();
    };
    target.on('drain', done).on('close', done);
  });
}
