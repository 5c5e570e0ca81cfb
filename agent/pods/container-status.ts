/** One container's status from what the engine has and what is remembered. Pure. */
import type { ContainerState, ContainerStateTerminated, ContainerStatus, Pod } from '../../shared/api/core.ts';
import { formatTime } from '../../shared/time.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { backOffSecondsOf, restartAtMs } from './back-off.ts';
import { type ContainerView, isReady, isStarted, shouldRestart } from './containers-of-pod.ts';
import { actualResources } from './engine-limits.ts';
import type { PodMemory } from './memory.ts';

export interface Situation {
  pod: Pod;
  memory: PodMemory;
  /** Nothing of the pod will be started any more. */
  ending: boolean;
  nowMs: number;
}

export const containerIdOf = (container: Pick<ObservedContainer, 'id'>) => `docker://${container.id}`;

export function containerStatusOf(view: ContainerView, situation: Situation): ContainerStatus {
  const { memory } = situation;
  const { spec } = view;
  // Made but not yet started is a matter of milliseconds: until it runs, what was before it is shown.
  const shown = view.attempts.filter((each) => each.state !== 'created');
  const [newest] = shown;
  const waiting = waitingOf(view, newest, situation);
  const ended = shown.filter((each) => each.state === 'exited');
  // What is shown as the present state is not repeated as the last one.
  const last = waiting === undefined && ended[0] === newest ? ended[1] : ended[0];
  return {
    name: spec.name,
    state: waiting === undefined ? stateOf(newest, memory) : { waiting },
    lastState: last === undefined ? {} : { terminated: terminatedOf(last, memory) },
    ready: isShownReady(view, newest, memory),
    restartCount: newest?.attempt ?? 0,
    image: spec.image ?? '',
    imageID: newest?.imageID ?? '',
    ...(newest === undefined ? {} : { containerID: containerIdOf(newest) }),
    ...(view.kind === 'ephemeral' ? {} : { started: isStarted(view, memory), ...resourcesOf(view, memory) }),
  };
}

/** What it was granted, and what it really has: in place of the one, the other is resized to. */
function resourcesOf({ spec, newest }: ContainerView, { machine }: PodMemory) {
  const granted = spec.resources ?? {};
  return {
    ...(granted.requests === undefined ? {} : { allocatedResources: granted.requests }),
    resources: newest?.state === 'running' ? actualResources(granted, newest.resources, machine) : granted,
  };
}

/** Kubernetes: an ephemeral container promises nothing, so nobody waits for it. */
function isShownReady(view: ContainerView, newest: ObservedContainer | undefined, memory: PodMemory): boolean {
  if (view.kind === 'ephemeral') return false;
  return view.kind === 'init' && !view.sidecar ? succeeded(newest) : isReady(view, memory);
}

const succeeded = (container: ObservedContainer | undefined) =>
  container?.state === 'exited' && container.exitCode === 0;

/** Undefined: it runs, or has ended and is shown so. */
function waitingOf(
  view: ContainerView,
  newest: ObservedContainer | undefined,
  situation: Situation,
): ContainerState['waiting'] {
  const { pod, memory, ending, nowMs } = situation;
  const { spec } = view;
  if (newest?.state === 'running') return undefined;
  if (newest?.state === 'exited' && (ending || !shouldRestart(pod, view, newest, memory))) return undefined;
  if (newest?.state === 'exited' && restartAtMs(newest) > nowMs)
    return { reason: 'CrashLoopBackOff', message: backOffMessage(pod, spec.name, backOffSecondsOf(newest)) };
  const failure = memory.containers.get(spec.name)?.failure;
  if (failure !== undefined) return { reason: failure.reason, message: failure.message };
  // About to start again: what it was is still what there is to show.
  if (newest?.state === 'exited') return undefined;
  const initializing = (pod.spec.initContainers ?? []).length > 0;
  return { reason: initializing ? 'PodInitializing' : 'ContainerCreating' };
}

/** Kubernetes: people and tools read the delay out of this text. */
export function backOffMessage(pod: Pod, container: string, seconds: number): string {
  const { name, namespace, uid } = pod.metadata;
  return `back-off ${goDuration(seconds)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}

/** As Go prints durations: `10s`, `1m20s`, `5m0s`. */
function goDuration(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.trunc(seconds / 60)}m${seconds % 60}s`;
}

function stateOf(container: ObservedContainer | undefined, memory: PodMemory): ContainerState {
  if (container === undefined) return {};
  if (container.state === 'running') return { running: { startedAt: wholeSeconds(container.startedAt) } };
  return { terminated: terminatedOf(container, memory) };
}

function terminatedOf(container: ObservedContainer, memory: PodMemory): ContainerStateTerminated {
  const message = container.error ?? memory.messages.get(container.id);
  return {
    exitCode: container.exitCode ?? 0,
    reason: terminationReason(container),
    ...(message === undefined || message === '' ? {} : { message }),
    startedAt: wholeSeconds(container.startedAt),
    finishedAt: wholeSeconds(container.finishedAt),
    containerID: containerIdOf(container),
  };
}

function terminationReason(container: ObservedContainer): string {
  if (container.oomKilled === true) return 'OOMKilled';
  if (container.error !== undefined) return 'StartError';
  return container.exitCode === 0 ? 'Completed' : 'Error';
}

const wholeSeconds = (time: string | undefined) => (time === undefined ? undefined : formatTime(Date.parse(time)));
