/**
 * `v1 Pod`: the definition. Its parts: `pod-defaults.ts`, `pod-validation.ts`, `pod-update.ts`, `ephemeral-containers.ts`,
 * `pod-resize.ts`, `pod-columns.ts`.
 * Scheduling, running and deleting pods are other rooms' business.
 */
import { type Container, PODS, type Pod, type PodSpec, type Volume } from '../../shared/api/core.ts';
import { forbiddenField } from '../../shared/errors.ts';
import { isTerminal, qosClassOf } from '../../shared/pods.ts';
import type { IndexEntry } from '../store/store.ts';
import type { ResourceDefinition } from './definition.ts';
import { EPHEMERAL_CONTAINERS, validateEphemeralContainers } from './ephemeral-containers.ts';
import { POD_COLUMNS } from './pod-columns.ts';
import { defaultPod } from './pod-defaults.ts';
import { RESIZE } from './pod-resize.ts';
import { validatePodUpdate } from './pod-update.ts';
import { validatePodSpec } from './pod-validation.ts';
import { ALL_VERBS } from './verbs.ts';

const DEFAULT_GRACE_SECONDS = 30;

function namesInContainer({ env, envFrom }: Container): string[] {
  return [
    ...(env ?? []).flatMap(({ valueFrom }) => [
      ...(valueFrom?.configMapKeyRef?.name ? [`configmaps/${valueFrom.configMapKeyRef.name}`] : []),
      ...(valueFrom?.secretKeyRef?.name ? [`secrets/${valueFrom.secretKeyRef.name}`] : []),
    ]),
    ...(envFrom ?? []).flatMap(({ configMapRef, secretRef }) => [
      ...(configMapRef?.name ? [`configmaps/${configMapRef.name}`] : []),
      ...(secretRef?.name ? [`secrets/${secretRef.name}`] : []),
    ]),
  ];
}

function namesInVolume({ configMap, secret, projected }: Volume): string[] {
  return [
    ...(configMap?.name ? [`configmaps/${configMap.name}`] : []),
    ...(secret?.secretName ? [`secrets/${secret.secretName}`] : []),
    ...(projected?.sources ?? []).flatMap((source) => [
      ...(source.configMap?.name ? [`configmaps/${source.configMap.name}`] : []),
      ...(source.secret?.name ? [`secrets/${source.secret.name}`] : []),
    ]),
  ];
}

/** What a pod needs, as `configmaps/NAME`, `secrets/NAME` and `serviceaccounts/NAME`, each once. */
export function usesOf(spec: PodSpec): string[] {
  const names = [
    ...(spec.volumes ?? []).flatMap(namesInVolume),
    ...[...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])].flatMap(
      namesInContainer,
    ),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [`secrets/${name}`] : [])),
    ...(spec.serviceAccountName ? [`serviceaccounts/${spec.serviceAccountName}`] : []),
  ];
  return [...new Set(names)];
}

/** Found by the scheduler for every pod that it places: those that keep others away. */
export const REPELS: IndexEntry = { index: 'repels', value: 'true' };
export const repels = ({ spec }: Pod): boolean =>
  (spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;

const entriesOf = (pod: Pod): IndexEntry[] => [
  ...usesOf(pod.spec).map((value) => ({ index: 'uses', value })),
  ...(repels(pod) ? [REPELS] : []),
];

export const PODS_DEFINITION: ResourceDefinition<Pod> = {
  identity: PODS,
  singular: 'pod',
  listKind: 'PodList',
  shortNames: ['po'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: [
    'attach',
    'binding',
    'ephemeralcontainers',
    'eviction',
    'exec',
    'log',
    'portforward',
    'proxy',
    'resize',
    'status',
  ],
  schema: 'io.k8s.api.core.v1.Pod',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= { containers: [] };
    // Required, which validation says: what counts containers before must find none.
    draft.spec.containers ??= [];
    defaultPod(draft.spec);
  },
  prepareCreate(draft) {
    draft.status = { phase: 'Pending', qosClass: qosClassOf(draft.spec) };
  },
  prepareUpdate(draft, current) {
    // Kubernetes: an update that leaves the node out keeps it; only binding sets it.
    if (!draft.spec.nodeName && current.spec.nodeName) draft.spec.nodeName = current.spec.nodeName;
  },
  validate: (draft, current) => [
    ...validatePodSpec(draft.spec, 'spec'),
    ...validateEphemeralContainers(draft.spec),
    ...(current === undefined && (draft.spec.ephemeralContainers ?? []).length > 0
      ? [forbiddenField('spec.ephemeralContainers', 'cannot be set on create')]
      : []),
  ],
  validateUpdate: validatePodUpdate,
  specParts: {
    ephemeralcontainers: EPHEMERAL_CONTAINERS,
    resize: RESIZE,
  },
  gracePeriodSeconds(pod) {
    if (!pod.spec.nodeName || isTerminal(pod)) return 0;
    return pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  },
  fields: ({ spec, status }) => ({
    'spec.nodeName': spec.nodeName ?? '',
    'spec.restartPolicy': spec.restartPolicy ?? '',
    'spec.schedulerName': spec.schedulerName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? '',
    'spec.hostNetwork': String(spec.hostNetwork ?? false),
    'status.phase': status?.phase ?? '',
    'status.podIP': status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.nominatedNodeName': status?.nominatedNodeName ?? '',
  }),
  entries: entriesOf,
  columns: POD_COLUMNS,
};
