/**
 * The disruption controller: how many pods of each budget may be evicted now. Granting an eviction is
 * `registry/eviction.ts`, which counts it in the status at once.
 * Source: k8s.io/kubernetes/pkg/controller/disruption/disruption.go
 */
import { DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '../../shared/api/apps.ts';
import { PODS, type Pod, REPLICATION_CONTROLLERS } from '../../shared/api/core.ts';
import type { Condition, Identity, KubeObject, OwnerReference } from '../../shared/api/meta.ts';
import { POD_DISRUPTION_BUDGETS, type PodDisruptionBudget } from '../../shared/api/policy.ts';
import { isReady, isTerminating } from '../../shared/pods.ts';
import { formatLabelSelector, matchesLabelSelector } from '../../shared/selectors.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, type Source, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { controllerOf } from './owners.ts';
import { scaledValue } from './rolling-update.ts';

const COMPONENT = 'controllermanager';
/** A granted eviction that has not become a deletion after so long is taken back. */
const DELETION_TIMEOUT_MS = 120_000;

type Budget = PodDisruptionBudget;

interface Scaled extends KubeObject {
  spec: { replicas?: number };
}

/** Kinds whose size says how many pods there should be. */
const SCALED: readonly Identity<Scaled>[] = [
  REPLICA_SETS,
  DEPLOYMENTS,
  STATEFUL_SETS,
  REPLICATION_CONTROLLERS,
] as readonly Identity[] as readonly Identity<Scaled>[];

export const disruption: Controller = {
  name: 'disruption',
  account: 'disruption-controller',
  sources: [
    source(POD_DISRUPTION_BUDGETS, ({ type, object, previous }) => {
      const isNews =
        object.metadata.generation !== previous?.metadata.generation ||
        !isEqual(object.status?.disruptedPods ?? {}, previous?.status?.disruptedPods ?? {});
      return type !== 'DELETED' && isNews ? [keyOf(object)] : [];
    }),
    source(PODS, keysOfPod),
    ...SCALED.map(
      (identity): Source =>
        source(identity, ({ type, object, previous }, objects) => {
          if (type === 'MODIFIED' && object.spec.replicas === previous?.spec.replicas) return [];
          return objects.list(POD_DISRUPTION_BUDGETS, { namespace: object.metadata.namespace }).map(keyOf);
        }),
    ),
  ],
  reconcile(key, context) {
    const { namespace, name } = splitKey(key);
    const budget = context.objects.get(POD_DISRUPTION_BUDGETS, namespace, name);
    if (budget !== undefined && budget.metadata.deletionTimestamp === undefined) reconcileBudget(budget, context);
  },
};

function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const isSame =
    type === 'MODIFIED' &&
    previous !== undefined &&
    isReady(object) === isReady(previous) &&
    isTerminating(object) === isTerminating(previous) &&
    isEqual(object.metadata.labels, previous.metadata.labels) &&
    isEqual(object.metadata.ownerReferences, previous.metadata.ownerReferences);
  if (isSame) return [];
  return objects
    .list(POD_DISRUPTION_BUDGETS, { namespace: object.metadata.namespace })
    .filter(({ spec }) =>
      [object, previous].some((pod) => pod && matchesLabelSelector(spec.selector, pod.metadata.labels ?? {})),
    )
    .map(keyOf);
}

function selectedPods({ metadata, spec }: Budget, objects: Objects): Pod[] {
  const having = Object.entries(spec.selector?.matchLabels ?? {}).map(([key, value]) => ({
    index: `label:${key}`,
    value,
  }));
  return objects
    .list(PODS, { namespace: metadata.namespace, having })
    .filter((pod) => matchesLabelSelector(spec.selector, pod.metadata.labels ?? {}));
}

function reconcileBudget(budget: Budget, context: ReconcileContext): void {
  const { objects, nowMs } = context;
  const pods = selectedPods(budget, objects);
  const say = (type: 'Normal' | 'Warning', reason: string, message: string, about: KubeObject = budget) =>
    objects.record(about, { type, reason, message, component: COMPONENT });
  if (pods.length === 0) say('Normal', 'NoPods', 'No matching pods found');
  const expected = expectedOf(budget, pods, objects);
  if ('failure' in expected) {
    say(
      'Warning',
      'CalculateExpectedPodCountFailed',
      `Failed to calculate the number of expected pods: ${expected.failure}`,
    );
    failSafe(budget, expected.failure, context);
    return;
  }
  if (expected.unmanaged) {
    const selector = formatLabelSelector(budget.spec.selector);
    const advice = 'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
    say(
      'Warning',
      'UnmanagedPods',
      `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ${advice}`,
    );
  }
  const disruptedPods: Record<string, string> = {};
  for (const pod of pods) {
    const grantedAt = budget.status?.disruptedPods?.[pod.metadata.name];
    if (grantedAt === undefined || isTerminating(pod)) continue;
    const untilMs = (parseTime(grantedAt) ?? 0) + DELETION_TIMEOUT_MS;
    if (untilMs > nowMs) {
      disruptedPods[pod.metadata.name] = grantedAt;
      context.requeueAfter(untilMs - nowMs);
    } else {
      const of = `${budget.metadata.namespace}/${budget.metadata.name}`;
      say('Warning', 'NotDeleted', `Pod was expected by PDB ${of} to be deleted but it wasn't`, pod);
    }
  }
  const healthy = pods.filter(
    (pod) => !isTerminating(pod) && disruptedPods[pod.metadata.name] === undefined && isReady(pod),
  ).length;
  const allowed = expected.pods <= 0 ? 0 : Math.max(0, healthy - expected.healthy);
  write(budget, context, {
    observedGeneration: budget.metadata.generation ?? 0,
    ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: expected.healthy,
    expectedPods: expected.pods,
    conditions: withCondition(budget, allowed > 0 ? 'SufficientPods' : 'InsufficientPods', '', nowMs),
  });
}

