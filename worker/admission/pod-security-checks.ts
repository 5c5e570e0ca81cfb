/**
 * The checks of the Pod Security Standards, pure: what in a pod is against a level, in upstream's words. Which level a
 * namespace has, and what follows, is `pod-security.ts`.
 * Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/, k8s.io/pod-security-admission/policy
 */
import type { Container, PodSpec } from '../../shared/api/core.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** What the standards look at and the rest of Longshore does not. */
interface SELinuxOptions {
  user?: string;
  role?: string;
  type?: string;
}
interface Secured {
  runAsUser?: number;
  runAsNonRoot?: boolean;
  seLinuxOptions?: SELinuxOptions;
  windowsOptions?: { hostProcess?: boolean };
  appArmorProfile?: { type?: string };
  seccompProfile?: { type?: string; localhostProfile?: string };
  sysctls?: { name: string; value: string }[];
}
type SecuredContainer = Container & { securityContext?: Secured & NonNullable<Container['securityContext']> };

export interface SecuredPod {
  metadata?: { annotations?: Record<string, string> };
  spec: PodSpec;
}

interface Finding {
  reason: string;
  detail: string;
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);
const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();

const containersOf = (spec: PodSpec): SecuredContainer[] => [
  ...((spec.initContainers ?? []) as SecuredContainer[]),
  ...((spec.containers ?? []) as SecuredContainer[]),
  ...((spec as { ephemeralContainers?: SecuredContainer[] }).ephemeralContainers ?? []),
];

const namesWhere = (spec: PodSpec, bad: (container: SecuredContainer) => boolean): string[] =>
  containersOf(spec)
    .filter(bad)
    .map((container) => container.name);

const containers = (names: readonly string[]): string => `${plural('container', names.length)} ${quoted(names)}`;
const podContext = (spec: PodSpec): Secured => (spec.securityContext ?? {}) as Secured;

/** "pod", `container "a"`, or both, with the verb that fits. */
function setters(inPod: boolean, names: readonly string[]): { who: string; many: boolean } {
  const who = [...(inPod ? ['pod'] : []), ...(names.length > 0 ? [containers(names)] : [])].join(' and ');
  return { who, many: Number(inPod) + names.length > 1 };
}

type Check = (pod: SecuredPod) => Finding | undefined;

