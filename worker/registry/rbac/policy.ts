/**
 * Who has which rules: all roles and bindings of a cluster, compiled for looking up by subject. What a rule allows is
 * `rules.ts`.
 *
 * Never stale: every write passes through the store, and the commit that touches a role or a binding drops what is held
 * here. Rebuilt on the next question, also after an eviction: bindings are read once, a role when a binding leads to it.
 * Source: kubernetes, pkg/registry/rbac/validation/rule.go and plugin/pkg/auth/authorizer/rbac
 */
import { groupResourceOf, type KubeObject } from '../../../shared/api/meta.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  type ClusterRoleBinding,
  type PolicyRule,
  ROLE_BINDINGS,
  ROLES,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '../../../shared/api/rbac.ts';
import type { Reader, Store } from '../../store/store.ts';
import type { UserInfo } from '../../users.ts';
import { type AccessRequest, ruleAllows } from './rules.ts';

export interface Decision {
  allowed: boolean;
  /** Why, as the API says it; '' when there is nothing to say. */
  reason: string;
}

export interface Policy {
  decide(user: UserInfo, request: AccessRequest): Decision;
  /** Everything that a user may in a namespace ('': at the cluster scope), and what kept roles from being read. */
  rulesFor(user: UserInfo, namespace: string): { rules: PolicyRule[]; errors: string[] };
  /** @returns undefined for a role that does not exist. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
}

/** One subject of one binding. */
interface Grant {
  binding: RoleBinding | ClusterRoleBinding;
  /** '' for a ClusterRoleBinding. */
  namespace: string;
  subject: Subject;
  /** Among all bindings, in the order in which they are looked at. */
  position: number;
}

type Grants = Map<string, Grant[]>;

const RESOURCES = new Set([CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS].map(groupResourceOf));
const held = new WeakMap<Store, { policy: Policy | undefined }>();

/** The policy as it is committed. Not for use inside a transaction: what that has not committed may never be. */
export function policyOf(store: Store): Policy {
  let cell = held.get(store);
  if (cell === undefined) {
    const made: { policy: Policy | undefined } = { policy: undefined };
    store.onCommit((changes) => {
      if (changes.some((change) => RESOURCES.has(change.resource))) made.policy = undefined;
    });
    held.set(store, made);
    cell = made;
  }
  cell.policy ??= compilePolicy(store);
  return cell.policy;
}

/** @param reader must not change while the policy is in use: roles are read as they are needed. */
export function compilePolicy(reader: Reader): Policy {
  const everywhere: Grants = new Map();
  const within = new Map<string, Grants>();
  let position = 0;
  for (const binding of readAll<ClusterRoleBinding>(reader, groupResourceOf(CLUSTER_ROLE_BINDINGS))) {
    addGrants(everywhere, binding, '', position++);
  }
  for (const binding of readAll<RoleBinding>(reader, groupResourceOf(ROLE_BINDINGS))) {
    const { namespace = '' } = binding.metadata;
    let grants = within.get(namespace);
    if (grants === undefined) {
      grants = new Map();
      within.set(namespace, grants);
    }
    addGrants(grants, binding, namespace, position++);
  }
  const roles = new Map<string, readonly PolicyRule[] | undefined>();

  function rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const scope = roleRef.kind === 'Role' ? namespace : '';
    const key = `${roleRef.kind} ${scope}/${roleRef.name}`;
    if (!roles.has(key)) roles.set(key, readRules(reader, roleRef, scope));
    return roles.get(key);
  }

  function grantsOf(user: UserInfo, namespace: string): Grant[] {
    const subjects = [userKey(user.username), ...user.groups.map(groupKey)];
    const local = namespace === '' ? undefined : within.get(namespace);
    const found = new Map<number, Grant>();
    for (const key of subjects) {
      for (const grant of [...(everywhere.get(key) ?? []), ...(local?.get(key) ?? [])]) {
        if (!found.has(grant.position)) found.set(grant.position, grant);
      }
    }
    return [...found.values()].sort((one, other) => one.position - other.position);
  }

  return {
    rulesOf,
    decide(user, request) {
      const errors: string[] = [];
      for (const grant of grantsOf(user, request.isResource ? request.namespace : '')) {
        const rules = rulesOf(grant.binding.roleRef, grant.namespace);
        if (rules === undefined) errors.push(noSuchRole(grant.binding.roleRef));
        else if (rules.some((rule) => ruleAllows(rule, request))) {
          return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` };
        }
      }
      return { allowed: false, reason: errors.length === 0 ? '' : `RBAC: ${aggregate(errors)}` };
    },
    rulesFor(user, namespace) {
      const rules: PolicyRule[] = [];
      const errors: string[] = [];
      for (const grant of grantsOf(user, namespace)) {
        const found = rulesOf(grant.binding.roleRef, grant.namespace);
        if (found === undefined) errors.push(noSuchRole(grant.binding.roleRef));
        else rules.push(...found);
      }
      return { rules, errors: [...new Set(errors)] };
    },
  };
}

function* readAll<T extends KubeObject>(reader: Reader, resource: string): Generator<T> {
  for (const stored of reader.list({ resource }).items) yield JSON.parse(stored.text) as T;
}

function readRules(reader: Reader, { kind, name }: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
  const resource = groupResourceOf(kind === 'Role' ? ROLES : CLUSTER_ROLES);
  const stored = reader.get({ resource, namespace, name });
  return stored === undefined ? undefined : ((JSON.parse(stored.text) as { rules?: PolicyRule[] }).rules ?? []);
}

// ---- Subjects -------------------------------------------------------------------------------------------------------

const userKey = (name: string): string => `user ${name}`;
const groupKey = (name: string): string => `group ${name}`;

function addGrants(grants: Grants, binding: Grant['binding'], namespace: string, position: number): void {
  for (const subject of binding.subjects ?? []) {
    const key = keyOf(subject, namespace);
    if (key === undefined) continue;
    const known = grants.get(key);
    const grant = { binding, namespace, subject, position };
    if (known === undefined) grants.set(key, [grant]);
    else known.push(grant);
  }
}

function keyOf(subject: Subject, bindingNamespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return userKey(subject.name);
    case 'Group':
      return groupKey(subject.name);
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return namespace === '' ? undefined : userKey(`system:serviceaccount:${namespace}:${subject.name}`);
    }
    default:
      return undefined;
  }
}

// ---- In words -------------------------------------------------------------------------------------------------------

const noSuchRole = ({ kind, name }: RoleRef): string =>
  `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;

/** As apimachinery's Aggregate says several errors. */
export function aggregate(errors: readonly string[]): string {
  const unique = [...new Set(errors)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}

function describe({ binding, namespace, subject }: Grant): string {
  const { roleRef, metadata } = binding;
  const of = `of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${describeSubject(subject, namespace)}`;
  return namespace === ''
    ? `ClusterRoleBinding ${JSON.stringify(metadata.name)} ${of}`
    : `RoleBinding ${JSON.stringify(`${metadata.name}/${namespace}`)} ${of}`;
}

function describeSubject({ kind, name, namespace }: Subject, bindingNamespace: string): string {
  if (kind !== 'ServiceAccount') return `${kind} ${JSON.stringify(name)}`;
  return `${kind} ${JSON.stringify(`${name}/${namespace || bindingNamespace}`)}`;
}
