/** `networking.k8s.io/v1 Ingress`. Source: kubernetes, pkg/apis/networking/validation. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { INGRESSES, type Ingress, type IngressBackend, type IngressRule } from '../../shared/api/networking.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNS1035Label, checkDNSSubdomain, checkPort, checkPortName, isIPv4, isIPv6 } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const BAD_IN_PATH = ['//', '/./', '/../', '%2f', '%2F'];
const BAD_AT_END = ['/..', '/.'];
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const SHOWN_HOSTS = 3;
const WILDCARD = /^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const WILDCARD_TEXT =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function validateHost(host: string, path: string): StatusCause[] {
  if (isIPv4(host) || isIPv6(host)) return [invalidValue(path, host, 'must be a DNS name, not an IP address')];
  if (host.includes('*')) return WILDCARD.test(host) ? [] : [invalidValue(path, host, WILDCARD_TEXT)];
  return checkDNSSubdomain(host).map((message) => invalidValue(path, host, message));
}

function validateBackend(backend: IngressBackend, path: string): StatusCause[] {
  const { service, resource } = backend;
  if (service && resource) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) {
    return (['kind', 'name'] as const)
      .filter((field) => !resource[field])
      .map((field) => required(`${path}.resource.${field}`, `${field} is required`));
  }
  if (!service) return [required(path, 'resource or service backend is required')];
  const causes: StatusCause[] = [];
  if (!service.name) causes.push(required(`${path}.service.name`));
  else {
    for (const message of checkDNS1035Label(service.name)) {
      causes.push(invalidValue(`${path}.service.name`, service.name, message));
    }
  }
  const { name = '', number = 0 } = service.port ?? {};
  if (name !== '' && number !== 0) causes.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (name !== '') {
    for (const message of checkPortName(name)) causes.push(invalidValue(`${path}.service.port.name`, name, message));
  } else if (number !== 0) {
    for (const message of checkPort(number)) causes.push(invalidValue(`${path}.service.port.number`, number, message));
  } else causes.push(required(path, 'port name or number is required'));
  return causes;
}

function validatePath(path: string, type: string | undefined, field: string): StatusCause[] {
  if (type === undefined) return [required(`${field}.pathType`, 'pathType must be specified')];
  if (type === 'ImplementationSpecific') {
    return path === '' || path.startsWith('/') ? [] : [invalidValue(`${field}.path`, path, 'must be an absolute path')];
  }
  if (!PATH_TYPES.includes(type)) return [notSupported(`${field}.pathType`, type, PATH_TYPES)];
  if (!path.startsWith('/')) return [invalidValue(`${field}.path`, path, 'must be an absolute path')];
  return [
    ...BAD_IN_PATH.filter((part) => path.includes(part)).map((part) =>
      invalidValue(`${field}.path`, path, `must not contain '${part}'`),
    ),
    ...BAD_AT_END.filter((part) => path.endsWith(part)).map((part) =>
      invalidValue(`${field}.path`, path, `cannot end with '${part}'`),
    ),
  ];
}

function validateRule(rule: IngressRule, path: string): StatusCause[] {
  const causes = rule.host ? validateHost(rule.host, `${path}.host`) : [];
  if (rule.http === undefined) return causes;
  const paths = rule.http.paths ?? [];
  if (paths.length === 0) causes.push(required(`${path}.http.paths`));
  for (const [index, each] of paths.entries()) {
    const at = `${path}.http.paths[${index}]`;
    causes.push(...validatePath(each.path ?? '', each.pathType, at));
    causes.push(...validateBackend(each.backend ?? {}, `${at}.backend`));
  }
  return causes;
}

function validate(draft: Draft<Ingress>): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  if (!spec.rules?.length && !spec.defaultBackend) {
    causes.push(invalidValue('spec', '<omitted>', 'either `defaultBackend` or `rules` must be specified'));
  }
  if (spec.defaultBackend) causes.push(...validateBackend(spec.defaultBackend, 'spec.defaultBackend'));
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    causes.push(...validateRule(rule, `spec.rules[${index}]`));
  }
  for (const [index, tls] of (spec.tls ?? []).entries()) {
    for (const [position, host] of (tls.hosts ?? []).entries()) {
      causes.push(...validateHost(host, `spec.tls[${index}].hosts[${position}]`));
    }
    for (const message of tls.secretName ? checkDNSSubdomain(tls.secretName) : []) {
      causes.push(invalidValue(`spec.tls[${index}].secretName`, tls.secretName, message));
    }
  }
  for (const message of spec.ingressClassName ? checkDNSSubdomain(spec.ingressClassName) : []) {
    causes.push(invalidValue('spec.ingressClassName', spec.ingressClassName, message));
  }
  return causes;
}

function validateStatus(draft: Ingress): StatusCause[] {
  return (draft.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    const causes: StatusCause[] = [];
    if (ip && !isIPv4(ip) && !isIPv6(ip)) {
      causes.push(invalidValue(`${path}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'));
    }
    if (hostname && (isIPv4(hostname) || isIPv6(hostname))) {
      causes.push(invalidValue(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'));
    } else
      for (const message of hostname ? checkDNSSubdomain(hostname) : [])
        causes.push(invalidValue(`${path}.hostname`, hostname, message));
    return causes;
  });
}

function hostsOf({ spec }: Ingress): string {
  const hosts = (spec.rules ?? []).map((rule) => rule.host ?? '').filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, SHOWN_HOSTS).join(',');
  return hosts.length > SHOWN_HOSTS ? `${shown} + ${hosts.length - SHOWN_HOSTS} more...` : shown;
}

const addressOf = ({ status }: Ingress): string =>
  [...new Set((status?.loadBalancer?.ingress ?? []).map((each) => each.ip || each.hostname || ''))]
    .filter((each) => each !== '')
    .sort()
    .join(',');

export const INGRESSES_DEFINITION: ResourceDefinition<Ingress> = {
  identity: INGRESSES,
  singular: 'ingress',
  listKind: 'IngressList',
  shortNames: ['ing'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.networking.v1.Ingress',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
  },
  prepareCreate(draft) {
    draft.status = { loadBalancer: {} };
  },
  validate(draft) {
    const causes = validate(draft);
    const annotated = draft.metadata.annotations?.[CLASS_ANNOTATION];
    if (annotated !== undefined && draft.spec.ingressClassName && annotated !== draft.spec.ingressClassName) {
      const why = 'must match `ingressClassName` when both are specified';
      causes.push(invalidValue(`annotations.${CLASS_ANNOTATION}`, annotated, why));
    }
    return causes;
  },
  validateStatus,
  columns: [
    NAME,
    text<Ingress>(
      'Class',
      'The name of the IngressClass resource that should be used for additional configuration',
      ({ metadata, spec }) => spec.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION] ?? '<none>',
    ),
    text<Ingress>('Hosts', 'Hosts that incoming requests are matched against before the ingress rule', hostsOf),
    text<Ingress>('Address', 'Address is a list containing ingress points for the load-balancer', addressOf),
    text<Ingress>('Ports', 'Ports of TLS configurations that open', ({ spec }) =>
      spec.tls?.length ? '80, 443' : '80',
    ),
    AGE,
  ],
};