const CAPABILITIES = 'non-default capabilities';
const BASELINE_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);
const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']);
const SAFE_SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);
const SECCOMP_TYPES = new Set(['RuntimeDefault', 'Localhost']);
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';
const RESTRICTED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const BASELINE: readonly Check[] = [
  ({ metadata }) => {
    const bad = sorted(
      Object.entries(metadata?.annotations ?? {})
        .filter(
          ([key, value]) =>
            key.startsWith(APPARMOR_ANNOTATION) &&
            value !== 'runtime/default' &&
            !value.startsWith('localhost/') &&
            value !== '',
        )
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    );
    if (bad.length === 0) return undefined;
    return {
      reason: plural('forbidden AppArmor profile', bad.length),
      detail: `${plural('annotation', bad.length)} ${bad.join(', ')}`,
    };
  },
  ({ spec }) => {
    const bad = new Set<string>();
    const names = namesWhere(spec, ({ securityContext }) => {
      const extra = (securityContext?.capabilities?.add ?? []).filter((name) => !BASELINE_CAPABILITIES.has(name));
      for (const name of extra) bad.add(name);
      return extra.length > 0;
    });
    if (names.length === 0) return undefined;
    const listed = quoted(sorted(bad));
    return {
      reason: CAPABILITIES,
      detail: `${containers(names)} must not include ${listed} in securityContext.capabilities.add`,
    };
  },
  ({ spec }) => {
    const bad = [
      ...(spec.hostNetwork ? ['hostNetwork=true'] : []),
      ...(spec.hostPID ? ['hostPID=true'] : []),
      ...(spec.hostIPC ? ['hostIPC=true'] : []),
    ];
    return bad.length === 0 ? undefined : { reason: 'host namespaces', detail: bad.join(', ') };
  },
  ({ spec }) => {
    const names = (spec.volumes ?? []).filter((volume) => volume.hostPath).map((volume) => volume.name);
    if (names.length === 0) return undefined;
    return { reason: 'hostPath volumes', detail: `${plural('volume', names.length)} ${quoted(names)}` };
  },
  ({ spec }) => {
    const ports = new Set<number>();
    const names = namesWhere(spec, (container) => {
      const own = (container.ports ?? []).flatMap((port) => (port.hostPort ? [port.hostPort] : []));
      for (const port of own) ports.add(port);
      return own.length > 0;
    });
    if (names.length === 0) return undefined;
    const listed = [...ports].map(String).sort().join(', ');
    const uses = names.length === 1 ? 'uses' : 'use';
    return { reason: 'hostPort', detail: `${containers(names)} ${uses} ${plural('hostPort', ports.size)} ${listed}` };
  },
  ({ spec }) => {
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.privileged === true);
    if (names.length === 0) return undefined;
    return { reason: 'privileged', detail: `${containers(names)} must not set securityContext.privileged=true` };
  },
  ({ spec }) => {
    const types = new Set<string>();
    const names = namesWhere(spec, ({ securityContext }) => {
      const type = securityContext?.procMount ?? 'Default';
      if (type !== 'Default') types.add(type);
      return type !== 'Default';
    });
    if (names.length === 0) return undefined;
    return {
      reason: 'procMount',
      detail: `${containers(names)} must not set securityContext.procMount to ${quoted(sorted(types))}`,
    };
  },
  ({ spec }) => {
    const bad = new Set<string>();
    const look = (options: SELinuxOptions | undefined): boolean => {
      const found = [
        ...(SELINUX_TYPES.has(options?.type ?? '') ? [] : [`type ${JSON.stringify(options?.type)}`]),
        ...(options?.user ? ['user may not be set'] : []),
        ...(options?.role ? ['role may not be set'] : []),
      ];
      for (const each of found) bad.add(each);
      return found.length > 0;
    };
    const inPod = look(podContext(spec).seLinuxOptions);
    const names = namesWhere(spec, ({ securityContext }) => look(securityContext?.seLinuxOptions));
    if (!inPod && names.length === 0) return undefined;
    const { who, many } = setters(inPod, names);
    const set = many ? 'set' : 'sets';
    return {
      reason: 'seLinuxOptions',
      detail: `${who} ${set} forbidden securityContext.seLinuxOptions: ${[...bad].join('; ')}`,
    };
  },
  ({ spec }) => {
    const bad = podContext(spec).seccompProfile?.type === 'Unconfined';
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.seccompProfile?.type === 'Unconfined');
    if (!bad && names.length === 0) return undefined;
    return {
      reason: 'seccompProfile',
      detail: `${setters(bad, names).who} must not set securityContext.seccompProfile.type to "Unconfined"`,
    };
  },
  ({ spec }) => {
    const names = sorted((podContext(spec).sysctls ?? []).map((each) => each.name)).filter(
      (name) => !SAFE_SYSCTLS.has(name),
    );
    return names.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: names.join(', ') };
  },
  ({ spec }) => {
    const inPod = podContext(spec).windowsOptions?.hostProcess === true;
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
    if (!inPod && names.length === 0) return undefined;
    return {
      reason: 'hostProcess',
      detail: `${setters(inPod, names).who} must not set securityContext.windowsOptions.hostProcess=true`,
    };
  },
];

