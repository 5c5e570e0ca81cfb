/**
 * What minions report, durable: 16 fake minions of 50 pods each say something new of all their pods as soon as the last
 * report is answered. Against etcd's puts of 1 kB at 64 connections; and, to be known, against a bare object that writes the
 * same rows for the same reports.
 */
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { minionToken } from '../../agent/cli/tokens.ts';
import { dialler } from '../../agent/link/dial.ts';
import { SYSTEM_TIMERS } from '../../agent/link/kept-socket.ts';
import type { Pod, PodStatus } from '../../shared/api/core.ts';
import { LINK_PATH } from '../../shared/link/protocol.ts';
import { eventually } from '../support/eventually.ts';
import { FakeMinion } from '../support/fake-minion.ts';
import { type BareReports, startBareReports } from './bare-reports.ts';
import { startEtcd } from './etcd.ts';
import { load, requireAll } from './load.ts';
import { type Pair, startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atLeast, type BenchRow, perSecond } from './row.ts';

const MINIONS = 16;
const PODS_EACH = 50;
const SECONDS = 3;
const CONNECTIONS = 64;
const REQUESTS = 6000;
const PODS_PATH = '/api/v1/namespaces/default/pods';
const VALUE = 'x'.repeat(1000);

interface Reporting {
  minion: FakeMinion;
  pods: Map<string, { pod: Pod; status: PodStatus }>;
}

export async function statuses(): Promise<BenchRow[]> {
  const pair = await startPair();
  const etcd = await startEtcd();
  const fleet: Reporting[] = [];
  try {
    let running = false;
    let sequence = 0;
    const speak = ({ minion, pods }: Reporting) => {
      if (!running) return;
      sequence++;
      for (const { pod, status } of pods.values()) {
        const { namespace = '', name, uid } = pod.metadata;
        minion.report({ namespace, name, uid }, { ...status, message: `the ${sequence}th word` });
      }
    };
    for (let index = 0; index < MINIONS; index++) fleet.push(await join(pair, `m${index}`, speak));
    await eventually('every minion is welcome', () => fleet.every(({ minion }) => minion.applied > 0));
    await fill(pair);
    await eventually('every pod runs', () =>
      fleet.every(({ minion, pods }) => minion.settled && pods.size === PODS_EACH),
    );
    const count = () => fleet.reduce((sum, { minion }) => sum + minion.reported, 0);
    const ours = async () => {
      const before = count();
      const startedAt = performance.now();
      running = true;
      for (const each of fleet) speak(each);
      const timer = setTimeout(() => {
        running = false;
      }, SECONDS * 1000);
      await eventually('every report is answered', () => !running && fleet.every(({ minion }) => minion.settled));
      clearTimeout(timer);
      return (count() - before) / ((performance.now() - startedAt) / 1000);
    };
    const bare = await bareReports(pair, fleet);
    const puts = (requests: number) => etcd.put({ connections: CONNECTIONS, requests, value: () => VALUE });
    await puts(CONNECTIONS);
    const results = await rounds(ours, async () => ({ etcd: await puts(REQUESTS), bare: await bare.run(SECONDS) }));
    bare.stop();
    const rate = medianOf(results, ({ baseline }) => baseline.etcd.perSecond);
    const ratio = medianOf(results, (round) => round.ours / round.baseline.etcd.perSecond);
    const bareRate = medianOf(results, ({ baseline }) => baseline.bare);
    const bareOfEtcd = medianOf(results, ({ baseline }) => baseline.bare / baseline.etcd.perSecond);
    return [
      {
        what: `pods' statuses from ${MINIONS} minions, durable`,
        ours: perSecond(medianOf(results, (round) => round.ours)),
        baseline: `etcd's puts at ${CONNECTIONS}: ${perSecond(rate)}`,
        ratio,
        goal: atLeast(ratio, 2.5),
        measured: { name: `etcd: puts/s at ${CONNECTIONS}`, value: rate },
      },
      {
        what: 'the same',
        ours: perSecond(medianOf(results, (round) => round.ours)),
        baseline: `bare object, the same rows: ${perSecond(bareRate)} (${bareOfEtcd.toFixed(2)} of etcd's puts)`,
        ratio: medianOf(results, (round) => round.ours / round.baseline.bare),
        measured: { name: 'bare object: statuses/s', value: bareRate },
      },
    ];
  } finally {
    await Promise.all(fleet.map(({ minion }) => minion.stop()));
    await etcd.stop();
    await pair.dispose();
  }
}

/** Of as many minions with as many pods, whose texts are as long. */
async function bareReports(pair: Pair, fleet: readonly Reporting[]): Promise<BareReports> {
  const [first] = fleet[0]?.pods.values() ?? [];
  const { body } = await pair.controlPlane.api('GET', `${PODS_PATH}/${first?.pod.metadata.name}`);
  const { status: _, ...rest } = body as Pod;
  const each = fleet.map(({ pods }) => ({
    rest: JSON.stringify(rest),
    pods: [...pods.values()].map(({ pod, status }) => ({ name: pod.metadata.name, status })),
  }));
  return startBareReports(pair, each);
}

async function join(pair: Pair, node: string, speak: (reporting: Reporting) => void): Promise<Reporting> {
  const { controlPlane } = pair;
  const machineId = `machine-of-${node}`;
  const token = await minionToken(layoutOf(controlPlane.dataDir), node, machineId);
  const pods: Reporting['pods'] = new Map();
  const minion: FakeMinion = new FakeMinion({
    node,
    machineId,
    timers: SYSTEM_TIMERS,
    dial: dialler({ server: controlPlane.url, path: LINK_PATH, token: () => token, ca: controlPlane.ca }),
    statusOf: (pod, podIP) => {
      if (pods.has(pod.metadata.uid)) return undefined;
      const status = minion.running(pod, podIP);
      pods.set(pod.metadata.uid, { pod, status });
      return status;
    },
    onReported: () => speak({ minion, pods }),
  });
  minion.start();
  return { minion, pods };
}

/** Pods that are bound already: the scheduler has its own measurement. */
async function fill({ controlPlane, headers, agent }: Pair): Promise<void> {
  const requests = MINIONS * PODS_EACH;
  const make = (index: number) => ({
    method: 'POST',
    path: PODS_PATH,
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p-${index}` },
      spec: { nodeName: `m${index % MINIONS}`, containers: [{ name: 'main', image: 'nginx' }] },
    }),
  });
  const made = await load({ url: controlPlane.url, agent: agent(16), connections: 16, requests, headers, make });
  requireAll('creating pods', made, 201);
}
