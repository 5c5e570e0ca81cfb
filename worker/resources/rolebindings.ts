/** `rbac.authorization.k8s.io/v1 RoleBinding`. Who may is decided by `registry/rbac`, not here. */
import { ROLE_BINDINGS, type RoleBinding } from '../../shared/api/rbac.ts';
import type { ResourceDefinition } from './definition.ts';
import {
  BINDING_COLUMNS,
  checkPathSegmentName,
  defaultBinding,
  forbidRoleRefChange,
  validateBinding,
} from './rbac-validation.ts';
import { ALL_VERBS } from './verbs.ts';

export const ROLE_BINDINGS_DEFINITION: ResourceDefinition<RoleBinding> = {
  identity: ROLE_BINDINGS,
  singular: 'rolebinding',
  listKind: 'RoleBindingList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  default: defaultBinding,
  validate: (draft) => validateBinding(draft, true),
  validateUpdate: forbidRoleRefChange,
  validateName: checkPathSegmentName,
  columns: BINDING_COLUMNS,
};
