/**
 * The replica set controller: as many active pods as asked for, made from the template, taken away in the order of
 * `victims.ts`. Rolling updates are not here (`deployments.ts`).
 * Source: k8s.io/kubernetes/pkg/controller/replicaset/replica_set.go
 */
import { DEPLOYMENTS, REPLICA_SETS, type ReplicaSet } from '../../shared/api/apps.ts';
import { PODS, type Pod } from '../../shared/api/core.ts';
import type { Condition, Draft, OwnerReference } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { isActive, isAvailable, isReady } from '../../shared/pods.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { claim, controllerOf, controllerReference } from './owners.ts';
import { availableAtMs } from './pod-state.ts';
import { chooseVictims } from './victims.ts';

const COMPONENT = 'replicaset-controller';
/** Keys with this also look for orphans, which is worth it only when one may have appeared. */
const ADOPT = 'adopt:';
/** As upstream's burst: a replica set of 10,000 becomes work of several turns. */
const MAX_CHANGES = 500;

export const replicaSets: Controller = {
  name: 'replicaset',
  sources: [
    source(REPLICA_SETS, ({ type, object, previous }) => {
      if (type === 'ADDED') return [ADOPT + keyOf(object)];
      return type === 'DELETED' || (previous !== undefined && sameButForStatus(object, previous))
        ? []
        : [keyOf(object)];
    }),
    source(PODS, keysOfPod),
  ],
  reconcile(key, context) {
    const adopts = key.startsWith(ADOPT);
    const { namespace, name } = splitKey(adopts ? key.slice(ADOPT.length) : key);
    const replicaSet = context.objects.get(REPLICA_SETS, namespace, name);
    if (replicaSet === undefined) return;
    const active = claim(context.objects, {
      identity: PODS,
      ownerIdentity: REPLICA_SETS,
      owner: replicaSet,
      selector: replicaSet.spec.selector,
      ...(adopts ? { adoptable: isActive } : {}),
    }).filter(isActive);
    const { pods, failure } =
      replicaSet.metadata.deletionTimestamp === undefined
        ? manage(replicaSet, active, context)
        : { pods: active, failure: undefined };
    writeStatus(replicaSet, pods, failure, context);
  },
};

const sameButForStatus = (object: ReplicaSet, previous: ReplicaSet): boolean =>
  object.metadata.generation === previous.metadata.generation &&
  object.metadata.deletionTimestamp === previous.metadata.deletionTimestamp &&
  isEqual(object.metadata.labels, previous.metadata.labels) &&
  isEqual(object.metadata.ownerReferences, previous.metadata.ownerReferences);

/** The replica sets that a changed pod counts for: its controller, or for an orphan whichever would adopt it. */
function keysOfPod(change: ObjectChange<Pod>, objects: Objects): string[] {
  const { object: pod, previous, type } = change;
  const namespace = pod.metadata.namespace ?? '';
  const now = controllerOf(pod);
  const before = previous === undefined ? undefined : controllerOf(previous);
  if (type === 'MODIFIED' && previous !== undefined && countsTheSame(pod, previous)) return [];
  const keys = [now, before].filter(isReplicaSet).map((reference) => `${namespace}/${reference.name}`);
  if (now === undefined && type !== 'DELETED' && isActive(pod)) keys.push(...adoptersOf(pod, objects));
  return [...new Set(keys)];
}

const isReplicaSet = (reference: OwnerReference | undefined): reference is OwnerReference =>
  reference?.kind === REPLICA_SETS.kind && reference.apiVersion.startsWith('apps/');

const countsTheSame = (pod: Pod, previous: Pod): boolean =>
  isActive(pod) === isActive(previous) &&
  isReady(pod) === isReady(previous) &&
  isEqual(pod.metadata.labels, previous.metadata.labels) &&
  isEqual(pod.metadata.ownerReferences, previous.metadata.ownerReferences);

function adoptersOf(pod: Pod, objects: Objects): string[] {
  return objects
    .list(REPLICA_SETS, { namespace: pod.metadata.namespace })
    .filter((each) => matchesLabelSelector(each.spec.selector, pod.metadata.labels ?? {}))
    .map((each) => ADOPT + keyOf(each));
}

interface Managed {
  pods: Pod[];
  failure: { reason: 'FailedCreate' | 'FailedDelete'; message: string } | undefined;
}

function manage(replicaSet: ReplicaSet, active: Pod[], context: ReconcileContext): Managed {
  const missing = (replicaSet.spec.replicas ?? 1) - active.length;
  if (Math.abs(missing) > MAX_CHANGES) context.requeueAfter(0);
  if (missing > 0) return createPods(replicaSet, active, Math.min(missing, MAX_CHANGES), context);
  if (missing < 0) return deletePods(replicaSet, active, Math.min(-missing, MAX_CHANGES), context);
  return { pods: active, failure: undefined };
}

