/**
 * Which pods stand behind a Service, at which ports, and in which condition; and how that becomes EndpointSlices and the
 * Endpoints object. Pure; who reads and writes is `endpointslices.ts`.
 * Source: k8s.io/endpointslice, pkg/controller/endpoint, https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
 */
import type { EndpointAddress, Endpoints, Pod, Service } from '../../shared/api/core.ts';
import { type Endpoint, type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { isReady, isTerminal, isTerminating, resolvePort } from '../../shared/pods.ts';
import { canonicalText, isEqual } from './equality.ts';

export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
export const MANAGED_BY = 'endpointslice-controller.k8s.io';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';
export const MAX_ENDPOINTS = 100;

export type SlicePort = NonNullable<EndpointSlice['ports']>[number];

/** Endpoints that share a set of ports: a named target port may differ from pod to pod. */
export interface EndpointGroup {
  ports: SlicePort[];
  endpoints: Endpoint[];
}

export const isHeadless = (service: Service): boolean => service.spec.clusterIP === 'None';

/** Ordered by ports, then address, so that equal pods give equal groups. */
export function endpointGroups(service: Service, pods: readonly Pod[]): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  for (const pod of pods) {
    if (!isServing(pod)) continue;
    const ports = portsOf(service, pod);
    const key = canonicalText(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(service, pod));
  }
  for (const group of groups.values()) group.endpoints.sort((a, b) => compareTexts(a.addresses[0], b.addresses[0]));
  return [...groups].sort(([a], [b]) => compareTexts(a, b)).map(([, group]) => group);
}

const compareTexts = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whether the pod stands behind Services at all: it has an address and has not ended. */
export const isServing = (pod: Pod): boolean => (pod.status?.podIP ?? '') !== '' && !isTerminal(pod);

export function portsOf(service: Service, pod: Pod): SlicePort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const protocol = port.protocol ?? 'TCP';
    const target = resolvePort(pod, port.targetPort || port.port, protocol);
    if (target === undefined) return [];
    return [
      { name: port.name ?? '', protocol, port: target, ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}) },
    ];
  });
}

export function endpointOf(service: Service, pod: Pod): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const hostname = hostnameOf(service, pod);
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: targetOf(pod),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
  };
}

const targetOf = (pod: Pod) => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});

/** A pod has a DNS name of its own below the Service that its subdomain names. */
const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

// ---- Slices -----------------------------------------------------------------------------------------------------

export interface SlicePlan {
  create: Draft<EndpointSlice>[];
  update: EndpointSlice[];
  remove: EndpointSlice[];
}

export function sliceLabels(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
    [SERVICE_NAME_LABEL]: service.metadata.name,
    [MANAGED_BY_LABEL]: MANAGED_BY,
  };
}

/**
 * The fewest writes that bring the slices to what is desired: an endpoint stays in the slice that it is in, new ones fill
 * slices with room, and only what is left over gets a slice of its own. A Service without endpoints keeps one empty slice.
 */
export function planSlices(
  service: Service,
  groups: readonly EndpointGroup[],
  current: readonly EndpointSlice[],
  blank: (ports: SlicePort[], endpoints: Endpoint[]) => Draft<EndpointSlice>,
): SlicePlan {
  const desired = groups.length > 0 ? groups : [{ ports: [], endpoints: [] }];
  const labels = sliceLabels(service);
  const plan: SlicePlan = { create: [], update: [], remove: [] };
  const unused = new Set(current);
  for (const { ports, endpoints } of desired) {
    const own = current.filter((slice) => unused.has(slice) && isEqual(slice.ports ?? [], ports));
    const waiting = new Map(endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
    const contents = own.map((slice) => ({ slice, endpoints: takeKept(slice, waiting) }));
    for (const content of contents) fill(content.endpoints, waiting);
    let kept = 0;
    for (const content of contents) {
      unused.delete(content.slice);
      const isNeeded = content.endpoints.length > 0 || (endpoints.length === 0 && kept === 0);
      if (!isNeeded) {
        plan.remove.push(content.slice);
        continue;
      }
      kept += 1;
      const isSame =
        isEqual(content.slice.endpoints ?? [], content.endpoints) && isEqual(content.slice.metadata.labels, labels);
      if (isSame) continue;
      plan.update.push({
        ...content.slice,
        metadata: { ...content.slice.metadata, labels },
        endpoints: content.endpoints,
      });
    }
    if (endpoints.length === 0 && kept === 0) plan.create.push(blank(ports, []));
    while (waiting.size > 0) {
      const rest: Endpoint[] = [];
      fill(rest, waiting);
      plan.create.push(blank(ports, rest));
    }
  }
  plan.remove.push(...unused);
  return plan;
}

const identityOf = (endpoint: Endpoint): string => `${endpoint.targetRef?.uid ?? ''}/${endpoint.addresses[0] ?? ''}`;

/** Those of the slice that are still desired, as they are desired now, in the slice's order. */
function takeKept(slice: EndpointSlice, waiting: Map<string, Endpoint>): Endpoint[] {
  return (slice.endpoints ?? []).flatMap((endpoint) => {
    const key = identityOf(endpoint);
    const wanted = waiting.get(key);
    waiting.delete(key);
    return wanted === undefined ? [] : [wanted];
  });
}

function fill(endpoints: Endpoint[], waiting: Map<string, Endpoint>): void {
  for (const [key, endpoint] of waiting) {
    if (endpoints.length >= MAX_ENDPOINTS) return;
    endpoints.push(endpoint);
    waiting.delete(key);
  }
}

// ---- Endpoints --------------------------------------------------------------------------------------------------

type Subset = NonNullable<Endpoints['subsets']>[number];
/** Upstream's limit for the whole object; what is over it is left out, and the annotation says so. */
export const MAX_ADDRESSES = 1000;

export function subsetsOf(service: Service, pods: readonly Pod[]): Subset[] {
  const bySubset = new Map<string, { ports: SlicePort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  const listed = pods
    .filter((pod) => isServing(pod) && (!isTerminating(pod) || service.spec.publishNotReadyAddresses === true))
    .sort((a, b) => compareTexts(a.status?.podIP, b.status?.podIP))
    .slice(0, MAX_ADDRESSES);
  for (const pod of listed) {
    const ports = portsOf(service, pod);
    // Kubernetes: without ports only a headless Service has addresses to tell.
    if (ports.length === 0 && !((service.spec.ports ?? []).length === 0 && isHeadless(service))) continue;
    const key = canonicalText(ports);
    const subset = bySubset.get(key) ?? { ports, ready: [], notReady: [] };
    bySubset.set(key, subset);
    const isListedReady = service.spec.publishNotReadyAddresses === true || isReady(pod);
    (isListedReady ? subset.ready : subset.notReady).push(addressOf(service, pod));
  }
  return [...bySubset]
    .sort(([a], [b]) => compareTexts(a, b))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
      ...(ports.length > 0 ? { ports: ports.map(endpointPortOf) } : {}),
    }));
}

function addressOf(service: Service, pod: Pod): EndpointAddress {
  const hostname = hostnameOf(service, pod);
  return {
    ip: pod.status?.podIP ?? '',
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: targetOf(pod),
  };
}

function endpointPortOf({ name, protocol, port, appProtocol }: SlicePort): NonNullable<Subset['ports']>[number] {
  return {
    ...(name ? { name } : {}),
    port: port ?? 0,
    protocol: protocol ?? 'TCP',
    ...(appProtocol ? { appProtocol } : {}),
  };
}
