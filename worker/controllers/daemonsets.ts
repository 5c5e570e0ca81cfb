/**
 * The daemon set controller: one pod on every node that fits, replaced node by node when the template changes. Which nodes
 * fit is `daemon-nodes.ts`, what a revision is `revisions.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/daemon
 */
import { DAEMON_SETS, type DaemonSet } from '../../shared/api/apps.ts';
import { NODES, type Node, PODS, type Pod } from '../../shared/api/core.ts';
import { isAvailable, isReady, isTerminal, isTerminating } from '../../shared/pods.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { judgeNode, nodeOf, podForNode } from './daemon-nodes.ts';
import { isEqual } from './equality.ts';
import { ADOPT, ownerKeysOf } from './owned-pods.ts';
import { claim } from './owners.ts';
import { createPod, deletePod } from './pod-control.ts';
import { availableAtMs } from './pod-state.ts';
import { type History, REVISION_LABEL, syncHistory, truncateHistory } from './revisions.ts';
import { scaledValue } from './rolling-update.ts';

const COMPONENT = 'daemonset-controller';
const RETRY_MS = 5000;

export const daemonSets: Controller = {
  name: 'daemonset',
  account: 'daemon-set-controller',
  sources: [
    source(DAEMON_SETS, ({ type, object, previous }) => {
      if (type === 'ADDED') return [ADOPT + keyOf(object)];
      const isNews =
        object.metadata.generation !== previous?.metadata.generation ||
        object.metadata.deletionTimestamp !== previous?.metadata.deletionTimestamp;
      return type === 'MODIFIED' && isNews ? [keyOf(object)] : [];
    }),
    source(NODES, keysOfNode),
    source(
      PODS,
      ownerKeysOf<DaemonSet>({
        identity: DAEMON_SETS,
        selectorOf: (daemonSet) => daemonSet.spec.selector,
        isAdoptable: (pod) => !isTerminating(pod),
        countsTheSame: (pod, previous) =>
          isTerminal(pod) === isTerminal(previous) &&
          isReady(pod) === isReady(previous) &&
          isTerminating(pod) === isTerminating(previous) &&
          isEqual(pod.metadata.labels, previous.metadata.labels) &&
          isEqual(pod.metadata.ownerReferences, previous.metadata.ownerReferences),
      }),
    ),
  ],
  reconcile(key, context) {
    const adopts = key.startsWith(ADOPT);
    const { namespace, name } = splitKey(adopts ? key.slice(ADOPT.length) : key);
    const daemonSet = context.objects.get(DAEMON_SETS, namespace, name);
    if (daemonSet === undefined) return;
    const pods = claim(context.objects, {
      identity: PODS,
      ownerIdentity: DAEMON_SETS,
      owner: daemonSet,
      selector: daemonSet.spec.selector,
      ...(adopts ? { adoptable: (pod: Pod) => !isTerminating(pod) } : {}),
    });
    new Run(daemonSet, pods, context).go();
  },
};

/** Every daemon set looks again when a node comes, goes, or changes in what decides whether it fits. */
function keysOfNode({ type, object, previous }: ObjectChange<Node>, objects: Objects): string[] {
  const seen = (node: Node | undefined) => [node?.metadata.labels, node?.spec.taints];
  if (type === 'MODIFIED' && isEqual(seen(object), seen(previous))) return [];
  return objects.list(DAEMON_SETS).map(keyOf);
}

/** A node with what runs there. */
interface Place {
  node: Node;
  shouldRun: boolean;
  /** Not ended and not ending, oldest first. */
  pods: Pod[];
}

class Run {
  readonly daemonSet: DaemonSet;
  readonly context: ReconcileContext;
  readonly objects: Objects;
  readonly history: History;
  readonly hash: string;
  readonly pods: Pod[];
  readonly places: Place[];

