/** A container of a pod in the runtime's terms. What can be wrong with it here is a ConfigurationError. Pure. */
import type { Container, Pod } from '../../shared/api/core.ts';
import type { ContainerSpec, Mount } from '../runtime/runtime.ts';
import { BACK_OFF_LABEL } from './back-off.ts';
import type { ContainerView } from './containers-of-pod.ts';
import { engineLimitsOf, type Machine } from './engine-limits.ts';
import { ConfigurationError, expand } from './environment.ts';
import { gracePeriodOf } from './plan-ending.ts';
import { oomScoreAdjustOf } from './qos.ts';

export const GRACE_LABEL = 'io.kubernetes.pod.terminationGracePeriod';

export interface Circumstances {
  attempt: number;
  backOffSeconds: number;
  /** USER of the image. */
  imageUser: string;
  env: { name: string; value: string }[];
  mounts: Mount[];
  machine: Machine;
  /** The id of the container whose processes an ephemeral one looks at. */
  targetId?: string | undefined;
}

export function containerSpecOf(pod: Pod, view: ContainerView, given: Circumstances): ContainerSpec {
  const { spec } = view;
  const security = { ...spec.securityContext };
  const podSecurity = { ...pod.spec.securityContext };
  const values = new Map(given.env.map(({ name, value }) => [name, value]));
  const expanded = (texts: string[] | undefined) => texts?.map((text) => expand(text, (name) => values.get(name)));
  return {
    pod: { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name, uid: pod.metadata.uid },
    name: spec.name,
    attempt: given.attempt,
    kind: view.kind,
    image: spec.image ?? '',
    command: nonEmpty(expanded(spec.command)),
    args: nonEmpty(expanded(spec.args)),
    workingDir: spec.workingDir === '' ? undefined : spec.workingDir,
    env: given.env,
    mounts: given.mounts,
    resources: {
      ...engineLimitsOf(spec.resources, given.machine),
      oomScoreAdjust: oomScoreAdjustOf(pod, spec, given.machine.memoryBytes),
    },
    processes: processesOf(pod, given.targetId),
    ipc: pod.spec.hostIPC === true ? 'host' : 'pod',
    user: userOf(pod, spec, given.imageUser),
    groups: [
      ...(podSecurity.supplementalGroups ?? []),
      ...(podSecurity.fsGroup === undefined ? [] : [podSecurity.fsGroup]),
    ],
    readOnlyRootFilesystem: security.readOnlyRootFilesystem === true,
    privileged: security.privileged === true,
    allowPrivilegeEscalation: security.allowPrivilegeEscalation !== false,
    seccomp: seccompOf(pod, spec),
    capabilities: { add: security.capabilities?.add ?? [], drop: security.capabilities?.drop ?? [] },
    stdin: spec.stdin === true,
    stdinOnce: spec.stdinOnce === true,
    tty: spec.tty === true,
    stopSignalGraceSeconds: gracePeriodOf(pod),
    specHash: view.hash,
    labels: { [BACK_OFF_LABEL]: String(given.backOffSeconds), [GRACE_LABEL]: String(gracePeriodOf(pod)) },
  };
}

const nonEmpty = (texts: string[] | undefined) => (texts === undefined || texts.length === 0 ? undefined : texts);

/** Kubernetes: where the pod shares its processes, or the host's, a target is seen anyhow. */
function processesOf({ spec }: Pod, targetId: string | undefined): ContainerSpec['processes'] {
  if (spec.hostPID === true) return 'host';
  if (spec.shareProcessNamespace === true) return 'pod';
  return targetId === undefined ? 'container' : { containerId: targetId };
}

/** @throws ConfigurationError in upstream's words when runAsNonRoot is not kept. */
function userOf(pod: Pod, spec: Container, imageUser: string): string | undefined {
  const user = spec.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const group = spec.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup;
  if ((spec.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot) === true) {
    const { name, namespace, uid } = pod.metadata;
    const where = `(pod: "${name}_${namespace}(${uid})", container: ${spec.name})`;
    const [imageName = ''] = imageUser.split(':');
    if (user === 0) throw new ConfigurationError(`container's runAsUser breaks non-root policy ${where}`);
    if (user === undefined && /^0?$/.test(imageName))
      throw new ConfigurationError(`container has runAsNonRoot and image will run as root ${where}`);
    if (user === undefined && !/^\d+$/.test(imageName))
      throw new ConfigurationError(
        `container has runAsNonRoot and image has non-numeric user (${imageName}), cannot verify user is non-root ${where}`,
      );
  }
  if (user === undefined && group === undefined) return undefined;
  const base = user === undefined ? (imageUser.split(':')[0] ?? '') : String(user);
  return group === undefined ? base : `${base === '' ? '0' : base}:${group}`;
}

function seccompOf(pod: Pod, spec: Container): ContainerSpec['seccomp'] {
  const profile = spec.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
  if (profile?.type === 'Unconfined') return 'unconfined';
  if (profile?.type === 'Localhost')
    throw new ConfigurationError('Longshore does not support seccompProfile of type Localhost');
  return 'default';
}
