/**
 * What a pod asks of a node: resources and host ports, as numbers that can be added. Pure.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/ (pod requests with init containers and sidecars)
 */
import type { Container, Pod } from '../../shared/api/core.ts';
import { quantityMilliValue, quantityValue } from '../../shared/quantity.ts';

export type Amounts = Record<string, number>;

/** Upstream counts a pod without requests as this much when it scores (not when it filters). */
export const ASSUMED: Amounts = { cpu: 100, memory: 200 * 1024 * 1024 };

export const amountOf = (resource: string, quantity: string): number =>
  resource === 'cpu' ? quantityMilliValue(quantity) : quantityValue(quantity);

export function amountsOf(quantities: Record<string, string> | undefined): Amounts {
  const amounts: Amounts = {};
  for (const [resource, quantity] of Object.entries(quantities ?? {})) {
    amounts[resource] = amountOf(resource, String(quantity));
  }
  return amounts;
}

export function addAmounts(total: Amounts, more: Amounts, sign: 1 | -1 = 1): Amounts {
  for (const [resource, amount] of Object.entries(more)) total[resource] = (total[resource] ?? 0) + sign * amount;
  return total;
}

function atLeast(total: Amounts, least: Amounts): Amounts {
  for (const [resource, amount] of Object.entries(least)) total[resource] = Math.max(total[resource] ?? 0, amount);
  return total;
}

const requestsOf = (container: Container): Amounts => amountsOf(container.resources?.requests);

/**
 * The sum over containers and sidecars, or what the hungriest moment of starting needs, where that is more; and one pod.
 * While an init container runs, the sidecars listed before it run too.
 */
export function podRequests(pod: Pod): Amounts {
  const running: Amounts = {};
  for (const container of pod.spec.containers) addAmounts(running, requestsOf(container));
  const sidecars: Amounts = {};
  const starting: Amounts = {};
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      addAmounts(sidecars, requestsOf(container));
      atLeast(starting, sidecars);
    } else {
      atLeast(starting, addAmounts({ ...sidecars }, requestsOf(container)));
    }
  }
  const total = atLeast(addAmounts(running, sidecars), starting);
  addAmounts(total, overheadOf(pod));
  total.pods = 1;
  return total;
}

/** What a runtime class adds; the field is kept as written, so it is read with care. */
function overheadOf(pod: Pod): Amounts {
  const { overhead } = pod.spec as { overhead?: Record<string, string> };
  return amountsOf(overhead);
}

/** `PROTOCOL/IP/PORT` of every host port; with host networking each container port is one. */
export function hostPortsOf(pod: Pod): string[] {
  const containers = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
  ];
  return containers
    .flatMap((container) => container.ports ?? [])
    .map((port) => ({ ...port, hostPort: port.hostPort || (pod.spec.hostNetwork === true ? port.containerPort : 0) }))
    .filter((port) => port.hostPort > 0)
    .map((port) => `${port.protocol ?? 'TCP'}/${port.hostIP || '0.0.0.0'}/${port.hostPort}`);
}
