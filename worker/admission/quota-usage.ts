/**
 * What one object takes of a ResourceQuota, and which quotas count it: pure, for the admission plugin and the controller
 * that counts afresh. Source: kubernetes, pkg/quota/v1/evaluator/core, k8s.io/apiserver/pkg/quota/v1/generic
 */
import type {
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  ResourceQuota,
  ScopeRequirement,
  Service,
} from '../../shared/api/core.ts';
import { groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { countedAmounts, isSidecar, isTerminal, qosClassOf } from '../../shared/pods.ts';
import { addQuantities, compareQuantities } from '../../shared/quantity.ts';

export type Quantities = Record<string, string>;

export function addAll(into: Quantities, more: Quantities): Quantities {
  const sum = { ...into };
  for (const [name, amount] of Object.entries(more)) sum[name] = addQuantities(sum[name] ?? '0', amount);
  return sum;
}

const negative = (amount: string): string => (amount.startsWith('-') ? amount.slice(1) : `-${amount}`);

/** `left - right`, for the names of both. */
export const subtractAll = (left: Quantities, right: Quantities): Quantities =>
  addAll(left, Object.fromEntries(Object.entries(right).map(([name, amount]) => [name, negative(amount)])));

function largest(left: Quantities, right: Quantities): Quantities {
  const most = { ...left };
  for (const [name, amount] of Object.entries(right)) {
    if (compareQuantities(amount, most[name] ?? '0') > 0 || most[name] === undefined) most[name] = amount;
  }
  return most;
}

/** As `requestsOf` of shared/pods, in the spelling that the pod has. Without a status: what the spec alone asks for. */
export function resourcesOfPod(pod: Pick<Pod, 'spec' | 'status'>, which: 'requests' | 'limits'): Quantities {
  const { spec } = pod;
  let total: Quantities = {};
  for (const container of spec.containers ?? []) total = addAll(total, countedAmounts(pod, container, which));
  let sidecars: Quantities = {};
  let peak: Quantities = {};
  for (const container of spec.initContainers ?? []) {
    const own = isSidecar(container) ? countedAmounts(pod, container, which) : (container.resources?.[which] ?? {});
    if (isSidecar(container)) {
      total = addAll(total, own);
      sidecars = addAll(sidecars, own);
      peak = largest(peak, sidecars);
    } else peak = largest(peak, addAll(sidecars, own));
  }
  total = largest(total, peak);
  return which === 'requests' || Object.keys(total).length > 0 ? addAll(total, spec.overhead ?? {}) : total;
}

const COMPUTE = new Set(['cpu', 'memory', 'ephemeral-storage']);

function usageOfPod(pod: Pod): Quantities {
  const usage: Quantities = { 'count/pods': '1' };
  // Kubernetes: a pod that has ended takes nothing but its place among the objects.
  if (isTerminal(pod)) return usage;
  usage.pods = '1';
  for (const [name, amount] of Object.entries(resourcesOfPod(pod, 'requests'))) {
    if (COMPUTE.has(name) || name.startsWith('hugepages-')) usage[name] = amount;
    usage[`requests.${name}`] = amount;
  }
  for (const [name, amount] of Object.entries(resourcesOfPod(pod, 'limits'))) {
    if (COMPUTE.has(name)) usage[`limits.${name}`] = amount;
  }
  return usage;
}

function usageOfService({ spec }: Service): Quantities {
  const ports = String(spec.ports?.length ?? 0);
  const usage: Quantities = {
    services: '1',
    'count/services': '1',
    'services.nodeports': '0',
    'services.loadbalancers': '0',
  };
  if (spec.type === 'NodePort') usage['services.nodeports'] = ports;
  if (spec.type === 'LoadBalancer') {
    usage['services.loadbalancers'] = '1';
    const allocates = (spec as { allocateLoadBalancerNodePorts?: boolean }).allocateLoadBalancerNodePorts !== false;
    const given = (spec.ports ?? []).filter((port) => port.nodePort !== undefined && port.nodePort > 0).length;
    usage['services.nodeports'] = allocates ? ports : String(given);
  }
  return usage;
}

function usageOfClaim({ metadata, spec }: PersistentVolumeClaim): Quantities {
  const storage = spec.resources?.requests?.storage ?? '0';
  const usage: Quantities = {
    persistentvolumeclaims: '1',
    'count/persistentvolumeclaims': '1',
    'requests.storage': storage,
  };
  const className = metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName;
  if (className) {
    usage[`${className}.storageclass.storage.k8s.io/persistentvolumeclaims`] = '1';
    usage[`${className}.storageclass.storage.k8s.io/requests.storage`] = storage;
  }
  return usage;
}

/** Kinds that were countable before `count/` was. */
const OLD_COUNTS = new Set(['configmaps', 'replicationcontrollers', 'resourcequotas', 'secrets']);

/** @param identity the resource, for an object that may not say. */
export function usageOf(identity: Pick<Identity, 'group' | 'resource'>, object: KubeObject): Quantities {
  const name = groupResourceOf(identity);
  if (name === 'pods') return usageOfPod(object as Pod);
  if (name === 'services') return usageOfService(object as Service);
  if (name === 'persistentvolumeclaims') return usageOfClaim(object as PersistentVolumeClaim);
  return { [`count/${name}`]: '1', ...(OLD_COUNTS.has(name) ? { [name]: '1' } : {}) };
}

const MEASURED = new Set(['pods', 'services', 'persistentvolumeclaims']);

/** Whether a quota looks into the objects. Of the others only the number counts, which an update does not change. */
export const isMeasured = (identity: Pick<Identity, 'group' | 'resource'>): boolean =>
  MEASURED.has(groupResourceOf(identity));

/** The resources whose objects a quota of these names has to count. */
export function countedResources(names: readonly string[]): string[] {
  const counted = names.map((name) => {
    if (name.startsWith('count/')) return name.slice('count/'.length);
    if (name === 'services' || name.startsWith('services.')) return 'services';
    if (
      name === 'persistentvolumeclaims' ||
      name === 'requests.storage' ||
      name.includes('.storageclass.storage.k8s.io/')
    ) {
      return 'persistentvolumeclaims';
    }
    return OLD_COUNTS.has(name) ? name : 'pods';
  });
  return [...new Set(counted)];
}

// ---- Scopes -----------------------------------------------------------------------------------------------------

interface PodAffinityTerm {
  namespaces?: string[];
  namespaceSelector?: object;
}
type AffinitySide = {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[];
  preferredDuringSchedulingIgnoredDuringExecution?: { podAffinityTerm: PodAffinityTerm }[];
};

function looksElsewhere(spec: PodSpec): boolean {
  const { podAffinity, podAntiAffinity } = (spec.affinity ?? {}) as {
    podAffinity?: AffinitySide;
    podAntiAffinity?: AffinitySide;
  };
  return [podAffinity, podAntiAffinity].some((side) =>
    [
      ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((each) => each.podAffinityTerm),
    ].some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined),
  );
}

