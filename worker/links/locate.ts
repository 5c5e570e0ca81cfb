/**
 * Where streams and public requests go: which minion, which container, which address. Synchronous reads over Objects, run
 * in the Cluster object after authorization. Carrying the bytes is `tunnel.ts` and the rooms above.
 * Source of the texts: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go
 */
import { NODES, PODS, type Pod, SERVICES, type Service } from '../../shared/api/core.ts';
import { ENDPOINT_SLICES, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { badRequest, notFound, serviceUnavailable } from '../../shared/errors.ts';
import type { Objects } from '../registry/objects.ts';
import type { PodLocation, ServiceLocation } from '../rpc.ts';

export interface AskedPod {
  namespace: string;
  name: string;
  subresource: string;
  container?: string;
}

/** An empty `node` for `log` of a pod that is not assigned: its log is empty. @throws StatusError */
export function locatePod(objects: Objects, asked: AskedPod): PodLocation {
  const { namespace, name, subresource } = asked;
  const pod = objects.get(PODS, namespace, name);
  if (pod === undefined) throw notFound(PODS, name);
  const container = subresource === 'portforward' ? '' : containerOf(pod, asked.container ?? '');
  const node = pod.spec.nodeName ?? '';
  if (node === '' && subresource !== 'log') throw badRequest(`pod ${name} does not have a host assigned`);
  if (subresource === 'attach' || subresource === 'exec' || subresource === 'portforward') {
    // Kubernetes: what has ended cannot be entered.
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      throw badRequest(
        `cannot ${subresource} into a container in a completed pod; current phase is ${pod.status.phase}`,
      );
    }
  }
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const spec = [...containers, ...initContainers, ...ephemeralContainers].find((each) => each.name === container);
  return {
    node,
    // The minion knows a static pod by its own uid, which the mirror carries.
    uid: pod.metadata.annotations?.[MIRROR_ANNOTATION] ?? pod.metadata.uid,
    podIP: pod.status?.podIP ?? '',
    container,
    stdin: spec?.stdin ?? false,
    tty: spec?.tty ?? false,
    hostNetwork: pod.spec.hostNetwork ?? false,
  };
}

function containerOf(pod: Pod, asked: string): string {
  const { name } = pod.metadata;
  const names = pod.spec.containers.map((each) => each.name);
  const initNames = (pod.spec.initContainers ?? []).map((each) => each.name);
  if (asked !== '') {
    const joined = (pod.spec.ephemeralContainers ?? []).map((each) => each.name);
    if ([...names, ...initNames, ...joined].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined) throw badRequest(`a container name must be specified for pod ${name}`);
  const orInit = initNames.length > 0 ? ` or one of the init containers: [${initNames.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]${orInit}`);
}

export interface AskedService {
  namespace: string;
  name: string;
  port?: number;
}

/** Ready endpoints of a public Service on minions. @throws StatusError 404 for one that is not public, 503 without a ready endpoint. */
export function locateService(objects: Objects, asked: AskedService): ServiceLocation {
  const { namespace, name } = asked;
  const service = objects.get(SERVICES, namespace, name);
  if (service === undefined || service.spec.type !== 'LoadBalancer') throw notFound(SERVICES, name);
  const port = portOf(service, asked.port);
  if (port === undefined) throw notFound(SERVICES, `${name}:${asked.port ?? 'http'}`);
  const slices = objects.list(ENDPOINT_SLICES, {
    namespace,
    having: [{ index: `label:${SERVICE_NAME_LABEL}`, value: name }],
  });
  const endpoints: ServiceLocation['endpoints'] = [];
  const seen = new Set<string>();
  for (const slice of slices) {
    const target = slice.ports?.find((each) => (each.name ?? '') === (port.name ?? ''))?.port;
    if (target === undefined || slice.addressType !== 'IPv4') continue;
    for (const endpoint of slice.endpoints ?? []) {
      const [address] = endpoint.addresses;
      const node = endpoint.nodeName;
      const ready = endpoint.conditions?.ready ?? true;
      if (!ready || address === undefined || node === undefined || seen.has(`${address}:${target}`)) continue;
      seen.add(`${address}:${target}`);
      endpoints.push({ node, address, port: target });
    }
  }
  const reachable = endpoints.filter((endpoint) => objects.get(NODES, '', endpoint.node) !== undefined);
  if (reachable.length === 0) throw serviceUnavailable(`no endpoints available for service "${name}"`);
  return { endpoints: reachable };
}

function portOf(service: Service, asked: number | undefined) {
  const ports = (service.spec.ports ?? []).filter((each) => (each.protocol ?? 'TCP') === 'TCP');
  if (asked !== undefined) return ports.find((each) => each.port === asked);
  return ports.find((each) => each.name === 'http') ?? ports[0];
}
