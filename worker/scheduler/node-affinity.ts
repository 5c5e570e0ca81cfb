/**
 * NodeAffinity: nodeSelector and required node affinity filter, preferred node affinity scores.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
 */
import type { NodeSelectorTerm, Pod } from '../../shared/api/core.ts';
import { matchesNodeTerm, matchesSelectorAndAffinity } from '../../shared/node-affinity.ts';
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
        .filter((term) => matchesNodeTerm(term.preference, node))
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
