/**
 * NodeAffinity: nodeSelector and required node affinity filter, preferred node affinity scores.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
 */
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../shared/api/core.ts';
import { normaliseScores, type SchedulingPlugin } from './plugin.ts';

interface PreferredTerm {
  weight: number;
  preference: NodeSelectorTerm;
}

export const nodeAffinity: SchedulingPlugin = {
  name: 'NodeAffinity',
  filter(pod, { node }) {
    if (matchesSelectorAndAffinity(pod, node)) return undefined;
    return { reasons: ["node(s) didn't match Pod's node affinity/selector"], resolvable: false };
  },
  score: {
    weight: 2,
    of: (pod, { node }) =>
      preferredOf(pod)
        .filter((term) => matchesTerm(term.preference, node))
        .reduce((total, term) => total + term.weight, 0),
    normalise: (scores) => normaliseScores(scores),
  },
};

function preferredOf(pod: Pod): PreferredTerm[] {
  const affinity = pod.spec.affinity?.nodeAffinity as
    | { preferredDuringSchedulingIgnoredDuringExecution?: PreferredTerm[] }
    | undefined;
  return affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}

export function matchesSelectorAndAffinity(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** All requirements of a term; an empty term matches nothing. */
function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((each) => matchesRequirement(each, node.metadata.labels?.[each.key])) &&
    fields.every((each) => each.key === 'metadata.name' && matchesRequirement(each, node.metadata.name))
  );
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, actual: string | undefined): boolean {
  const verdicts: Record<NodeSelectorRequirement['operator'], () => boolean> = {
    In: () => actual !== undefined && values.includes(actual),
    NotIn: () => actual === undefined || !values.includes(actual),
    Exists: () => actual !== undefined,
    DoesNotExist: () => actual === undefined,
    Gt: () => compareIntegers(actual, values[0], (left, right) => left > right),
    Lt: () => compareIntegers(actual, values[0], (left, right) => left < right),
  };
  return verdicts[operator]();
}

function compareIntegers(
  left: string | undefined,
  right: string | undefined,
  verdict: (left: bigint, right: bigint) => boolean,
): boolean {
  const integer = /^[+-]?\d+$/;
  if (left === undefined || right === undefined || !integer.test(left) || !integer.test(right)) return false;
  return verdict(BigInt(left), BigInt(right));
}
