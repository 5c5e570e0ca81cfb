/** Rules for a pod's containers. Source: kubernetes, pkg/apis/core/validation validateContainers, validateInitContainers. */
import type { Container, ContainerPort, EnvVar, LifecycleHandler, PodSpec, Probe } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import {
  duplicateValue,
  forbiddenField,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '../../shared/errors.ts';
import { isSidecar } from '../../shared/pods.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import {
  checkDNSLabel,
  checkDNSSubdomain,
  checkEnvironmentName,
  checkPort,
  checkPortName,
  checkQualifiedName,
} from './names.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const SCHEMES = ['HTTP', 'HTTPS'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const STANDARD_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage']);
const FIELD_PATHS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const ENV_FIELD_PATHS = FIELD_PATHS.filter((path) => path !== 'metadata.annotations' && path !== 'metadata.labels');
const NEGATIVE = 'must be greater than or equal to 0';

const messagesAt = (path: string, value: unknown, messages: readonly string[]): StatusCause[] =>
  messages.map((message) => invalidValue(path, value, message));

function validatePorts(ports: readonly ContainerPort[] | undefined, hostNetwork: boolean, path: string): StatusCause[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const causes: StatusCause[] = [];
    if (port.name) {
      causes.push(...messagesAt(`${at}.name`, port.name, checkPortName(port.name)));
      if (names.has(port.name)) causes.push(duplicateValue(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) causes.push(required(`${at}.containerPort`));
    else causes.push(...messagesAt(`${at}.containerPort`, port.containerPort, checkPort(port.containerPort)));
    if (port.hostPort) causes.push(...messagesAt(`${at}.hostPort`, port.hostPort, checkPort(port.hostPort)));
    if (hostNetwork && port.hostPort && port.hostPort !== port.containerPort) {
      const text = 'must match `hostPort` when `hostNetwork` is true';
      causes.push(invalidValue(`${at}.containerPort`, port.containerPort, text));
    }
    if (!port.protocol) causes.push(required(`${at}.protocol`));
    else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(`${at}.protocol`, port.protocol, PROTOCOLS));
    return causes;
  });
}

const isLabelPath = (path: string): boolean => /^metadata\.(labels|annotations)\['[^']+'\]$/.test(path);

