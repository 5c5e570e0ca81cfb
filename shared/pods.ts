/** What can be said of a pod by looking at it: predicates and sums, pure, for both ends. Nothing here changes a pod. */
import type { Container, Pod, PodCondition, PodSpec } from './api/core.ts';
import { compareQuantities, quantityMilliValue, quantityValue } from './quantity.ts';

export const conditionOf = (pod: Pick<Pod, 'status'>, type: string): PodCondition | undefined =>
  pod.status?.conditions?.find((condition) => condition.type === type);

export const isReady = (pod: Pick<Pod, 'status'>): boolean => conditionOf(pod, 'Ready')?.status === 'True';

/** Its containers have ended for good. */
export const isTerminal = (pod: Pick<Pod, 'status'>): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isTerminating = (pod: Pick<Pod, 'metadata'>): boolean => pod.metadata.deletionTimestamp !== undefined;

/** Counts as one of a controller's replicas. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod);

/** Ready, and for so long. Source: kubernetes, pkg/api/v1/pod IsPodAvailable. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'True') return false;
  if (minReadySeconds === 0) return true;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  return !Number.isNaN(since) && since + minReadySeconds * 1000 <= nowMs;
}

/** An init container that keeps running beside the main ones. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

/** Amounts by resource name: cpu in thousandths, everything else in whole units (bytes). */
export type Amounts = Record<string, number>;

const amountOf = (resource: string, quantity: string): number =>
  resource === 'cpu' ? quantityMilliValue(quantity) : quantityValue(quantity);

export function amountsOf(quantities: Record<string, string> | undefined): Amounts {
  return Object.fromEntries(Object.entries(quantities ?? {}).map(([name, text]) => [name, amountOf(name, text)]));
}

function add(into: Amounts, more: Amounts): void {
  for (const [name, amount] of Object.entries(more)) into[name] = (into[name] ?? 0) + amount;
}

function raise(into: Amounts, atLeast: Amounts): void {
  for (const [name, amount] of Object.entries(atLeast)) into[name] = Math.max(into[name] ?? 0, amount);
}

const RESIZE_PENDING = 'PodResizePending';

/** What it asks for is more than its node could ever give. */
const isInfeasible = (pod: Pick<Pod, 'status'>): boolean => {
  const pending = conditionOf(pod, RESIZE_PENDING);
  return pending?.status === 'True' && pending.reason === 'Infeasible';
};

/**
 * Amounts that count for one of a pod's containers: what it asks for, or what it was granted or still has where that is
 * more, for while a resize is under way both have to fit. Source: KEP-1287; component-helpers, determineContainerReqs.
 */
export function countedAmounts(
  pod: Pick<Pod, 'spec' | 'status'>,
  container: Container,
  which: 'requests' | 'limits',
): Record<string, string> {
  const asked = container.resources?.[which] ?? {};
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const status = [...containerStatuses, ...initContainerStatuses].find((each) => each.name === container.name);
  if (status?.resources === undefined) return asked;
  const had = [status.resources[which] ?? {}, which === 'requests' ? (status.allocatedResources ?? {}) : {}];
  return largestOf(isInfeasible(pod) ? had : [asked, ...had]);
}

function largestOf(all: readonly Record<string, string>[]): Record<string, string> {
  const most: Record<string, string> = {};
  for (const [name, amount] of all.flatMap((each) => Object.entries(each))) {
    const known = most[name];
    if (known === undefined || compareQuantities(amount, known) > 0) most[name] = amount;
  }
  return most;
}

/**
 * What a pod asks of its node: containers and sidecars together, or the largest init container (with the sidecars started
 * before it) where that is more; then the overhead. Source: kubernetes component-helpers, resource.PodRequests.
 */
function totalOf(pod: Pick<Pod, 'spec' | 'status'>, which: 'requests' | 'limits'): Amounts {
  const { spec } = pod;
  const total: Amounts = {};
  for (const container of spec.containers) add(total, amountsOf(countedAmounts(pod, container, which)));
  const sidecars: Amounts = {};
  const largest: Amounts = {};
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(isSidecar(container) ? countedAmounts(pod, container, which) : container.resources?.[which]);
    if (isSidecar(container)) {
      add(total, own);
      add(sidecars, own);
      raise(largest, sidecars);
    } else {
      const peak = { ...sidecars };
      add(peak, own);
      raise(largest, peak);
    }
  }
  raise(total, largest);
  if (which === 'requests' || Object.keys(total).length > 0) add(total, amountsOf(spec.overhead));
  return total;
}

/** Without a status: what the spec alone asks for. */
export const requestsOf = (pod: Pick<Pod, 'spec' | 'status'>): Amounts => totalOf(pod, 'requests');
export const limitsOf = (pod: Pick<Pod, 'spec' | 'status'>): Amounts => totalOf(pod, 'limits');

/** Whether what the minion says of a pod's resources leaves what the pod counts for as it was. */
export function countsTheSame(pod: Pod, previous: Pod): boolean {
  if (pod.status === previous.status) return true;
  const seen = (each: Pod) => {
    const { containerStatuses = [], initContainerStatuses = [] } = each.status ?? {};
    const had = [...containerStatuses, ...initContainerStatuses].map((status) => [
      status.name,
      status.allocatedResources,
      status.resources,
    ]);
    return JSON.stringify([isInfeasible(each), had]);
  };
  if (seen(pod) === seen(previous)) return true;
  const counted = (each: Pod) => JSON.stringify([requestsOf(each), limitsOf(each)]);
  return counted(pod) === counted(previous);
}

const QOS_RESOURCES = ['cpu', 'memory'];

/** Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
export function qosClassOf(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const asked = (amounts: Record<string, string> | undefined): string[] =>
    QOS_RESOURCES.filter((name) => amounts?.[name] !== undefined && quantityMilliValue(amounts[name]) > 0);
  if (containers.every((each) => asked(each.resources?.requests).length + asked(each.resources?.limits).length === 0)) {
    return 'BestEffort';
  }
  const guaranteed = containers.every(({ resources }) =>
    QOS_RESOURCES.every((name) => {
      const limit = resources?.limits?.[name];
      if (limit === undefined || quantityMilliValue(limit) === 0) return false;
      return compareQuantities(resources?.requests?.[name] ?? limit, limit) === 0;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** The port that a number or a container port's name stands for; undefined when no container has that name. */
export function resolvePort(pod: Pick<Pod, 'spec'>, port: number | string, protocol = 'TCP'): number | undefined {
  if (typeof port === 'number') return port;
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  return [...pod.spec.containers, ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .find((each) => each.name === port && (each.protocol ?? 'TCP') === protocol)?.containerPort;
}
