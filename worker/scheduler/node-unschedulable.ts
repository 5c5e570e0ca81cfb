/** NodeUnschedulable: a cordoned node takes only pods that tolerate it. */
import { UNSCHEDULABLE_TAINT } from '../../shared/api/longshore.ts';
import { tolerates } from '../../shared/taints.ts';
import type { SchedulingPlugin } from './plugin.ts';

export const nodeUnschedulable: SchedulingPlugin = {
  name: 'NodeUnschedulable',
  prepare({ spec }) {
    const taint = { key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' } as const;
    if (spec.tolerations?.some((toleration) => tolerates(toleration, taint))) return undefined;
    return {
      filter: ({ node }) =>
        node.spec.unschedulable === true ? { reasons: ['node(s) were unschedulable'], resolvable: false } : undefined,
    };
  },
};
