/**
 * TaintToleration: a node's taints keep away pods that do not tolerate them; PreferNoSchedule only counts against it.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
 */
import type { Taint } from '../../shared/api/core.ts';
import { tolerates } from '../../shared/taints.ts';
import { normaliseScores, type SchedulingPlugin } from './plugin.ts';

export const taintToleration: SchedulingPlugin = {
  name: 'TaintToleration',
  prepare({ spec: { tolerations = [] } }) {
    const isTolerated = (taint: Taint) => tolerations.some((toleration) => tolerates(toleration, taint));
    return {
      filter({ node }) {
        const untolerated = node.spec.taints?.find(
          (taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(taint),
        );
        if (untolerated === undefined) return undefined;
        const text = `node(s) had untolerated taint {${untolerated.key}: ${untolerated.value ?? ''}}`;
        return { reasons: [text], resolvable: false };
      },
      score: {
        weight: 3,
        of: ({ node }) =>
          node.spec.taints?.filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(taint)).length ?? 0,
        normalise: (scores) => normaliseScores(scores, true),
      },
    };
  },
};