  constructor(daemonSet: DaemonSet, pods: Pod[], context: ReconcileContext) {
    this.daemonSet = daemonSet;
    this.context = context;
    this.objects = context.objects;
    this.pods = pods;
    this.history = syncHistory(context.objects, DAEMON_SETS, daemonSet, REVISION_LABEL);
    this.hash = this.history.update.metadata.labels?.[REVISION_LABEL] ?? '';
    this.places = [];
  }

  get surge(): number {
    const { maxSurge = 0 } = this.daemonSet.spec.updateStrategy?.rollingUpdate ?? {};
    return scaledValue(maxSurge, this.desired, 'up');
  }

  get desired(): number {
    return this.places.filter((place) => place.shouldRun).length;
  }

  get rolls(): boolean {
    return this.daemonSet.spec.updateStrategy?.type !== 'OnDelete';
  }

  isUpdated(pod: Pod): boolean {
    return pod.metadata.labels?.[REVISION_LABEL] === this.hash;
  }

  isAvailable(pod: Pod): boolean {
    const { minReadySeconds = 0 } = this.daemonSet.spec;
    if (isAvailable(pod, minReadySeconds, this.context.nowMs)) return true;
    const atMs = availableAtMs(pod, minReadySeconds);
    if (atMs !== undefined) this.context.requeueAfter(Math.max(0, atMs - this.context.nowMs));
    return false;
  }

  go(): void {
    const leaving = this.daemonSet.metadata.deletionTimestamp !== undefined;
    this.look(!leaving);
    if (!leaving) {
      this.fill();
      if (this.rolls) this.roll();
      const hashes = new Set(this.pods.map((pod) => pod.metadata.labels?.[REVISION_LABEL]));
      const live = this.history.all.filter((each) => hashes.has(each.metadata.labels?.[REVISION_LABEL]));
      const names = new Set([this.history.update, ...live].map((each) => each.metadata.name));
      truncateHistory(this.objects, this.daemonSet, this.history.all, names);
    }
    this.write();
  }

