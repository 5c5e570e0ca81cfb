/** NodeUnschedulable: a cordoned node takes only pods that tolerate it. */
import { UNSCHEDULABLE_TAINT } from '../../shared/api/longshore.ts';
import { tolerates } from '../../shared/taints.ts';
import type { SchedulingPlugin } from './plugin.ts';

export const nodeUnschedulable: SchedulingPlugin = {
  name: 'NodeUnschedulable',
  filter(pod, { node }) {
    if (node.spec.unschedulable !== true) return undefined;
    const taint = { key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' } as const;
    if (pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint))) return undefined;
    return { reasons: ['node(s) were unschedulable'], resolvable: false };
  },
};
