/**
 * When a container that ended may start again. Kubernetes' rule: at once after the first crash, then 10 s doubling to
 * 5 min, and from the beginning again for one that ran 10 min. The delay that applies to a container's own crash is in a
 * label of it, so the rule needs no memory and survives a restart of the agent.
 */
import type { ObservedContainer } from '../runtime/runtime.ts';

export const BACK_OFF_LABEL = 'dev.longshore.back-off-seconds';
const FIRST_SECONDS = 10;
const LAST_SECONDS = 300;
const FORGIVEN_AFTER_MS = 600_000;

/** Seconds to wait after this container's end; 0: none. */
export function backOffSecondsOf(ended: ObservedContainer): number {
  return isForgiven(ended) ? 0 : Number(ended.labels[BACK_OFF_LABEL] ?? 0);
}

/** The label of the attempt that follows this one. */
export function nextBackOffSeconds(ended: ObservedContainer | undefined): number {
  if (ended === undefined) return 0;
  if (isForgiven(ended)) return FIRST_SECONDS;
  return Math.min(LAST_SECONDS, Math.max(FIRST_SECONDS, 2 * Number(ended.labels[BACK_OFF_LABEL] ?? 0)));
}

export function restartAtMs(ended: ObservedContainer): number {
  return Date.parse(ended.finishedAt ?? ended.createdAt) + backOffSecondsOf(ended) * 1000;
}

function isForgiven(ended: ObservedContainer): boolean {
  return Date.parse(ended.finishedAt ?? ended.createdAt) - Date.parse(ended.createdAt) > FORGIVEN_AFTER_MS;
}

/** The time to the next try of something else that failed this often in a row. */
export function retryDelayMs(count: number, firstMs: number, lastMs: number): number {
  return Math.min(lastMs, firstMs * 2 ** Math.min(count, 20));
}
