/**
 * NodeResourcesFit: what the pod requests must be left on the node; the emptier node is better (LeastAllocated), and so is
 * one whose cpu and memory fill up evenly (NodeResourcesBalancedAllocation).
 * Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources
 */
import type { Pod } from '../../shared/api/core.ts';
import { type Candidate, MAX_SCORE, type SchedulingPlugin } from './plugin.ts';
import { ASSUMED, podRequests } from './requests.ts';

export const nodeResourcesFit: SchedulingPlugin = {
  name: 'NodeResourcesFit',
  filter(pod, { allocatable, requested }) {
    const reasons: string[] = [];
    let resolvable = true;
    for (const [resource, amount] of Object.entries(podRequests(pod))) {
      if (amount === 0) continue;
      const capacity = allocatable[resource] ?? 0;
      if (amount <= capacity - (requested[resource] ?? 0)) continue;
      reasons.push(resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}`);
      if (amount > capacity) resolvable = false;
    }
    return reasons.length === 0 ? undefined : { reasons, resolvable };
  },
  score: {
    weight: 1,
    of(pod, candidate) {
      const shares = SCORED.map((resource) => usedShare(pod, candidate, resource)).filter(
        (share) => share !== undefined,
      );
      if (shares.length === 0) return 0;
      const free = shares.map((share) => (share > 1 ? 0 : Math.floor((1 - share) * MAX_SCORE)));
      return Math.floor(free.reduce((total, each) => total + each, 0) / free.length);
    },
  },
};

export const balancedAllocation: SchedulingPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  score: {
    weight: 1,
    of(pod, candidate) {
      const shares = SCORED.map((resource) => usedShare(pod, candidate, resource)).filter(
        (share) => share !== undefined,
      );
      const [one = 0, other = one] = shares.map((share) => Math.min(share, 1));
      // The standard deviation of two values is half their distance.
      return Math.floor((1 - Math.abs(one - other) / 2) * MAX_SCORE);
    },
  },
};

const SCORED = ['cpu', 'memory'] as const;

/** How much of the resource would be in use with the pod there; undefined when the node has none. */
function usedShare(pod: Pod, candidate: Candidate, resource: (typeof SCORED)[number]): number | undefined {
  const capacity = candidate.allocatable[resource] ?? 0;
  if (capacity === 0) return undefined;
  const wanted = podRequests(pod)[resource] || (ASSUMED[resource] ?? 0);
  return ((candidate.requested[resource] ?? 0) + wanted) / capacity;
}
