/**
 * The downward API: fields and resources of a pod as text, for environment variables and files. Pure.
 * Source: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 */
import type { Pod, ResourceFieldSelector } from '../../shared/api/core.ts';
import { quantityMilliValue, quantityValue } from '../../shared/quantity.ts';

/** Addresses that are known only while the pod starts, and what a container without limits has: the machine's. */
export interface NodeFacts {
  nodeIP: string;
  podIP: string | undefined;
  cpuMilli: number;
  memoryBytes: number;
}

const SUBSCRIPT = /^metadata\.(annotations|labels)\['(.+)'\]$/;

/** @throws for a path that the downward API does not have. */
export function fieldOf(pod: Pod, path: string, facts: NodeFacts): string {
  const { metadata, spec } = pod;
  const subscript = SUBSCRIPT.exec(path);
  if (subscript !== null) {
    const [, map, key] = subscript;
    return (map === 'labels' ? metadata.labels : metadata.annotations)?.[key ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
      return mapText(metadata.labels);
    case 'metadata.annotations':
      return mapText(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.hostIP':
    case 'status.hostIPs':
      return facts.nodeIP;
    case 'status.podIP':
    case 'status.podIPs':
      return facts.podIP ?? '';
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** Kubernetes: one `key="value"` a line, sorted, the value quoted as Go does. */
function mapText(map: Record<string, string> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** @throws for a resource that the downward API does not have. */
export function resourceOf(pod: Pod, selector: ResourceFieldSelector, ownContainer: string, facts: NodeFacts): string {
  const name =
    selector.containerName === undefined || selector.containerName === '' ? ownContainer : selector.containerName;
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const container = [...containers, ...initContainers, ...ephemeralContainers].find((each) => each.name === name);
  if (container === undefined) throw new Error(`container ${name} not found`);
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage)$/.exec(selector.resource);
  if (match === null) throw new Error(`unsupported container resource : ${selector.resource}`);
  const [, side, resource = ''] = match;
  const { limits, requests } = container.resources ?? {};
  const asked = side === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  const divisor = selector.divisor === undefined || quantityMilliValue(selector.divisor) === 0 ? '1' : selector.divisor;
  if (resource === 'cpu') {
    // Kubernetes: without a limit, all that the node has; without a request, none.
    const milli = asked === undefined ? (side === 'limits' ? facts.cpuMilli : 0) : quantityMilliValue(asked);
    return String(Math.ceil(milli / quantityMilliValue(divisor)));
  }
  const bytes = asked === undefined ? (side === 'limits' ? defaultBytes(resource, facts) : 0) : quantityValue(asked);
  return String(Math.ceil(bytes / quantityValue(divisor)));
}

const defaultBytes = (resource: string, facts: NodeFacts) => (resource === 'memory' ? facts.memoryBytes : 0);
