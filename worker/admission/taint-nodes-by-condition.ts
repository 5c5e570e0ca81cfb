/**
 * A new Node takes no pods until it has said that it is ready; its controller then removes the taint.
 * Source: kubernetes, plugin/pkg/admission/nodetaint
 */
import type { Node } from '../../shared/api/core.ts';
import { NOT_READY_TAINT } from '../../shared/api/longshore.ts';
import { type AdmissionPlugin, isOf } from './plugin.ts';

export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  admit(admission) {
    if (admission.operation !== 'CREATE' || !isOf(admission, 'Node')) return;
    const node = admission.draft as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some((taint) => taint.key === NOT_READY_TAINT && taint.effect === 'NoSchedule')) return;
    node.spec = { ...node.spec, taints: [...taints, { key: NOT_READY_TAINT, effect: 'NoSchedule' }] };
  },
};
