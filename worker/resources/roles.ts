/** `rbac.authorization.k8s.io/v1 Role`. Who may is decided by `registry/rbac`, not here. */
import { ROLES, type Role } from '../../shared/api/rbac.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkPathSegmentName, ROLE_COLUMNS, validateRules } from './rbac-validation.ts';
import { ALL_VERBS } from './verbs.ts';

export const ROLES_DEFINITION: ResourceDefinition<Role> = {
  identity: ROLES,
  singular: 'role',
  listKind: 'RoleList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.rbac.v1.Role',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  validate: (draft) => validateRules(draft.rules, true),
  validateName: checkPathSegmentName,
  columns: ROLE_COLUMNS,
};
