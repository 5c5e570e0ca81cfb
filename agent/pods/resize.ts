/**
 * In-place resize, the part that decides: what a pod was granted, whether what it asks for now fits, what is still to be
 * done about it. A pod lives with what it was granted until more fits, as with kubelet's allocation. Pure; what is granted
 * is performed through the plan (`resize-container`, or a restart where the container's resizePolicy asks for one).
 * Source: KEP-1287; kubernetes, pkg/kubelet/allocation
 */
import type { Container, Pod, PodCondition, ResourceRequirements } from '../../shared/api/core.ts';
import { type Amounts, amountsOf, conditionOf, isSidecar, requestsOf } from '../../shared/pods.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { type ContainerView, type PodView, viewOf } from './containers-of-pod.ts';
import { engineLimitsOf, type Machine, sameLimits } from './engine-limits.ts';
import { memoryOf, type ObservedPod, type PodMemory } from './memory.ts';
import { gracePeriodOf } from './plan-ending.ts';

export type Grants = Map<string, ResourceRequirements>;

const resizableOf = ({ spec }: Pod): Container[] => [
  ...(spec.initContainers ?? []).filter(isSidecar),
  ...spec.containers,
];

/** What an adopted pod was granted before this agent knew of it; for a new pod, what it asks for. */
export function firstGrants(pod: Pod, observed: ObservedPod, machine: Machine): Grants {
  const waits = conditionOf(pod, 'PodResizePending') !== undefined;
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const statuses = new Map([...initContainerStatuses, ...containerStatuses].map((each) => [each.name, each]));
  return new Map(
    resizableOf(pod).map(({ name, resources = {} }) => {
      const running = observed.containers.find((each) => each.name === name && each.state === 'running');
      const differs = running !== undefined && !sameLimits(running.resources, engineLimitsOf(resources, machine));
      const status = statuses.get(name);
      if (status?.resources === undefined || !(waits || differs)) return [name, resources];
      const requests = status.allocatedResources ?? status.resources.requests;
      const { limits } = status.resources;
      return [name, { ...(requests === undefined ? {} : { requests }), ...(limits === undefined ? {} : { limits }) }];
    }),
  );
}

const sameAmounts = (left: Record<string, string> = {}, right: Record<string, string> = {}): boolean =>
  ['cpu', 'memory'].every((name) => {
    const [one, other] = [left[name], right[name]];
    return one === undefined || other === undefined ? one === other : compareQuantities(one, other) === 0;
  });

const sameResources = (left: ResourceRequirements, right: ResourceRequirements): boolean =>
  sameAmounts(left.requests, right.requests) && sameAmounts(left.limits, right.limits);

/** Containers whose resources are not what they were granted. */
const differingOf = (pod: Pod, grants: Grants): Container[] =>
  resizableOf(pod).filter(({ name, resources = {} }) => !sameResources(grants.get(name) ?? resources, resources));

/** The pod as it was granted: this is what runs. The very same object where nothing differs. */
export function grantedPod(pod: Pod, grants: Grants): Pod {
  const differing = new Set(differingOf(pod, grants).map(({ name }) => name));
  if (differing.size === 0) return pod;
  const granted = (container: Container): Container =>
    differing.has(container.name) ? { ...container, resources: grants.get(container.name) ?? {} } : container;
  const { containers, initContainers } = pod.spec;
  const spec = { ...pod.spec, containers: containers.map(granted) };
  return {
    ...pod,
    spec: initContainers === undefined ? spec : { ...spec, initContainers: initContainers.map(granted) },
  };
}

export interface Room {
  /** Of the node. */
  allocatable: Amounts;
  /** What the node's other pods were granted. */
  taken: Amounts;
}

export interface Refusal {
  reason: 'Deferred' | 'Infeasible';
  message: string;
}

/** Undefined: it fits. What does not grow needs no room. */
function refusalOf(wanted: Pod, granted: Pod, { allocatable, taken }: Room): Refusal | undefined {
  const [asked, before] = [requestsOf({ spec: wanted.spec }), requestsOf({ spec: granted.spec })];
  const growing = ['memory', 'cpu'].filter((name) => (asked[name] ?? 0) > (before[name] ?? 0));
  const requested = (name: string) => asked[name] ?? 0;
  const capacity = (name: string) => allocatable[name] ?? 0;
  const never = growing.find((name) => requested(name) > capacity(name));
  if (never !== undefined) {
    const what = `${never}, requested: ${requested(never)}, capacity: ${capacity(never)}`;
    return { reason: 'Infeasible', message: `Node didn't have enough capacity: ${what}` };
  }
  const used = (name: string) => taken[name] ?? 0;
  const notNow = growing.findLast((name) => requested(name) + used(name) > capacity(name));
  if (notNow === undefined) return undefined;
  const what = `${notNow}, requested: ${requested(notNow)}, used: ${used(notNow)}, capacity: ${capacity(notNow)}`;
  return { reason: 'Deferred', message: `Node didn't have enough resource: ${what}` };
}

/** What happened to a resize just now, for events. */
export type ResizeNews = 'started' | 'pending' | 'completed';

/**
 * Brings the memory to what the pod asks for: grants it where it fits, notes why not, and what has been done by now.
 * @param wanted as the cluster has it.
 */
