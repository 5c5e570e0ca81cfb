/** `longshore down`: ends what runs, with a goodbye to the cluster; with --purge, removes every trace from this machine. */
import { existsSync, rmSync } from 'node:fs';
import { type Layout, layoutOf } from '../control-plane/layout.ts';
import { endByPidFile, endProcess } from '../pid-file.ts';
import { purge } from '../purge.ts';
import type { Settings } from '../settings.ts';
import { GOODBYE_SIGNAL, marksOf, runningSupervisor, SUPERVISOR_GRACE_MS } from '../supervisor.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);

/** @returns whether anything ran */
async function endAll(layout: Layout): Promise<boolean> {
  const supervisor = runningSupervisor(layout);
  if (supervisor !== undefined) await endProcess(supervisor, GOODBYE_SIGNAL, SUPERVISOR_GRACE_MS);
  rmSync(layout.supervisorPid, { force: true });
  const marks = marksOf(layout);
  const agent = await endByPidFile(layout.agentPid, marks.agent, GOODBYE_SIGNAL, 10_000);
  const workerd = await endByPidFile(layout.workerdPid, marks.workerd, 'SIGTERM', 1_000);
  return supervisor !== undefined || agent || workerd;
}

export async function down(settings: Settings, options: { purge: boolean }): Promise<void> {
  const layout = layoutOf(settings.dataDir);
  const ran = await endAll(layout);
  if (!options.purge) {
    if (ran)
      print(
        'Ended. Pods go on running and are taken up at the next start; `npx longshore down --purge` removes everything.',
      );
    else
      print(existsSync(layout.dataDir) ? 'Nothing was running.' : `Nothing was ever started from ${layout.dataDir}.`);
    return;
  }
  await purge(settings, print);
  print('Nothing of Longshore is left on this machine but its packages and this clone.');
}
