/**
 * PodTopologySpread: pods that are alike are spread over zones or nodes as their own constraints say. What pods without
 * constraints get is `owner-spreading.ts`.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
 */
import type { Pod, TopologySpreadConstraint } from '../../shared/api/core.ts';
import { matchesSelectorAndAffinity } from '../../shared/node-affinity.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import { tolerates } from '../../shared/taints.ts';
import { selectorWithKeys } from './inter-pod-affinity.ts';
import { type Candidate, MAX_SCORE, type PreparedRule, type SchedulingPlugin } from './plugin.ts';

const REFUSED = "node(s) didn't match pod topology spread constraints";
const MISSING = `${REFUSED} (missing required label)`;

interface Spread {
  constraint: TopologySpreadConstraint;
  /** How many pods that are alike are in each domain that counts. */
  counts: Map<string, number>;
  /** Whether the pod itself is one of those that are counted. */
  self: 0 | 1;
}

/** Whether the node's domain counts: by default where the pod could go by its node affinity, whatever the taints. */
function counts(constraint: TopologySpreadConstraint, pod: Pod, { node }: Candidate): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesSelectorAndAffinity(pod, node)) return false;
  if (constraint.nodeTaintsPolicy !== 'Honor') return true;
  return (node.spec.taints ?? []).every(
    (taint) =>
      taint.effect === 'PreferNoSchedule' || pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)),
  );
}

function spreadOf(
  constraint: TopologySpreadConstraint,
  pod: Pod,
  candidates: readonly Candidate[],
  keys: readonly string[],
): Spread {
  const selector = selectorWithKeys(constraint.labelSelector, pod.metadata.labels, constraint.matchLabelKeys);
  const isAlike = (labels: Record<string, string> | undefined) => matchesLabelSelector(selector, labels ?? {});
  const found = new Map<string, number>();
  for (const candidate of candidates) {
    const labels = candidate.node.metadata.labels ?? {};
    const domain = labels[constraint.topologyKey];
    if (domain === undefined || keys.some((key) => labels[key] === undefined)) continue;
    if (!counts(constraint, pod, candidate)) continue;
    const alike = candidate.pods.filter(
      ({ metadata }) =>
        metadata.namespace === pod.metadata.namespace &&
        metadata.deletionTimestamp === undefined &&
        isAlike(metadata.labels),
    ).length;
    found.set(domain, (found.get(domain) ?? 0) + alike);
  }
  return { constraint, counts: found, self: isAlike(pod.metadata.labels) ? 1 : 0 };
}

export const podTopologySpread: SchedulingPlugin = {
  name: 'PodTopologySpread',
  prepare(pod, candidates) {
    const constraints = pod.spec.topologySpreadConstraints ?? [];
    if (constraints.length === 0) return undefined;
    const isHard = (each: TopologySpreadConstraint) => each.whenUnsatisfiable !== 'ScheduleAnyway';
    const spreads = (list: readonly TopologySpreadConstraint[]) => {
      const keys = list.map((each) => each.topologyKey);
      return list.map((each) => spreadOf(each, pod, candidates, keys));
    };
    const hard = spreads(constraints.filter(isHard));
    const soft = spreads(constraints.filter((each) => !isHard(each)));
    return {
      filter: (candidate) => refusalOf(hard, candidate),
      ...(soft.length === 0 ? {} : { score: softScore(soft) }),
    };
  },
};

function refusalOf(hard: readonly Spread[], { node }: Candidate) {
  for (const { constraint, counts: found, self } of hard) {
    const domain = node.metadata.labels?.[constraint.topologyKey];
    if (domain === undefined) return { reasons: [MISSING], resolvable: false };
    const enough = found.size >= (constraint.minDomains ?? 1);
    const least = enough ? Math.min(...found.values()) : 0;
    const skew = (found.get(domain) ?? 0) + self - least;
    if (skew > constraint.maxSkew) return { reasons: [REFUSED], resolvable: true };
  }
  return undefined;
}

/** The fewer pods that are alike in its domains, the better a node is; small topologies weigh less, as upstream. */
const softScore = (soft: readonly Spread[]): NonNullable<PreparedRule['score']> => ({
  weight: 2,
  of({ node }) {
    const total = soft.reduce((sum, { constraint, counts: found }) => {
      const domain = node.metadata.labels?.[constraint.topologyKey];
      // A node without the label is as bad as the worst.
      const alike = domain === undefined ? Math.max(0, ...found.values()) + 1 : (found.get(domain) ?? 0);
      return sum + alike * Math.log(found.size + 2) + constraint.maxSkew - 1;
    }, 0);
    return Math.round(total);
  },
  normalise(scores) {
    const most = Math.max(...scores);
    const least = Math.min(...scores);
    return scores.map((score) => (most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most + least - score)) / most)));
  },
});
