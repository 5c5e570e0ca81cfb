/**
 * `longshore upgrade`: the version of this clone takes the place of what runs in the background, control plane and minion.
 * Pods go on running, whoever connects meanwhile waits, and sockets come back by themselves; nobody is told goodbye.
 */
import { rmSync } from 'node:fs';
import { bundleWorker } from '../control-plane/bundle.ts';
import { PROJECT } from '../control-plane/control-plane.ts';
import { layoutOf } from '../control-plane/layout.ts';
import { runningPid } from '../pid-file.ts';
import type { Settings } from '../settings.ts';
import { marksOf, runningSupervisor, supervisorIsReady } from '../supervisor.ts';
import { SUCCESSION_SIGNAL, supervisorLogTail } from './supervise.ts';

const UPGRADE_MS = 90_000;

const print = (line: string) => void process.stdout.write(`${line}\n`);

/** @throws when nothing runs that could be replaced, or the new version does not come up. */
export async function upgrade(settings: Settings): Promise<void> {
  const layout = layoutOf(settings.dataDir);
  const before = runningSupervisor(layout);
  if (before === undefined) throw new Error('nothing runs here to be replaced: `longshore up` starts this version');
  if (runningPid(layout.supervisorPid, ' --sockets ') === undefined) {
    throw new Error(
      `longshore runs in a terminal (process ${before}): end it there, pods go on running, and start it again`,
    );
  }
  print('Making the new version ready …');
  // What does not even bundle is said here, where somebody reads it, and nothing has happened.
  if (settings.minion.server === undefined) await bundleWorker(PROJECT, layout.bundles);
  rmSync(layout.successorPid, { force: true });
  process.kill(before, SUCCESSION_SIGNAL);
  const deadline = Date.now() + UPGRADE_MS;
  let successor: number | undefined;
  while (runningSupervisor(layout) === before || !supervisorIsReady(layout)) {
    const alive = runningPid(layout.successorPid, marksOf(layout).supervisor);
    if (Date.now() > deadline || (successor !== undefined && alive === undefined)) {
      throw new Error(`the new version did not come up:\n${supervisorLogTail(layout)}`);
    }
    successor ??= alive;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  print(`Longshore runs in this version (process ${runningSupervisor(layout)}); pods were left as they are.`);
}
