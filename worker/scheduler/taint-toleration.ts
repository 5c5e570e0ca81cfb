/**
 * TaintToleration: a node's taints keep away pods that do not tolerate them; PreferNoSchedule only counts against it.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
 */
import type { Pod, Taint } from '../../shared/api/core.ts';
import { tolerates } from '../../shared/taints.ts';
import { normaliseScores, type SchedulingPlugin } from './plugin.ts';

const isTolerated = (pod: Pod, taint: Taint): boolean =>
  pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

export const taintToleration: SchedulingPlugin = {
  name: 'TaintToleration',
  filter(pod, { node }) {
    const untolerated = node.spec.taints?.find(
      (taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(pod, taint),
    );
    if (untolerated === undefined) return undefined;
    const text = `node(s) had untolerated taint {${untolerated.key}: ${untolerated.value ?? ''}}`;
    return { reasons: [text], resolvable: false };
  },
  score: {
    weight: 3,
    of: (pod, { node }) =>
      (node.spec.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(pod, taint))
        .length,
    normalise: (scores) => normaliseScores(scores, true),
  },
};
