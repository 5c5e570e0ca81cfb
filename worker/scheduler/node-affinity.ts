/**
 * NodeAffinity: nodeSelector and required node affinity filter, preferred node affinity scores.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
 */
import type { NodeSelectorTerm, Pod } from '../../shared/api/core.ts';
import { matchesNodeTerm, matchesSelectorAndAffinity } from '../../shared/node-affinity.ts';
import { normaliseScores, type PreparedRule, type SchedulingPlugin } from './plugin.ts';

interface PreferredTerm {
  weight: number;
  preference: NodeSelectorTerm;
}

export const nodeAffinity: SchedulingPlugin = {
  name: 'NodeAffinity',
  prepare(pod) {
    const preferred = preferredOf(pod);
    return {
      ...(isBound(pod) ? { filter: filterOf(pod) } : {}),
      ...(preferred.length === 0 ? {} : { score: scoreOf(preferred) }),
    };
  },
};

const isBound = ({ spec }: Pod): boolean =>
  Object.keys(spec.nodeSelector ?? {}).length > 0 ||
  spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined;

const filterOf =
  (pod: Pod): NonNullable<PreparedRule['filter']> =>
  ({ node }) =>
    matchesSelectorAndAffinity(pod, node)
      ? undefined
      : { reasons: ["node(s) didn't match Pod's node affinity/selector"], resolvable: false };

const scoreOf = (preferred: readonly PreferredTerm[]): NonNullable<PreparedRule['score']> => ({
  weight: 2,
  of: ({ node }) =>
    preferred.filter((term) => matchesNodeTerm(term.preference, node)).reduce((total, term) => total + term.weight, 0),
  normalise: (scores) => normaliseScores(scores),
});

function preferredOf(pod: Pod): PreferredTerm[] {
  const affinity = pod.spec.affinity?.nodeAffinity as
    | { preferredDuringSchedulingIgnoredDuringExecution?: PreferredTerm[] }
    | undefined;
  return affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}