function validateEnvironment(variables: readonly EnvVar[] | undefined, path: string): StatusCause[] {
  return (variables ?? []).flatMap(({ name, value, valueFrom }, index) => {
    const at = `${path}[${index}]`;
    const causes = name ? messagesAt(`${at}.name`, name, checkEnvironmentName(name)) : [required(`${at}.name`)];
    if (valueFrom === undefined) return causes;
    const sources = Object.keys(valueFrom);
    if (sources.length === 0) {
      const text =
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
      causes.push(invalidValue(`${at}.valueFrom`, '', text));
    } else if (value) {
      causes.push(invalidValue(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    } else if (sources.length > 1) {
      causes.push(invalidValue(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'));
    }
    const fieldPath = valueFrom.fieldRef?.fieldPath;
    if (valueFrom.fieldRef && !fieldPath) causes.push(required(`${at}.valueFrom.fieldRef.fieldPath`));
    else if (fieldPath && !ENV_FIELD_PATHS.includes(fieldPath) && !isLabelPath(fieldPath)) {
      causes.push(notSupported(`${at}.valueFrom.fieldRef.fieldPath`, fieldPath, ENV_FIELD_PATHS));
    }
    for (const source of ['configMapKeyRef', 'secretKeyRef'] as const) {
      const reference = valueFrom[source];
      if (reference === undefined) continue;
      if (!reference.name) causes.push(required(`${at}.valueFrom.${source}.name`));
      if (!reference.key) causes.push(required(`${at}.valueFrom.${source}.key`));
    }
    return causes;
  });
}

function validateEnvironmentSources(sources: Container['envFrom'], path: string): StatusCause[] {
  return (sources ?? []).flatMap(({ prefix, configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`;
    const causes = prefix ? messagesAt(`${at}.prefix`, prefix, checkEnvironmentName(prefix)) : [];
    if (!configMapRef && !secretRef) {
      causes.push(invalidValue(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    } else if (configMapRef && secretRef) {
      causes.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
    }
    for (const source of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      const [kind, reference] = source;
      if (reference && !reference.name) causes.push(required(`${at}.${kind}.name`));
      else if (reference?.name)
        causes.push(...messagesAt(`${at}.${kind}.name`, reference.name, checkDNSSubdomain(reference.name)));
    }
    return causes;
  });
}

function validateMounts(container: Container, volumes: ReadonlySet<string>, path: string): StatusCause[] {
  const points = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const causes: StatusCause[] = [];
    if (!mount.name) causes.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) {
      causes.push(notFoundValue(`${at}.name`, mount.name));
    }
    if (!mount.mountPath) causes.push(required(`${at}.mountPath`));
    if (points.has(mount.mountPath)) causes.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    points.add(mount.mountPath);
    if (mount.subPath && mount.subPathExpr) {
      causes.push(
        invalidValue(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    }
    for (const field of ['subPath', 'subPathExpr'] as const) {
      const value = mount[field];
      if (value?.startsWith('/')) causes.push(invalidValue(`${at}.${field}`, value, 'must be a relative path'));
      if (value?.split('/').includes('..')) causes.push(invalidValue(`${at}.${field}`, value, "must not contain '..'"));
    }
    return causes;
  });
}

type HttpGet = NonNullable<Probe['httpGet']>;

function validateHttpGet(get: HttpGet, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!get.path) causes.push(required(`${path}.path`));
  causes.push(...validateTarget(get.port, `${path}.port`));
  if (!SCHEMES.includes(get.scheme ?? '')) causes.push(notSupported(`${path}.scheme`, get.scheme ?? '', SCHEMES));
  for (const [index, header] of (get.httpHeaders ?? []).entries()) {
    if (/^[-A-Za-z0-9]+$/.test(header.name ?? '')) continue;
    const text =
      "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
    causes.push(invalidValue(`${path}.httpHeaders[${index}].name`, header.name ?? '', text));
  }
  return causes;
}

const validateTarget = (port: number | string | undefined, path: string): StatusCause[] =>
  messagesAt(path, port ?? 0, typeof port === 'string' ? checkPortName(port) : checkPort(port ?? 0));

function validateHandler(
  handler: Pick<Probe, 'httpGet' | 'tcpSocket' | 'exec' | 'grpc'> & Pick<LifecycleHandler, 'sleep'>,
  grace: number | undefined,
  path: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter(
    (each) => handler[each] !== undefined,
  );
  for (const extra of given.slice(1)) {
    causes.push(forbiddenField(`${path}.${extra}`, 'may not specify more than 1 handler type'));
  }
  if (given.length === 0) causes.push(required(path, 'must specify a handler type'));
  if (handler.exec && !handler.exec.command?.length) causes.push(required(`${path}.exec.command`));
  if (handler.httpGet) causes.push(...validateHttpGet(handler.httpGet, `${path}.httpGet`));
  if (handler.tcpSocket) causes.push(...validateTarget(handler.tcpSocket.port, `${path}.tcpSocket.port`));
  if (handler.grpc) causes.push(...validateTarget(handler.grpc.port, `${path}.grpc.port`));
  const seconds = handler.sleep?.seconds;
  if (seconds !== undefined && grace !== undefined && (seconds < 0 || seconds > grace)) {
    const text = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
    causes.push(invalidValue(`${path}.sleep`, seconds, text));
  }
  return causes;
}

function validateProbe(
  probe: Probe | undefined,
  kind: 'liveness' | 'readiness' | 'startup',
  path: string,
): StatusCause[] {
  if (probe === undefined) return [];
  const causes = validateHandler(probe, undefined, path);
  const counts = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  for (const field of counts) {
    const value = probe[field] ?? 0;
    if (value < 0) causes.push(invalidValue(`${path}.${field}`, value, NEGATIVE));
  }
  if (kind !== 'readiness' && (probe.successThreshold ?? 1) !== 1) {
    causes.push(invalidValue(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
  }
  if (probe.terminationGracePeriodSeconds !== undefined) {
    const at = `${path}.terminationGracePeriodSeconds`;
    const seconds = probe.terminationGracePeriodSeconds;
    if (kind === 'readiness') {
      causes.push(invalidValue(at, seconds, 'must not be set for readinessProbes'));
    } else if (seconds < 1) causes.push(invalidValue(at, seconds, 'must be greater than 0'));
  }
  return causes;
}

function validateResources(container: Container, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { limits = {}, requests = {} } = container.resources ?? {};
  for (const [list, amounts] of Object.entries({ limits, requests })) {
    for (const [name, amount] of Object.entries(amounts)) {
      const at = `${path}.${list}[${name}]`;
      causes.push(...messagesAt(`${path}.${list}`, name, checkQualifiedName(name)));
      const known = name.includes('/') || STANDARD_RESOURCES.has(name) || name.startsWith('hugepages-');
      if (!known) {
        const text = 'must be a standard resource type or fully qualified';
        causes.push(invalidValue(`${path}.${list}`, name, text));
        if (checkQualifiedName(name).length === 0) {
          causes.push(invalidValue(`${path}.${list}`, name, 'must be a standard resource for containers'));
        }
      }
      if (compareQuantities(amount, '0') < 0) causes.push(invalidValue(at, amount, NEGATIVE));
    }
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit !== undefined && compareQuantities(request, limit) > 0) {
      const text = `must be less than or equal to ${name} limit of ${limit}`;
      causes.push(invalidValue(`${path}.requests`, request, text));
    }
  }
  return causes;
}

const RESIZABLE = ['cpu', 'memory'];
const RESIZE_POLICIES = ['NotRequired', 'RestartContainer'];

function validateResizePolicy(policies: Container['resizePolicy'], spec: PodSpec, path: string): StatusCause[] {
  const seen = new Set<string>();
  return (policies ?? []).flatMap(({ resourceName, restartPolicy }, index) => {
    const causes = seen.has(resourceName) ? [duplicateValue(`${path}[${index}]`, resourceName)] : [];
    seen.add(resourceName);
    const choices = [
      [resourceName, RESIZABLE],
      [restartPolicy, RESIZE_POLICIES],
    ] as const;
    for (const [value, supported] of choices) {
      if (!value) causes.push(required(path));
      else if (!supported.includes(value)) causes.push(notSupported(path, value, supported));
    }
    if (spec.restartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      causes.push(invalidValue(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
    return causes;
  });
}

function validateSecurity(context: Container['securityContext'], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const field of ['runAsUser', 'runAsGroup'] as const) {
    const id = context?.[field];
    if (id !== undefined && (id < 0 || id > 2_147_483_647)) {
      causes.push(invalidValue(`${path}.${field}`, id, 'must be between 0 and 2147483647, inclusive'));
    }
  }
  if (context?.privileged && context.allowPrivilegeEscalation === false) {
    const text = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
    causes.push(invalidValue(path, context, text));
  }
  return causes;
}

/** What holds for a container of any kind. */
export function validateContainer(container: Container, spec: PodSpec, path: string): StatusCause[] {
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const causes: StatusCause[] = [];
  if (!container.name) causes.push(required(`${path}.name`));
  else causes.push(...messagesAt(`${path}.name`, container.name, checkDNSLabel(container.name)));
  const image = container.image ?? '';
  if (image.trim() === '') causes.push(required(`${path}.image`));
  else if (image !== image.trim()) {
    causes.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
  const { terminationMessagePolicy: messages, imagePullPolicy: pull } = container;
  if (messages === undefined) causes.push(required(`${path}.terminationMessagePolicy`));
  else if (!MESSAGE_POLICIES.includes(messages)) {
    causes.push(notSupported(`${path}.terminationMessagePolicy`, messages, MESSAGE_POLICIES));
  }
  causes.push(
    ...validatePorts(container.ports, spec.hostNetwork === true, `${path}.ports`),
    ...validateEnvironment(container.env, `${path}.env`),
    ...validateEnvironmentSources(container.envFrom, `${path}.envFrom`),
    ...validateMounts(container, volumes, `${path}.volumeMounts`),
  );
  if (!pull) causes.push(required(`${path}.imagePullPolicy`));
  else if (!PULL_POLICIES.includes(pull)) causes.push(notSupported(`${path}.imagePullPolicy`, pull, PULL_POLICIES));
  causes.push(
    ...validateResources(container, `${path}.resources`),
    ...validateResizePolicy(container.resizePolicy, spec, `${path}.resizePolicy`),
    ...validateSecurity(container.securityContext, `${path}.securityContext`),
  );
  return causes;
}

function validateLifetime(container: Container, spec: PodSpec, path: string): StatusCause[] {
  const grace = spec.terminationGracePeriodSeconds;
  const { lifecycle } = container;
  return [
    ...(lifecycle?.postStart ? validateHandler(lifecycle.postStart, grace, `${path}.lifecycle.postStart`) : []),
    ...(lifecycle?.preStop ? validateHandler(lifecycle.preStop, grace, `${path}.lifecycle.preStop`) : []),
    ...validateProbe(container.livenessProbe, 'liveness', `${path}.livenessProbe`),
    ...validateProbe(container.readinessProbe, 'readiness', `${path}.readinessProbe`),
    ...validateProbe(container.startupProbe, 'startup', `${path}.startupProbe`),
  ];
}

function validateHostPorts(spec: PodSpec, path: string): StatusCause[] {
  const taken = new Set<string>();
  return spec.containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap((port, position) => {
      if (!port.hostPort) return [];
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (!taken.has(key)) {
        taken.add(key);
        return [];
      }
      return [duplicateValue(`${path}.containers[${index}].ports[${position}].hostPort`, key)];
    }),
  );
}

/** All containers of a pod: main, init and sidecars; their names are unique together. */
export function validateContainers(spec: PodSpec, path: string): StatusCause[] {
  const containers = spec.containers ?? [];
  if (containers.length === 0) return [required(`${path}.containers`)];
  const causes: StatusCause[] = [];
  const names = new Set<string>();
  const unique = (container: Container, at: string) => {
    if (container.name && names.has(container.name)) causes.push(duplicateValue(`${at}.name`, container.name));
    names.add(container.name);
  };
  for (const [index, container] of containers.entries()) {
    const at = `${path}.containers[${index}]`;
    causes.push(...validateContainer(container, spec, at), ...validateLifetime(container, spec, at));
    unique(container, at);
  }
  causes.push(...validateHostPorts(spec, path));
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}.initContainers[${index}]`;
    causes.push(...validateContainer(container, spec, at));
    unique(container, at);
    if (isSidecar(container)) {
      causes.push(...validateLifetime(container, spec, at));
      continue;
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] === undefined) continue;
      causes.push(forbiddenField(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'));
    }
    if ((container.resizePolicy ?? []).length > 0) {
      causes.push(invalidValue(`${at}.resizePolicy`, container.resizePolicy, 'must not be set for init containers'));
    }
  }
  return causes;
}
