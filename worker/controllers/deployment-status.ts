/**
 * What a deployment says of itself: counts and the conditions Progressing, Available and ReplicaFailure, with the reasons
 * and messages that `kubectl rollout status` and people read. Pure.
 * Source: k8s.io/kubernetes/pkg/controller/deployment/progress.go, util/deployment_util.go
 */
import type { Deployment, DeploymentCondition, ReplicaSet } from '../../shared/api/apps.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import { availableOf, boundsOf, replicasOf, sum } from './rolling-update.ts';

export type DeploymentStatus = NonNullable<Deployment['status']>;
/** Upstream's way to say "no deadline". */
const MAX_INT32 = 2_147_483_647;

export const TIMED_OUT = 'ProgressDeadlineExceeded';
const NEW_AVAILABLE = 'NewReplicaSetAvailable';

export const hasDeadline = (deployment: Deployment): boolean =>
  deployment.spec.progressDeadlineSeconds !== undefined && deployment.spec.progressDeadlineSeconds !== MAX_INT32;

export const hasHistoryLimit = (deployment: Deployment): boolean =>
  deployment.spec.revisionHistoryLimit !== undefined && deployment.spec.revisionHistoryLimit !== MAX_INT32;

export function deploymentCondition(
  status: DeploymentStatus | undefined,
  type: string,
): DeploymentCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** Puts a condition; one of the same status and reason is left as it is, one of the same status keeps its transition. */
export function setCondition(
  status: DeploymentStatus,
  condition: Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>,
  nowMs: number,
): void {
  const current = deploymentCondition(status, condition.type);
  if (current !== undefined && current.status === condition.status && current.reason === condition.reason) return;
  const now = formatTime(nowMs);
  const transition = current?.status === condition.status ? (current.lastTransitionTime ?? now) : now;
  removeCondition(status, condition.type);
  status.conditions = [
    ...(status.conditions ?? []),
    { ...condition, lastUpdateTime: now, lastTransitionTime: transition },
  ];
}

function removeCondition(status: DeploymentStatus, type: string): void {
  status.conditions = (status.conditions ?? []).filter((condition) => condition.type !== type);
}

/** Counts, and whether enough is available. */
export function countStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const available = sum(all, availableOf);
  const status: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, (each) => each.status?.replicas ?? 0),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: sum(all, (each) => each.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
    conditions: structuredClone(deployment.status?.conditions ?? []),
  };
  const enough = available >= replicasOf(deployment) - boundsOf(deployment).maxUnavailable;
  setCondition(
    status,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  );
  return status;
}

/** Counts of zero and an empty list are left out, as upstream's omitempty does. */
export function withoutZeroes(status: DeploymentStatus): DeploymentStatus {
  const kept = Object.entries(status).filter(
    ([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept);
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** When the deployment will have been without progress for too long; undefined when that cannot happen (any more). */
export function deadlineMs(deployment: Deployment, status: DeploymentStatus): number | undefined {
  const progressing = deploymentCondition(status, 'Progressing');
  if (!hasDeadline(deployment) || progressing === undefined) return undefined;
  if (progressing.reason === NEW_AVAILABLE || progressing.reason === TIMED_OUT) return undefined;
  return (parseTime(progressing.lastUpdateTime ?? '') ?? 0) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
}

/** The status during a rollout: counts and Progressing, and the failure of a replica set if there is one. */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = countStatus(deployment, all, newest, nowMs);
  if (hasDeadline(deployment)) setProgress(deployment, status, newest, nowMs);
  else removeCondition(status, 'Progressing');
  const failure = failureOf(newest) ?? all.map(failureOf).find((each) => each !== undefined);
  if (failure === undefined) removeCondition(status, 'ReplicaFailure');
  else setCondition(status, { ...failure, type: 'ReplicaFailure' }, nowMs);
  return status;
}

const failureOf = (replicaSet: ReplicaSet | undefined) =>
  replicaSet?.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');

function setProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  newest: ReplicaSet | undefined,
  nowMs: number,
): void {
  const current = deploymentCondition(deployment.status, 'Progressing');
  if (status.replicas === status.updatedReplicas && current?.reason === NEW_AVAILABLE) return;
  const who =
    newest === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newest.metadata.name}"`;
  if (isComplete(deployment, status)) {
    const message = `${who} has successfully progressed.`;
    setCondition(status, { type: 'Progressing', status: 'True', reason: NEW_AVAILABLE, message }, nowMs);
  } else if (hasProgressed(deployment.status ?? {}, status)) {
    // The deadline counts from the last progress: a fresh update time even where status and reason stay the same.
    const since = current?.status === 'True' ? current.lastTransitionTime : undefined;
    removeCondition(status, 'Progressing');
    const message = `${who} is progressing.`;
    setCondition(status, { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message }, nowMs);
    const fresh = deploymentCondition(status, 'Progressing');
    if (fresh !== undefined && since !== undefined) fresh.lastTransitionTime = since;
  } else if ((deadlineMs(deployment, status) ?? Number.POSITIVE_INFINITY) < nowMs) {
    const message = `${who} has timed out progressing.`;
    setCondition(status, { type: 'Progressing', status: 'False', reason: TIMED_OUT, message }, nowMs);
  }
}
