/** `longshore status`: what runs here, and what the cluster says of its minions. */
import type { Node, Pod } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { clusterClient } from '../cluster-access.ts';
import { apiUrlOf, publicUrlOf } from '../control-plane/control-plane.ts';
import { layoutOf } from '../control-plane/layout.ts';
import { runningPid } from '../pid-file.ts';
import type { Settings } from '../settings.ts';
import { marksOf, runningSupervisor } from '../supervisor.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);
const runs = (pid: number | undefined) => (pid === undefined ? 'not running' : `running (process ${pid})`);

/** @returns the exit code: 0 when all that should run does */
export async function status(settings: Settings): Promise<number> {
  const layout = layoutOf(settings.dataDir);
  const marks = marksOf(layout);
  const supervisor = runningSupervisor(layout);
  const agent = runningPid(layout.agentPid, marks.agent);
  const joined = settings.minion.server;
  print(`longshore      ${runs(supervisor)}`);
  if (joined === undefined) {
    const workerd = runningPid(layout.workerdPid, marks.workerd);
    print(`control plane  ${runs(workerd)}`);
    print(`  API          ${apiUrlOf(settings)}`);
    print(`  Services     ${publicUrlOf(settings)}`);
  } else {
    print(`control plane  elsewhere: ${joined}`);
  }
  print(`minion         ${runs(agent)}`);
  print(`data           ${layout.dataDir}`);
  if (supervisor === undefined || agent === undefined) return 1;
  if (joined === undefined) await printNodes(settings);
  return 0;
}

async function printNodes(settings: Settings): Promise<void> {
  const client = clusterClient(layoutOf(settings.dataDir));
  try {
    const nodes = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
    const pods = await client.json<KubeList<Pod>>('GET', '/api/v1/pods');
    for (const { metadata, status } of nodes.items) {
      const ready = status?.conditions?.find((each) => each.type === 'Ready')?.status === 'True';
      const own = pods.items.filter((pod) => pod.spec.nodeName === metadata.name).length;
      print(`node           ${metadata.name}: ${ready ? 'Ready' : 'NotReady'}, ${own} pods`);
    }
  } finally {
    client.close();
  }
}
