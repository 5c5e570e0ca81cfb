/**
 * How much history to keep, and one bounded step towards it. Dropping itself is `Store.compact`; when to call this (on
 * the object's alarm, and now and then after commits) is `worker/cluster.ts`.
 */
import type { Store } from './store.ts';

export interface CompactionPolicy {
  /** History this young stays: what kube-apiserver's own compactor keeps. */
  keepMs: number;
  /** So many revisions stay however old they are, so that in a quiet cluster a watcher that slept may resume. */
  keepRevisions: number;
  /** Nothing happens for fewer revisions than this: every step writes a row of its own. */
  stepRevisions: number;
  /** No more than this in one turn: about a tenth of a second. */
  turnRevisions: number;
}

export const COMPACTION: CompactionPolicy = {
  keepMs: 5 * 60_000,
  keepRevisions: 1000,
  stepRevisions: 1000,
  turnRevisions: 10_000,
};

type Compactable = Pick<Store, 'revision' | 'compactedRevision' | 'revisionAt' | 'compact'>;

/** Up to which revision history may go now; undefined: leave it. Reads two rows when there is nothing to do. */
export function compactionTarget(
  store: Omit<Compactable, 'compact'>,
  nowMs: number,
  policy: CompactionPolicy = COMPACTION,
): number | undefined {
  const compacted = store.compactedRevision;
  const most = store.revision - policy.keepRevisions;
  if (most - compacted < policy.stepRevisions) return undefined;
  const target = Math.min(most, store.revisionAt(nowMs - policy.keepMs));
  return target - compacted < policy.stepRevisions ? undefined : target;
}

/** Drops what one turn may of the history that can go. Returns whether another call would find more to do. */
export function compactHistory(store: Compactable, nowMs: number, policy: CompactionPolicy = COMPACTION): boolean {
  const target = compactionTarget(store, nowMs, policy);
  if (target === undefined) return false;
  store.compact(target, policy.turnRevisions);
  return target - store.compactedRevision >= policy.stepRevisions;
}
