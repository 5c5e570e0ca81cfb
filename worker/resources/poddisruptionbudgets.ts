/** `policy/v1 PodDisruptionBudget`. Its status is `controllers/disruption.ts`. Source: kubernetes, pkg/apis/policy/validation. */

import type { Draft, IntOrString, StatusCause } from '../../shared/api/meta.ts';
import { POD_DISRUPTION_BUDGETS, type PodDisruptionBudget } from '../../shared/api/policy.ts';
import { invalidValue, notSupported } from '../../shared/errors.ts';
import { validateAmount } from './amounts.ts';
import { AGE, integer, NAME } from './columns.ts';
import type { Column, ResourceDefinition } from './definition.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateCount } from './workloads.ts';

const POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

function validate({ spec = {} }: Draft<PodDisruptionBudget>): StatusCause[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec;
  const causes: StatusCause[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    causes.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  causes.push(...validateAmount(minAvailable, 'spec.minAvailable', true));
  causes.push(...validateAmount(maxUnavailable, 'spec.maxUnavailable', true));
  if (policy !== undefined && !POLICIES.includes(policy)) {
    causes.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, POLICIES));
  }
  return [...causes, ...validateLabelSelector(selector, 'spec.selector')];
}

function validateStatus({ status }: PodDisruptionBudget): StatusCause[] {
  return (['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap((count) =>
    validateCount(status?.[count], `status.${count}`),
  );
}

const amountColumn = (
  name: string,
  description: string,
  value: (object: PodDisruptionBudget) => IntOrString | undefined,
): Column<PodDisruptionBudget> => ({
  name,
  type: 'string',
  description,
  priority: 0,
  value: (object) => String(value(object) ?? 'N/A'),
});

export const POD_DISRUPTION_BUDGETS_DEFINITION: ResourceDefinition<PodDisruptionBudget> = {
  identity: POD_DISRUPTION_BUDGETS,
  singular: 'poddisruptionbudget',
  listKind: 'PodDisruptionBudgetList',
  shortNames: ['pdb'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  generation: true,
  unconditionalUpdate: false,
  prepareCreate(draft) {
    draft.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate,
  validateStatus,
  columns: [
    NAME,
    amountColumn(
      'Min Available',
      'The minimum number of pods that must be available.',
      ({ spec }) => spec.minAvailable,
    ),
    amountColumn(
      'Max Unavailable',
      'The maximum number of pods that may be unavailable.',
      ({ spec }) => spec.maxUnavailable,
    ),
    integer<PodDisruptionBudget>(
      'Allowed Disruptions',
      'Calculated number of pods that may be disrupted at this time.',
      ({ status }) => status?.disruptionsAllowed ?? 0,
    ),
    AGE,
  ],
};
