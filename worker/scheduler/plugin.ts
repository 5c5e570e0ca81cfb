/**
 * One scheduling rule: a filter that explains its own refusals, a score, or both. `catalog.ts` lists the rules in order.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
 */
import type { Node, Pod } from '../../shared/api/core.ts';

/** A minion as the scheduler sees it: the node and what is already asked of it (milli-CPU, bytes, pods …). */
export interface Candidate {
  node: Node;
  allocatable: Record<string, number>;
  requested: Record<string, number>;
}

export interface SchedulingPlugin {
  name: string;
  /** undefined: fits. Otherwise the reason as upstream words it, without a count: `Insufficient cpu`. */
  filter?(pod: Pod, candidate: Candidate): string | undefined;
  /** 0 to 100; higher is better. */
  score?(pod: Pod, candidate: Candidate): number;
}
