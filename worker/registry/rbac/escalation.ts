/**
 * Nobody gives away rights that he does not have: who writes a role must hold all of its rules (or may `escalate` it), who
 * binds one likewise (or may `bind` it).
 * Source: kubernetes, pkg/registry/rbac/{clusterrole,role,clusterrolebinding,rolebinding}/policybased
 */
import type { KubeObject } from '../../../shared/api/meta.ts';
import {
  type ClusterRole,
  type PolicyRule,
  RBAC_GROUP,
  type Role,
  type RoleBinding,
  type RoleRef,
} from '../../../shared/api/rbac.ts';
import { forbidden, notFound } from '../../../shared/errors.ts';
import { copyJson } from '../json.ts';
import { sameObject } from '../metadata.ts';
import type { Session } from '../session.ts';
import type { Write } from '../write.ts';
import { aggregate, compilePolicy, type Policy } from './policy.ts';
import { describeRules, quoted, uncovered } from './rules.ts';

const EVERYTHING: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** @throws StatusError 403. For other resources, and for who may everything, it does nothing. */
export function forbidEscalation(session: Session, write: Write): void {
  const { definition, draft, current, operation } = write;
  if (definition.identity.group !== RBAC_GROUP || draft === undefined || operation === 'DELETE') return;
  if (session.user.groups.includes('system:masters')) return;
  if (current !== undefined && onlyCollectionChanges(draft, current)) return;
  // Compiled anew, for this transaction may have changed roles already; writes of roles are rare.
  const policy = compilePolicy(session.transaction);
  if (definition.identity.kind.endsWith('Binding')) checkBinding(session, policy, write, draft as RoleBinding);
  else checkRole(session, policy, write, draft);
}

/** Kubernetes: the garbage collector may take owners and finalizers off a role whose rules it does not hold. */
function onlyCollectionChanges(draft: KubeObject, current: KubeObject): boolean {
  const bare = (object: KubeObject): KubeObject => {
    const copy = copyJson(object);
    delete copy.metadata.ownerReferences;
    delete copy.metadata.finalizers;
    delete copy.metadata.managedFields;
    return copy;
  };
  return sameObject(bare(draft), bare(current));
}

function checkRole(session: Session, policy: Policy, write: Write, draft: Role | ClusterRole): void {
  const { namespace, definition, current } = write;
  if (mayOnRole(session, policy, 'escalate', definition.identity.resource, namespace, draft.metadata.name)) return;
  const aggregates = (role: KubeObject | undefined) => (role as ClusterRole | undefined)?.aggregationRule !== undefined;
  if (aggregates(draft) || aggregates(current)) {
    if (escalation(session, policy, namespace, EVERYTHING) !== undefined) {
      throw refusal(write, 'must have cluster-admin privileges to use the aggregationRule');
    }
  }
  const why = escalation(session, policy, namespace, draft.rules ?? []);
  if (why !== undefined) throw refusal(write, why);
}

function checkBinding(session: Session, policy: Policy, write: Write, draft: RoleBinding): void {
  const { namespace } = write;
  const { roleRef } = draft;
  const resource = roleRef?.kind === 'Role' ? 'roles' : 'clusterroles';
  if (roleRef === undefined || mayOnRole(session, policy, 'bind', resource, namespace, roleRef.name)) return;
  const rules = policy.rulesOf(roleRef, namespace);
  if (rules === undefined) throw notFound(namedRole(roleRef), roleRef.name);
  const why = escalation(session, policy, namespace, rules);
  if (why !== undefined) throw refusal(write, why);
}

const namedRole = ({ kind }: RoleRef) => ({ group: RBAC_GROUP, resource: `${kind.toLowerCase()}s` });

const refusal = ({ definition, draft }: Write, why: string) =>
  forbidden(definition.identity, draft?.metadata.name ?? '', why);

function mayOnRole(
  { user }: Session,
  policy: Policy,
  verb: 'bind' | 'escalate',
  resource: string,
  namespace: string,
  name: string,
): boolean {
  const request = { verb, isResource: true, group: RBAC_GROUP, resource, subresource: '', namespace, name, path: '' };
  return policy.decide(user, request).allowed;
}

/** Undefined: the caller holds all of these rules. */
function escalation(
  { user }: Session,
  policy: Policy,
  namespace: string,
  rules: readonly PolicyRule[],
): string | undefined {
  const held = policy.rulesFor(user, namespace);
  const missing = uncovered(held.rules, rules);
  if (missing.length === 0) return undefined;
  const who = `user ${JSON.stringify(user.username)} (groups=${quoted(user.groups)})`;
  const what = `${who} is attempting to grant RBAC permissions not currently held:\n${describeRules(missing).join('\n')}`;
  return held.errors.length === 0 ? what : `${what}; resolution errors: [${aggregate(held.errors)}]`;
}
