/**
 * NodeResourcesFit: what the pod requests must be left on the node; the emptier node is better (LeastAllocated), and so is
 * one whose cpu and memory fill up evenly (NodeResourcesBalancedAllocation).
 * Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources
 */
import type { Pod } from '../../shared/api/core.ts';
import { type Candidate, MAX_SCORE, type Refusal, type SchedulingPlugin } from './plugin.ts';
import { ASSUMED, podRequests } from './requests.ts';

export const nodeResourcesFit: SchedulingPlugin = {
  name: 'NodeResourcesFit',
  prepare(pod) {
    const wanted = Object.entries(podRequests(pod)).filter(([, amount]) => amount > 0);
    const shares = sharesOf(pod);
    return {
      filter: (candidate) =>
        wanted.every(([resource, amount]) => amount <= freeOf(candidate, resource))
          ? undefined
          : refusalOf(wanted, candidate),
      score: {
        weight: 1,
        of(candidate) {
          let [free, counted] = [0, 0];
          for (const share of shares(candidate)) {
            if (share === undefined) continue;
            free += share > 1 ? 0 : Math.floor((1 - share) * MAX_SCORE);
            counted++;
          }
          return counted === 0 ? 0 : Math.floor(free / counted);
        },
      },
    };
  },
};

export const balancedAllocation: SchedulingPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  prepare(pod) {
    const shares = sharesOf(pod);
    return {
      score: {
        weight: 1,
        of(candidate) {
          const [cpu, memory] = shares(candidate);
          const one = Math.min(cpu ?? memory ?? 0, 1);
          const other = Math.min(memory ?? cpu ?? 0, 1);
          // The standard deviation of two values is half their distance.
          return Math.floor((1 - Math.abs(one - other) / 2) * MAX_SCORE);
        },
      },
    };
  },
};

const freeOf = ({ allocatable, requested }: Candidate, resource: string): number =>
  (allocatable[resource] ?? 0) - (requested[resource] ?? 0);

function refusalOf(wanted: readonly [string, number][], candidate: Candidate): Refusal {
  const missing = wanted.filter(([resource, amount]) => amount > freeOf(candidate, resource));
  return {
    reasons: missing.map(([resource]) => (resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}`)),
    resolvable: missing.every(([resource, amount]) => amount <= (candidate.allocatable[resource] ?? 0)),
  };
}

/** How much of a node's cpu and memory would be in use with the pod there; undefined when the node has none. */
function sharesOf(pod: Pod): (candidate: Candidate) => [cpu: number | undefined, memory: number | undefined] {
  const requests = podRequests(pod);
  const [cpu, memory] = [requests.cpu || (ASSUMED.cpu ?? 0), requests.memory || (ASSUMED.memory ?? 0)];
  return ({ allocatable, requested }) => [
    allocatable.cpu ? ((requested.cpu ?? 0) + cpu) / allocatable.cpu : undefined,
    allocatable.memory ? ((requested.memory ?? 0) + memory) / allocatable.memory : undefined,
  ];
}
