/**
 * `longshore start` and `longshore up`: the control plane and a minion on this machine, in the foreground or detached;
 * `start` also runs the example and ends with its URLs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import type { ApiClient } from '../api-client.ts';
import { readAuditPolicy } from '../audit/policy-file.ts';
import { clusterClient } from '../cluster-access.ts';
import { apiUrlOf } from '../control-plane/control-plane.ts';
import { type Layout, layoutOf } from '../control-plane/layout.ts';
import { applyMission, NAMESPACE, verifyServices, watchMission } from '../example/mission.ts';
import { ProgressTable } from '../example/progress-table.ts';
import { engineApi } from '../images/engine-api.ts';
import type { Settings } from '../settings.ts';
import { GOODBYE_SIGNAL, runningSupervisor, Supervisor } from '../supervisor.ts';
import { startDetached } from './supervise.ts';

const NODE_READY_MS = 60_000;
/** Images may have to be pulled over a slow line. */
const EXAMPLE_MS = 600_000;
const ANSWER_MS = 30_000;

export interface StartOptions {
  detach: boolean;
  example: boolean;
}

const print = (line: string) => void process.stdout.write(`${line}\n`);

/** Runs until it is told to end, or returns once all is up (`detach`, or when it ran already). */
export async function start(settings: Settings, options: StartOptions): Promise<void> {
  const layout = layoutOf(settings.dataDir);
  const running = runningSupervisor(layout);
  if (running !== undefined) {
    print(
      `Longshore runs already (process ${running}); \`npx longshore upgrade\` puts this clone's version in its place.`,
    );
    await bringUp(layout, settings, options);
  } else if (options.detach) {
    // A policy that is none is said here; otherwise only the detached process' log would have it.
    readAuditPolicy(layout, settings.auditPolicyFile);
    print('Starting the control plane and a minion …');
    await startDetached(layout, settings);
    await bringUp(layout, settings, options);
  } else {
    await runInForeground(layout, settings, options);
  }
}

async function runInForeground(layout: Layout, settings: Settings, options: StartOptions): Promise<void> {
  const supervisor = new Supervisor(settings, print);
  const { promise: told, resolve: tell } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', GOODBYE_SIGNAL] as const) process.on(signal, () => tell(signal));
  print('Starting the control plane and a minion …');
  try {
    await supervisor.start();
    const interrupted = told.then(() => true);
    const failed = await Promise.race([interrupted, bringUp(layout, settings, options).then(() => false)]);
    if (!failed) print('Ctrl-C ends it; pods go on running and are taken up again at the next start.');
    const signal = await told;
    print(`\nEnding (pods go on running; \`npx longshore down --purge\` removes everything) …`);
    await supervisor.stop(signal === GOODBYE_SIGNAL);
  } catch (error) {
    await supervisor.stop(false);
    throw error;
  }
}

/** Waits for the minion, then shows the example coming up, and says where everything is. */
async function bringUp(layout: Layout, settings: Settings, options: StartOptions): Promise<void> {
  const client = clusterClient(layout);
  try {
    await waitForNode(client, settings.minion.nodeName, layout);
    print(`The API is at ${apiUrlOf(settings)}; minion ${settings.minion.nodeName} is Ready.`);
    if (options.example) await runExample(client, settings);
    else print(`\n  export KUBECONFIG=${layout.kubeconfig}`);
    if (options.example) printWhatToTry(layout);
  } finally {
    client.close();
  }
}

async function waitForNode(client: ApiClient, name: string, layout: Layout): Promise<void> {
  const deadline = Date.now() + NODE_READY_MS;
  for (;;) {
    const { items } = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
    const ready = items
      .find((node) => node.metadata.name === name)
      ?.status?.conditions?.find((each) => each.type === 'Ready');
    if (ready?.status === 'True') return;
    if (Date.now() > deadline) {
      const tail = readFileSync(join(layout.logs, 'minion.log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n');
      throw new Error(
        `minion ${name} is not Ready after ${NODE_READY_MS / 1000} s (${ready?.message ?? 'it has not joined'}):\n${tail}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function runExample(client: ApiClient, settings: Settings): Promise<void> {
  print(`\nThe example: two Services in namespace ${NAMESPACE}, nginx with MongoDB and nginx with Redis.`);
  await applyMission(client, engineApi(settings.minion.dockerSocket), print);
  const table = new ProgressTable(process.stdout);
  await watchMission(
    client,
    (rows) => table.show(rows),
    (rows) => rows.length > 0 && rows.every((row) => row.ready),
    EXAMPLE_MS,
  );
  const services = await verifyServices(client, ANSWER_MS);
  print('\nBoth Services answer:');
  for (const { name, url } of services) print(`  ${name.padEnd(8)}${url}`);
}

function printWhatToTry(layout: Layout): void {
  print(`
  export KUBECONFIG=${layout.kubeconfig}

Try:
  kubectl get pods -o wide
  kubectl exec deploy/board -c redis -- redis-cli get visits
  kubectl scale deployment/shop --replicas=3
`);
}
