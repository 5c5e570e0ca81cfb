/**
 * What a pod asks of a node beyond the sums of `shared/pods.ts`: itself as one pod, what upstream assumes where nothing is
 * requested, and host ports. Pure.
 */
import type { Pod } from '../../shared/api/core.ts';
import { type Amounts, isSidecar, requestsOf } from '../../shared/pods.ts';

/** Upstream counts a pod without requests as this much when it scores (not when it filters). */
export const ASSUMED: Amounts = { cpu: 100, memory: 200 * 1024 * 1024 };

export const podRequests = (pod: Pod): Amounts => ({ ...requestsOf(pod), pods: 1 });

export function addAmounts(total: Amounts, more: Amounts): void {
  for (const [resource, amount] of Object.entries(more)) total[resource] = (total[resource] ?? 0) + amount;
}

/** `PROTOCOL/IP/PORT` of every host port; with host networking each container port is one. */
export function hostPortsOf(pod: Pod): string[] {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)];
  return containers
    .flatMap((container) => container.ports ?? [])
    .map((port) => ({ ...port, hostPort: port.hostPort || (pod.spec.hostNetwork === true ? port.containerPort : 0) }))
    .filter((port) => port.hostPort > 0)
    .map((port) => `${port.protocol ?? 'TCP'}/${port.hostIP || '0.0.0.0'}/${port.hostPort}`);
}
