/** `rbac.authorization.k8s.io/v1 ClusterRoleBinding`. Who may is decided by `registry/rbac`, not here. */
import { CLUSTER_ROLE_BINDINGS, type ClusterRoleBinding } from '../../shared/api/rbac.ts';
import type { ResourceDefinition } from './definition.ts';
import {
  BINDING_COLUMNS,
  checkPathSegmentName,
  defaultBinding,
  forbidRoleRefChange,
  validateBinding,
} from './rbac-validation.ts';
import { ALL_VERBS } from './verbs.ts';

export const CLUSTER_ROLE_BINDINGS_DEFINITION: ResourceDefinition<ClusterRoleBinding> = {
  identity: CLUSTER_ROLE_BINDINGS,
  singular: 'clusterrolebinding',
  listKind: 'ClusterRoleBindingList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  default: defaultBinding,
  validate: (draft) => validateBinding(draft, false),
  validateUpdate: forbidRoleRefChange,
  validateName: checkPathSegmentName,
  columns: BINDING_COLUMNS,
};
