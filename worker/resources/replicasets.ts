/** `apps/v1 ReplicaSet`. Source: kubernetes, pkg/registry/apps/replicaset and pkg/apis/apps. */
import { REPLICA_SETS, type ReplicaSet } from '../../shared/api/apps.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { invalidValue } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { AGE, integer, NAME } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { templateColumns, validateCount, validateSelectorAndTemplate } from './workloads.ts';

function applyDefaults(draft: Draft<ReplicaSet>): void {
  if (draft.spec === undefined) return;
  draft.spec.replicas ??= 1;
  if (draft.spec.template) defaultPodTemplate(draft.spec.template);
}

export const REPLICA_SETS_DEFINITION: ResourceDefinition<ReplicaSet> = {
  identity: REPLICA_SETS,
  singular: 'replicaset',
  listKind: 'ReplicaSetList',
  shortNames: ['rs'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['scale', 'status'],
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { replicas: 0 };
  },
  validate: (draft) => [
    ...validateCount(draft.spec?.replicas, 'spec.replicas'),
    ...validateCount(draft.spec?.minReadySeconds, 'spec.minReadySeconds'),
    ...validateSelectorAndTemplate(draft.spec ?? {}, 'replicaset'),
  ],
  validateUpdate: (draft, current) =>
    isSame(draft.spec.selector, current.spec.selector)
      ? []
      : [invalidValue('spec.selector', draft.spec.selector, 'field is immutable')],
  fields: (object) => ({ 'status.replicas': String(object.status?.replicas ?? 0) }),
  columns: [
    NAME,
    integer<ReplicaSet>(
      'Desired',
      'Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset',
      (object) => object.spec.replicas ?? 0,
    ),
    integer<ReplicaSet>(
      'Current',
      'Replicas is the most recently observed number of non-terminating pods. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset',
      (object) => object.status?.replicas ?? 0,
    ),
    integer<ReplicaSet>(
      'Ready',
      'The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.',
      (object) => object.status?.readyReplicas ?? 0,
    ),
    AGE,
    ...templateColumns<ReplicaSet>(),
  ],
  scale: {
    specReplicas: '.spec.replicas',
    statusReplicas: '.status.replicas',
    selector: (object) => formatLabelSelector(object.spec.selector),
  },
};
