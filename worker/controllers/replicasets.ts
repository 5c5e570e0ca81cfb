/**
 * The replica set controller, which is also the one of replication controllers: as many active pods as asked for, made from
 * the template, taken away in the order of `victims.ts`. Rolling updates are not here (`deployments.ts`).
 * Source: k8s.io/kubernetes/pkg/controller/replicaset/replica_set.go, pkg/controller/replication
 */
import { DEPLOYMENTS, REPLICA_SETS, type ReplicaSet } from '../../shared/api/apps.ts';
import { PODS, type Pod, REPLICATION_CONTROLLERS, type ReplicationController } from '../../shared/api/core.ts';
import type { Condition, Identity, LabelSelector } from '../../shared/api/meta.ts';
import { isActive, isAvailable, isReady } from '../../shared/pods.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { ADOPT, ownerKeysOf } from './owned-pods.ts';
import { claim, controllerOf } from './owners.ts';
import { createPod, deletePod, podFromTemplate } from './pod-control.ts';
import { availableAtMs } from './pod-state.ts';
import { chooseVictims } from './victims.ts';

/** As upstream's burst: a replica set of 10,000 becomes work of several turns. */
const MAX_CHANGES = 500;

type Replicated = ReplicaSet | ReplicationController;

/** What the two kinds do not share. */
interface Kind<T extends Replicated> {
  name: string;
  account: string;
  component: string;
  identity: Identity<T>;
  selectorOf(owner: T): LabelSelector;
}

const REPLICA_SET: Kind<ReplicaSet> = {
  name: 'replicaset',
  account: 'replicaset-controller',
  component: 'replicaset-controller',
  identity: REPLICA_SETS,
  selectorOf: (owner) => owner.spec.selector,
};

const REPLICATION_CONTROLLER: Kind<ReplicationController> = {
  name: 'replicationcontroller',
  account: 'replication-controller',
  component: 'replication-controller',
  identity: REPLICATION_CONTROLLERS,
  selectorOf: (owner) => ({ matchLabels: owner.spec.selector ?? {} }),
};

