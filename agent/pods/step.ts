/** The actions that a plan can ask for, and the key under which each counts as being under way. `perform.ts` does them. */
import type { Container } from '../../shared/api/core.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { ContainerView } from './containers-of-pod.ts';
import type { Eviction } from './memory.ts';

export type Step =
  /** Nothing to begin. `untilMs`: unless something happens before, look again then. */
  | { do: 'wait'; untilMs?: number }
  | { do: 'prepare-volumes' }
  | { do: 'ensure-image'; container: ContainerView; attempt: number }
  | { do: 'create-sandbox'; attempt: number }
  | { do: 'start-sandbox'; sandbox: ObservedContainer }
  | { do: 'attach-network'; sandbox: ObservedContainer }
  | {
      do: 'create-container';
      container: ContainerView;
      attempt: number;
      backOffSeconds: number;
      sandbox: ObservedContainer;
      /** Whose processes an ephemeral container looks at. */
      target?: ObservedContainer;
    }
  | { do: 'start-container'; container: ContainerView; created: ObservedContainer }
  /** It goes on running with other limits. */
  | { do: 'resize-container'; container: ContainerView; target: ObservedContainer }
  | {
      do: 'stop-container';
      target: ObservedContainer;
      /** Absent for a sandbox, or for what the spec no longer has. */
      spec?: Container;
      graceSeconds: number;
      /** For the event. */
      message: string;
      /** To be started again whatever the restart policy: its spec has changed. */
      replaced: boolean;
    }
  | { do: 'remove-container'; target: ObservedContainer }
  | { do: 'detach-network' }
  | { do: 'remove-volumes' }
  | { do: 'evict'; eviction: Eviction }
  /** Nothing is left of the pod. */
  | { do: 'gone' };

export type StepOf<Kind extends Step['do']> = Extract<Step, { do: Kind }>;

const KEYS: { [Kind in Step['do']]: (step: StepOf<Kind>) => string } = {
  wait: () => 'wait',
  'prepare-volumes': () => 'volumes',
  'ensure-image': (step) => `image:${step.container.spec.name}`,
  'create-sandbox': () => 'sandbox',
  'start-sandbox': () => 'sandbox',
  'attach-network': () => 'network',
  'create-container': (step) => containerKey(step.container.spec.name),
  'start-container': (step) => containerKey(step.container.spec.name),
  'resize-container': (step) => containerKey(step.container.spec.name),
  'stop-container': (step) => `stop:${step.target.id}:${step.graceSeconds}`,
  'remove-container': (step) => `remove:${step.target.id}`,
  'detach-network': () => 'network',
  'remove-volumes': () => 'volumes',
  evict: () => 'evict',
  gone: () => 'gone',
};

export const containerKey = (name: string) => `container:${name}`;

/** Two steps of one key never run side by side. */
export function keyOf(step: Step): string {
  return (KEYS[step.do] as (step: Step) => string)(step);
}
