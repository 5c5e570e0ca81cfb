/**
 * Everything at once, for as long as asked: `longshore up` from a clone of its own with a real minion and many fake ones,
 * clients that write, workloads that are never left alone, watches that resume; and all the while it is killed, paused, cut
 * off, upgraded, its minion killed, its supervisor killed. At the end everything comes to rest and the whole store is judged
 * by `consistency.ts`. The seed fixes what is done and in which order, not when the machine comes to it.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiClient } from '../../agent/cli/api-client.ts';
import type { Deployment } from '../../shared/api/apps.ts';
import type { Node, Pod } from '../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, startFleet } from '../support/fleet.ts';
import { BUSYBOX, importTestImages } from '../support/images.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { readyNodes } from '../support/lab.ts';
import { nodeSql } from '../support/node-sql.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { Chronicle, type Told } from './chronicle.ts';
import { type Churn, Churner } from './churn.ts';
import { checkStore } from './consistency.ts';
import { readChronicle } from './crash.ts';
import { answered, Follower, type Kept, toldOf } from './follower.ts';
import { newLedger, Writer } from './writers.ts';

export interface SoakOptions {
  seed: number;
  minutes: number;
  minions: number;
  /** Asked before each fault: a run that is to end early ends whole. */
  enough?: () => boolean;
  say?: (line: string) => void;
}

export interface SoakReport {
  done: Record<string, number>;
  violations: string[];
}

const NAMESPACE = 'soak';
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const ENGINE = '/var/run/docker.sock';
const WRITERS = 4;
const WRITES_IN_A_ROW = 20;
const FOLLOWERS = 3;
const CHURNERS = 4;
/** The platform may take this long to come back from a series of kills: its supervisor waits longer each time. */
const BACK_MS = 120_000;
const REST_MS = 300_000;

const moment = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Where each pod is, for the rule that a pod is bound once. */
const tellOfPod: typeof toldOf = (type, object) => {
  const { metadata, spec } = object as unknown as Pod;
  return { type, revision: Number(metadata.resourceVersion), name: metadata.uid, value: spec?.nodeName ?? '' };
};

interface World {
  installed: Installation;
  proxy: CutProxy;
  /** Through the proxy. */
  client: ApiClient;
  fleet: Fleet;
  random: SeededRandom;
}

const FAULTS: Record<string, (world: World) => Promise<void>> = {
  'kills of the control plane': async ({ installed }) => signal(installed.pids().workerd, 'SIGKILL'),
  'cuts of every socket': async ({ proxy, random }) => {
    for (let times = 1 + random.below(3); times > 0; times -= 1) {
      proxy.cut();
      await moment(random.below(300));
    }
  },
  'pauses of the control plane': async ({ installed, random }) => {
    const { workerd } = installed.pids();
    signal(workerd, 'SIGSTOP');
    try {
      await moment(100 + random.below(6000));
    } finally {
      signal(workerd, 'SIGCONT');
    }
  },
  upgrades: async ({ installed, random }) => {
    const version = `v1.36.0+longshore.${random.below(1_000_000)}`;
    installed.edit('shared/defaults.ts', (text) => text.replace(/(gitVersion: ')[^']+/, `$1${version}`));
    await succeeds(installed, 'upgrade', '--no-install');
    const { gitVersion } = await answered('the version', () =>
      installed.client.json<{ gitVersion: string }>('GET', '/version'),
    );
    if (gitVersion !== version) throw new Error(`upgraded to ${version}, and it says ${gitVersion}`);
  },
  'kills of the minion': async ({ installed }) => signal(installed.pids().agent, 'SIGKILL'),
  'kills of the supervisor': async ({ installed }) => {
    signal(installed.pids().supervisor, 'SIGKILL');
    await succeeds(installed, 'up', '--detach', '--no-install');
  },
  'restarts of fake minions': async ({ fleet, random }) => {
    for (let times = 1 + random.below(5); times > 0; times -= 1) {
      const minion = random.pick(fleet.minions);
      await minion.stop(random.chance(0.5) ? 'restarting' : undefined);
      await moment(random.below(500));
      minion.start();
    }
  },
};
/** Each as often as it stands here. */
const WEIGHTS: Record<string, number> = {
  'kills of the control plane': 3,
  'cuts of every socket': 4,
  'pauses of the control plane': 3,
  upgrades: 2,
  'kills of the minion': 1,
  'kills of the supervisor': 1,
  'restarts of fake minions': 4,
};
const DRAWN = Object.entries(WEIGHTS).flatMap(([fault, weight]) => Array.from({ length: weight }, () => fault));

