/**
 * What the agent knows of one pod besides its spec and the engine's containers: what is under way, what failed and when to
 * try again, what the probes say. Plain data: `plan.ts` and `status.ts` read it, `worker.ts` and `perform.ts` write it. It
 * may be lost at any time; whatever a restart must remember is in the containers' labels.
 */
import type { PodStatus, ResourceRequirements } from '../../shared/api/core.ts';
import type { PodAttachment } from '../network/network.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { Machine } from './engine-limits.ts';

/** Something that did not work, as the status will show it. */
export interface Failure {
  reason: string;
  message: string;
  retryAtMs: number;
  /** How often in a row, for the next delay. */
  count: number;
}

/** Why a pod must end although it is wanted: it shows in the status. */
export interface Eviction {
  reason: string;
  message: string;
}

export interface Ending {
  /** Its object is going or gone: nothing of it may stay. Otherwise (evicted) its records stay for its logs. */
  deleted: boolean;
  graceSeconds: number;
}

export interface ContainerMemory {
  /** The image for this attempt is at hand. */
  image?: { attempt: number; id: string; user: string };
  /** Its image could not be had, or it could not be made. */
  failure?: Failure;
  /** A probe or a changed spec says that this container (by id) must be stopped and started again. */
  condemned?: { containerId: string; message: string; graceSeconds: number; replaced: boolean };
  /** Its running container could not be given what was granted. */
  resizeFailure?: Failure;
  /** What the probes of this container (by id) found so far. */
  probed?: { containerId: string; started: boolean; ready: boolean };
}

/** Where a resize in place stands. */
export interface Resize {
  /** What the pod asks for does not fit. */
  pending?: { reason: 'Deferred' | 'Infeasible'; message: string; generation: number };
  /** It was granted; these containers still have to follow. */
  progress?: { generation: number; containers: Set<string> };
}

export interface PodMemory {
  /** Keys of the operations under way: see `keyOf` in plan.ts. */
  busy: Set<string>;
  /** When each container that is being stopped will have been killed, by id. */
  stops: Map<string, number>;
  ending?: Ending;
  evicted?: Eviction;
  /** 'removed' only at the very end. */
  volumes: 'absent' | 'ready' | 'removed' | Failure;
  sandboxFailure?: Failure;
  network?: PodAttachment;
  containers: Map<string, ContainerMemory>;
  /** The resources that each container was granted, by name: see `resize.ts`. */
  grants: Map<string, ResourceRequirements>;
  resize: Resize;
  machine: Machine;
  /** Termination messages, by container id. */
  messages: Map<string, string>;
  /** When the agent first saw the pod. */
  startTimeMs: number;
  /** As last reported: keeps transition times, and phases from going back. */
  reported?: PodStatus;
}

/** What the engine has of one pod. */
export interface ObservedPod {
  sandboxes: readonly ObservedContainer[];
  containers: readonly ObservedContainer[];
}

const UNBOUNDED: Machine = { cpuMilli: Number.POSITIVE_INFINITY, memoryBytes: Number.POSITIVE_INFINITY };

export function emptyMemory(startTimeMs: number, machine = UNBOUNDED): PodMemory {
  return {
    busy: new Set(),
    stops: new Map(),
    volumes: 'absent',
    containers: new Map(),
    grants: new Map(),
    resize: {},
    machine,
    messages: new Map(),
    startTimeMs,
  };
}

export function memoryOf(memory: PodMemory, container: string): ContainerMemory {
  const known = memory.containers.get(container);
  if (known !== undefined) return known;
  const fresh: ContainerMemory = {};
  memory.containers.set(container, fresh);
  return fresh;
}
