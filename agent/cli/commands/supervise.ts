/**
 * `longshore supervise`: what --detach starts, a process with no terminal that ends by signal and is replaced by another one
 * of the clone's present version on SIGHUP. The successor makes itself ready first; if it cannot, nothing has happened.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freeSockets, PROJECT } from '../control-plane/control-plane.ts';
import { withOpenSockets } from '../control-plane/held-sockets.ts';
import { type Layout, layoutOf } from '../control-plane/layout.ts';
import { keepSettings, type Settings } from '../settings.ts';
import { endStrays, GOODBYE_SIGNAL, Supervisor, supervisorIsReady } from '../supervisor.ts';

const CONTROL_PLANE_MS = 45_000;
/** What asks a supervisor to let another one follow it. */
export const SUCCESSION_SIGNAL = 'SIGHUP';

/**
 * @param descriptors of the control plane's sockets; none: whoever started this holds none
 * @param predecessor the supervisor to follow
 */
export async function supervise(
  settings: Settings,
  descriptors: readonly number[] = [],
  predecessor?: number,
): Promise<void> {
  const say = (line: string) => void process.stdout.write(`${new Date().toISOString()} ${line}\n`);
  const layout = layoutOf(settings.dataDir);
  const supervisor = new Supervisor(settings, say, descriptors);
  const { promise: told, resolve: tell } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM', GOODBYE_SIGNAL] as const) process.on(signal, () => tell(signal));
  let successor: ChildProcess | undefined;
  process.on(SUCCESSION_SIGNAL, () => {
    if (successor !== undefined) return;
    say('another version is to follow');
    successor = spawnSupervisor(layout, descriptors, process.pid);
    writeFileSync(layout.successorPid, `${successor.pid}\n`);
    successor.once('exit', () => {
      successor = undefined;
      say('it could not; this one goes on');
    });
  });
  if (predecessor !== undefined) await supervisor.succeed(predecessor);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.stop(false);
    throw error;
  }
  await supervisor.stop((await told) === GOODBYE_SIGNAL);
}

/** In a session of its own that outlives this process, with these sockets as its first descriptors after the standard ones. */
function spawnSupervisor(layout: Layout, descriptors: readonly number[], after?: number): ChildProcess {
  const log = openSync(supervisorLog(layout), 'a', 0o640);
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(PROJECT, 'agent/cli/main.ts'),
      'supervise',
      '--data-dir',
      layout.dataDir,
      '--sockets',
      String(descriptors.length),
      ...(after === undefined ? [] : ['--after', String(after)]),
    ],
    { detached: true, stdio: ['ignore', log, log, ...descriptors] },
  );
  closeSync(log);
  child.unref();
  return child;
}

const supervisorLog = (layout: Layout): string => join(layout.logs, 'longshore.log');

export const supervisorLogTail = (layout: Layout, lines = 15): string =>
  readFileSync(supervisorLog(layout), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');

/** Starts `longshore supervise`, which outlives this process; resolves when the API answers. */
export async function startDetached(layout: Layout, settings: Settings): Promise<void> {
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  keepSettings(settings);
  // They would still have the sockets.
  await endStrays(layout, (line) => void process.stdout.write(`${line}\n`));
  const sockets = settings.minion.server === undefined ? await freeSockets(settings) : [];
  const child = await withOpenSockets(sockets, (descriptors) => spawnSupervisor(layout, descriptors));
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = signal === null ? `exited with ${code}` : `was killed by ${signal}`;
  });
  const deadline = Date.now() + CONTROL_PLANE_MS;
  while (!supervisorIsReady(layout)) {
    if (ended !== undefined || Date.now() > deadline) {
      throw new Error(
        `longshore ${ended ?? `did not come up within ${CONTROL_PLANE_MS / 1000} s`}:\n${supervisorLogTail(layout)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