  /** Sorts the pods by node; what has ended, or is where it may not be, goes. */
  look(acts: boolean): void {
    const byNode = Map.groupBy(this.pods, nodeOf);
    for (const node of this.objects.list(NODES)) {
      const verdict = judgeNode(this.daemonSet, node);
      const here = byNode.get(node.metadata.name) ?? [];
      for (const pod of here) {
        if (!acts || isTerminating(pod)) continue;
        if (!verdict.shouldContinue) this.remove(pod);
        else if (isTerminal(pod)) this.replaceEnded(pod, node);
      }
      const pods = this.survivors(here).sort((a, b) =>
        a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp),
      );
      this.places.push({ node, shouldRun: verdict.shouldRun, pods });
    }
  }

  survivors(pods: readonly Pod[]): Pod[] {
    return pods.filter((pod) => this.pods.includes(pod) && !isTerminating(pod) && !isTerminal(pod));
  }

  remove(pod: Pod): void {
    deletePod(this.objects, this.daemonSet, pod, COMPONENT);
    this.pods.splice(this.pods.indexOf(pod), 1);
    for (const place of this.places) place.pods = place.pods.filter((each) => each !== pod);
  }

  replaceEnded(pod: Pod, node: Node): void {
    const failed = pod.status?.phase === 'Failed';
    const { name, namespace } = pod.metadata;
    const message = `Found ${failed ? 'failed' : 'succeeded'} daemon pod ${namespace}/${name} on node ${node.metadata.name}, will try to ${failed ? 'kill' : 'delete'} it`;
    const reason = failed ? 'FailedDaemonPod' : 'SucceededDaemonPod';
    this.objects.record(this.daemonSet, { type: failed ? 'Warning' : 'Normal', reason, message, component: COMPONENT });
    this.remove(pod);
  }

  /** One pod on every node that should have one; of several the newest go, but for one that is to take over. */
  fill(): void {
    for (const place of this.places) {
      if (!place.shouldRun) continue;
      if (place.pods.length === 0 && !this.isBusy(place)) this.create(place);
      const keepers = this.keepersOf(place);
      for (const pod of place.pods.filter((each) => !keepers.has(each))) this.remove(pod);
    }
  }

  /** Kubernetes: without surge the successor waits until the old pod has ended, so that they never meet on a host port. */
  isBusy({ node }: Place): boolean {
    return this.pods.some((pod) => isTerminating(pod) && nodeOf(pod) === node.metadata.name && this.surge === 0);
  }

  keepersOf({ pods }: Place): Set<Pod> {
    const oldest = pods.find((pod) => this.isUpdated(pod)) ?? pods[0];
    if (oldest === undefined) return new Set();
    if (!this.rolls || this.surge === 0) return new Set([pods[0] ?? oldest]);
    // With surge the old one stays until the new one is available.
    const old = pods.find((pod) => !this.isUpdated(pod));
    const takesOver = this.isUpdated(oldest) && this.isAvailable(oldest);
    return new Set(old === undefined || takesOver ? [oldest] : [old, oldest]);
  }

  create(place: Place): boolean {
    const draft = podForNode(this.daemonSet, this.hash, place.node.metadata.name);
    const creation = createPod(this.objects, this.daemonSet, draft, COMPONENT);
    if ('pod' in creation) {
      this.pods.push(creation.pod);
      place.pods.push(creation.pod);
      return true;
    }
    if (creation.refused !== 'leaving') this.context.requeueAfter(RETRY_MS);
    return false;
  }

  roll(): void {
    if (this.surge > 0) this.rollWithSurge();
    else this.rollInPlace();
  }

  /** Old pods that are not available go first, and cost nothing; others as far as enough stay available. */
  rollInPlace(): void {
    const { maxUnavailable = 1 } = this.daemonSet.spec.updateStrategy?.rollingUpdate ?? {};
    const allowed = scaledValue(maxUnavailable, this.desired, 'up');
    let unavailable = 0;
    const candidates: Pod[] = [];
    for (const place of this.places.filter((each) => each.shouldRun)) {
      const [pod] = place.pods;
      const available = pod !== undefined && this.isAvailable(pod);
      if (!available) unavailable += 1;
      if (pod === undefined || this.isUpdated(pod)) continue;
      if (available) candidates.push(pod);
      else this.remove(pod);
    }
    for (const pod of candidates.slice(0, Math.max(0, allowed - unavailable))) this.remove(pod);
  }

  rollWithSurge(): void {
    const places = this.places.filter((each) => each.shouldRun);
    const surging = places.filter((place) => place.pods.length > 1).length;
    const old = places.filter(({ pods }) => pods.length === 1 && pods.every((pod) => !this.isUpdated(pod)));
    for (const place of old.slice(0, Math.max(0, this.surge - surging))) if (!this.create(place)) return;
  }

  write(): void {
    const { daemonSet } = this;
    const status: NonNullable<DaemonSet['status']> = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: this.desired,
      numberReady: 0,
      observedGeneration: daemonSet.metadata.generation ?? 0,
    };
    let updated = 0;
    let available = 0;
    for (const { shouldRun, pods } of this.places) {
      if (!shouldRun) {
        if (pods.length > 0) status.numberMisscheduled += 1;
        continue;
      }
      const [pod] = pods;
      if (pod === undefined) continue;
      status.currentNumberScheduled += 1;
      if (pods.some(isReady)) status.numberReady += 1;
      if (pods.some((each) => this.isAvailable(each))) available += 1;
      if (pods.some((each) => this.isUpdated(each))) updated += 1;
    }
    const unavailable = status.desiredNumberScheduled - available;
    if (updated > 0) status.updatedNumberScheduled = updated;
    if (available > 0) status.numberAvailable = available;
    if (unavailable > 0) status.numberUnavailable = unavailable;
    if (this.history.collisionCount > 0) status.collisionCount = this.history.collisionCount;
    if (isEqual(status, daemonSet.status ?? {})) return;
    this.objects.updateStatus(DAEMON_SETS, { ...daemonSet, status });
  }
}
