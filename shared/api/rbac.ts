/** `rbac.authorization.k8s.io/v1`. Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
import type { Identity, KubeObject, LabelSelector } from './meta.ts';

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Either resources (apiGroups and resources, maybe resourceNames) or nonResourceURLs. */
export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

export interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount';
  apiGroup?: string;
  name: string;
  /** Of a ServiceAccount. */
  namespace?: string;
}

export interface RoleRef {
  apiGroup: string;
  kind: 'Role' | 'ClusterRole';
  name: string;
}

export interface Role extends KubeObject {
  rules?: PolicyRule[];
}
export const ROLES: Identity<Role> = {
  group: RBAC_GROUP,
  version: 'v1',
  resource: 'roles',
  kind: 'Role',
  namespaced: true,
};

export interface ClusterRole extends KubeObject {
  rules?: PolicyRule[];
  /** The rules are those of all ClusterRoles that any of the selectors chooses. */
  aggregationRule?: { clusterRoleSelectors?: LabelSelector[] };
}
export const CLUSTER_ROLES: Identity<ClusterRole> = {
  group: RBAC_GROUP,
  version: 'v1',
  resource: 'clusterroles',
  kind: 'ClusterRole',
  namespaced: false,
};

export interface RoleBinding extends KubeObject {
  subjects?: Subject[];
  roleRef: RoleRef;
}
export const ROLE_BINDINGS: Identity<RoleBinding> = {
  group: RBAC_GROUP,
  version: 'v1',
  resource: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
};

export interface ClusterRoleBinding extends KubeObject {
  subjects?: Subject[];
  roleRef: RoleRef;
}
export const CLUSTER_ROLE_BINDINGS: Identity<ClusterRoleBinding> = {
  group: RBAC_GROUP,
  version: 'v1',
  resource: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
};
