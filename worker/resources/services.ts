/**
 * `v1 Service`: defaults, rules and columns. Allocation of cluster IPs and node ports needs the store: `admission/`.
 * Source: kubernetes, pkg/apis/core/v1/defaults.go, ValidateService, pkg/printers/internalversion.
 */
import { SERVICES, type Service, type ServicePort } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, formatLabels, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabels } from './metadata-validation.ts';
import { checkDNS1035Label, checkDNSLabel, checkDNSSubdomain, checkIP, checkPort, checkPortName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const AFFINITIES = ['ClientIP', 'None'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const POLICIES = ['Cluster', 'Local'];
const AFFINITY_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;
/** Spec fields that name an address or a port of the cluster's and are carried over when an update leaves them out. */
const CARRIED = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const;

const isHeadless = (spec: Service['spec']): boolean => spec.clusterIP === 'None';
const isExternal = (spec: Service['spec']): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';

function applyDefaults(draft: Draft<Service>): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= AFFINITY_SECONDS;
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (isExternal(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
  if (spec.type !== 'ExternalName') {
    spec.ipFamilyPolicy ??= 'SingleStack';
    spec.ipFamilies ??= [spec.clusterIP?.includes(':') ? 'IPv6' : 'IPv4'];
  }
}

function prepareUpdate(draft: Service, current: Service): void {
  const { spec } = draft;
  const before = current.spec;
  if (spec.type === 'ExternalName') {
    for (const field of CARRIED) delete spec[field];
    return;
  }
  if (before.type !== 'ExternalName' && !spec.clusterIP && !spec.clusterIPs?.length) {
    for (const field of CARRIED) if (before[field] !== undefined) Object.assign(spec, { [field]: before[field] });
  }
  if (isExternal(spec) && isExternal(before)) {
    // Kubernetes: a node port once given stays with its port while nobody says otherwise.
    for (const port of spec.ports ?? []) {
      const same = before.ports?.find((each) => each.port === port.port && each.protocol === port.protocol);
      const taken = spec.ports?.some((each) => each !== port && each.nodePort === same?.nodePort);
      if (port.nodePort === undefined && same?.nodePort !== undefined && !taken) port.nodePort = same.nodePort;
    }
  } else if (!isExternal(spec)) {
    for (const port of spec.ports ?? []) {
      const same = before.ports?.find((each) => each.nodePort !== undefined && each.nodePort === port.nodePort);
      if (same !== undefined) delete port.nodePort;
    }
    delete spec.allocateLoadBalancerNodePorts;
    if (!spec.externalIPs?.length) delete spec.externalTrafficPolicy;
  }
}

function validatePort(port: ServicePort, spec: Service['spec'], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const several = (spec.ports?.length ?? 0) > 1;
  if (several && !port.name) causes.push(required(`${path}.name`));
  for (const message of port.name ? checkDNSLabel(port.name) : []) {
    causes.push(invalidValue(`${path}.name`, port.name, message));
  }
  for (const message of checkPort(port.port ?? 0)) causes.push(invalidValue(`${path}.port`, port.port ?? 0, message));
  if (!port.protocol) causes.push(required(`${path}.protocol`));
  else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(`${path}.protocol`, port.protocol, PROTOCOLS));
  const { targetPort } = port;
  const targetErrors =
    typeof targetPort === 'string' ? checkPortName(targetPort) : checkPort(targetPort ?? port.port ?? 0);
  for (const message of targetErrors) causes.push(invalidValue(`${path}.targetPort`, targetPort, message));
  if (port.appProtocol !== undefined && port.appProtocol === '') {
    causes.push(invalidValue(`${path}.appProtocol`, '', 'must be non-empty'));
  }
  if (port.nodePort) {
    const { first, last } = DEFAULTS.nodePorts;
    if (!isExternal(spec)) {
      causes.push(forbiddenField(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    } else if (port.nodePort < first || port.nodePort > last) {
      const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
      causes.push(invalidValue(`${path}.nodePort`, port.nodePort, why));
    }
  }
  return causes;
}

function validatePorts(spec: Service['spec']): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!spec.ports?.length && !isHeadless(spec) && spec.type !== 'ExternalName') causes.push(required('spec.ports'));
  const names = new Set<string>();
  const pairs = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const path = `spec.ports[${index}]`;
    causes.push(...validatePort(port, spec, path));
    if (port.name && names.has(port.name)) causes.push(duplicateValue(`${path}.name`, port.name));
    if (port.name) names.add(port.name);
    const pair = `${port.protocol}/${port.port}`;
    if (pairs.has(pair)) causes.push(duplicateValue(path, { protocol: port.protocol, port: port.port }));
    pairs.add(pair);
    const taken = `${port.protocol}/${port.nodePort}`;
    if (port.nodePort && nodePorts.has(taken)) causes.push(duplicateValue(`${path}.nodePort`, port.nodePort));
    nodePorts.add(taken);
  }
  return causes;
}

function validateAddresses(spec: Service['spec']): StatusCause[] {
  const causes: StatusCause[] = [];
  if (spec.type === 'ExternalName') {
    if (spec.clusterIP) {
      causes.push(forbiddenField('spec.clusterIPs[0]', "may not be set when `type` is 'ExternalName'"));
    }
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') causes.push(required('spec.externalName'));
    else for (const message of checkDNSSubdomain(name)) causes.push(invalidValue('spec.externalName', name, message));
    return causes;
  }
  if (isHeadless(spec) && isExternal(spec)) {
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None' && index === 0) continue;
    for (const message of checkIP(address)) causes.push(invalidValue(`spec.clusterIPs[${index}]`, address, message));
  }
  if (spec.clusterIP !== undefined && spec.clusterIPs?.[0] !== undefined && spec.clusterIP !== spec.clusterIPs[0]) {
    causes.push(invalidValue('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
  }
  if (spec.ipFamilies?.includes('IPv6')) {
    // Longshore: the pod network is IPv4; say so instead of giving a Service that answers nowhere.
    causes.push(invalidValue('spec.ipFamilies[0]', 'IPv6', 'not configured on this cluster'));
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack') {
    const why = 'Cluster is not configured for dual-stack services';
    causes.push(invalidValue('spec.ipFamilyPolicy', 'RequireDualStack', why));
  }
  return causes;
}

function validateAffinity(spec: Service['spec']): StatusCause[] {
  if (!AFFINITIES.includes(spec.sessionAffinity ?? '')) {
    return [notSupported('spec.sessionAffinity', spec.sessionAffinity ?? '', AFFINITIES)];
  }
  if (spec.sessionAffinity === 'None') {
    const text = 'must not be set when session affinity is None';
    return spec.sessionAffinityConfig === undefined ? [] : [forbiddenField('spec.sessionAffinityConfig', text)];
  }
  const path = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 0;
  if (seconds > 0 && seconds <= MAX_AFFINITY_SECONDS) return [];
  return [invalidValue(path, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`)];
}

function validate(draft: Draft<Service>): StatusCause[] {
  const spec = draft.spec ?? {};
  const causes: StatusCause[] = [];
  if (!TYPES.includes(spec.type ?? '')) causes.push(notSupported('spec.type', spec.type ?? '', TYPES));
  causes.push(...validatePorts(spec), ...validateAffinity(spec), ...validateAddresses(spec));
  causes.push(...validateLabels(spec.selector, 'spec.selector'));
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    for (const message of checkIP(address)) causes.push(invalidValue(`spec.externalIPs[${index}]`, address, message));
  }
  if (spec.externalTrafficPolicy !== undefined) {
    if (!isExternal(spec) && !spec.externalIPs?.length) {
      const text = 'may only be set for externally-accessible services';
      causes.push(invalidValue('spec.externalTrafficPolicy', spec.externalTrafficPolicy, text));
    } else if (!POLICIES.includes(spec.externalTrafficPolicy)) {
      causes.push(notSupported('spec.externalTrafficPolicy', spec.externalTrafficPolicy, POLICIES));
    }
  }
  if (spec.internalTrafficPolicy !== undefined && !POLICIES.includes(spec.internalTrafficPolicy)) {
    causes.push(notSupported('spec.internalTrafficPolicy', spec.internalTrafficPolicy, POLICIES));
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    const text = "may only be used when `type` is 'LoadBalancer'";
    causes.push(forbiddenField('spec.allocateLoadBalancerNodePorts', text));
  }
  if (spec.loadBalancerClass !== undefined && spec.type !== 'LoadBalancer') {
    causes.push(forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  }
  return causes;
}

function validateUpdate(draft: Service, current: Service): StatusCause[] {
  const causes: StatusCause[] = [];
  const before = current.spec;
  const after = draft.spec;
  const hadAddress = before.type !== 'ExternalName' && before.clusterIP;
  if (hadAddress && after.type !== 'ExternalName' && after.clusterIP !== before.clusterIP) {
    const value = after.clusterIPs ?? [];
    causes.push(invalidValue('spec.clusterIPs[0]', value, 'may not change once set'));
  }
  if (before.type === 'LoadBalancer' && after.type === 'LoadBalancer') {
    if (before.loadBalancerClass !== after.loadBalancerClass) {
      causes.push(invalidValue('spec.loadBalancerClass', after.loadBalancerClass ?? null, 'may not change once set'));
    }
  }
  return causes;
}

function externalOf({ spec, status }: Service): string {
  const own = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return own.join(',') || '<none>';
    case 'LoadBalancer': {
      const given = (status?.loadBalancer?.ingress ?? []).map((each) => each.ip || each.hostname || '');
      const sorted = [...new Set(given.filter((each) => each !== ''))].sort();
      return [...sorted, ...own].join(',') || '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const portsOf = ({ spec }: Service): string =>
  (spec.ports ?? [])
    .map(({ port, nodePort, protocol }) => (nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`))
    .join(',') || '<none>';

export const SERVICES_DEFINITION: ResourceDefinition<Service> = {
  identity: SERVICES,
  singular: 'service',
  listKind: 'ServiceList',
  shortNames: ['svc'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['proxy', 'status'],
  schema: 'io.k8s.api.core.v1.Service',
  generation: false,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { loadBalancer: {} };
  },
  prepareUpdate,
  validate,
  validateUpdate,
  validateName: checkDNS1035Label,
  fields: ({ spec }) => ({ 'spec.clusterIP': spec.clusterIP ?? '', 'spec.type': spec.type ?? '' }),
  columns: [
    NAME,
    text<Service>(
      'Type',
      'type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, ClusterIP, NodePort, and LoadBalancer. More info: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types',
      ({ spec }) => spec.type ?? '',
    ),
    text<Service>(
      'Cluster-IP',
      'clusterIP is the IP address of the service and is usually assigned randomly. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies',
      ({ spec }) => spec.clusterIP || '<none>',
    ),
    text<Service>(
      'External-IP',
      'externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service. These IPs are not managed by Kubernetes.',
      externalOf,
    ),
    text<Service>(
      'Port(s)',
      'The list of ports that are exposed by this service. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies',
      portsOf,
    ),
    AGE,
    text<Service>(
      'Selector',
      'Route service traffic to pods with label keys and values matching this selector. Only applies to types ClusterIP, NodePort, and LoadBalancer. More info: https://kubernetes.io/docs/concepts/services-networking/service/',
      ({ spec }) => formatLabels(spec.selector),
      true,
    ),
  ],
};
