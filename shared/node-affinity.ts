/** Which nodes a pod may be on by its nodeSelector and required node affinity; pure, for the scheduler and the daemon set controller. */
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from './api/core.ts';

/** What of a node the two look at. */
type Labelled = { metadata: Pick<Node['metadata'], 'name' | 'labels'> };

export function matchesSelectorAndAffinity(pod: Pick<Pod, 'spec'>, node: Labelled): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));
}

/** All requirements of a term; an empty term matches nothing. */
export function matchesNodeTerm(term: NodeSelectorTerm, node: Labelled): boolean {
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