function matchesValue({ operator, values = [] }: ScopeRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'Exists':
      return Boolean(value);
    case 'DoesNotExist':
      return !value;
    case 'In':
      return values.includes(value ?? '');
    case 'NotIn':
      return !values.includes(value ?? '');
    default:
      return false;
  }
}

function matchesScope(
  requirement: ScopeRequirement,
  identity: Pick<Identity, 'group' | 'resource'>,
  object: KubeObject,
): boolean {
  if (groupResourceOf(identity) === 'persistentvolumeclaims') {
    const { volumeAttributesClassName } = (object as PersistentVolumeClaim).spec;
    return requirement.scopeName === 'VolumeAttributesClass' && matchesValue(requirement, volumeAttributesClassName);
  }
  if (groupResourceOf(identity) !== 'pods') return false;
  const { spec } = object as Pod;
  switch (requirement.scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return qosClassOf(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClassOf(spec) !== 'BestEffort';
    case 'PriorityClass':
      return matchesValue(requirement, spec.priorityClassName);
    case 'CrossNamespacePodAffinity':
      return looksElsewhere(spec);
    default:
      return false;
  }
}

/** Whether the quota counts this object: all of its scopes hold. */
export function inScope(
  quota: ResourceQuota,
  identity: Pick<Identity, 'group' | 'resource'>,
  object: KubeObject,
): boolean {
  const requirements = [
    ...(quota.spec.scopes ?? []).map((scopeName): ScopeRequirement => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ];
  return requirements.every((requirement) => matchesScope(requirement, identity, object));
}

/** What all objects in the quota's namespace take of it now; every name of its spec.hard is in the answer. */
export function totalUsage(
  quota: ResourceQuota,
  list: (groupResource: string, namespace: string) => readonly KubeObject[],
): Quantities {
  const names = Object.keys(quota.spec.hard ?? {});
  let used: Quantities = Object.fromEntries(names.map((name) => [name, '0']));
  for (const groupResource of countedResources(names)) {
    const [resource = '', ...group] = groupResource.split('.');
    const identity = { resource, group: group.join('.') };
    for (const object of list(groupResource, quota.metadata.namespace ?? '')) {
      if (inScope(quota, identity, object)) used = addAll(used, onlyNames(usageOf(identity, object), names));
    }
  }
  return used;
}

export const onlyNames = (amounts: Quantities, names: readonly string[]): Quantities =>
  Object.fromEntries(Object.entries(amounts).filter(([name]) => names.includes(name)));
