/** `apps/v1 Deployment`. Rolling out is `controllers/deployment.ts`. Source: kubernetes, pkg/apis/apps validation and defaults. */
import { DEPLOYMENTS, type Deployment } from '../../shared/api/apps.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { isZeroAmount, validateAmount } from './amounts.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { templateColumns, validateCount, validateSelectorAndTemplate } from './workloads.ts';

const STRATEGIES = ['Recreate', 'RollingUpdate'];

function applyDefaults(draft: Draft<Deployment>): void {
  const { spec } = draft;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ??= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  if (spec.template) defaultPodTemplate(spec.template);
}

function validateStrategy(spec: Deployment['spec']): StatusCause[] {
  const { type, rollingUpdate } = spec.strategy ?? {};
  if (!STRATEGIES.includes(type ?? '')) return [notSupported('spec.strategy.type', type ?? '', STRATEGIES)];
  if (type === 'Recreate') {
    const text = "may not be specified when strategy `type` is 'Recreate'";
    return rollingUpdate === undefined ? [] : [forbiddenField('spec.strategy.rollingUpdate', text)];
  }
  const path = 'spec.strategy.rollingUpdate';
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const causes = [
    ...validateAmount(maxUnavailable, `${path}.maxUnavailable`, true),
    ...validateAmount(maxSurge, `${path}.maxSurge`, false),
  ];
  if (isZeroAmount(maxUnavailable) && isZeroAmount(maxSurge)) {
    causes.push(invalidValue(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  return causes;
}

function validate(draft: Draft<Deployment>): StatusCause[] {
  const spec = draft.spec ?? {};
  const causes = [
    ...validateCount(spec.replicas, 'spec.replicas'),
    ...validateSelectorAndTemplate(spec, 'deployment'),
    ...validateStrategy(spec),
    ...validateCount(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...validateCount(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...validateCount(spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds'),
  ];
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  if (deadline !== undefined && deadline <= minReadySeconds) {
    causes.push(invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  }
  return causes;
}

export const DEPLOYMENTS_DEFINITION: ResourceDefinition<Deployment> = {
  identity: DEPLOYMENTS,
  singular: 'deployment',
  listKind: 'DeploymentList',
  shortNames: ['deploy'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['scale', 'status'],
  schema: 'io.k8s.api.apps.v1.Deployment',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = {};
  },
  validate,
  validateUpdate: (draft, current) =>
    isSame(draft.spec.selector, current.spec.selector)
      ? []
      : [invalidValue('spec.selector', draft.spec.selector, 'field is immutable')],
  columns: [
    NAME,
    text<Deployment>(
      'Ready',
      'Number of the pod with ready state',
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    ),
    {
      name: 'Up-to-date',
      type: 'string',
      description:
        'Total number of non-terminating pods targeted by this deployment that have the desired template spec.',
      priority: 0,
      value: ({ status }) => status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'string',
      description:
        'Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.',
      priority: 0,
      value: ({ status }) => status?.availableReplicas ?? 0,
    },
    AGE,
    ...templateColumns<Deployment>(),
  ],
  scale: {
    specReplicas: '.spec.replicas',
    statusReplicas: '.status.replicas',
    selector: (object) => formatLabelSelector(object.spec.selector),
  },
};