/** Kubernetes: when nobody can tell, nothing may be evicted. */
function failSafe(budget: Budget, message: string, context: ReconcileContext): void {
  const { desiredHealthy = 0, currentHealthy = 0, expectedPods = 0 } = budget.status ?? {};
  write(budget, context, {
    ...budget.status,
    observedGeneration: budget.metadata.generation ?? 0,
    disruptionsAllowed: 0,
    desiredHealthy,
    currentHealthy,
    expectedPods,
    conditions: withCondition(budget, 'SyncFailed', message, context.nowMs),
  });
}

function write(budget: Budget, { objects }: ReconcileContext, status: NonNullable<Budget['status']>): void {
  if (!isEqual(status, budget.status ?? {})) objects.updateStatus(POD_DISRUPTION_BUDGETS, { ...budget, status });
}

export function withCondition(budget: Budget, reason: string, message: string, nowMs: number): Condition[] {
  const known = budget.status?.conditions?.find((each) => each.type === 'DisruptionAllowed');
  const others = (budget.status?.conditions ?? []).filter((each) => each !== known);
  const status = reason === 'SufficientPods' ? 'True' : 'False';
  const since = known?.status === status ? known.lastTransitionTime : undefined;
  const observedGeneration = budget.metadata.generation ?? 0;
  return [
    ...others,
    {
      type: 'DisruptionAllowed',
      status,
      observedGeneration,
      lastTransitionTime: since ?? formatTime(nowMs),
      reason,
      message,
    },
  ];
}

type Expected = { pods: number; healthy: number; unmanaged: boolean } | { failure: string };

function expectedOf({ spec }: Budget, pods: readonly Pod[], objects: Objects): Expected {
  const { minAvailable, maxUnavailable } = spec;
  if (typeof minAvailable === 'number') return { pods: pods.length, healthy: minAvailable, unmanaged: false };
  if (minAvailable === undefined && maxUnavailable === undefined) return { pods: 0, healthy: 0, unmanaged: false };
  const scale = scaleOf(pods, objects);
  if ('failure' in scale) return scale;
  const { replicas, unmanaged } = scale;
  if (minAvailable !== undefined) {
    return { pods: replicas, healthy: scaledValue(minAvailable, replicas, 'up'), unmanaged };
  }
  const unavailable = scaledValue(maxUnavailable ?? 0, replicas, 'up');
  return { pods: replicas, healthy: Math.max(0, replicas - unavailable), unmanaged };
}

/** The sizes of all that the pods belong to, each counted once. */
function scaleOf(
  pods: readonly Pod[],
  objects: Objects,
): { replicas: number; unmanaged: boolean } | { failure: string } {
  const sizes = new Map<string, number>();
  let unmanaged = false;
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (reference === undefined) {
      unmanaged = true;
      continue;
    }
    if (sizes.has(reference.uid)) continue;
    const owner = rootOwner(reference, pod.metadata.namespace ?? '', objects);
    if (owner === undefined) return { failure: `found no controllers for pod ${JSON.stringify(pod.metadata.name)}` };
    sizes.set(reference.uid, 0);
    sizes.set(owner.metadata.uid, owner.spec.replicas ?? 1);
  }
  return { replicas: [...sizes.values()].reduce((total, size) => total + size, 0), unmanaged };
}

/** The replica set, or the deployment above it; the stateful set; the replication controller. */
function rootOwner(reference: OwnerReference, namespace: string, objects: Objects): Scaled | undefined {
  const group = reference.apiVersion.includes('/')
    ? reference.apiVersion.slice(0, reference.apiVersion.indexOf('/'))
    : '';
  const identity = SCALED.find((each) => each.kind === reference.kind && each.group === group);
  if (identity === undefined) return undefined;
  const owner = objects.get(identity, namespace, reference.name);
  if (owner?.metadata.uid !== reference.uid) return undefined;
  const above = controllerOf(owner);
  return above?.kind === DEPLOYMENTS.kind ? (rootOwner(above, namespace, objects) ?? owner) : owner;
}