const RESTRICTED: readonly Check[] = [
  ({ spec }) => {
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
    if (names.length === 0) return undefined;
    return {
      reason: 'allowPrivilegeEscalation != false',
      detail: `${containers(names)} must set securityContext.allowPrivilegeEscalation=false`,
    };
  },
  ({ spec }) => {
    const keeps = namesWhere(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
    const bad = new Set<string>();
    const adds = namesWhere(spec, ({ securityContext }) => {
      const extra = (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
      for (const name of extra) bad.add(name);
      return extra.length > 0;
    });
    const details = [
      ...(keeps.length > 0 ? [`${containers(keeps)} must set securityContext.capabilities.drop=["ALL"]`] : []),
      ...(adds.length > 0
        ? [`${containers(adds)} must not include ${quoted(sorted(bad))} in securityContext.capabilities.add`]
        : []),
    ];
    return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
  },
  ({ spec }) => {
    const bad = (spec.volumes ?? []).flatMap((volume) => {
      const type = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
      return RESTRICTED_VOLUMES.has(type) ? [] : [{ name: volume.name, type }];
    });
    if (bad.length === 0) return undefined;
    const names = bad.map((each) => each.name);
    const types = sorted(bad.map((each) => each.type));
    const uses = names.length === 1 ? 'uses' : 'use';
    return {
      reason: 'restricted volume types',
      detail: `${plural('volume', names.length)} ${quoted(names)} ${uses} restricted volume ${plural('type', types.length)} ${quoted(types)}`,
    };
  },
  ({ spec }) => {
    const podSays = podContext(spec).runAsNonRoot;
    const saysNo = namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
    const silent = namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
    const wrong = podSays === false || saysNo.length > 0;
    const unset = podSays !== true && silent.length > 0;
    if (!wrong && !unset) return undefined;
    const detail = wrong
      ? `${setters(podSays === false, saysNo).who} must not set securityContext.runAsNonRoot=false`
      : `pod or ${containers(silent)} must set securityContext.runAsNonRoot=true`;
    return { reason: 'runAsNonRoot != true', detail };
  },
  ({ spec }) => {
    const inPod = podContext(spec).runAsUser === 0;
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
    if (!inPod && names.length === 0) return undefined;
    return { reason: 'runAsUser=0', detail: `${setters(inPod, names).who} must not set runAsUser=0` };
  },
  ({ spec }) => {
    const typeOf = ({ seccompProfile }: Secured): string | undefined => seccompProfile?.type;
    const podType = typeOf(podContext(spec));
    const wrongPod = podType !== undefined && !SECCOMP_TYPES.has(podType);
    const wrong = namesWhere(spec, ({ securityContext }) => {
      const type = typeOf(securityContext ?? {});
      return type !== undefined && !SECCOMP_TYPES.has(type);
    });
    const silent = namesWhere(spec, ({ securityContext }) => typeOf(securityContext ?? {}) === undefined);
    if (wrongPod || wrong.length > 0) {
      return {
        reason: 'seccompProfile',
        detail: `${setters(wrongPod, wrong).who} must not set securityContext.seccompProfile.type to ${JSON.stringify('Unconfined')}`,
      };
    }
    if (podType !== undefined || silent.length === 0) return undefined;
    const kinds = '"RuntimeDefault" or "Localhost"';
    return {
      reason: 'seccompProfile',
      detail: `pod or ${containers(silent)} must set securityContext.seccompProfile.type to ${kinds}`,
    };
  },
];

/** Everything that is against the level, as one line: `reason (detail), reason (detail)`; undefined when nothing is. */
export function violationsOf(level: Level, pod: SecuredPod): string | undefined {
  if (level === 'privileged') return undefined;
  const findings = new Map<string, Finding>();
  for (const check of level === 'baseline' ? BASELINE : [...BASELINE, ...RESTRICTED]) {
    const found = check(pod);
    // Kubernetes: the restricted form of a check stands in for its baseline form.
    if (found !== undefined) findings.set(found.reason, found);
  }
  if (level === 'restricted') findings.delete(CAPABILITIES);
  if (findings.size === 0) return undefined;
  return [...findings.values()].map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
}
