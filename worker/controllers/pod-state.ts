/**
 * What only controllers ask of a pod's status: since when it is ready, when that is long enough, how often it restarted.
 * Predicates that both ends need are in `shared/pods.ts`.
 */
import type { Pod } from '../../shared/api/core.ts';
import { conditionOf } from '../../shared/pods.ts';
import { parseTime } from '../../shared/time.ts';

/** Since when the pod has been ready, in milliseconds; undefined when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = conditionOf(pod, 'Ready');
  return condition?.status === 'True' ? (parseTime(condition.lastTransitionTime ?? '') ?? 0) : undefined;
}

/** When a ready pod will have been ready for long enough; undefined when it is not ready. */
export function availableAtMs(pod: Pod, minReadySeconds: number): number | undefined {
  const since = readySinceMs(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}

export function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((each) => each.restartCount));
}
