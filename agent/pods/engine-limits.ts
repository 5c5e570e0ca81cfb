/** What Kubernetes' resources of a container are to the engine, and what the engine has of them in Kubernetes' words. Pure. */
import type { ContainerStatus, ResourceRequirements } from '../../shared/api/core.ts';
import { formatBytes, formatMilli, quantityMilliValue, quantityValue } from '../../shared/quantity.ts';
import type { EngineLimits } from '../runtime/runtime.ts';

export interface Machine {
  cpuMilli: number;
  memoryBytes: number;
}

const LEAST_SHARES = 2;
const SHARES_A_CPU = 1024;
/** The engine refuses less than a hundredth of a processor, and more than there are. */
const LEAST_CPU_MILLI = 10;
const NANO_A_MILLI = 1_000_000;

/** 0: none. */
export function engineLimitsOf(resources: ResourceRequirements | undefined, machine: Machine): EngineLimits {
  const { limits = {}, requests = {} } = resources ?? {};
  const request = requests.cpu ?? limits.cpu;
  const shares = request === undefined ? 0 : Math.floor((quantityMilliValue(request) * SHARES_A_CPU) / 1000);
  const cpuMilli = limits.cpu === undefined ? 0 : quantityMilliValue(limits.cpu);
  return {
    cpuShares: Math.max(LEAST_SHARES, shares),
    cpuNano: cpuMilli === 0 ? 0 : Math.min(machine.cpuMilli, Math.max(LEAST_CPU_MILLI, cpuMilli)) * NANO_A_MILLI,
    memoryBytes: limits.memory === undefined ? 0 : quantityValue(limits.memory),
  };
}

export const sameLimits = (left: EngineLimits, right: EngineLimits): boolean =>
  left.cpuShares === right.cpuShares && left.cpuNano === right.cpuNano && left.memoryBytes === right.memoryBytes;

/**
 * What a running container has: as it was granted, but where the engine has another number (a resize is under way, or did
 * not work). A limit that the engine does not know was never its to keep, so nothing is said against it.
 */
export function actualResources(
  granted: ResourceRequirements,
  engine: EngineLimits,
  machine: Machine,
): NonNullable<ContainerStatus['resources']> {
  const wanted = engineLimitsOf(granted, machine);
  const limits = { ...granted.limits };
  const requests = { ...granted.requests };
  if (engine.cpuNano > 0 && engine.cpuNano !== wanted.cpuNano) limits.cpu = formatMilli(engine.cpuNano / NANO_A_MILLI);
  if (engine.memoryBytes > 0 && engine.memoryBytes !== wanted.memoryBytes) {
    limits.memory = formatBytes(engine.memoryBytes);
  }
  if (requests.cpu !== undefined && engine.cpuShares > LEAST_SHARES && engine.cpuShares !== wanted.cpuShares) {
    requests.cpu = formatMilli(Math.ceil((engine.cpuShares * 1000) / SHARES_A_CPU));
  }
  return {
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
  };
}
