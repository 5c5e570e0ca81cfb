/**
 * What controllers ask of a pod's status: does it count, is it ready, since when. How a status comes about is the
 * kubelet's business (`agent/pods`).
 * Source: k8s.io/kubernetes/pkg/controller/controller_utils.go, pkg/api/v1/pod/util.go
 */
import type { Pod, PodCondition } from '../../shared/api/core.ts';

export const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
/** Counts towards a controller's replicas. */
export const isActive = (pod: Pod): boolean => !hasEnded(pod) && !isTerminating(pod);

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export const isReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** Since when the pod has been ready, in milliseconds; undefined when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = podCondition(pod, 'Ready');
  return condition?.status === 'True' ? Date.parse(condition.lastTransitionTime ?? '') || 0 : undefined;
}

/** When a ready pod will have been ready for long enough; undefined when it is not ready. */
export function availableAtMs(pod: Pod, minReadySeconds: number): number | undefined {
  const since = readySinceMs(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}

export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const at = availableAtMs(pod, minReadySeconds);
  return at !== undefined && (minReadySeconds === 0 || at <= nowMs);
}

export function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((each) => each.restartCount));
}
