/** Pods bear a node that is not ready or unreachable for five minutes, unless they say otherwise. */
import type { Pod, Toleration } from '../../shared/api/core.ts';
import { NOT_READY_TAINT, UNREACHABLE_TAINT } from '../../shared/api/longshore.ts';
import type { AdmissionPlugin } from './plugin.ts';

const SECONDS = 300;

const tolerates = (tolerations: readonly Toleration[], key: string): boolean =>
  tolerations.some((each) => (!each.key || each.key === key) && (!each.effect || each.effect === 'NoExecute'));

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  admit({ operation, definition, subresource, draft }) {
    const { group, kind } = definition.identity;
    if (operation === 'DELETE' || group !== '' || kind !== 'Pod' || subresource !== '' || draft === undefined) return;
    const { spec } = draft as Pod;
    for (const key of [NOT_READY_TAINT, UNREACHABLE_TAINT]) {
      if (tolerates(spec.tolerations ?? [], key)) continue;
      const toleration: Toleration = { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS };
      spec.tolerations = [...(spec.tolerations ?? []), toleration];
    }
  },
};
