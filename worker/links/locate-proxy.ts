/**
 * Where `pods/proxy`, `services/proxy` and `nodes/proxy` lead: which minion, which address, with TLS or not. Synchronous
 * reads over Objects, in the Cluster object after authorization. Carrying the request is `worker/http/proxy.ts`.
 * Source of names and texts: k8s.io/kubernetes/pkg/registry/core/{pod,service,node}, ResourceLocation
 */
import { NODES, type Node, PODS, SERVICES } from '../../shared/api/core.ts';
import { ENDPOINT_SLICES, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import { badRequest, notFound, serviceUnavailable } from '../../shared/errors.ts';
import type { Objects } from '../registry/objects.ts';
import type { ProxyLocation } from '../rpc.ts';

export interface AskedProxy {
  resource: string;
  namespace: string;
  /** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`, where the port may be empty, or a name for a Service. */
  name: string;
}

interface Parsed {
  tls: boolean;
  name: string;
  port: string;
}

/** kubelet's; what the agent answers by that name it answers over its own socket. */
const KUBELET_PORT = 10250;

/** @throws StatusError */
export function locateProxy(objects: Objects, asked: AskedProxy): ProxyLocation {
  if (asked.resource === 'pods') return locatePod(objects, asked);
  return asked.resource === 'services' ? locateService(objects, asked) : locateNode(objects, asked);
}

function parse({ name: given }: AskedProxy, what: string): Parsed {
  const parts = given.split(':');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 1 && first !== '') return { tls: false, name: first, port: '' };
  if (parts.length === 2 && first !== '') return { tls: false, name: first, port: second };
  const scheme = first === '' || first === 'http' || first === 'https';
  if (parts.length === 3 && scheme && second !== '') return { tls: first === 'https', name: second, port: third };
  throw badRequest(`invalid ${what} request ${JSON.stringify(given)}`);
}

function numberOf(port: string, tls: boolean, asked: AskedProxy, what: string): number {
  if (port === '') return tls ? 443 : 80;
  const number = Number(port);
  if (/^\d{1,5}$/.test(port) && number >= 1 && number <= 65535) return number;
  throw badRequest(`invalid ${what} request ${JSON.stringify(asked.name)}`);
}

function locatePod(objects: Objects, asked: AskedProxy): ProxyLocation {
  const { tls, name, port } = parse(asked, 'pod');
  const pod = objects.get(PODS, asked.namespace, name);
  if (pod === undefined) throw notFound(PODS, name);
  const { nodeName = '', containers } = pod.spec;
  const address = pod.status?.podIP ?? '';
  if (nodeName === '' || address === '') throw badRequest('address not allowed');
  const declared = containers.flatMap((each) => each.ports ?? [])[0]?.containerPort;
  const number = port === '' && declared !== undefined ? declared : numberOf(port, tls, asked, 'pod');
  return { tls, endpoints: [{ node: nodeName, address, port: number }] };
}

function locateService(objects: Objects, asked: AskedProxy): ProxyLocation {
  const { tls, name, port } = parse(asked, 'service');
  const { namespace } = asked;
  const service = objects.get(SERVICES, namespace, name);
  let portName = port;
  if (/^\d+$/.test(port)) {
    if (service === undefined) throw notFound(SERVICES, name);
    const found = service.spec.ports?.find((each) => each.port === Number(port));
    if (found === undefined) {
      throw serviceUnavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`);
    }
    portName = found.name ?? '';
  }
  const having = [{ index: `label:${SERVICE_NAME_LABEL}`, value: name }];
  const slices = objects.list(ENDPOINT_SLICES, { namespace, having });
  if (service === undefined && slices.length === 0) throw notFound(SERVICES, name);
  const endpoints: ProxyLocation['endpoints'] = [];
  let anybody = false;
  for (const slice of slices) {
    const target = slice.ports?.find((each) => (each.name ?? '') === portName)?.port;
    for (const { addresses, conditions, nodeName } of slice.endpoints ?? []) {
      const [address] = addresses;
      if (address === undefined || !(conditions?.ready ?? true)) continue;
      anybody = true;
      if (target === undefined || slice.addressType !== 'IPv4') continue;
      // An address that is on no minion can be reached from any.
      const node = nodeName ?? objects.list(NODES).find(isReady)?.metadata.name;
      if (node !== undefined) endpoints.push({ node, address, port: target });
    }
  }
  if (endpoints.length > 0) return { tls, endpoints };
  throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(anybody ? asked.name : name)}`);
}

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;

function locateNode(objects: Objects, asked: AskedProxy): ProxyLocation {
  const { name, port } = parse(asked, 'node');
  if (objects.get(NODES, '', name) === undefined) throw notFound(NODES, name);
  if (port !== '' && port !== String(KUBELET_PORT)) {
    throw badRequest(`Longshore proxies to the kubelet of a node only, not to its port ${port}`);
  }
  return { tls: false, endpoints: [{ node: name, address: '', port: 0 }] };
}
