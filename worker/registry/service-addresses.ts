/**
 * Cluster IPs and node ports of Services. The allocator is the index itself: each Service has an entry for every address
 * it holds, so that asking whether one is free is a look-up, inside the transaction that takes it.
 * Random picks come from the upper part of the range, as upstream's, so that addresses chosen by hand rarely collide.
 */
import type { Service, ServicePort } from '../../shared/api/core.ts';
import type { KubeObject, StatusCause } from '../../shared/api/meta.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { invalidValue, StatusError } from '../../shared/errors.ts';
import type { IndexEntry } from '../store/store.ts';
import type { Session } from './session.ts';

const IP = 'clusterIP';
const NODE_PORT = 'nodePort';

const isRealIP = (ip: string | undefined): ip is string => ip !== undefined && ip !== '' && ip !== 'None';

export function addressEntries(object: KubeObject): IndexEntry[] {
  const { spec } = object as Service;
  return [
    ...(isRealIP(spec?.clusterIP) ? [{ index: IP, value: spec.clusterIP }] : []),
    ...(spec?.ports ?? []).flatMap((port) =>
      port.nodePort ? [{ index: NODE_PORT, value: String(port.nodePort) }] : [],
    ),
  ];
}

const numberOf = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const ipOf = (number: number): string => [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

interface Range {
  first: number;
  /** Inclusive. */
  last: number;
  /** Where random picks begin. */
  dynamicFirst: number;
}

/** Kubernetes: min(max(16, size/16), 256) addresses at the bottom are for choosing by hand. */
function rangeOf(cidr: string): Range {
  const [address = '', prefix = ''] = cidr.split('/');
  const size = 2 ** (32 - Number(prefix));
  const base = numberOf(address);
  const band = Math.min(Math.max(16, size / 16), 256);
  return { first: base + 1, last: base + size - 2, dynamicFirst: base + 1 + band };
}

const SERVICE_RANGE = rangeOf(DEFAULTS.serviceCIDR);
const NODE_PORT_RANGE: Range = {
  first: DEFAULTS.nodePorts.first,
  last: DEFAULTS.nodePorts.last,
  dynamicFirst: DEFAULTS.nodePorts.first + Math.min(Math.max(16, Math.floor(2768 / 32)), 128),
};

function holderOf(session: Session, index: string, value: string): string | undefined {
  const [holder] = session.transaction.list({ resource: 'services', having: [{ index, value }], limit: 1 }).items;
  return holder === undefined ? undefined : `${holder.namespace}/${holder.name}`;
}

/** The first free value from a random start: upper part first, then the part kept for choosing by hand. */
function pick(session: Session, range: Range, isFree: (value: number) => boolean): number | undefined {
  const size = range.last - range.dynamicFirst + 1;
  const start = Math.floor(session.parts.random() * size);
  for (let step = 0; step < size; step++) {
    const value = range.dynamicFirst + ((start + step) % size);
    if (isFree(value)) return value;
  }
  for (let value = range.first; value < range.dynamicFirst; value++) if (isFree(value)) return value;
  return undefined;
}

const fullError = (what: string): StatusError =>
  new StatusError(500, 'InternalError', `Internal error occurred: failed to allocate ${what}: range is full`, {
    causes: [{ message: `failed to allocate ${what}: range is full` }],
  });

function takeClusterIP(
  session: Session,
  spec: Service['spec'],
  current: Service | undefined,
  self: string,
): StatusCause[] {
  if (spec.type === 'ExternalName') return [];
  if (spec.clusterIP === 'None') {
    spec.clusterIPs = ['None'];
    return [];
  }
  if (isRealIP(spec.clusterIP)) {
    const asked = spec.clusterIP;
    spec.clusterIPs = [asked, ...(spec.clusterIPs ?? []).slice(1)];
    if (current?.spec.clusterIP === asked) return [];
    const number = numberOf(asked);
    const fail = (why: string) => [invalidValue('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: ${why}`)];
    if (!/^\d+(\.\d+){3}$/.test(asked) || number < SERVICE_RANGE.first || number > SERVICE_RANGE.last) {
      return fail(
        `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${DEFAULTS.serviceCIDR}`,
      );
    }
    const holder = holderOf(session, IP, asked);
    return holder === undefined || holder === self ? [] : fail('provided IP is already allocated');
  }
  const number = pick(session, SERVICE_RANGE, (value) => holderOf(session, IP, ipOf(value)) === undefined);
  if (number === undefined) throw fullError('a serviceIP');
  spec.clusterIP = ipOf(number);
  spec.clusterIPs = [spec.clusterIP];
  return [];
}

const needsNodePorts = (spec: Service['spec']): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** Kubernetes: one number may serve several protocols of one Service. */
function takeNodePorts(session: Session, spec: Service['spec'], self: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const mine = new Map<number, Set<string>>();
  const note = (port: ServicePort, number: number) => {
    const protocols = mine.get(number) ?? new Set();
    mine.set(number, protocols.add(port.protocol ?? 'TCP'));
  };
  const isFree = (number: number) => {
    const holder = holderOf(session, NODE_PORT, String(number));
    return holder === undefined || holder === self;
  };
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (!port.nodePort) continue;
    const path = `spec.ports[${index}].nodePort`;
    const { first, last } = NODE_PORT_RANGE;
    if (port.nodePort < first || port.nodePort > last) {
      const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
      causes.push(invalidValue(path, port.nodePort, why));
    } else if (!isFree(port.nodePort) || mine.get(port.nodePort)?.has(port.protocol ?? 'TCP')) {
      causes.push(invalidValue(path, port.nodePort, 'provided port is already allocated'));
    }
    note(port, port.nodePort);
  }
  if (causes.length > 0 || !needsNodePorts(spec)) return causes;
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const sibling = [...mine].find(
      ([number, protocols]) =>
        !protocols.has(port.protocol ?? 'TCP') &&
        spec.ports?.some((each) => each.nodePort === number && each.port === port.port),
    );
    const number = sibling?.[0] ?? pick(session, NODE_PORT_RANGE, (value) => !mine.has(value) && isFree(value));
    if (number === undefined) throw fullError('a nodePort');
    port.nodePort = number;
    note(port, number);
  }
  return causes;
}

/** What an update leaves out but the Service already holds. */
function carryOver(spec: Service['spec'], current: Service): void {
  if (!spec.clusterIP && spec.type !== 'ExternalName' && isRealIP(current.spec.clusterIP)) {
    spec.clusterIP = current.spec.clusterIP;
    spec.clusterIPs = current.spec.clusterIPs;
  }
  if (spec.type === 'ExternalName') {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  if (!needsNodePorts(spec)) {
    if (spec.type !== current.spec.type) for (const port of spec.ports ?? []) delete port.nodePort;
    return;
  }
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before = current.spec.ports?.find(
      (each) => each.port === port.port && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    const taken = spec.ports?.some((each) => each.nodePort === before?.nodePort && each.protocol === port.protocol);
    if (before?.nodePort && !taken) port.nodePort = before.nodePort;
  }
}

/** Gives the draft its addresses, in place. The draft is already validated. */
export function allocateServiceAddresses(
  session: Session,
  draft: Service,
  current: Service | undefined,
): StatusCause[] {
  const self = `${draft.metadata.namespace}/${draft.metadata.name}`;
  if (current !== undefined) carryOver(draft.spec, current);
  return [...takeClusterIP(session, draft.spec, current, self), ...takeNodePorts(session, draft.spec, self)];
}
