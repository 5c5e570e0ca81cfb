/**
 * Processes that another `longshore` started, found again by their pid files. A pid that now belongs to something else is
 * told by its command line, and left alone.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';

function readOf(pid: number, file: 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}

/** The command line of a live process, '' when there is none of that pid. */
const commandLineOf = (pid: number): string => readOf(pid, 'cmdline').replaceAll('\0', ' ');

const pidIn = (path: string): number =>
  existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : Number.NaN;

/** @param mark must occur in the process' command line. */
export function runningPid(path: string, mark: string): number | undefined {
  const pid = pidIn(path);
  return Number.isInteger(pid) && pid > 1 && commandLineOf(pid).includes(mark) ? pid : undefined;
}

/**
 * Whether it may still have files and sockets open. One that is ending loses its command line first, so that tells nothing;
 * one that nobody has waited for (Z) has nothing any more.
 */
export function isAlive(pid: number): boolean {
  const stat = readOf(pid, 'stat');
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

const ENDING_MS = 2_000;

/** Waits until a process that was killed has let go of what it had. */
export async function hasEnded(path: string): Promise<void> {
  const pid = pidIn(path);
  const deadline = Date.now() + ENDING_MS;
  while (pid > 1 && commandLineOf(pid) === '' && isAlive(pid) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Signals a process and waits for its end; SIGKILL after `graceMs`. */
export async function endProcess(pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  process.kill(pid, signal);
  const deadline = Date.now() + graceMs;
  let killed = false;
  while (isAlive(pid)) {
    if (!killed && Date.now() > deadline) {
      process.kill(pid, 'SIGKILL');
      killed = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Ends what a pid file names, if it still runs, and removes the file. */
export async function endByPidFile(
  path: string,
  mark: string,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<boolean> {
  const pid = runningPid(path, mark);
  if (pid === undefined) await hasEnded(path);
  else await endProcess(pid, signal, graceMs);
  rmSync(path, { force: true });
  return pid !== undefined;
}
