/**
 * Spreads the pods of one controller over the nodes, as upstream's default topology constraints (PodTopologySpread over
 * kubernetes.io/hostname) do: the fewer siblings a node has, the better it is.
 */
import { MAX_SCORE, type SchedulingPlugin } from './plugin.ts';

export const ownerSpreading: SchedulingPlugin = {
  name: 'PodTopologySpread',
  prepare({ metadata, spec }) {
    // Kubernetes: the constraints that everybody has are for pods without their own.
    if ((spec.topologySpreadConstraints ?? []).length > 0) return undefined;
    const controller = metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid;
    if (controller === undefined) return undefined;
    return {
      score: {
        weight: 2,
        of: ({ siblings }) => siblings.get(controller) ?? 0,
        normalise(scores) {
          const most = Math.max(0, ...scores);
          return scores.map((score) => (most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most - score)) / most)));
        },
      },
    };
  },
};
