/** How a pod ends: main containers first, sidecars after them in reverse, the network, the sandbox; then, if deleted, every record. */
import type { Pod } from '../../shared/api/core.ts';
import { allOf, type ContainerView, isRunning, type PodView } from './containers-of-pod.ts';
import type { Ending, PodMemory } from './memory.ts';
import type { Step } from './step.ts';

const DEFAULT_GRACE_SECONDS = 30;
/** A deadline that moves by less than this is the same deadline. */
const SAME_MS = 1000;

export const gracePeriodOf = (pod: Pod) => pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;

/** The pod is finished or evicted: nothing runs on, its records stay for its logs until it is deleted. */
export function* restingSteps(pod: Pod, view: PodView, memory: PodMemory, nowMs: number): Generator<Step> {
  if (yield* stopping(view, memory, gracePeriodOf(pod), nowMs)) return;
  if (memory.network !== undefined) yield { do: 'detach-network' };
  else if (view.sandbox?.state === 'running') yield stopSandbox(view.sandbox);
}

/** The pod's object is going: when the last record is removed, so may the object be. */
export function* endingSteps(
  pod: Pod,
  view: PodView,
  memory: PodMemory,
  ending: Ending,
  nowMs: number,
): Generator<Step> {
  if (yield* stopping(view, memory, ending.graceSeconds, nowMs)) return;
  if (!ending.deleted) return yield* restingSteps(pod, view, memory, nowMs);
  const containers = allOf(view).flatMap((each) => each.attempts);
  for (const target of [...containers, ...view.strangers]) yield { do: 'remove-container', target };
  if (memory.network !== undefined) yield { do: 'detach-network' };
  else for (const target of sandboxesOf(view)) yield { do: 'remove-container', target };
  // A pull that nobody waits for any more holds up nothing.
  const underWay = [...memory.busy].some((key) => !key.startsWith('image:'));
  if (containers.length > 0 || view.strangers.length > 0 || view.sandbox !== undefined || underWay) return;
  if (memory.volumes !== 'removed') yield { do: 'remove-volumes' };
  else yield { do: 'gone' };
}

const sandboxesOf = (view: PodView) => (view.sandbox === undefined ? [] : [view.sandbox, ...view.oldSandboxes]);

const stopSandbox = (sandbox: NonNullable<PodView['sandbox']>): Step => ({
  do: 'stop-container',
  target: sandbox,
  graceSeconds: 1,
  message: '',
  replaced: false,
});

/** Asks for what must still be stopped; the answer is whether anything runs or may yet begin to. */
function* stopping(view: PodView, memory: PodMemory, graceSeconds: number, nowMs: number): Generator<Step, boolean> {
  const running = allOf(view).filter(isRunning);
  const starting = [...memory.busy].some((key) => key.startsWith('container:') || key === 'sandbox');
  const firstToGo = running.filter((each) => !each.sidecar);
  const next = firstToGo.length > 0 ? firstToGo : running.slice(-1);
  for (const each of next) yield* stop(each, memory, graceSeconds, nowMs);
  return running.length > 0 || starting;
}

/** A stop that is under way is asked for again only when its end has come nearer (deleted again, with less grace). */
function* stop(view: ContainerView, memory: PodMemory, graceSeconds: number, nowMs: number): Generator<Step> {
  if (view.newest === undefined) return;
  const plannedMs = memory.stops.get(view.newest.id);
  const deadlineMs = nowMs + graceSeconds * 1000;
  if (plannedMs !== undefined && deadlineMs > plannedMs - SAME_MS) return;
  yield {
    do: 'stop-container',
    target: view.newest,
    spec: view.spec,
    graceSeconds,
    message: `Stopping container ${view.spec.name}`,
    replaced: false,
  };
}
