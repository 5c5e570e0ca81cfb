/** What happens to a pod, as the events that a kubelet records. Texts are upstream's where they are given; see perform.ts. */
import type { Event, Pod } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import type { ContainerView } from './containers-of-pod.ts';

export interface PodEvents {
  normal(reason: string, message: string, container?: ContainerRef): void;
  warning(reason: string, message: string, container?: ContainerRef): void;
}

export type ContainerRef = Pick<ContainerView, 'kind'> & { spec: { name: string } };

const LISTS: Record<ContainerView['kind'], string> = {
  container: 'containers',
  init: 'initContainers',
  ephemeral: 'ephemeralContainers',
};

export function eventsOf(
  pod: () => Pod,
  nodeName: string,
  nowMs: () => number,
  send: (event: Draft<Event>) => void,
): PodEvents {
  const record = (type: 'Normal' | 'Warning', reason: string, message: string, container?: ContainerRef) => {
    const { metadata } = pod();
    const time = formatTime(nowMs());
    send({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: metadata.namespace },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        ...(container === undefined ? {} : { fieldPath: `spec.${LISTS[container.kind]}{${container.spec.name}}` }),
      },
      type,
      reason,
      message,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      source: { component: 'kubelet', host: nodeName },
      reportingComponent: 'kubelet',
      reportingInstance: nodeName,
    });
  };
  return {
    normal: (reason, message, container) => record('Normal', reason, message, container),
    warning: (reason, message, container) => record('Warning', reason, message, container),
  };
}
