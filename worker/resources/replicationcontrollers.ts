/** `v1 ReplicationController`. Source: kubernetes, pkg/registry/core/replicationcontroller and pkg/apis/core. */
import { REPLICATION_CONTROLLERS, type ReplicationController } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { matchesMap } from '../../shared/selectors.ts';
import { AGE, formatLabels, integer, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateCount, validateTemplate } from './workloads.ts';

function applyDefaults(draft: Draft<ReplicationController>): void {
  const { spec } = draft;
  if (spec === undefined) return;
  const labels = spec.template?.metadata?.labels ?? {};
  if (Object.keys(labels).length > 0) {
    // Kubernetes: selector and labels of the oldest workload are those of its template, unless they are given.
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels };
  }
  spec.replicas ??= 1;
  if (spec.template) defaultPodTemplate(spec.template);
}

function validate(draft: Draft<ReplicationController>): StatusCause[] {
  const { replicas, minReadySeconds, selector = {}, template } = draft.spec ?? {};
  const causes = [
    ...validateCount(replicas, 'spec.replicas'),
    ...validateCount(minReadySeconds, 'spec.minReadySeconds'),
  ];
  if (Object.keys(selector).length === 0) causes.push(required('spec.selector'));
  if (template === undefined) return [...causes, required('spec.template')];
  const labels = template.metadata?.labels ?? {};
  if (Object.keys(selector).length > 0 && !matchesMap(selector, labels)) {
    causes.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  causes.push(...validateTemplate(template, 'spec.template'));
  const policy = template.spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    causes.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const message = 'Forbidden: activeDeadlineSeconds in ReplicationController is not Supported';
    causes.push({ reason: 'FieldValueForbidden', message, field: 'spec.template.spec.activeDeadlineSeconds' });
  }
  return causes;
}

const containers = ({ spec }: ReplicationController) => spec.template?.spec.containers ?? [];

export const REPLICATION_CONTROLLERS_DEFINITION: ResourceDefinition<ReplicationController> = {
  identity: REPLICATION_CONTROLLERS,
  singular: 'replicationcontroller',
  listKind: 'ReplicationControllerList',
  shortNames: ['rc'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['scale', 'status'],
  schema: 'io.k8s.api.core.v1.ReplicationController',
  generation: true,
  unconditionalUpdate: true,
  defaultPropagation: 'Orphan',
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { replicas: 0 };
  },
  validate,
  fields: (object) => ({ 'status.replicas': String(object.status?.replicas ?? 0) }),
  columns: [
    NAME,
    integer<ReplicationController>(
      'Desired',
      'Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller',
      (object) => object.spec.replicas ?? 0,
    ),
    integer<ReplicationController>(
      'Current',
      'Replicas is the most recently observed number of replicas. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller',
      (object) => object.status?.replicas ?? 0,
    ),
    integer<ReplicationController>(
      'Ready',
      'The number of ready replicas for this replication controller.',
      (object) => object.status?.readyReplicas ?? 0,
    ),
    AGE,
    text<ReplicationController>(
      'Containers',
      'Names of each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.name)
          .join(','),
      true,
    ),
    text<ReplicationController>(
      'Images',
      'Images referenced by each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.image ?? '')
          .join(','),
      true,
    ),
    text<ReplicationController>(
      'Selector',
      'Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is defaulted to the labels present on the Pod template. Label keys and values that must match in order to be controlled by this replication controller, if empty defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
      ({ spec }) => formatLabels(spec.selector),
      true,
    ),
  ],
  scale: {
    specReplicas: '.spec.replicas',
    statusReplicas: '.status.replicas',
    selector: ({ spec }) =>
      Object.keys(spec.selector ?? {})
        .sort()
        .map((key) => `${key}=${spec.selector?.[key]}`)
        .join(','),
  },
};