function createPods(replicaSet: ReplicaSet, active: Pod[], count: number, { objects }: ReconcileContext): Managed {
  const pods = [...active];
  for (let made = 0; made < count; made += 1) {
    try {
      const pod = objects.create(PODS, podOf(replicaSet));
      pods.push(pod);
      objects.record(replicaSet, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${pod.metadata.name}`,
        component: COMPONENT,
      });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const leaving = error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true;
      // Kubernetes: a namespace under deletion takes no pods, and that is nobody's failure.
      if (leaving) return { pods, failure: undefined };
      objects.record(replicaSet, {
        type: 'Warning',
        reason: 'FailedCreate',
        message: `Error creating: ${error.message}`,
        component: COMPONENT,
      });
      return { pods, failure: { reason: 'FailedCreate', message: error.message } };
    }
  }
  return { pods, failure: undefined };
}

/** The pod that a replica set makes; its name is the server's to choose. */
export function podOf(replicaSet: ReplicaSet): Draft<Pod> {
  const { metadata = {}, spec } = structuredClone(replicaSet.spec.template) ?? { spec: { containers: [] } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: generateNameOf(replicaSet.metadata.name),
      namespace: replicaSet.metadata.namespace ?? '',
      ...(metadata.labels ? { labels: metadata.labels } : {}),
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [controllerReference(REPLICA_SETS, replicaSet)],
    },
    spec,
  };
}

/** Kubernetes: the dash is left out where it would make the name too long to be one. */
const generateNameOf = (name: string): string => (name.length + 1 <= 253 ? `${name}-` : name);

function deletePods(
  replicaSet: ReplicaSet,
  active: Pod[],
  count: number,
  { objects, nowMs }: ReconcileContext,
): Managed {
  const victims = chooseVictims(active, count < active.length ? relatedPods(replicaSet, objects) : [], count, nowMs);
  for (const pod of victims) {
    objects.delete(PODS, pod.metadata.namespace ?? '', pod.metadata.name, { preconditions: { uid: pod.metadata.uid } });
    objects.record(replicaSet, {
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted pod: ${pod.metadata.name}`,
      component: COMPONENT,
    });
  }
  const gone = new Set(victims.map((pod) => pod.metadata.uid));
  return { pods: active.filter((pod) => !gone.has(pod.metadata.uid)), failure: undefined };
}

/** The active pods of every replica set of the same owner: during a rollout the old ones make room for the new ones. */
function relatedPods(replicaSet: ReplicaSet, objects: Objects): Pod[] {
  const controller = controllerOf(replicaSet);
  const siblings =
    controller?.kind === DEPLOYMENTS.kind
      ? objects.list(REPLICA_SETS, {
          namespace: replicaSet.metadata.namespace,
          having: [{ index: 'owner', value: controller.uid }],
        })
      : [replicaSet];
  return siblings.flatMap((each) =>
    objects
      .list(PODS, { namespace: replicaSet.metadata.namespace, having: [{ index: 'owner', value: each.metadata.uid }] })
      .filter(isActive),
  );
}

function writeStatus(current: ReplicaSet, pods: Pod[], failure: Managed['failure'], context: ReconcileContext): void {
  const minReadySeconds = current.spec.minReadySeconds ?? 0;
  const available = pods.filter((pod) => isAvailable(pod, minReadySeconds, context.nowMs));
  const templateLabels = current.spec.template?.metadata?.labels ?? {};
  const conditions = (current.status?.conditions ?? []).filter((condition) => condition.type !== 'ReplicaFailure');
  if (failure !== undefined) conditions.push(failureCondition(current, failure, context));
  const status: ReplicaSet['status'] = {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) =>
      matchesLabelSelector({ matchLabels: templateLabels }, pod.metadata.labels ?? {}),
    ).length,
    readyReplicas: pods.filter(isReady).length,
    availableReplicas: available.length,
    observedGeneration: current.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  // Kubernetes: counts of zero are left out, but for `replicas`.
  for (const count of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    if (status[count] === 0) delete status[count];
  }
  if (!isEqual(status, current.status)) context.objects.updateStatus(REPLICA_SETS, { ...current, status });
  const ripening = pods
    .filter((pod) => !available.includes(pod))
    .map((pod) => availableAtMs(pod, minReadySeconds))
    .filter((at) => at !== undefined);
  if (ripening.length > 0) context.requeueAfter(Math.max(0, Math.min(...ripening) - context.nowMs));
}

/** Keeps the time of the first failure, and comes back after as long again: 1 s, 2 s, 4 s … 1000 s. */
function failureCondition(
  current: ReplicaSet,
  failure: NonNullable<Managed['failure']>,
  context: ReconcileContext,
): Condition {
  const known = current.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');
  const since = known?.lastTransitionTime ?? formatTime(context.nowMs);
  const failingForMs = context.nowMs - (parseTime(since) ?? context.nowMs);
  context.requeueAfter(Math.min(Math.max(failingForMs, 1000), 1_000_000));
  return { type: 'ReplicaFailure', status: 'True', lastTransitionTime: since, ...failure };
}
