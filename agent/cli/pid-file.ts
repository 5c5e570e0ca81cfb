/**
 * Processes that another `longshore` started, found again by their pid files. A pid that now belongs to something else is
 * told by its command line, and left alone.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';

/** The command line of a live process, '' when there is none of that pid. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}

/** @param mark must occur in the process' command line. */
export function runningPid(path: string, mark: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return Number.isInteger(pid) && pid > 1 && commandLineOf(pid).includes(mark) ? pid : undefined;
}

export const isAlive = (pid: number): boolean => commandLineOf(pid) !== '';

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
  if (pid !== undefined) await endProcess(pid, signal, graceMs);
  rmSync(path, { force: true });
  return pid !== undefined;
}
