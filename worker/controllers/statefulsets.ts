/**
 * The stateful set controller: pods with names that stay, made in order and taken away in reverse, updated from the highest
 * ordinal down to the partition. What a revision is: `revisions.ts`.
 * Volume claims are not made: a set that asks for them gets no pods, and says why.
 * Source: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_control.go
 */
import { type ControllerRevision, STATEFUL_SETS, type StatefulSet } from '../../shared/api/apps.ts';
import { PODS, type Pod } from '../../shared/api/core.ts';
import type { Condition, Draft } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { isAvailable, isReady, isTerminal, isTerminating } from '../../shared/pods.ts';
import { formatTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { ADOPT, ownerKeysOf } from './owned-pods.ts';
import { claim } from './owners.ts';
import { podFromTemplate } from './pod-control.ts';
import { availableAtMs } from './pod-state.ts';
import { type History, REVISION_LABEL, syncHistory, templateOf, truncateHistory } from './revisions.ts';
import { scaledValue } from './rolling-update.ts';

const COMPONENT = 'statefulset-controller';
const HASH_LABEL = 'controller.kubernetes.io/hash';
const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';
const RETRY_MS = 5000;
const NO_CLAIMS = 'volumeClaimTemplates are not supported by Longshore yet, so no pods are made';

export const statefulSets: Controller = {
  name: 'statefulset',
  account: 'statefulset-controller',
  sources: [
    source(STATEFUL_SETS, ({ type, object, previous }) => {
      if (type === 'ADDED') return [ADOPT + keyOf(object)];
      const isNews =
        object.metadata.generation !== previous?.metadata.generation ||
        object.metadata.deletionTimestamp !== previous?.metadata.deletionTimestamp;
      return type === 'MODIFIED' && isNews ? [keyOf(object)] : [];
    }),
    source(
      PODS,
      ownerKeysOf<StatefulSet>({
        identity: STATEFUL_SETS,
        selectorOf: (set) => set.spec.selector,
        isAdoptable: (pod) => !isTerminating(pod),
        countsTheSame: (pod, previous) =>
          pod.status?.phase === previous.status?.phase &&
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
    const set = context.objects.get(STATEFUL_SETS, namespace, name);
    if (set === undefined) return;
    const pods = claim(context.objects, {
      identity: PODS,
      ownerIdentity: STATEFUL_SETS,
      owner: set,
      selector: set.spec.selector,
      ...(adopts ? { adoptable: (pod: Pod) => ordinalOf(pod, set) !== undefined } : {}),
    }).filter((pod) => ordinalOf(pod, set) !== undefined);
    new Run(set, pods, context).go();
  },
};

/** `web-3` of the set `web` is 3. */
export function ordinalOf(pod: Pod, set: StatefulSet): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const text = pod.metadata.name.startsWith(prefix) ? pod.metadata.name.slice(prefix.length) : '';
  return /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : undefined;
}

const revisionOf = (pod: Pod): string => pod.metadata.labels?.[REVISION_LABEL] ?? '';

const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isReady(pod);

/** One reconcile of one set. */
class Run {
  readonly set: StatefulSet;
  readonly context: ReconcileContext;
  readonly objects: Objects;
  readonly history: History;
  current: ControllerRevision;
  readonly byOrdinal: Map<number, Pod>;
  readonly start: number;
  readonly size: number;
  readonly ordered: boolean;

  constructor(set: StatefulSet, pods: Pod[], context: ReconcileContext) {
    this.set = set;
    this.context = context;
    this.objects = context.objects;
    this.history = syncHistory(context.objects, STATEFUL_SETS, set, HASH_LABEL);
    const { all, update } = this.history;
    this.current = all.find((each) => each.metadata.name === set.status?.currentRevision) ?? update;
    this.byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod, set) ?? -1, pod]));
    this.start = set.spec.ordinals?.start ?? 0;
    this.size = set.spec.replicas ?? 1;
    this.ordered = set.spec.podManagementPolicy !== 'Parallel';
  }

  go(): void {
    const conditions: Condition[] = [];
    if (this.set.metadata.deletionTimestamp === undefined) {
      if ((this.set.spec.volumeClaimTemplates ?? []).length > 0) conditions.push(this.refuse());
      else this.work();
    }
    this.write(conditions);
    if (this.set.metadata.deletionTimestamp !== undefined) return;
    const live = [...this.byOrdinal.values()].map(revisionOf);
    const names = new Set([this.current.metadata.name, this.history.update.metadata.name, ...live]);
    truncateHistory(this.objects, this.set, this.history.all, names);
  }

  refuse(): Condition {
    this.say('Warning', 'FailedCreate', NO_CLAIMS);
    const known = this.set.status?.conditions?.find((each) => each.type === 'ReplicaFailure');
    const lastTransitionTime = known?.lastTransitionTime ?? formatTime(this.context.nowMs);
    return { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: NO_CLAIMS, lastTransitionTime };
  }

  say(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.objects.record(this.set, { type, reason, message, component: COMPONENT });
  }

  /** One step, or with Parallel as many as can be taken at once: up, then down, then the update. */
  work(): void {
    if (this.makeReplicas() || this.condemn()) return;
    if (this.set.spec.updateStrategy?.type === 'OnDelete') return;
    this.roll();
  }

  isHealthy(pod: Pod | undefined): boolean {
    return pod !== undefined && isRunningAndReady(pod) && !isTerminating(pod) && this.isRipe(pod);
  }

  isRipe(pod: Pod): boolean {
    const { minReadySeconds = 0 } = this.set.spec;
    if (isAvailable(pod, minReadySeconds, this.context.nowMs)) return true;
    const atMs = availableAtMs(pod, minReadySeconds);
    if (atMs !== undefined) this.context.requeueAfter(Math.max(0, atMs - this.context.nowMs));
    return false;
  }

  /** True when something must happen first. */
  makeReplicas(): boolean {
    for (let ordinal = this.start; ordinal < this.start + this.size; ordinal += 1) {
      const pod = this.byOrdinal.get(ordinal);
      if (pod === undefined) {
        if (!this.create(ordinal)) return true;
        if (this.ordered) return true;
        continue;
      }
      if (isTerminal(pod)) {
        if (!isTerminating(pod)) this.replaceEnded(pod);
        return true;
      }
      if (this.ordered && !this.isHealthy(pod)) return true;
    }
    return false;
  }

  /** A pod that ended is deleted; its successor is made when it has gone. */
  replaceEnded(pod: Pod): void {
    const { namespace, name } = this.set.metadata;
    const failed = pod.status?.phase === 'Failed';
    const message = `StatefulSet ${namespace}/${name} is recreating ${failed ? 'failed' : 'terminated'} Pod ${pod.metadata.name}`;
    this.say(failed ? 'Warning' : 'Normal', failed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod', message);
    this.remove(pod);
  }

  /** Which template a new pod gets: below the partition, and during an update where it has not come yet, the old one. */
  revisionFor(ordinal: number): ControllerRevision {
    const { type, rollingUpdate } = this.set.spec.updateStrategy ?? {};
    if (type === 'OnDelete') return this.history.update;
    const partition = rollingUpdate?.partition ?? 0;
    return ordinal < this.start + partition ? this.current : this.history.update;
  }

  create(ordinal: number): boolean {
    const name = `${this.set.metadata.name}-${ordinal}`;
    const what = `create Pod ${name} in StatefulSet ${this.set.metadata.name}`;
    try {
      this.byOrdinal.set(ordinal, this.objects.create(PODS, this.draft(ordinal, name)));
      this.say('Normal', 'SuccessfulCreate', `${what} successful`);
      return true;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const leaving = error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true;
      if (!leaving) {
        this.say('Warning', 'FailedCreate', `${what} failed error: ${error.message}`);
        this.context.requeueAfter(RETRY_MS);
      }
      return false;
    }
  }

  draft(ordinal: number, name: string): Draft<Pod> {
    const revision = this.revisionFor(ordinal);
    const made = podFromTemplate(STATEFUL_SETS, this.set, templateOf(revision) ?? this.set.spec.template);
    const { generateName: _generated, ...own } = made.metadata;
    return {
      ...made,
      metadata: {
        ...own,
        name,
        labels: {
          ...own.labels,
          [NAME_LABEL]: name,
          [INDEX_LABEL]: String(ordinal),
          [REVISION_LABEL]: revision.metadata.name,
        },
      },
      spec: {
        ...made.spec,
        hostname: name,
        ...(this.set.spec.serviceName ? { subdomain: this.set.spec.serviceName } : {}),
      },
    };
  }

  remove(pod: Pod): void {
    const { name, namespace = '', uid } = pod.metadata;
    this.objects.delete(PODS, namespace, name, { preconditions: { uid } });
    this.say('Normal', 'SuccessfulDelete', `delete Pod ${name} in StatefulSet ${this.set.metadata.name} successful`);
    const left = this.objects.get(PODS, namespace, name);
    const ordinal = ordinalOf(pod, this.set) ?? -1;
    if (left === undefined) this.byOrdinal.delete(ordinal);
    else this.byOrdinal.set(ordinal, left);
  }

  /** Pods beyond the size, the highest first. True when something must happen first. */
  condemn(): boolean {
    const isOurs = (ordinal: number) => ordinal >= this.start && ordinal < this.start + this.size;
    const condemned = [...this.byOrdinal].filter(([ordinal]) => !isOurs(ordinal)).sort(([a], [b]) => b - a);
    const firstUnhealthy = [...this.byOrdinal.entries()]
      .sort(([a], [b]) => a - b)
      .find(([, pod]) => !this.isHealthy(pod))?.[0];
    for (const [ordinal, pod] of condemned) {
      if (isTerminating(pod)) {
        if (this.ordered) return true;
        continue;
      }
      // Kubernetes: an unhealthy pod holds up those below it, unless it is itself the one that is in the way.
      if (this.ordered && !this.isHealthy(pod) && ordinal !== firstUnhealthy) return true;
      this.remove(pod);
      if (this.ordered) return true;
    }
    return false;
  }

  /** From the highest ordinal down to the partition: whoever has an old revision goes, so many at a time. */
  roll(): void {
    const { partition = 0, maxUnavailable = 1 } = this.set.spec.updateStrategy?.rollingUpdate ?? {};
    const allowed = Math.max(1, scaledValue(maxUnavailable, this.size, 'down'));
    const update = this.history.update.metadata.name;
    let unavailable = 0;
    for (let ordinal = this.start + this.size - 1; ordinal >= this.start + partition; ordinal -= 1) {
      const pod = this.byOrdinal.get(ordinal);
      if (pod !== undefined && revisionOf(pod) !== update && !isTerminating(pod)) {
        this.remove(pod);
        unavailable += 1;
      } else if (!this.isHealthy(pod)) unavailable += 1;
      if (unavailable >= allowed) return;
    }
  }

  write(conditions: Condition[]): void {
    const { set } = this;
    const pods = [...this.byOrdinal.values()];
    const update = this.history.update.metadata.name;
    const counted = pods.filter((pod) => !isTerminating(pod));
    const having = (revision: string) => counted.filter((pod) => revisionOf(pod) === revision).length;
    const ready = pods.filter(isRunningAndReady).length;
    const available = pods.filter((pod) => isRunningAndReady(pod) && this.isRipe(pod)).length;
    const rolling = set.spec.updateStrategy?.type !== 'OnDelete';
    if (rolling && having(update) === this.size && ready === this.size && pods.length === this.size) {
      this.current = this.history.update;
    }
    const current = this.current.metadata.name;
    const counts = { readyReplicas: ready, currentReplicas: having(current), updatedReplicas: having(update) };
    const status: NonNullable<StatefulSet['status']> = {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: pods.length,
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      currentRevision: current,
      updateRevision: update,
      collisionCount: this.history.collisionCount,
      ...(conditions.length === 0 ? {} : { conditions }),
      availableReplicas: available,
    };
    if (isEqual(status, set.status ?? {})) return;
    this.objects.updateStatus(STATEFUL_SETS, { ...set, status });
  }
}
