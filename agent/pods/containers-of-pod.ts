/** The containers that a pod's spec asks for, each beside what the engine has of it. Pure: the ground that plan and status share. */
import { createHash } from 'node:crypto';
import type { Container, EphemeralContainer, Pod } from '../../shared/api/core.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { ObservedPod, PodMemory } from './memory.ts';

export interface ContainerView {
  spec: EphemeralContainer;
  kind: 'container' | 'init' | 'ephemeral';
  /** An init container with restartPolicy Always: runs beside the others. */
  sidecar: boolean;
  hash: string;
  /** All attempts, newest first. */
  attempts: ObservedContainer[];
  newest: ObservedContainer | undefined;
  /** The newest attempt, if it belongs to the pod's present sandbox. */
  current: ObservedContainer | undefined;
}

export interface PodView {
  /** The newest one. */
  sandbox: ObservedContainer | undefined;
  oldSandboxes: ObservedContainer[];
  inits: ContainerView[];
  mains: ContainerView[];
  /** Those that joined the pod while it ran. */
  ephemerals: ContainerView[];
  /** In the engine, but not in the spec. */
  strangers: ObservedContainer[];
}

const newestFirst = (left: ObservedContainer, right: ObservedContainer) =>
  right.attempt - left.attempt || right.createdAt.localeCompare(left.createdAt);

export function viewOf(pod: Pod, observed: ObservedPod): PodView {
  const [sandbox, ...oldSandboxes] = [...observed.sandboxes].sort(newestFirst);
  const byName = Map.groupBy(observed.containers, (each) => each.name);
  const view = (spec: EphemeralContainer, kind: ContainerView['kind']): ContainerView => {
    const attempts = [...(byName.get(spec.name) ?? [])].sort(newestFirst);
    const newest = attempts[0];
    return {
      spec,
      kind,
      sidecar: kind === 'init' && spec.restartPolicy === 'Always',
      hash: specHashOf(spec),
      attempts,
      newest,
      current: newest !== undefined && newest.sandboxId === sandbox?.id ? newest : undefined,
    };
  };
  const inits = (pod.spec.initContainers ?? []).map((spec) => view(spec, 'init'));
  const mains = pod.spec.containers.map((spec) => view(spec, 'container'));
  const ephemerals = (pod.spec.ephemeralContainers ?? []).map((spec) => view(spec, 'ephemeral'));
  const known = new Set([...inits, ...mains, ...ephemerals].map((each) => each.spec.name));
  return {
    sandbox,
    oldSandboxes,
    inits,
    mains,
    ephemerals,
    strangers: observed.containers.filter((each) => !known.has(each.name)),
  };
}

/** Every container of the pod that the spec has. */
export const allOf = ({ inits, mains, ephemerals }: PodView): ContainerView[] => [...inits, ...mains, ...ephemerals];

export const isRunning = (each: ContainerView): boolean => each.newest?.state === 'running';

/**
 * Of what makes a container another one while its pod stays: name and image, as kubelet does. Everything else of a pod's
 * spec is immutable, and defaults that a newer control plane adds must not restart anything.
 */
export function specHashOf(spec: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([spec.name, spec.image ?? '']))
    .digest('hex')
    .slice(0, 16);
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export function restartPolicyOf(pod: Pod, view: ContainerView): RestartPolicy {
  if (view.sidecar) return 'Always';
  const policy = pod.spec.restartPolicy ?? 'Always';
  // Kubernetes: an init container that succeeded is done, whatever the pod's policy.
  return view.kind === 'init' && policy === 'Always' ? 'OnFailure' : policy;
}

/** Whether an ended container is to be started again. */
export function shouldRestart(pod: Pod, view: ContainerView, ended: ObservedContainer, memory: PodMemory): boolean {
  // Kubernetes: whoever looks into a pod looks once.
  if (view.kind === 'ephemeral') return false;
  const condemned = memory.containers.get(view.spec.name)?.condemned;
  if (condemned?.containerId === ended.id && condemned.replaced) return true;
  const policy = restartPolicyOf(pod, view);
  return policy === 'Always' || (policy === 'OnFailure' && ended.exitCode !== 0);
}

/** Ended, and not to be started again. */
export function isDone(pod: Pod, view: ContainerView, memory: PodMemory): boolean {
  return view.newest?.state === 'exited' && !shouldRestart(pod, view, view.newest, memory);
}

/** An init container that ended badly and may not try again: the pod has failed. */
export function initFailed(pod: Pod, view: PodView, memory: PodMemory): ContainerView | undefined {
  return view.inits.find((each) => !each.sidecar && isDone(pod, each, memory) && each.newest?.exitCode !== 0);
}

/** Once a main container has been made in this sandbox, init containers are behind us, even when their records are gone. */
export function isInitialized(view: PodView, memory: PodMemory): boolean {
  if (view.mains.some((each) => each.current !== undefined)) return true;
  return view.inits.every((each) => isInitDone(each, memory));
}

export function isInitDone(each: ContainerView, memory: PodMemory): boolean {
  if (each.sidecar) return each.current !== undefined && isStarted(each, memory);
  return each.current?.state === 'exited' && each.current.exitCode === 0;
}

/** Running, and past its startup probe. */
export function isStarted(view: ContainerView, memory: PodMemory): boolean {
  if (view.newest?.state !== 'running') return false;
  if (view.spec.startupProbe === undefined) return true;
  const probed = memory.containers.get(view.spec.name)?.probed;
  return probed?.containerId === view.newest.id && probed.started;
}

export function isReady(view: ContainerView, memory: PodMemory): boolean {
  if (!isStarted(view, memory)) return false;
  if (view.spec.readinessProbe === undefined) return true;
  const probed = memory.containers.get(view.spec.name)?.probed;
  return probed?.containerId === view.newest?.id && probed?.ready === true;
}

/** Nothing of the pod will ever run again. */
export function isFinished(pod: Pod, view: PodView, memory: PodMemory): boolean {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return true;
  if (initFailed(pod, view, memory) !== undefined) return true;
  return view.mains.every((each) => isDone(pod, each, memory));
}
