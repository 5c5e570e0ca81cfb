/**
 * A pod's status as a kubelet gives it: phase, conditions, containers. Pure: from the spec, the engine's containers and the
 * pod's memory. Conditions that are not the kubelet's are kept as they are.
 * Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
 */
import type { ContainerStatus, Pod, PodCondition, PodPhase, PodStatus } from '../../shared/api/core.ts';
import { qosClassOf } from '../../shared/pods.ts';
import { formatTime } from '../../shared/time.ts';
import { containerStatusOf } from './container-status.ts';
import {
  type ContainerView,
  initFailed,
  isFinished,
  isInitDone,
  isInitialized,
  isRunning,
  type PodView,
  viewOf,
} from './containers-of-pod.ts';
import type { ObservedPod, PodMemory } from './memory.ts';
import { resizeConditions } from './resize.ts';

export function podStatusOf(
  pod: Pod,
  observed: ObservedPod,
  memory: PodMemory,
  host: { ip: string; nowMs: number },
): PodStatus {
  const view = viewOf(pod, observed);
  const ending = memory.ending !== undefined || memory.evicted !== undefined || isFinished(pod, view, memory);
  const situation = { pod, memory, ending, nowMs: host.nowMs };
  const initContainerStatuses = view.inits.map((each) => containerStatusOf(each, situation));
  const containerStatuses = view.mains.map((each) => containerStatusOf(each, situation));
  const ephemeralContainerStatuses = view.ephemerals.map(
    (each) => lostStatusOf(each, memory.reported ?? pod.status) ?? containerStatusOf(each, situation),
  );
  // Kubernetes: a sidecar that is not ready makes its pod not ready.
  const sidecars = initContainerStatuses.filter((_, index) => view.inits[index]?.sidecar);
  const counted = [...sidecars, ...containerStatuses];
  const phase = phaseOf(pod, view, memory, containerStatuses, ending);
  const podIP = podIPOf(pod, view, memory, host.ip);
  const generation = pod.metadata.generation;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf(pod, view, memory, { phase, counted, nowMs: host.nowMs }),
    ...(memory.evicted ?? {}),
    ...(host.ip === '' ? {} : { hostIP: host.ip, hostIPs: [{ ip: host.ip }] }),
    ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    startTime: formatTime(memory.startTimeMs),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    qosClass: qosClassOf(pod.spec),
  };
}

/** The engine has no record any more of one that ran: it never runs again, and what was said of it stands. */
function lostStatusOf({ newest, spec }: ContainerView, reported: PodStatus | undefined): ContainerStatus | undefined {
  const known = reported?.ephemeralContainerStatuses?.find((each) => each.name === spec.name);
  return newest === undefined && known?.containerID !== undefined ? known : undefined;
}

function phaseOf(
  pod: Pod,
  view: PodView,
  memory: PodMemory,
  statuses: readonly ContainerStatus[],
  ending: boolean,
): PodPhase {
  const before = memory.reported?.phase ?? pod.status?.phase;
  if (before === 'Succeeded' || before === 'Failed') return before;
  if (memory.evicted !== undefined) return 'Failed';
  if (initFailed(pod, view, memory) !== undefined) return 'Failed';

  const running = statuses.filter((each) => each.state.running !== undefined).length;
  const stopped = statuses.filter((each) => lastEndOf(each) !== undefined);
  const waiting = statuses.length - running - stopped.length;
  if (ending && running === 0 && waiting === 0 && !isAnythingRunning(view))
    return stopped.every((each) => lastEndOf(each)?.exitCode === 0) ? 'Succeeded' : 'Failed';
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (!isFinished(pod, view, memory)) return 'Running';
  return stopped.every((each) => lastEndOf(each)?.exitCode === 0) ? 'Succeeded' : 'Failed';
}

const isAnythingRunning = (view: PodView) => [...view.inits, ...view.mains].some(isRunning);

/** A container that waits for its next start counts as what it last was. */
const lastEndOf = (status: ContainerStatus) =>
  status.state.terminated ?? (status.state.running === undefined ? status.lastState.terminated : undefined);

function podIPOf(pod: Pod, view: PodView, memory: PodMemory, hostIP: string): string | undefined {
  if (pod.spec.hostNetwork === true) return view.sandbox === undefined || hostIP === '' ? undefined : hostIP;
  return memory.network?.ip ?? memory.reported?.podIP ?? pod.status?.podIP;
}

interface Facts {
  phase: PodPhase;
  /** Of the containers whose readiness is the pod's. */
  counted: readonly ContainerStatus[];
  nowMs: number;
}

const OWN = [
  'PodResizePending',
  'PodResizeInProgress',
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
];

function conditionsOf(pod: Pod, view: PodView, memory: PodMemory, facts: Facts): PodCondition[] {
  const containersReady = containersReadyOf(facts);
  const others = (pod.status?.conditions ?? []).filter((each) => !OWN.includes(each.type));
  const scheduled = pod.status?.conditions?.find((each) => each.type === 'PodScheduled');
  const fresh: PodCondition[] = [
    ...resizeConditions(memory),
    { type: 'PodReadyToStartContainers', status: truth(isSandboxReady(pod, view, memory)) },
    initializedOf(view, memory, facts),
    readyOf(pod, containersReady),
    { ...containersReady, type: 'ContainersReady' },
  ];
  const before = memory.reported?.conditions ?? pod.status?.conditions ?? [];
  const generation = pod.metadata.generation;
  return [
    ...fresh.map((condition) => ({
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      ...condition,
      lastProbeTime: null,
      lastTransitionTime: transitionTime(condition, before, facts.nowMs),
    })),
    scheduled ?? {
      type: 'PodScheduled',
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: formatTime(memory.startTimeMs),
    },
    ...others,
  ];
}

function transitionTime(condition: PodCondition, before: readonly PodCondition[], nowMs: number): string {
  const same = before.find((each) => each.type === condition.type && each.status === condition.status);
  return same?.lastTransitionTime ?? formatTime(nowMs);
}

const truth = (value: boolean) => (value ? 'True' : 'False');

function isSandboxReady(pod: Pod, view: PodView, memory: PodMemory): boolean {
  return view.sandbox?.state === 'running' && (pod.spec.hostNetwork === true || memory.network !== undefined);
}

function initializedOf(view: PodView, memory: PodMemory, facts: Facts): PodCondition {
  if (facts.phase === 'Succeeded') return { type: 'Initialized', status: 'True', reason: 'PodCompleted' };
  if (isInitialized(view, memory)) return { type: 'Initialized', status: 'True' };
  const incomplete = view.inits.filter((each) => !isInitDone(each, memory)).map((each) => each.spec.name);
  return {
    type: 'Initialized',
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.join(' ')}]`,
  };
}

function containersReadyOf(facts: Facts): PodCondition {
  const no = { type: 'Ready', status: 'False' } as const;
  if (facts.phase === 'Succeeded') return { ...no, reason: 'PodCompleted' };
  if (facts.phase === 'Failed') return { ...no, reason: 'PodFailed' };
  const unready = facts.counted.filter((each) => !each.ready).map((each) => each.name);
  if (unready.length === 0) return { type: 'Ready', status: 'True' };
  return {
    ...no,
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

/** Kubernetes: a pod is ready when its containers are and every readiness gate's condition is true. */
function readyOf(pod: Pod, containersReady: PodCondition): PodCondition {
  if (containersReady.status !== 'True') return containersReady;
  const problems = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = pod.status?.conditions?.find((each) => each.type === conditionType);
    if (found === undefined)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (found.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
  if (problems.length === 0) return containersReady;
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') };
}
