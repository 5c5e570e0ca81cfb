/**
 * A Docker engine inside a test host's network namespace, with its own state, so that several minions run on one machine.
 * Started with nsenter: `ip netns exec` would remount /sys and hide the cgroups from it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface HostEngine {
  /** Path of its Unix socket. */
  socket: string;
  /** `docker ARGS` against this engine; resolves with standard output. */
  docker(...args: string[]): Promise<string>;
  /** Copies images that another engine (by default the machine's own) holds. */
  copyImages(references: readonly string[], fromSocket?: string): Promise<void>;
  /** Removes its containers, ends it, removes its state. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;

export async function startHostEngine(host: { name: string; netns: string }): Promise<HostEngine> {
  const directory = await mkdtemp(join(tmpdir(), `engine-${host.name}-`));
  const socket = join(directory, 'sock');
  const child = spawn(
    'nsenter',
    [
      `--net=${host.netns}`,
      'dockerd',
      ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
      ...['-p', join(directory, 'pid'), '-H', `unix://${socket}`, '--bridge', 'none'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const docker = async (...args: string[]) =>
    (await run('docker', ['-H', `unix://${socket}`, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;

  const engine: HostEngine = {
    socket,
    docker,
    copyImages: async (references, fromSocket = '/var/run/docker.sock') => {
      const archive = join(directory, 'images.tar');
      await run('docker', ['-H', `unix://${fromSocket}`, 'save', '-o', archive, ...references]);
      await docker('load', '-i', archive);
      await rm(archive);
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ids = (await docker('ps', '-aq')).split('\n').filter(Boolean);
        if (ids.length > 0) await docker('rm', '-f', ...ids);
        await end(child);
      }
      await unmountBelow(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };

  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      await docker('version');
      return engine;
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`the Docker engine of ${host.name} did not start:\n${said}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const STOP_DEADLINE_MS = 30_000;

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const insist = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    child.once('exit', () => {
      clearTimeout(insist);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** An engine that was killed leaves overlay and namespace mounts behind, which keep its directory from being removed. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.reverse()) await run('umount', ['-l', path]);
}