/** A process that is just being started again has nothing to be signalled. */
function signal(pid: number | undefined, what: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, what);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function succeeds(installed: Installation, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await installed.longshore(...args);
  if (code !== 0) throw new Error(`longshore ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
}

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const undo: (() => Promise<void>)[] = [];
  try {
    const installed = await startInstallation('soak');
    undo.push(() => installed.dispose());
    const proxy = await startCutProxy(installed.apiPort);
    undo.push(() => proxy.close());
    const server = `https://127.0.0.1:${proxy.port}`;
    const { layout, ca } = installed;
    const fleet = await startFleet({ dataDir: layout.dataDir, ca, server, count: options.minions });
    undo.push(() => fleet.stop());
    const client = installed.clientAt(server);
    return await soak({ installed, proxy, client, fleet, random: seededRandom(options.seed) }, options);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function soak(world: World, options: SoakOptions): Promise<SoakReport> {
  const { installed, client, fleet, random } = world;
  const say = options.say ?? (() => undefined);
  await prepare(world);
  const containers = installed.containers();

  const first = await client.json<KubeList<Kept>>('GET', CONFIG_MAPS);
  const from = Number(first.metadata.resourceVersion);
  const chronicle = new Chronicle(from);
  chronicle.events.push(...first.items.map((item) => toldOf('ADDED', item)));
  const ledger = newLedger();
  const churn: Churn = { done: {}, refused: [] };
  const followers = Array.from({ length: FOLLOWERS }, () => new Follower(client, CONFIG_MAPS));
  const bindings = new Follower(client, '/api/v1/pods', '', tellOfPod);
  for (const follower of [...followers, bindings]) follower.start(from);

  const endMs = Date.now() + options.minutes * 60_000;
  let over = false;
  const stopped = () => over;
  const fork = () => seededRandom(random.below(2 ** 31));
  const working = Promise.all([
    ...Array.from({ length: WRITERS }, (_, id) =>
      writeNow(new Writer(client, CONFIG_MAPS, `w${id}`, fork(), ledger), fork(), stopped),
    ),
    ...Array.from({ length: CHURNERS }, (_, id) => new Churner(client, NAMESPACE, fork(), churn).run(id, stopped)),
  ]);
  const faults: Record<string, number> = {};
  let judged = 0;
  let told = 0;
  try {
    while (Date.now() < endMs && !(options.enough?.() ?? false)) {
      await Promise.race([working, moment(2000 + random.below(8000))]);
      const fault = random.pick(DRAWN);
      const startedAt = Date.now();
      await FAULTS[fault]?.(world);
      faults[fault] = (faults[fault] ?? 0) + 1;
      await isUp(installed);
      // What is acknowledged from now on may come after the marker.
      const acknowledged = ledger.acknowledged.length;
      await look(installed.client, chronicle, Object.values(faults).length, `after ${fault}`);
      chronicle.judgeWrites(ledger.acknowledged.slice(judged, acknowledged));
      judged = acknowledged;
      const left = Math.max(0, Math.round((endMs - Date.now()) / 1000));
      say(
        `${left} s left; ${fault}: up after ${Date.now() - startedAt} ms; ${judged} writes, revision ${chronicle.revision}`,
      );
      const violations = [...chronicle.violations, ...ledger.violations, ...churn.refused];
      for (const violation of violations.slice(told)) say(`  ${violation}`);
      told = violations.length;
    }
  } finally {
    over = true;
    await working;
  }
  say('coming to rest');
  await comeToRest(world);
  await look(installed.client, chronicle, -1, 'at the end');
  for (const follower of followers) {
    await eventually('every follower at the end', () => {
      if (follower.failure !== undefined) throw new Error('a follower failed', { cause: follower.failure });
      return follower.position >= chronicle.revision;
    });
  }
  await Promise.all([...followers, bindings].map((follower) => follower.stop()));
  const last = await client.json<KubeList<Kept>>('GET', CONFIG_MAPS);
  chronicle.judgeList(last.items.map((item) => toldOf('ADDED', item)));
  chronicle.judgeWrites(ledger.acknowledged);
  for (const [index, follower] of followers.entries()) {
    for (const segment of follower.segments) chronicle.judgeSegment(`follower ${index}`, segment);
  }
  const touched = installed.containers().join() === containers.join() ? [] : ["the real minion's containers changed"];
  const wrongAnswers = [...fleet.answers].map(([status, count]) => `minions were answered ${status}, ${count} times`);
  const servedMs = Date.now();
  await succeeds(installed, 'down');
  const store = checkStore(nodeSql(databaseOf(installed)), servedMs);
  return {
    done: {
      ...faults,
      'writes acknowledged': ledger.acknowledged.length,
      'writes cut': ledger.unanswered.length,
      reads: ledger.reads,
      ...churn.done,
      'events told': [...followers, bindings].reduce((sum, { told }) => sum + told, 0),
      'watches resumed': [...followers, bindings].reduce((sum, { reconnects }) => sum + reconnects, 0),
      'watches told 410': [...followers, bindings].reduce((sum, { expired }) => sum + expired, 0),
      'fake minions': fleet.minions.length,
      'whole pictures sent to them': fleet.minions.reduce((sum, { resynced }) => sum + resynced, 0),
      'deltas applied by them': fleet.minions.reduce((sum, { applied }) => sum + applied, 0),
      'objects in the end': store.objects,
      'last revision': store.revision,
      'checks of the store': Object.keys(store.checks).length,
    },
    violations: [
      ...chronicle.violations,
      ...ledger.violations,
      ...churn.refused.map((message) => `refused: ${message}`),
      ...boundTwice(bindings.segments.flatMap(({ events }) => events)),
      ...touched,
      ...wrongAnswers,
      ...Object.entries(store.checks).flatMap(([what, wrong]) => wrong.map((each) => `${what}: ${each}`)),
    ],
  };
}

/** The real minion has one pod, to see that nothing touches it; everything else is for the fake ones. */
async function prepare({ installed, client }: World): Promise<void> {
  const post = (path: string, object: object) => client.json('POST', path, object);
  await client.json(
    'PATCH',
    `/api/v1/nodes/${installed.node}`,
    { spec: { unschedulable: true } },
    'application/merge-patch+json',
  );
  importTestImages(ENGINE);
  await post('/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'witness' },
    spec: {
      nodeName: installed.node,
      containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', '1000000'] }],
    },
  });
  await eventually('the witness running', async () => {
    const { status } = await client.json<Pod>('GET', '/api/v1/namespaces/default/pods/witness');
    return status?.phase === 'Running';
  });
  await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  await post(`/api/v1/namespaces/${NAMESPACE}/resourcequotas`, {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'counted' },
    spec: { hard: { pods: '100000', configmaps: '100000', services: '1000' } },
  });
}

