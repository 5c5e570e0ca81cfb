/**
 * One scheduling rule: a filter that explains its own refusals, a score, or both. `catalog.ts` lists the rules in order.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
 */
import type { Node, Pod } from '../../shared/api/core.ts';

/** A minion as the scheduler sees it: the node and what is already asked of it. `candidates.ts` makes them. */
export interface Candidate {
  node: SeenNode;
  /** By resource name: cpu in thousandths of a core, memory and storage in bytes, pods and the rest as they are. */
  allocatable: Readonly<Record<string, number>>;
  /** Bytes of the images that are there, by each of their names. */
  images: ReadonlyMap<string, number>;
  /** As `allocatable`, of the pods that are on the node and have not ended. */
  readonly requested: Readonly<Record<string, number>>;
  /** Host ports in use: `PROTOCOL/IP/PORT`. */
  readonly hostPorts: ReadonlySet<string>;
  /** How many pods of one controller are on the node, by its uid. */
  readonly siblings: ReadonlyMap<string, number>;
  /** The pods on the node that have not ended. Read when first asked for: only rules about other pods ask. */
  readonly pods: readonly PlacedPod[];
}

/** What rules read of a node; thousands are kept, so no more than that. */
export interface SeenNode {
  metadata: Pick<Node['metadata'], 'name' | 'labels'>;
  spec: Pick<Node['spec'], 'taints' | 'unschedulable'>;
}

/** What rules about other pods look at. */
export interface PlacedPod {
  metadata: Pick<Pod['metadata'], 'namespace' | 'labels' | 'deletionTimestamp'>;
  spec: Pick<Pod['spec'], 'affinity'>;
}

/** A pod that has required anti-affinity, and where it is. */
export interface Repelling {
  node: SeenNode;
  pod: PlacedPod;
}

/** What a rule may ask beyond nodes and what is on them. */
export interface ClusterView {
  repelling(): readonly Repelling[];
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
   * What the rule says about one pod: whatever does not depend on the node is worked out here, once, and so is what needs a
   * look at all nodes together. undefined: nothing.
   */
  prepare(pod: Pod, candidates: readonly Candidate[], view: ClusterView): PreparedRule | undefined;
}

export interface PreparedRule {
  /** undefined: fits. */
  filter?(candidate: Candidate): Refusal | undefined;
  score?: {
    weight: number;
    /** Higher is better. */
    of(candidate: Candidate): number;
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
