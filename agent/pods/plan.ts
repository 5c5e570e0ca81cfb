/**
 * The kubelet's decisions. `nextStep` looks at what is wanted, what the engine has and what is remembered, and names one
 * action that can begin now; the worker begins it and asks again at once, so everything that may happen side by side does
 * (images, volumes and sandbox; the containers of a pod). `wait` means that only an event or the given time can change the
 * answer. Pure: no clock, no I/O; what is under way is never asked for again. How a pod ends is in `plan-ending.ts`.
 */
import type { Pod } from '../../shared/api/core.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { nextBackOffSeconds, restartAtMs } from './back-off.ts';
import {
  allOf,
  type ContainerView,
  isDone,
  isFinished,
  isInitDone,
  isInitialized,
  isRunning,
  type PodView,
  shouldRestart,
  viewOf,
} from './containers-of-pod.ts';
import type { ObservedPod, PodMemory } from './memory.ts';
import { endingSteps, gracePeriodOf, restingSteps } from './plan-ending.ts';
import { needsUpdate } from './resize.ts';
import { containerKey, keyOf, type Step } from './step.ts';

export function nextStep(pod: Pod, observed: ObservedPod, memory: PodMemory, nowMs: number): Step {
  let wakeAtMs: number | undefined;
  for (const step of steps(pod, viewOf(pod, observed), memory, nowMs)) {
    if (step.do !== 'wait') {
      if (!memory.busy.has(keyOf(step))) return step;
    } else if (step.untilMs !== undefined) {
      wakeAtMs = Math.min(step.untilMs, wakeAtMs ?? Number.POSITIVE_INFINITY);
    }
  }
  return wakeAtMs === undefined ? { do: 'wait' } : { do: 'wait', untilMs: wakeAtMs };
}

/** Everything that ought to happen, most urgent first, whether or not it is under way. */
function* steps(pod: Pod, view: PodView, memory: PodMemory, nowMs: number): Generator<Step> {
  if (memory.ending !== undefined) return yield* endingSteps(pod, view, memory, memory.ending, nowMs);
  if (memory.evicted !== undefined || isFinished(pod, view, memory))
    return yield* restingSteps(pod, view, memory, nowMs);

  const deadlineMs = deadlineOf(pod, memory);
  if (deadlineMs !== undefined) {
    if (nowMs >= deadlineMs) return yield { do: 'evict', eviction: DEADLINE_EXCEEDED };
    yield { do: 'wait', untilMs: deadlineMs };
  }

  yield* removals(view);
  yield* whenDue(memory.volumes, nowMs, { do: 'prepare-volumes' });
  yield* sandboxSteps(pod, view, memory, nowMs);
  for (const each of [...view.ephemerals, ...wantedNow(pod, view, memory)])
    yield* containerSteps(pod, view, each, memory, nowMs);
}

const DEADLINE_EXCEEDED = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
};

function deadlineOf(pod: Pod, memory: PodMemory): number | undefined {
  const seconds = pod.spec.activeDeadlineSeconds;
  return seconds === undefined ? undefined : memory.startTimeMs + seconds * 1000;
}

/** The last attempt before the present one is kept, for `kubectl logs --previous`. */
function* removals(view: PodView): Generator<Step> {
  const old = allOf(view).flatMap((each) => each.attempts.slice(2));
  const ended = old.filter((each) => each.state !== 'running');
  for (const target of [...ended, ...view.oldSandboxes, ...view.strangers]) yield { do: 'remove-container', target };
}

function* whenDue(state: PodMemory['volumes'], nowMs: number, step: Step): Generator<Step> {
  if (state === 'ready' || state === 'removed') return;
  if (state === 'absent' || nowMs >= state.retryAtMs) yield step;
  else yield { do: 'wait', untilMs: state.retryAtMs };
}

function* sandboxSteps(pod: Pod, view: PodView, memory: PodMemory, nowMs: number): Generator<Step> {
  const { sandbox } = view;
  const due = (step: Step) => whenDue(memory.sandboxFailure ?? 'absent', nowMs, step);
  if (sandbox === undefined) {
    yield* due({ do: 'create-sandbox', attempt: 0 });
  } else if (sandbox.state === 'created') {
    yield { do: 'start-sandbox', sandbox };
  } else if (sandbox.state === 'running') {
    // Both write the pod's /etc/hosts: the files first, then its address into them.
    const filesUnderWay = memory.volumes === 'absent' || memory.busy.has('volumes');
    if (needsNetwork(pod) && memory.network === undefined && !filesUnderWay)
      yield* due({ do: 'attach-network', sandbox });
  } else {
    yield* replaceSandbox(pod, view, sandbox, memory);
  }
}

/** The sandbox has died (or the machine was restarted): nothing may go on in its namespaces. */
function* replaceSandbox(pod: Pod, view: PodView, dead: ObservedContainer, memory: PodMemory): Generator<Step> {
  const running = allOf(view).filter(isRunning);
  for (const { newest, spec } of running) {
    if (newest === undefined || memory.stops.has(newest.id)) continue;
    yield {
      do: 'stop-container',
      target: newest,
      spec,
      graceSeconds: gracePeriodOf(pod),
      message: 'Pod sandbox changed, it will be killed and re-created.',
      replaced: false,
    };
  }
  if (running.length > 0) return;
  if (memory.network !== undefined) yield { do: 'detach-network' };
  else yield { do: 'create-sandbox', attempt: dead.attempt + 1 };
}

