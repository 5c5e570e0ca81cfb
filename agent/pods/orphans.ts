/** Pods that the engine still has and nobody wants: made up from their containers' labels, so that they end as any other. */
import type { Pod } from '../../shared/api/core.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { GRACE_LABEL } from './container-spec.ts';

export function orphanOf(containers: readonly ObservedContainer[]): Pod {
  const [first] = containers;
  const pod = first?.pod ?? { namespace: '', name: '', uid: '' };
  const named = new Map(containers.filter((each) => each.kind !== 'sandbox').map((each) => [each.name, each]));
  const grace = containers.map((each) => Number(each.labels[GRACE_LABEL])).filter((seconds) => seconds >= 0);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...pod, resourceVersion: '', creationTimestamp: first?.createdAt ?? '' },
    spec: {
      containers: [...named].map(([name, { image }]) => ({ name, image })),
      ...(grace.length === 0 ? {} : { terminationGracePeriodSeconds: Math.max(...grace) }),
    },
  };
}
