/**
 * Services and EndpointSlices as ServiceRoutes: which endpoints count, which policy applies. Pure.
 * Source: https://kubernetes.io/docs/reference/networking/virtual-ips/ and KEP-1669 (terminating endpoints), KEP-2086
 * (internal traffic policy).
 */
import type { Service, ServicePort } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';
import type { RouteEndpoint, ServiceRoute } from './proxy.ts';

export interface TranslateContext {
  nodeName: string;
  /** The cluster DNS address: every minion answers it itself, so it is not routed. */
  dnsIP?: string;
  /** Where this minion itself answers for the Service default/kubernetes, whatever its EndpointSlices say. */
  apiServer?: { ip: string; port: number };
}

const API_SERVICE = 'default/kubernetes';

/** @param slices of this Service. @returns a route for each port; none where no address leads to it. */
export function translate(
  service: Service,
  slices: readonly EndpointSlice[],
  { nodeName, dnsIP, apiServer }: TranslateContext,
): ServiceRoute[] {
  const addresses = clusterIPsOf(service).filter((ip) => ip !== dnsIP);
  if (addresses.length === 0) return [];
  const own = slices.filter(({ addressType }) => addressType === 'IPv4');
  return (service.spec.ports ?? []).map((port) => {
    const route = routeOf(service, port, addresses, own, nodeName);
    if (route.service !== API_SERVICE || apiServer === undefined) return route;
    const endpoints = [{ ...apiServer, local: true }];
    return { ...route, endpoints, localEndpoints: endpoints };
  });
}

/** None for headless Services and external names: those are DNS's alone. */
function clusterIPsOf({ spec }: Service): string[] {
  if (spec.type === 'ExternalName') return [];
  const all = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''];
  return all.filter((ip) => ip !== '' && ip !== 'None' && !ip.includes(':'));
}

function routeOf(
  { metadata, spec, status }: Service,
  port: ServicePort,
  addresses: string[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): ServiceRoute {
  const candidates = candidatesOf(slices, port, nodeName);
  const nodePorts = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const ingress = (status?.loadBalancer?.ingress ?? []).map((each) => each.ip).filter((ip) => ip !== undefined);
  const sticky = spec.sessionAffinity === 'ClientIP';
  return {
    service: `${metadata.namespace}/${metadata.name}`,
    protocol: port.protocol ?? 'TCP',
    addresses,
    externalAddresses: [...new Set([...(spec.externalIPs ?? []), ...ingress])].filter((ip) => !ip.includes(':')),
    port: port.port,
    ...(nodePorts && port.nodePort ? { nodePort: port.nodePort } : {}),
    endpoints: usable(candidates),
    localEndpoints: usable(candidates.filter((each) => each.local)),
    ...(sticky ? { affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 } : {}),
    internalLocalOnly: spec.internalTrafficPolicy === 'Local',
    externalLocalOnly: spec.externalTrafficPolicy === 'Local',
  };
}

interface Candidate extends RouteEndpoint {
  ready: boolean;
  /** Terminating, and still answering. */
  lastResort: boolean;
}

function candidatesOf(slices: readonly EndpointSlice[], port: ServicePort, nodeName: string): Candidate[] {
  const found: Candidate[] = [];
  for (const slice of slices) {
    const number = slice.ports?.find(
      (each) => (each.name ?? '') === (port.name ?? '') && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )?.port;
    if (number === undefined || number === null) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses[0];
      if (ip === undefined) continue;
      const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
      found.push({
        ip,
        port: number,
        local: endpoint.nodeName === nodeName,
        ready,
        lastResort: serving && terminating,
      });
    }
  }
  return found;
}

function usable(candidates: readonly Candidate[]): RouteEndpoint[] {
  const ready = candidates.filter((each) => each.ready);
  const chosen = ready.length > 0 ? ready : candidates.filter((each) => each.lastResort);
  const unique = new Map(
    chosen.map(({ ip, port, local }) => [`${ip}:${port}`, { ip, port, local } satisfies RouteEndpoint]),
  );
  return [...unique.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
