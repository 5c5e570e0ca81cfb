/**
 * Pods that ask for an extended resource may go to nodes that are kept for it.
 * Source: kubernetes, plugin/pkg/admission/extendedresourcetoleration
 */
import type { Pod } from '../../shared/api/core.ts';
import { type AdmissionPlugin, isOf } from './plugin.ts';

/** Of a domain, and none of Kubernetes' own. */
const isExtended = (name: string): boolean =>
  name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.');

export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  admit(admission) {
    if (admission.operation === 'DELETE' || !isOf(admission, 'Pod') || admission.draft === undefined) return;
    const { spec } = admission.draft as Pod;
    const names = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
      .flatMap((container) => Object.keys(container.resources?.requests ?? {}))
      .filter(isExtended);
    for (const key of [...new Set(names)].sort()) {
      const tolerated = (spec.tolerations ?? []).some(
        (each) => each.key === key && each.operator === 'Exists' && (!each.effect || each.effect === 'NoSchedule'),
      );
      if (tolerated) continue;
      spec.tolerations = [...(spec.tolerations ?? []), { key, operator: 'Exists', effect: 'NoSchedule' }];
    }
  },
};
