/**
 * What hand-made Endpoints look like as EndpointSlices: one for each set of ports and family of addresses. Pure; who reads
 * and writes is `endpointslice-mirroring.ts`.
 * Source: kubernetes, pkg/controller/endpointslicemirroring, pkg/api/v1/endpoints (RepackSubsets)
 */
import type { EndpointAddress, Endpoints } from '../../shared/api/core.ts';
import type { Endpoint, EndpointSlice } from '../../shared/api/discovery.ts';
import { canonicalText } from './equality.ts';
import type { SlicePort } from './service-endpoints.ts';

/** Upstream's default, which is also the most that one slice may hold. */
export const MAX_MIRRORED = 1000;

export interface MirroredGroup {
  addressType: EndpointSlice['addressType'];
  ports: SlicePort[];
  endpoints: Endpoint[];
}

export interface Mirrored {
  groups: MirroredGroup[];
  /** Addresses over the limit of their subset. */
  skipped: number;
}

type Subset = NonNullable<Endpoints['subsets']>[number];

interface Listed {
  address: EndpointAddress;
  ready: boolean;
}

export function mirrorEndpoints({ subsets = [] }: Pick<Endpoints, 'subsets'>): Mirrored {
  const groups: MirroredGroup[] = [];
  let skipped = 0;
  for (const { ports, addresses } of repack(subsets)) {
    const kept = [...addresses.filter(({ ready }) => ready), ...addresses.filter(({ ready }) => !ready)];
    skipped += Math.max(0, kept.length - MAX_MIRRORED);
    const byFamily = Map.groupBy(kept.slice(0, MAX_MIRRORED), ({ address }) =>
      address.ip.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
    );
    for (const [addressType, own] of byFamily) groups.push({ addressType, ports, endpoints: own.map(endpointOf) });
  }
  return { groups, skipped };
}

function endpointOf({ address, ready }: Listed): Endpoint {
  const { ip, hostname, nodeName, targetRef } = address;
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName ? { nodeName } : {}),
  };
}

interface Repacked {
  ports: SlicePort[];
  addresses: Listed[];
}

/** Every address once a port, and ports with the same addresses together; ordered, so that equal subsets give equal groups. */
function repack(subsets: readonly Subset[]): Repacked[] {
  const byPort = new Map<string, { ports: SlicePort[]; addresses: Map<string, Listed> }>();
  for (const subset of subsets) {
    // Kubernetes: a subset without ports is one of its own, as a headless Service has it.
    const portSets = subset.ports?.length ? subset.ports.map((port) => [slicePortOf(port)]) : [[]];
    for (const ports of portSets) {
      const key = canonicalText(ports);
      const known = byPort.get(key) ?? { ports, addresses: new Map<string, Listed>() };
      byPort.set(key, known);
      for (const address of subset.addresses ?? []) list(known.addresses, { address, ready: true });
      for (const address of subset.notReadyAddresses ?? []) list(known.addresses, { address, ready: false });
    }
  }
  const byAddresses = new Map<string, Repacked>();
  for (const [, { ports, addresses }] of [...byPort].sort(byKey)) {
    const ordered = [...addresses].sort(byKey).map(([, listed]) => listed);
    // What has no ports shares none.
    const key = canonicalText([ports.length > 0, ordered]);
    const known = byAddresses.get(key);
    if (known === undefined) byAddresses.set(key, { ports, addresses: ordered });
    else known.ports.push(...ports);
  }
  return [...byAddresses.values()].filter(({ addresses }) => addresses.length > 0);
}

/** Kubernetes: an address that is listed as both counts as not ready. */
function list(addresses: Map<string, Listed>, listed: Listed): void {
  const key = `${listed.address.ip} ${listed.address.targetRef?.uid ?? ''}`;
  if (addresses.get(key)?.ready !== false) addresses.set(key, listed);
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);

const slicePortOf = ({ name = '', port, protocol = 'TCP', appProtocol }: NonNullable<Subset['ports']>[number]) => ({
  name,
  protocol,
  port,
  ...(appProtocol ? { appProtocol } : {}),
});
