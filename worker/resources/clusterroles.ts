/** `rbac.authorization.k8s.io/v1 ClusterRole`. Who may is decided by `registry/rbac`, not here. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { CLUSTER_ROLES, type ClusterRole } from '../../shared/api/rbac.ts';
import { required } from '../../shared/errors.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkPathSegmentName, ROLE_COLUMNS, validateRules } from './rbac-validation.ts';
import { ALL_VERBS } from './verbs.ts';

/** Finds the roles that are made of others. */
export const AGGREGATED_ENTRY = { index: 'aggregated', value: 'true' };

function validate(draft: Draft<ClusterRole>): StatusCause[] {
  const { aggregationRule, rules } = draft;
  const causes = validateRules(rules, false);
  if (aggregationRule !== undefined && (aggregationRule.clusterRoleSelectors ?? []).length === 0) {
    const why = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
    causes.push(required('aggregationRule.clusterRoleSelectors', why));
  }
  return causes;
}

export const CLUSTER_ROLES_DEFINITION: ResourceDefinition<ClusterRole> = {
  identity: CLUSTER_ROLES,
  singular: 'clusterrole',
  listKind: 'ClusterRoleList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  validate,
  validateName: checkPathSegmentName,
  entries: (object) => (object.aggregationRule === undefined ? [] : [AGGREGATED_ENTRY]),
  columns: ROLE_COLUMNS,
};
