/**
 * InterPodAffinity: pods that want to be near others, or far from them, within a topology (a node, a zone); and pods that are
 * there already and want nobody of a kind near them.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
 */

import type { Pod, PodAffinityTerm } from '../../shared/api/core.ts';
import type { LabelSelector, LabelSelectorRequirement } from '../../shared/api/meta.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import {
  type Candidate,
  type ClusterView,
  MAX_SCORE,
  type PlacedPod,
  type PreparedRule,
  type SchedulingPlugin,
} from './plugin.ts';

const EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules";
const AFFINITY = "node(s) didn't match pod affinity rules";
const ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules";

/** The selector with what the pod's own labels say for `matchLabelKeys` and `mismatchLabelKeys`. */
export function selectorWithKeys(
  selector: LabelSelector | undefined,
  labels: Record<string, string> | undefined,
  match: readonly string[] = [],
  mismatch: readonly string[] = [],
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const requirement =
    (operator: 'In' | 'NotIn') =>
    (key: string): LabelSelectorRequirement[] => {
      const value = labels?.[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    };
  const added = [...match.flatMap(requirement('In')), ...mismatch.flatMap(requirement('NotIn'))];
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...added] };
}

/** Whether `other` is one of those that this term of `pod` is about. */
function isMeant(term: PodAffinityTerm, pod: PlacedPod, other: PlacedPod, view: ClusterView): boolean {
  const { namespaces = [], namespaceSelector } = term;
  const namespace = other.metadata.namespace ?? '';
  const isThere =
    namespaces.includes(namespace) ||
    (namespaceSelector !== undefined && matchesLabelSelector(namespaceSelector, view.namespaceLabels(namespace))) ||
    (namespaces.length === 0 && namespaceSelector === undefined && namespace === pod.metadata.namespace);
  if (!isThere) return false;
  const selector = selectorWithKeys(
    term.labelSelector,
    pod.metadata.labels,
    term.matchLabelKeys,
    term.mismatchLabelKeys,
  );
  return matchesLabelSelector(selector, other.metadata.labels ?? {});
}

const domainOf = (term: { topologyKey: string }, { node }: Pick<Candidate, 'node'>): string | undefined =>
  node.metadata.labels?.[term.topologyKey];

/** How many of those that the term is about are in each domain. */
function countByDomain(term: PodAffinityTerm, pod: PlacedPod, all: readonly Candidate[], view: ClusterView) {
  const counts = new Map<string, number>();
  for (const candidate of all) {
    const domain = domainOf(term, candidate);
    if (domain === undefined) continue;
    const found = candidate.pods.filter((other) => isMeant(term, pod, other, view)).length;
    if (found > 0) counts.set(domain, (counts.get(domain) ?? 0) + found);
  }
  return counts;
}

const requiredOf = (pod: PlacedPod, kind: 'podAffinity' | 'podAntiAffinity'): readonly PodAffinityTerm[] =>
  pod.spec.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];

const preferredOf = (pod: PlacedPod, kind: 'podAffinity' | 'podAntiAffinity') =>
  pod.spec.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];

/** `KEY=VALUE` of the domains where somebody wants no pod like this one. */
function closedDomains(pod: Pod, view: ClusterView): Set<string> {
  const closed = new Set<string>();
  for (const { node, pod: other } of view.repelling()) {
    for (const term of requiredOf(other, 'podAntiAffinity')) {
      const domain = domainOf(term, { node });
      if (domain !== undefined && isMeant(term, other, pod, view)) closed.add(`${term.topologyKey}=${domain}`);
    }
  }
  return closed;
}

export const interPodAffinity: SchedulingPlugin = {
  name: 'InterPodAffinity',
  prepare(pod, candidates, view) {
    const closed = closedDomains(pod, view);
    const count = (term: PodAffinityTerm) => ({ term, counts: countByDomain(term, pod, candidates, view) });
    const near = requiredOf(pod, 'podAffinity').map(count);
    const far = requiredOf(pod, 'podAntiAffinity').map(count);
    const wishes = [
      ...preferredOf(pod, 'podAffinity').map(({ weight, podAffinityTerm }) => ({ ...count(podAffinityTerm), weight })),
      ...preferredOf(pod, 'podAntiAffinity').map(({ weight, podAffinityTerm }) => ({
        ...count(podAffinityTerm),
        weight: -weight,
      })),
    ];
    if (closed.size + near.length + far.length + wishes.length === 0) return undefined;
    // Kubernetes: the first of a group that wants to be together may go anywhere.
    const isFirst =
      near.every(({ counts }) => counts.size === 0) && near.every(({ term }) => isMeant(term, pod, pod, view));
    return {
      filter(candidate) {
        const labels = candidate.node.metadata.labels ?? {};
        const isNear = near.every(({ term, counts }) => {
          const domain = domainOf(term, candidate);
          return domain !== undefined && (isFirst || counts.has(domain));
        });
        if (!isNear) return { reasons: [AFFINITY], resolvable: false };
        const isClose = far.some(({ term, counts }) => counts.has(domainOf(term, candidate) ?? ''));
        if (isClose) return { reasons: [ANTI_AFFINITY], resolvable: true };
        const isClosed = [...closed].some((each) => {
          const at = each.indexOf('=');
          return labels[each.slice(0, at)] === each.slice(at + 1);
        });
        return isClosed ? { reasons: [EXISTING], resolvable: true } : undefined;
      },
      ...(wishes.length === 0 ? {} : { score: wishScore(wishes) }),
    };
  },
};

interface Wish {
  term: PodAffinityTerm;
  counts: ReadonlyMap<string, number>;
  weight: number;
}

const wishScore = (wishes: readonly Wish[]): NonNullable<PreparedRule['score']> => ({
  weight: 2,
  of: (candidate) =>
    wishes.reduce(
      (total, { term, counts, weight }) => total + weight * (counts.get(domainOf(term, candidate) ?? '') ?? 0),
      0,
    ),
  normalise(scores) {
    const least = Math.min(...scores);
    const range = Math.max(...scores) - least;
    return scores.map((score) => (range === 0 ? 0 : Math.floor((MAX_SCORE * (score - least)) / range)));
  },
});