export const needsNetwork = (pod: Pod) => pod.spec.hostNetwork !== true;

/** In the order of the spec: init containers one by one, sidecars beside them, then all main containers at once. */
function wantedNow(pod: Pod, view: PodView, memory: PodMemory): ContainerView[] {
  const wanted: ContainerView[] = [];
  if (!isInitialized(view, memory)) {
    for (const each of view.inits) {
      if (each.sidecar || !isInitDone(each, memory)) wanted.push(each);
      if (!isInitDone(each, memory)) break;
    }
    return wanted;
  }
  wanted.push(...view.inits.filter((each) => each.sidecar));
  for (const each of view.mains) {
    if (!isDone(pod, each, memory)) wanted.push(each);
    if (holdsBack(each, memory)) break;
  }
  return wanted;
}

/** Kubernetes: as a pod starts, a container's postStart hook has to be over before the containers after it begin. */
function holdsBack(each: ContainerView, memory: PodMemory): boolean {
  if (each.spec.lifecycle?.postStart === undefined || each.attempts.length > 1) return false;
  return (
    each.newest?.state !== 'exited' &&
    (each.newest?.state !== 'running' || memory.busy.has(containerKey(each.spec.name)))
  );
}

function* containerSteps(
  pod: Pod,
  view: PodView,
  each: ContainerView,
  memory: PodMemory,
  nowMs: number,
): Generator<Step> {
  const { sandbox } = view;
  const { newest } = each;
  if (newest?.state === 'running') return yield* mendRunning(pod, each, newest, memory, nowMs);
  if (newest?.state === 'created' && newest.sandboxId === sandbox?.id) {
    const connected = !needsNetwork(pod) || memory.network !== undefined;
    if (sandbox.state === 'running' && connected) yield { do: 'start-container', container: each, created: newest };
    return;
  }
  if (newest?.state === 'exited') {
    const rerun = each.kind === 'init' && newest.sandboxId !== sandbox?.id;
    if (!rerun && !shouldRestart(pod, each, newest, memory)) return;
    const restartMs = restartAtMs(newest);
    if (restartMs > nowMs) return yield { do: 'wait', untilMs: restartMs };
  }
  const attempt = newest === undefined ? attemptsBefore(pod, each, memory) : newest.attempt + 1;
  if (each.kind === 'ephemeral' && newest === undefined && attempt > 0) return;
  const known = memory.containers.get(each.spec.name);
  if (known?.failure !== undefined && known.failure.retryAtMs > nowMs)
    return yield { do: 'wait', untilMs: known.failure.retryAtMs };
  if (known?.image?.attempt !== attempt) return yield { do: 'ensure-image', container: each, attempt };
  if (memory.volumes !== 'ready' || sandbox === undefined || sandbox.state === 'exited') return;
  const target = targetOf(each, view);
  if (target === undefined && each.spec.targetContainerName) return;
  yield {
    do: 'create-container',
    container: each,
    attempt,
    backOffSeconds: nextBackOffSeconds(newest?.state === 'exited' ? newest : undefined),
    sandbox,
    ...(target === undefined ? {} : { target }),
  };
}

/** Only processes that are there can be looked at: a target that does not run is waited for. */
function targetOf({ spec }: ContainerView, view: PodView): ObservedContainer | undefined {
  const target = [...view.inits, ...view.mains].find((each) => each.spec.name === spec.targetContainerName);
  return target !== undefined && isRunning(target) ? target.newest : undefined;
}

const STATUS_LISTS = {
  container: 'containerStatuses',
  init: 'initContainerStatuses',
  ephemeral: 'ephemeralContainerStatuses',
} as const;

/** How often a container ran whose records the engine has lost (pruned, a new disk): restarts go on being counted. */
function attemptsBefore(pod: Pod, { spec, kind }: ContainerView, memory: PodMemory): number {
  const status = memory.reported ?? pod.status;
  const known = status?.[STATUS_LISTS[kind]]?.find((each) => each.name === spec.name);
  return known?.containerID === undefined ? 0 : known.restartCount + 1;
}

function* mendRunning(
  pod: Pod,
  each: ContainerView,
  running: ObservedContainer,
  memory: PodMemory,
  nowMs: number,
): Generator<Step> {
  if (memory.stops.has(running.id)) return;
  const { name } = each.spec;
  const stop = { do: 'stop-container', target: running, spec: each.spec } as const;
  const { condemned, resizeFailure } = memory.containers.get(name) ?? {};
  if (condemned?.containerId === running.id) {
    yield { ...stop, graceSeconds: condemned.graceSeconds, message: condemned.message, replaced: condemned.replaced };
  } else if (running.specHash !== each.hash) {
    const message = `Container ${name} definition changed, will be restarted`;
    yield { ...stop, graceSeconds: gracePeriodOf(pod), message, replaced: true };
  } else if (memory.resize.progress?.containers.has(name) && needsUpdate(each, memory)) {
    if (resizeFailure !== undefined && resizeFailure.retryAtMs > nowMs)
      yield { do: 'wait', untilMs: resizeFailure.retryAtMs };
    else yield { do: 'resize-container', container: each, target: running };
  }
}
