/** What performing an action needs of its pod: handed from the worker to `perform.ts`, `probes.ts` and the like. */
import type { Pod } from '../../shared/api/core.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { PodEvents } from './events.ts';
import type { NodeFacts } from './field-ref.ts';
import type { Images } from './images.ts';
import type { ObservedPod, PodMemory } from './memory.ts';
import type { KeeperParts } from './parts.ts';
import type { PodFiles } from './pod-files.ts';

export interface PodContext {
  parts: KeeperParts;
  images: Images;
  files: PodFiles;
  events: PodEvents;
  memory: PodMemory;
  /** The newest version of the object. */
  pod(): Pod;
  observed(): ObservedPod;
  /** The engine's word about a container; a state never goes back. */
  merge(container: ObservedContainer): Promise<void>;
  forget(containerId: string): void;
  facts(): NodeFacts;
}

export function podIPOf({ pod, memory, parts }: Pick<PodContext, 'pod' | 'memory' | 'parts'>): string {
  return memory.network?.ip ?? (pod().spec.hostNetwork === true ? parts.nodeIP() : '');
}