/** Bursts of writes with pauses between: an hour of it has to fit into memory. */
async function writeNow(writer: Writer, random: SeededRandom, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    let left = 1 + random.below(WRITES_IN_A_ROW);
    await writer.run(() => {
      left -= 1;
      return left < 0 || stopped();
    });
    await moment(random.below(600));
  }
}

const isUp = (installed: Installation): Promise<boolean> =>
  eventually(
    'the control plane up',
    async () =>
      (await installed.client.request('GET', '/readyz')).status === 200 && installed.pids().agent !== undefined,
    { timeoutMs: BACK_MS },
  );

/** Reads what happened since the last look, and that the store did not go back. */
async function look(client: ApiClient, chronicle: Chronicle, turn: number, when: string): Promise<void> {
  const list = await answered('a list', () => client.json<KubeList<Kept>>('GET', `${CONFIG_MAPS}?limit=1`));
  chronicle.reached(Number(list.metadata.resourceVersion), when);
  let tries = 0;
  await answered('what happened', () =>
    readChronicle(client, CONFIG_MAPS, chronicle, `marker-${turn}-${Date.now()}-${tries++}`),
  );
}

/** Nothing is under way any more: every minion is here, what was wanted is there, what was deleted is gone. */
async function comeToRest({ installed, client, fleet }: World): Promise<void> {
  await isUp(installed);
  let last = '';
  await eventually(
    'everything at rest',
    async () => {
      const nodes = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
      const pods = (await client.json<KubeList<Pod>>('GET', '/api/v1/pods')).items;
      const namespaces = (await client.json<KubeList<KubeObject>>('GET', '/api/v1/namespaces')).items;
      const deployments = (await client.json<KubeList<Deployment>>('GET', '/apis/apps/v1/deployments')).items;
      const waiting = {
        minions: fleet.minions.length + 1 - readyNodes(nodes).length,
        reports: fleet.minions.filter(({ settled }) => !settled).length,
        pending: pods.filter(({ status }) => status?.phase !== 'Running').length,
        ending: [...pods, ...namespaces].filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length,
        rolling: deployments.filter(
          ({ metadata, spec, status }) =>
            status?.observedGeneration !== metadata.generation ||
            (status?.updatedReplicas ?? 0) !== spec.replicas ||
            (status?.availableReplicas ?? 0) !== spec.replicas ||
            (status?.replicas ?? 0) !== spec.replicas,
        ).length,
      };
      last = JSON.stringify(waiting);
      return Object.values(waiting).every((count) => count === 0);
    },
    { timeoutMs: REST_MS, describe: () => last },
  );
}

/** A pod that was shown on one node and later on another. */
function boundTwice(told: readonly Told[]): string[] {
  const nodes = new Map<string, Set<string>>();
  for (const { name, value } of told) if (value !== '') nodes.set(name, (nodes.get(name) ?? new Set()).add(value));
  return [...nodes]
    .filter(([, all]) => all.size > 1)
    .map(([uid, all]) => `pod ${uid} was bound to ${[...all].join(' and ')}`);
}

/** The default cluster's own file. */
function databaseOf({ layout }: Installation): string {
  const folder = join(layout.objects, 'longshore-cluster');
  const files = readdirSync(folder).filter((file) => file.endsWith('.sqlite') && file !== 'metadata.sqlite');
  if (files.length !== 1) throw new Error(`one cluster was made, and there are the files ${files.join(', ')}`);
  return join(folder, files[0] ?? '');
}
