/**
 * A container's environment: the Services of its namespace, envFrom, env with `$(NAME)` expanded, in Kubernetes' order of
 * precedence. Pure; what cannot be resolved is a ConfigurationError, which the status shows as CreateContainerConfigError.
 */
import type { Container, EnvVar, Pod, Service } from '../../shared/api/core.ts';
import { fieldOf, type NodeFacts, resourceOf } from './field-ref.ts';
import type { References } from './pods.ts';

export class ConfigurationError extends Error {}

export interface Surroundings {
  references: References;
  services: readonly Service[];
  facts: NodeFacts;
}

export function environmentOf(
  pod: Pod,
  container: Container,
  surroundings: Surroundings,
): { name: string; value: string }[] {
  const links = serviceLinks(pod, surroundings.services);
  const result = new Map<string, string>(links);
  for (const [name, value] of fromSources(pod, container, surroundings.references)) result.set(name, value);
  // `$(NAME)` sees what stands before it, and the Services' variables even where the spec overrides them later.
  for (const variable of container.env ?? []) {
    const value = valueFor(pod, container, variable, surroundings, (name) => result.get(name));
    if (value !== undefined) result.set(variable.name, value);
  }
  return [...result].map(([name, value]) => ({ name, value }));
}

function fromSources(pod: Pod, container: Container, references: References): [string, string][] {
  const namespace = pod.metadata.namespace ?? '';
  return (container.envFrom ?? []).flatMap((source) => {
    const prefix = source.prefix ?? '';
    const entries = (data: Record<string, string>) =>
      Object.entries(data).map(([key, value]): [string, string] => [`${prefix}${key}`, value]);
    if (source.configMapRef !== undefined) {
      const { name = '', optional } = source.configMapRef;
      const found = references.configMap(namespace, name);
      if (found === undefined && optional !== true) throw new ConfigurationError(`configmap "${name}" not found`);
      return entries(found?.data ?? {});
    }
    const { name = '', optional } = source.secretRef ?? {};
    const found = references.secret(namespace, name);
    if (found === undefined && optional !== true) throw new ConfigurationError(`secret "${name}" not found`);
    return entries(decoded(found?.data ?? {}));
  });
}

const decoded = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));

/** undefined: an optional reference to nothing, so the variable is not set at all. */
function valueFor(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  { references, facts }: Surroundings,
  lookup: (name: string) => string | undefined,
): string | undefined {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return expand(value ?? '', lookup);
  if (valueFrom.fieldRef !== undefined) return fieldOf(pod, valueFrom.fieldRef.fieldPath, facts);
  if (valueFrom.resourceFieldRef !== undefined)
    return resourceOf(pod, valueFrom.resourceFieldRef, container.name, facts);
  const namespace = pod.metadata.namespace ?? '';
  if (valueFrom.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = valueFrom.configMapKeyRef;
    const found = references.configMap(namespace, name);
    const text = found?.data?.[key];
    if (text !== undefined || optional === true) return text;
    if (found === undefined) throw new ConfigurationError(`configmap "${name}" not found`);
    throw new ConfigurationError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (valueFrom.secretKeyRef !== undefined) {
    const { name = '', key, optional } = valueFrom.secretKeyRef;
    const found = references.secret(namespace, name);
    const text = found?.data?.[key];
    if (text !== undefined) return Buffer.from(text, 'base64').toString();
    if (optional === true) return undefined;
    if (found === undefined) throw new ConfigurationError(`secret "${name}" not found`);
    throw new ConfigurationError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  throw new ConfigurationError(
    `env ${variable.name}: Longshore does not support valueFrom ${Object.keys(valueFrom)[0]}`,
  );
}

/** `$(NAME)` becomes its value, `$$(NAME)` stays `$(NAME)`, an unknown name stays as it is. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
    if (whole === '$$') return '$';
    return lookup(name ?? '') ?? whole;
  });
}

/** Docker-link style variables: `NAME_SERVICE_HOST`, `NAME_PORT_80_TCP_ADDR` …; the API server's always. */
function serviceLinks(pod: Pod, services: readonly Service[]): [string, string][] {
  const namespace = pod.metadata.namespace ?? '';
  const linked = services.filter((service) => {
    const { clusterIP } = service.spec;
    if (clusterIP === undefined || clusterIP === '' || clusterIP === 'None') return false;
    if (service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes') return true;
    return service.metadata.namespace === namespace && pod.spec.enableServiceLinks !== false;
  });
  return linked.flatMap(variablesOf);
}

function variablesOf(service: Service): [string, string][] {
  const host = service.spec.clusterIP ?? '';
  const prefix = shell(service.metadata.name);
  const ports = service.spec.ports ?? [];
  const [first] = ports;
  if (first === undefined) return [];
  const url = (port: { protocol?: string; port: number }) =>
    `${(port.protocol ?? 'TCP').toLowerCase()}://${host}:${port.port}`;
  return [
    [`${prefix}_SERVICE_HOST`, host],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports
      .filter((port) => port.name !== undefined && port.name !== '')
      .map((port): [string, string] => [`${prefix}_SERVICE_PORT_${shell(port.name ?? '')}`, String(port.port)]),
    [`${prefix}_PORT`, url(first)],
    ...ports.flatMap((port): [string, string][] => {
      const protocol = port.protocol ?? 'TCP';
      const base = `${prefix}_PORT_${port.port}_${protocol}`;
      return [
        [base, url(port)],
        [`${base}_PROTO`, protocol.toLowerCase()],
        [`${base}_PORT`, String(port.port)],
        [`${base}_ADDR`, host],
      ];
    }),
  ];
}

const shell = (name: string) => name.toUpperCase().replaceAll('-', '_');