export function followResize(wanted: Pod, observed: ObservedPod, memory: PodMemory, room: () => Room): ResizeNews[] {
  const news: ResizeNews[] = [];
  const differing = differingOf(wanted, memory.grants);
  const generation = wanted.metadata.generation ?? 0;
  const refusal = differing.length === 0 ? undefined : refusalOf(wanted, grantedPod(wanted, memory.grants), room());
  if (refusal !== undefined) {
    const before = memory.resize.pending;
    memory.resize.pending = { ...refusal, generation };
    if (before?.reason !== refusal.reason || before.generation !== generation) news.push('pending');
  } else {
    memory.resize.pending = undefined;
    if (differing.length > 0) {
      grant(wanted, observed, memory, differing, generation);
      news.push('started');
    }
  }
  const { progress } = memory.resize;
  if (progress === undefined) return news;
  const view = viewOf(grantedPod(wanted, memory.grants), observed);
  for (const name of progress.containers) if (isDone(view, memory, name)) progress.containers.delete(name);
  if (progress.containers.size > 0) return news;
  memory.resize.progress = undefined;
  return [...news, 'completed'];
}

function grant(
  wanted: Pod,
  observed: ObservedPod,
  memory: PodMemory,
  differing: readonly Container[],
  generation: number,
): void {
  const { inits, mains } = viewOf(wanted, observed);
  const unfinished = memory.resize.progress?.containers ?? [];
  memory.resize.progress = { generation, containers: new Set([...unfinished, ...differing.map(({ name }) => name)]) };
  for (const { name, resources = {}, resizePolicy = [] } of differing) {
    const before = memory.grants.get(name) ?? {};
    memory.grants.set(name, resources);
    const remembered = memoryOf(memory, name);
    remembered.resizeFailure = undefined;
    const running = [...inits, ...mains].find((each) => each.spec.name === name)?.newest;
    const mustRestart = resizePolicy.some(
      ({ resourceName, restartPolicy }) =>
        restartPolicy === 'RestartContainer' && changes(resourceName, before, resources),
    );
    if (!mustRestart || running?.state !== 'running') continue;
    remembered.condemned = {
      containerId: running.id,
      message: `Container ${name} resize requires restart`,
      graceSeconds: gracePeriodOf(wanted),
      replaced: true,
    };
  }
}

function changes(resource: string, before: ResourceRequirements, after: ResourceRequirements): boolean {
  const amount = (list: 'requests' | 'limits', from: ResourceRequirements) => amountsOf(from[list])[resource];
  return (['requests', 'limits'] as const).some((list) => amount(list, before) !== amount(list, after));
}

/** A container that does not run gets what was granted when it starts; one that is to be replaced, with its successor. */
function isDone(view: PodView, memory: PodMemory, name: string): boolean {
  const each = [...view.inits, ...view.mains].find(({ spec }) => spec.name === name);
  if (each?.newest === undefined) return true;
  if (memory.containers.get(name)?.condemned?.containerId === each.newest.id) return false;
  return each.newest.state !== 'running' || !needsUpdate(each, memory);
}

/** Whether the engine still has other numbers than were granted. */
export const needsUpdate = ({ newest, spec }: ContainerView, { machine }: PodMemory): boolean =>
  newest !== undefined && !sameLimits(newest.resources, engineLimitsOf(spec.resources, machine));

/** As a kubelet shows it. Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions */
export function resizeConditions({ resize, containers }: PodMemory): PodCondition[] {
  const { pending, progress } = resize;
  const failures = [...(progress?.containers ?? [])].flatMap((name) => containers.get(name)?.resizeFailure ?? []);
  return [
    ...(pending === undefined
      ? []
      : [
          {
            type: 'PodResizePending',
            status: 'True' as const,
            reason: pending.reason,
            message: pending.message,
            observedGeneration: pending.generation,
          },
        ]),
    ...(progress === undefined
      ? []
      : [
          {
            type: 'PodResizeInProgress',
            status: 'True' as const,
            ...(failures[0] === undefined ? {} : { reason: 'Error', message: failures[0].message }),
            observedGeneration: progress.generation,
          },
        ]),
  ];
}

/** The details that events carry: the resources in question as JSON. */
export function resizeDetails(pod: Pod, generation: number, error?: string): string {
  const listed = (containers: readonly Container[]) =>
    containers.map(({ name, resources }) => ({ name, resources: sortedResources(resources ?? {}) }));
  const sidecars = listed((pod.spec.initContainers ?? []).filter(isSidecar));
  return JSON.stringify({
    ...(sidecars.length === 0 ? {} : { initContainers: sidecars }),
    containers: listed(pod.spec.containers),
    generation,
    ...(error === undefined ? {} : { error }),
  });
}

function sortedResources({ limits, requests }: ResourceRequirements): ResourceRequirements {
  const sorted = (amounts: Record<string, string>) =>
    Object.fromEntries(Object.entries(amounts).sort(([left], [right]) => (left < right ? -1 : 1)));
  return {
    ...(limits === undefined ? {} : { limits: sorted(limits) }),
    ...(requests === undefined ? {} : { requests: sorted(requests) }),
  };
}