function controllerOfKind<T extends Replicated>(kind: Kind<T>): Controller {
  const { identity, selectorOf } = kind;
  const keysOfPod = ownerKeysOf<T>({ identity, selectorOf, countsTheSame, isAdoptable: isActive });
  return {
    name: kind.name,
    account: kind.account,
    sources: [
      source(identity, ({ type, object, previous }) => {
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
      const owner = context.objects.get(identity, namespace, name);
      if (owner === undefined) return;
      const active = claim(context.objects, {
        identity: PODS,
        ownerIdentity: identity,
        owner,
        selector: selectorOf(owner),
        ...(adopts ? { adoptable: isActive } : {}),
      }).filter(isActive);
      const { pods, failure } =
        owner.metadata.deletionTimestamp === undefined
          ? manage(kind, owner, active, context)
          : { pods: active, failure: undefined };
      writeStatus(kind, owner, pods, failure, context);
    },
  };
}

const sameButForStatus = (object: Replicated, previous: Replicated): boolean =>
  object.metadata.generation === previous.metadata.generation &&
  object.metadata.deletionTimestamp === previous.metadata.deletionTimestamp &&
  isEqual(object.metadata.labels, previous.metadata.labels) &&
  isEqual(object.metadata.ownerReferences, previous.metadata.ownerReferences);

const countsTheSame = (pod: Pod, previous: Pod): boolean =>
  isActive(pod) === isActive(previous) &&
  isReady(pod) === isReady(previous) &&
  isEqual(pod.metadata.labels, previous.metadata.labels) &&
  isEqual(pod.metadata.ownerReferences, previous.metadata.ownerReferences);

export const replicaSets = controllerOfKind(REPLICA_SET);
export const replicationControllers = controllerOfKind(REPLICATION_CONTROLLER);

interface Managed {
  pods: Pod[];
  failure: { reason: 'FailedCreate' | 'FailedDelete'; message: string } | undefined;
}

function manage<T extends Replicated>(kind: Kind<T>, owner: T, active: Pod[], context: ReconcileContext): Managed {
  const missing = (owner.spec.replicas ?? 1) - active.length;
  if (Math.abs(missing) > MAX_CHANGES) context.requeueAfter(0);
  if (missing > 0) return createPods(kind, owner, active, Math.min(missing, MAX_CHANGES), context);
  if (missing < 0) return deletePods(kind, owner, active, Math.min(-missing, MAX_CHANGES), context);
  return { pods: active, failure: undefined };
}

function createPods<T extends Replicated>(
  { identity, component }: Kind<T>,
  owner: T,
  active: Pod[],
  count: number,
  { objects }: ReconcileContext,
): Managed {
  const pods = [...active];
  for (let made = 0; made < count; made += 1) {
    const draft = podFromTemplate(identity, owner, owner.spec.template);
    const creation = createPod(objects, owner, draft, component);
    if ('pod' in creation) pods.push(creation.pod);
    else if (creation.refused === 'leaving') return { pods, failure: undefined };
    else return { pods, failure: { reason: 'FailedCreate', message: creation.refused.message } };
  }
  return { pods, failure: undefined };
}

function deletePods<T extends Replicated>(
  { component }: Kind<T>,
  owner: T,
  active: Pod[],
  count: number,
  { objects, nowMs }: ReconcileContext,
): Managed {
  const victims = chooseVictims(active, count < active.length ? relatedPods(owner, objects) : [], count, nowMs);
  for (const pod of victims) deletePod(objects, owner, pod, component);
  const gone = new Set(victims.map((pod) => pod.metadata.uid));
  return { pods: active.filter((pod) => !gone.has(pod.metadata.uid)), failure: undefined };
}

/** The active pods of every replica set of the same owner: during a rollout the old ones make room for the new ones. */
function relatedPods(owner: Replicated, objects: Objects): Pod[] {
  const controller = controllerOf(owner);
  const siblings: Replicated[] =
    controller?.kind === DEPLOYMENTS.kind
      ? objects.list(REPLICA_SETS, {
          namespace: owner.metadata.namespace,
          having: [{ index: 'owner', value: controller.uid }],
        })
      : [owner];
  return siblings.flatMap((each) =>
    objects
      .list(PODS, { namespace: owner.metadata.namespace, having: [{ index: 'owner', value: each.metadata.uid }] })
      .filter(isActive),
  );
}

function writeStatus<T extends Replicated>(
  { identity }: Kind<T>,
  current: T,
  pods: Pod[],
  failure: Managed['failure'],
  context: ReconcileContext,
): void {
  const minReadySeconds = current.spec.minReadySeconds ?? 0;
  const available = pods.filter((pod) => isAvailable(pod, minReadySeconds, context.nowMs));
  const templateLabels = current.spec.template?.metadata?.labels ?? {};
  const conditions = (current.status?.conditions ?? []).filter((condition) => condition.type !== 'ReplicaFailure');
  if (failure !== undefined) conditions.push(failureCondition(current, failure, context));
  const status: NonNullable<Replicated['status']> = {
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
  if (!isEqual(status, current.status)) context.objects.updateStatus(identity, { ...current, status });
  const ripening = pods
    .filter((pod) => !available.includes(pod))
    .map((pod) => availableAtMs(pod, minReadySeconds))
    .filter((at) => at !== undefined);
  if (ripening.length > 0) context.requeueAfter(Math.max(0, Math.min(...ripening) - context.nowMs));
}

/** Keeps the time of the first failure, and comes back after as long again: 1 s, 2 s, 4 s … 1000 s. */
function failureCondition(
  current: Replicated,
  failure: NonNullable<Managed['failure']>,
  context: ReconcileContext,
): Condition {
  const known = current.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');
  const since = known?.lastTransitionTime ?? formatTime(context.nowMs);
  const failingForMs = context.nowMs - (parseTime(since) ?? context.nowMs);
  context.requeueAfter(Math.min(Math.max(failingForMs, 1000), 1_000_000));
  return { type: 'ReplicaFailure', status: 'True', lastTransitionTime: since, ...failure };
}
