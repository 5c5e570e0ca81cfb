/** `resource.k8s.io/v1 ResourceClaim`. Longshore allocates no devices: what a driver writes into the status is kept. */
import type { StatusCause } from '../../shared/api/meta.ts';
import { RESOURCE_CLAIMS, type ResourceClaim } from '../../shared/api/resource.ts';
import { invalidValue } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultClaim, validateClaim } from './device-validation.ts';
import { ALL_VERBS } from './verbs.ts';

function stateOf({ metadata, status }: ResourceClaim): string {
  const states = [
    ...(metadata.deletionTimestamp ? ['deleted'] : []),
    ...(status?.allocation ? ['allocated'] : []),
    ...(status?.reservedFor?.length ? ['reserved'] : []),
  ];
  return states.length === 0 ? 'pending' : states.join(',');
}

function validateStatus(draft: ResourceClaim, current: ResourceClaim): StatusCause[] {
  const before = current.status?.allocation;
  const after = draft.status?.allocation;
  if (before === undefined || after === undefined || isSame(before, after)) return [];
  return [invalidValue('status.allocation', after, 'field is immutable')];
}

export const RESOURCE_CLAIMS_DEFINITION: ResourceDefinition<ResourceClaim> = {
  identity: RESOURCE_CLAIMS,
  singular: 'resourceclaim',
  listKind: 'ResourceClaimList',
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.resource.v1.ResourceClaim',
  generation: false,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
    defaultClaim(draft.spec);
  },
  prepareCreate(draft) {
    draft.status = {};
  },
  validate: (draft) => validateClaim(draft.spec, 'spec'),
  validateUpdate: (draft, current) =>
    isSame(draft.spec, current.spec) ? [] : [invalidValue('spec', draft.spec, 'field is immutable')],
  validateStatus,
  columns: [
    NAME,
    text<ResourceClaim>('State', 'A summary of the current state (allocated, pending, reserved, etc.).', stateOf),
    AGE,
  ],
};
