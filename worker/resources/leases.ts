/** `coordination.k8s.io/v1 Lease`. Source: kubernetes, pkg/apis/coordination/validation. */
import { LEASES, type Lease } from '../../shared/api/coordination.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';

function validate(draft: Draft<Lease>): StatusCause[] {
  const causes: StatusCause[] = [];
  const { leaseDurationSeconds, leaseTransitions } = draft.spec ?? {};
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    causes.push(invalidValue('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'));
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    causes.push(invalidValue('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'));
  }
  return causes;
}

export const LEASES_DEFINITION: ResourceDefinition<Lease> = {
  identity: LEASES,
  singular: 'lease',
  listKind: 'LeaseList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.coordination.v1.Lease',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: false,
  validate,
  columns: [
    NAME,
    text<Lease>(
      'Holder',
      'holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.',
      (object) => object.spec?.holderIdentity ?? '',
    ),
    AGE,
  ],
};
