/**
 * How a container says whose it is: its name and its labels, in the form that kubelet's Docker shim used
 * (`k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, `io.kubernetes.*`), so that people's tools keep working. Pure; everything
 * that the agent must know to adopt a container is in here.
 */
import type { ContainerSpec, ObservedContainer, SandboxSpec } from './runtime.ts';

export const LABELS = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  dockerType: 'io.kubernetes.docker.type',
  sandboxId: 'io.kubernetes.sandbox.id',
  hash: 'annotation.io.kubernetes.container.hash',
  attempt: 'annotation.io.kubernetes.container.restartCount',
  instance: 'dev.longshore.instance',
  kind: 'dev.longshore.kind',
} as const;

const KINDS = ['sandbox', 'container', 'init', 'ephemeral'] as const satisfies ObservedContainer['kind'][];

export const isKind = (text: string | undefined): text is ObservedContainer['kind'] =>
  KINDS.some((kind) => kind === text);

type Pod = SandboxSpec['pod'];

/** Two agents on one engine may run pods of the same name and uid: every instance but the usual one is in the name. */
function nameOf(instance: string, container: string, pod: Pod, attempt: number): string {
  const prefix = instance === 'longshore' ? 'k8s' : `k8s-${instance}`;
  return [prefix, container, pod.name, pod.namespace, pod.uid, attempt].join('_');
}

export const sandboxName = (instance: string, spec: SandboxSpec) => nameOf(instance, 'POD', spec.pod, spec.attempt);

export const containerName = (instance: string, spec: ContainerSpec) =>
  nameOf(instance, spec.name, spec.pod, spec.attempt);

function podLabels(instance: string, pod: Pod): Record<string, string> {
  return {
    [LABELS.podName]: pod.name,
    [LABELS.podNamespace]: pod.namespace,
    [LABELS.podUid]: pod.uid,
    [LABELS.instance]: instance,
  };
}

export function sandboxLabels(instance: string, spec: SandboxSpec): Record<string, string> {
  return {
    ...spec.labels,
    ...podLabels(instance, spec.pod),
    [LABELS.containerName]: 'POD',
    [LABELS.dockerType]: 'podsandbox',
    [LABELS.kind]: 'sandbox',
    [LABELS.attempt]: String(spec.attempt),
  };
}

export function containerLabels(instance: string, spec: ContainerSpec, sandboxId: string): Record<string, string> {
  return {
    ...spec.labels,
    ...podLabels(instance, spec.pod),
    [LABELS.containerName]: spec.name,
    [LABELS.dockerType]: 'container',
    [LABELS.sandboxId]: sandboxId,
    [LABELS.hash]: spec.specHash,
    [LABELS.attempt]: String(spec.attempt),
    [LABELS.kind]: spec.kind,
  };
}

export function podOf(labels: Record<string, string>): Pod {
  return {
    namespace: labels[LABELS.podNamespace] ?? '',
    name: labels[LABELS.podName] ?? '',
    uid: labels[LABELS.podUid] ?? '',
  };
}
