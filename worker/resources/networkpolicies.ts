/** `networking.k8s.io/v1 NetworkPolicy`. Enforcing it is `agent/network`'s. Source: kubernetes, ValidateNetworkPolicy. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import {
  NETWORK_POLICIES,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
} from '../../shared/api/networking.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkCIDR, checkPort, checkPortName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['Egress', 'Ingress'];

function validatePort(port: NetworkPolicyPort, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (port.protocol !== undefined && !PROTOCOLS.includes(port.protocol)) {
    causes.push(notSupported(`${path}.protocol`, port.protocol, PROTOCOLS));
  }
  if (port.port === undefined) {
    if (port.endPort !== undefined) {
      causes.push(required(`${path}.port`, 'must be specified when `endPort` is also specified'));
    }
    return causes;
  }
  if (typeof port.port === 'string') {
    if (port.endPort !== undefined) {
      causes.push(invalidValue(`${path}.endPort`, port.endPort, 'may not be specified when `port` is non-numeric'));
    }
    for (const message of checkPortName(port.port)) causes.push(invalidValue(`${path}.port`, port.port, message));
    return causes;
  }
  for (const message of checkPort(port.port)) causes.push(invalidValue(`${path}.port`, port.port, message));
  if (port.endPort === undefined) return causes;
  if (port.endPort < port.port) {
    causes.push(invalidValue(`${path}.endPort`, port.endPort, 'must be greater than or equal to `port`'));
  }
  for (const message of checkPort(port.endPort)) causes.push(invalidValue(`${path}.endPort`, port.endPort, message));
  return causes;
}

function addressBits(address: string): number[] {
  return address.split('.').flatMap((part) => Array.from({ length: 8 }, (_, bit) => (Number(part) >> (7 - bit)) & 1));
}

/** Whether `inner` is a strict part of `outer`; both IPv4 blocks. */
function isPartOf(inner: string, outer: string): boolean {
  const [address = '', prefix = '0'] = outer.split('/');
  const [part = '', length = '0'] = inner.split('/');
  if (Number(length) <= Number(prefix)) return false;
  const [left, right] = [addressBits(address), addressBits(part)];
  return left.slice(0, Number(prefix)).every((bit, index) => bit === right[index]);
}

function validatePeer(peer: NetworkPolicyPeer, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (podSelector) causes.push(...validateLabelSelector(podSelector, `${path}.podSelector`));
  if (namespaceSelector) causes.push(...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`));
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, 'must specify a peer')];
  if (ipBlock === undefined) return causes;
  if (podSelector || namespaceSelector) {
    causes.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  }
  const at = `${path}.ipBlock`;
  if (!ipBlock.cidr) return [...causes, required(`${at}.cidr`)];
  const wrong = checkCIDR(ipBlock.cidr);
  for (const message of wrong) causes.push(invalidValue(`${at}.cidr`, ipBlock.cidr, message));
  for (const [index, except] of (ipBlock.except ?? []).entries()) {
    const where = `${at}.except[${index}]`;
    const messages = checkCIDR(except);
    for (const message of messages) causes.push(invalidValue(where, except, message));
    if (messages.length + wrong.length > 0 || except.includes(':') || ipBlock.cidr.includes(':')) continue;
    if (!isPartOf(except, ipBlock.cidr)) {
      causes.push(invalidValue(where, except, 'must be a strict subset of `cidr`'));
    }
  }
  return causes;
}

function validate(draft: Draft<NetworkPolicy>): StatusCause[] {
  const { spec = {} } = draft;
  const causes = validateLabelSelector(spec.podSelector, 'spec.podSelector');
  for (const [index, rule] of (spec.ingress ?? []).entries()) {
    const at = `spec.ingress[${index}]`;
    for (const [position, port] of (rule.ports ?? []).entries())
      causes.push(...validatePort(port, `${at}.ports[${position}]`));
    for (const [position, peer] of (rule.from ?? []).entries())
      causes.push(...validatePeer(peer, `${at}.from[${position}]`));
  }
  for (const [index, rule] of (spec.egress ?? []).entries()) {
    const at = `spec.egress[${index}]`;
    for (const [position, port] of (rule.ports ?? []).entries())
      causes.push(...validatePort(port, `${at}.ports[${position}]`));
    for (const [position, peer] of (rule.to ?? []).entries())
      causes.push(...validatePeer(peer, `${at}.to[${position}]`));
  }
  const types = spec.policyTypes ?? [];
  if (types.length > TYPES.length) {
    causes.push(invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes'));
    return causes;
  }
  for (const [index, type] of types.entries()) {
    if (!TYPES.includes(type)) causes.push(notSupported(`spec.policyTypes[${index}]`, type, TYPES));
  }
  return causes;
}

export const NETWORK_POLICIES_DEFINITION: ResourceDefinition<NetworkPolicy> = {
  identity: NETWORK_POLICIES,
  singular: 'networkpolicy',
  listKind: 'NetworkPolicyList',
  shortNames: ['netpol'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
    draft.spec.podSelector ??= {};
    draft.spec.policyTypes ??= draft.spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const rule of [...(draft.spec.ingress ?? []), ...(draft.spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
  },
  validate,
  columns: [
    NAME,
    text<NetworkPolicy>(
      'Pod-Selector',
      "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is applied to any pods selected by this field. An empty selector matches all pods in the policy's namespace. Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively. This field is optional. If it is not specified, it defaults to an empty selector.",
      ({ spec }) => formatLabelSelector(spec.podSelector),
    ),
    AGE,
  ],
};
