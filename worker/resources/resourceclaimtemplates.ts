/** `resource.k8s.io/v1 ResourceClaimTemplate`. Source: kubernetes, pkg/apis/resource/validation. */
import { RESOURCE_CLAIM_TEMPLATES, type ResourceClaimTemplate } from '../../shared/api/resource.ts';
import { invalidValue } from '../../shared/errors.ts';
import { AGE, NAME } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultClaim, validateClaim } from './device-validation.ts';
import { ALL_VERBS } from './verbs.ts';

export const RESOURCE_CLAIM_TEMPLATES_DEFINITION: ResourceDefinition<ResourceClaimTemplate> = {
  identity: RESOURCE_CLAIM_TEMPLATES,
  singular: 'resourceclaimtemplate',
  listKind: 'ResourceClaimTemplateList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  generation: false,
  unconditionalUpdate: true,
  default: (draft) => defaultClaim(draft.spec?.spec),
  validate: (draft) => validateClaim(draft.spec?.spec, 'spec.spec'),
  validateUpdate: (draft, current) =>
    isSame(draft.spec, current.spec) ? [] : [invalidValue('spec', draft.spec, 'field is immutable')],
  columns: [NAME, AGE],
};
