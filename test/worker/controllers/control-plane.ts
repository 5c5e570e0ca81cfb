/**
 * The control plane on Node's SQLite, composed as the Cluster object composes it, with a clock that stands until it is
 * moved, and a kubelet of a few lines. Everything but the kubelet and the sockets is the real thing.
 */
import { NODES, type Node, PODS, type Pod } from '../../../shared/api/core.ts';
import { formatTime } from '../../../shared/time.ts';
import { createControlPlane } from '../../../worker/control-plane.ts';
import { createNodeLife, type NodeLife } from '../../../worker/controllers/node-life.ts';
import { createNodeRounds } from '../../../worker/controllers/node-rounds.ts';
import type { Turn } from '../../../worker/controllers/runner.ts';
import type { Liveness } from '../../../worker/controllers/surroundings.ts';
import { bootstrap } from '../../../worker/registry/bootstrap.ts';
import type { Objects } from '../../../worker/registry/objects.ts';
import type { Store, Synchronous } from '../../../worker/store/store.ts';
import { EPOCH_MS, node } from '../../support/builders.ts';
import { type NodeSql, nodeSql } from '../../support/node-sql.ts';
import { seededRandom } from '../../support/seeded-random.ts';

export interface TestPlane {
  sql: NodeSql;
  store: Store;
  nowMs: number;
  /** Minions whose socket is open, and when they were last heard from. */
  sockets: Map<string, number>;
  dropped: string[];
  life: NodeLife;
  /** What was logged, errors of reconciles above all. */
  log: Record<string, unknown>[];
  /** One transaction of the control plane itself, and the work that it causes. */
  do<T>(body: (objects: Objects) => Synchronous<T>): T;
  /** What a minion's hello writes; then it is connected. */
  hello<T>(name: string, body: (objects: Objects) => Synchronous<T>): T;
  /** Moves the clock on, alarm by alarm, and does what becomes due. */
  pass(ms: number): void;
  runDue(): Turn;
  /** How many alarms there were. */
  alarms: number;
}

export interface PlaneOptions {
  seed?: number;
  sql?: NodeSql;
  nowMs?: number;
  caCertificate?: string;
  publicUrl?: string;
}

/** The platform keeps an object's alarm, as it keeps its database. */
const ALARMS = new WeakMap<NodeSql, number>();
/** And what else it was given to keep. */
const CONNECTED = new WeakMap<NodeSql, number>();

export function controlPlane(options: PlaneOptions = {}): TestPlane {
  const random = seededRandom(options.seed ?? 1);
  const sql = options.sql ?? nodeSql();
  const liveness: Liveness = {
    connected: (name) => plane.sockets.has(name) || welcoming === name,
    count: () => plane.sockets.size,
    minions: () => plane.sockets,
    lastSeenMs: (name) => plane.sockets.get(name),
    drop: (name) => plane.dropped.push(name),
  };
  let welcoming: string | undefined;
  const rounds = createNodeRounds(liveness, {
    get: () => CONNECTED.get(sql),
    put: (count) => CONNECTED.set(sql, count),
  });
  const { store, registry, runner } = createControlPlane({
    sql,
    nowMs: () => plane.nowMs,
    random: random.next,
    newUid: () => {
      const digits = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('');
      return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
    },
    liveness,
    cluster: {
      name: 'default',
      apiUrl: 'https://127.0.0.1:6443',
      publicUrl: options.publicUrl ?? 'http://{name}.{namespace}.localhost:8080',
      caCertificate: options.caCertificate,
    },
    log: (entry) => plane.log.push(entry),
  });
  const setAlarm = (): void => {
    rounds.settle();
    const due = [ALARMS.get(sql), store.nextDueMs(), rounds.dueMs()].filter((each) => each !== undefined);
    if (due.length > 0) ALARMS.set(sql, Math.min(...due));
  };
  const plane: TestPlane = {
    sql,
    store,
    nowMs: options.nowMs ?? EPOCH_MS,
    sockets: new Map(),
    dropped: [],
    log: [],
    alarms: 0,
    life: createNodeLife(
      (queue, key, dueMs) => registry.asSystem((_objects, transaction) => transaction.enqueue(queue, key, dueMs)),
      (item) => store.finishWork(item),
      rounds,
    ),
    do(body) {
      const value = registry.asSystem((objects) => body(objects));
      setAlarm();
      return value;
    },
    hello(name, body) {
      welcoming = name;
      const value = registry.asSystem((objects) => body(objects));
      welcoming = undefined;
      plane.sockets.set(name, plane.nowMs);
      setAlarm();
      return value;
    },
    runDue: () => runner.runDue(plane.nowMs),
    pass(ms) {
      const endMs = plane.nowMs + ms;
      for (;;) {
        setAlarm();
        const dueMs = ALARMS.get(sql);
        if (dueMs === undefined || dueMs > endMs) break;
        ALARMS.delete(sql);
        plane.nowMs = Math.max(plane.nowMs, dueMs);
        plane.alarms += 1;
        runner.runDue(plane.nowMs);
        registry.asSystem((objects, transaction) => rounds.alarm(objects, transaction, dueMs));
      }
      plane.nowMs = endMs;
    },
  };
  plane.do(bootstrap);
  return plane;
}

