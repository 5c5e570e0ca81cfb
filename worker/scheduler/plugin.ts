/**
 * One scheduling rule: a filter that explains its own refusals, a score, or both. `catalog.ts` lists the rules in order.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
 */
import type { Node, Pod } from '../../shared/api/core.ts';

/** A minion as the scheduler sees it: the node and what is already asked of it. `candidates.ts` makes them. */
export interface Candidate {
  node: Node;
  /** By resource name: cpu in thousandths of a core, memory and storage in bytes, pods and the rest as they are. */
  allocatable: Record<string, number>;
  /** The same, of the pods that are on the node and have not ended. */
  requested: Record<string, number>;
  /** Host ports in use: `PROTOCOL/IP/PORT`. */
  hostPorts: ReadonlySet<string>;
  /** How many pods of one controller are on the node, by its uid. */
  siblings: ReadonlyMap<string, number>;
  /** The pods on the node that have not ended. Read when first asked for: only rules about other pods ask. */
  readonly pods: readonly PlacedPod[];
  /** Those among them that keep others away, or want them near. */
  choosy: readonly PlacedPod[];
}

/** What rules about other pods look at. */
export type PlacedPod = Pick<Pod, 'metadata' | 'spec'>;

/** What a rule may ask beyond nodes and pods. */
export interface ClusterView {
  namespaceLabels(name: string): Record<string, string>;
}

export interface Refusal {
  /** As upstream words them, without a count: `Insufficient cpu`. Usually one; a pod can want too much of several things. */
  reasons: readonly string[];
  /** Whether taking other pods away could help. */
  resolvable: boolean;
}

export interface SchedulingPlugin {
  name: string;
  /**
   * For rules that look at all nodes together: what they say about this one pod, counted once. Takes the place of `filter`
   * and `score`; undefined where the rule has nothing to say.
   */
  prepare?(
    pod: Pod,
    candidates: readonly Candidate[],
    view: ClusterView,
  ): Pick<SchedulingPlugin, 'filter' | 'score'> | undefined;
  /** undefined: fits. */
  filter?(pod: Pod, candidate: Candidate): Refusal | undefined;
  score?: {
    weight: number;
    /** Higher is better. */
    of(pod: Pod, candidate: Candidate): number;
    /** How raw scores become 0 to 100 over all candidates; undefined: they are that already. */
    normalise?: (scores: readonly number[]) => number[];
  };
}

export const MAX_SCORE = 100;

/** The highest becomes 100; `reversed`: the lowest does. As upstream's DefaultNormalizeScore. */
export function normaliseScores(scores: readonly number[], reversed = false): number[] {
  const highest = Math.max(0, ...scores);
  if (highest === 0) return scores.map(() => (reversed ? MAX_SCORE : 0));
  const scaled = scores.map((score) => Math.floor((score * MAX_SCORE) / highest));
  return reversed ? scaled.map((score) => MAX_SCORE - score) : scaled;
}
