/** One line of the progress table: what a pod's status and events say about how far it has come. Pure. */
import type { ContainerStatus, Event, Pod } from '../../../shared/api/core.ts';

export type Progress = 'scheduling' | 'waiting' | 'pulling' | 'creating' | 'running' | 'ready' | 'ended' | 'failing';

export interface PodRow {
  name: string;
  node: string;
  containers: { name: string; state: Progress }[];
  ready: boolean;
  /** What is wrong, '' when nothing is. */
  trouble: string;
}

/** Reasons of a waiting container that are no trouble. */
const ON_ITS_WAY = ['', 'ContainerCreating', 'PodInitializing'];

function progressOf(status: ContainerStatus | undefined, container: string, events: readonly Event[]): Progress {
  if (status?.state.running !== undefined) return status.ready ? 'ready' : 'running';
  if (status?.state.terminated !== undefined) return 'ended';
  const reason = status?.state.waiting?.reason ?? '';
  if (!ON_ITS_WAY.includes(reason)) return 'failing';
  const about = events.filter((event) => event.involvedObject.fieldPath === `spec.containers{${container}}`);
  const has = (what: string) => about.some((event) => event.reason === what);
  if (has('Pulling') && !has('Pulled')) return 'pulling';
  return has('Pulled') || reason !== '' ? 'creating' : 'waiting';
}

function troubleOf(pod: Pod): string {
  const waiting = (pod.status?.containerStatuses ?? []).map((each) => each.state.waiting);
  const bad = waiting.find((each) => each !== undefined && !ON_ITS_WAY.includes(each.reason ?? ''));
  if (bad !== undefined) return `${bad.reason}: ${bad.message ?? ''}`;
  const scheduled = pod.status?.conditions?.find((each) => each.type === 'PodScheduled');
  return scheduled?.status === 'False' ? (scheduled.message ?? '') : '';
}

/** @param events any events of the namespace; those about this pod are used */
export function rowOf(pod: Pod, events: readonly Event[]): PodRow {
  const own = events.filter((event) => event.involvedObject.uid === pod.metadata.uid);
  const scheduled = (pod.spec.nodeName ?? '') !== '';
  return {
    name: pod.metadata.name,
    node: pod.spec.nodeName ?? '',
    containers: pod.spec.containers.map((container) => {
      const status = pod.status?.containerStatuses?.find((each) => each.name === container.name);
      return { name: container.name, state: scheduled ? progressOf(status, container.name, own) : 'scheduling' };
    }),
    ready: pod.status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false,
    trouble: troubleOf(pod),
  };
}