/** A minion that is connected and ready. */
export function addNode(plane: TestPlane, name: string, more: Parameters<typeof node>[1] = {}): Node {
  const { metadata, spec, status } = node(name, more);
  return plane.hello(name, (objects) => {
    const created = objects.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: metadata.labels ?? {} },
      spec,
    });
    const registered = objects.updateStatus(NODES, { ...created, status: status ?? {} });
    plane.life.returned(objects, registered);
    return registered;
  });
}

export const podsOf = (plane: TestPlane): Pod[] => plane.do((objects) => objects.list(PODS));

/** What every minion's kubelet does next: assigned pods get an address and are ready, ended ones are gone. */
export function kubelets(plane: TestPlane, only: (pod: Pod) => boolean = () => true): number {
  let acted = 0;
  for (const pod of podsOf(plane).filter((each) => (each.spec.nodeName ?? '') !== '' && only(each))) {
    if (pod.metadata.deletionTimestamp !== undefined) {
      const { namespace = '', name } = pod.metadata;
      plane.do((objects) => objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0 }));
      acted += 1;
    } else if (pod.status?.phase !== 'Running') {
      setStatus(plane, pod, true);
      acted += 1;
    }
  }
  return acted;
}

let addresses = 0;

export function setStatus(plane: TestPlane, pod: Pod, ready: boolean): void {
  addresses += 1;
  const podIP = pod.status?.podIP ?? `10.244.${Math.floor(addresses / 250) % 250}.${(addresses % 250) + 1}`;
  const image = pod.spec.containers[0]?.image ?? '';
  plane.do((objects) => {
    const current = objects.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
    if (current?.metadata.uid !== pod.metadata.uid) return;
    const others = (current.status?.conditions ?? []).filter((each) => each.type !== 'Ready');
    const lastTransitionTime = formatTime(plane.nowMs);
    objects.updateStatus(PODS, {
      ...current,
      status: {
        ...current.status,
        phase: 'Running',
        podIP,
        podIPs: [{ ip: podIP }],
        conditions: [...others, { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime }],
        containerStatuses: [
          {
            name: current.spec.containers[0]?.name ?? '',
            state: { running: {} },
            lastState: {},
            ready,
            restartCount: 0,
            image,
            imageID: '',
          },
        ],
      },
    });
  });
}

/** Lets kubelets and controllers work until none has anything to do. */
export function settle(plane: TestPlane, only?: (pod: Pod) => boolean): void {
  for (let round = 0; round < 200; round += 1) {
    plane.runDue();
    if (kubelets(plane, only) === 0) return;
  }
  throw new Error(
    `still not at rest: ${podsOf(plane)
      .map((each) => `${each.metadata.name} ${each.status?.phase}`)
      .join(', ')}`,
  );
}

export const errorsOf = (plane: TestPlane): Record<string, unknown>[] =>
  plane.log.filter((entry) => entry.level === 'error');
