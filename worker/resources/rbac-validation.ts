/**
 * What roles and bindings must be like, and the columns that they share.
 * Source: kubernetes, pkg/apis/rbac/validation and pkg/apis/rbac/v1/defaults.go
 */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import {
  type ClusterRoleBinding,
  type PolicyRule,
  RBAC_GROUP,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '../../shared/api/rbac.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { Column } from './definition.ts';
import { checkDNSSubdomain } from './names.ts';

/** Kubernetes: names of roles may have colons and capitals; they only have to fit into a path. */
export function checkPathSegmentName(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((each) => name.includes(each)).map((each) => `may not contain '${each}'`);
}

export function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean): StatusCause[] {
  return (rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${index}]`, namespaced));
}

function validateRule(rule: PolicyRule, field: string, namespaced: boolean): StatusCause[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const causes: StatusCause[] = [];
  if (verbs.length === 0) causes.push(required(`${field}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    const refuse = (why: string) => causes.push(invalidValue(`${field}.nonResourceURLs`, nonResourceURLs, why));
    if (namespaced) refuse('namespaced rules cannot apply to non-resource URLs');
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      refuse('rules cannot apply to both regular resources and non-resource URLs');
    }
    return causes;
  }
  if (apiGroups.length === 0) {
    causes.push(required(`${field}.apiGroups`, 'resource rules must supply at least one api group'));
  }
  if (resources.length === 0) {
    causes.push(required(`${field}.resources`, 'resource rules must supply at least one resource'));
  }
  return causes;
}

type Binding = RoleBinding | ClusterRoleBinding;

export function defaultBinding(draft: Draft<Binding>): void {
  // Required, which validation says: what compares it before must find one.
  draft.roleRef ??= { apiGroup: RBAC_GROUP, name: '' } as RoleRef;
  if (!draft.roleRef.apiGroup) draft.roleRef.apiGroup = RBAC_GROUP;
  for (const subject of draft.subjects ?? []) {
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = RBAC_GROUP;
  }
}

export function validateBinding(draft: Draft<Binding>, namespaced: boolean): StatusCause[] {
  const { apiGroup, kind, name } = draft.roleRef ?? ({} as Partial<RoleRef>);
  const causes: StatusCause[] = [];
  if (apiGroup !== RBAC_GROUP) causes.push(notSupported('roleRef.apiGroup', apiGroup ?? '', [RBAC_GROUP]));
  const kinds = namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole'];
  if (!kinds.includes(kind ?? '')) causes.push(notSupported('roleRef.kind', kind ?? '', kinds));
  if (!name) causes.push(required('roleRef.name'));
  else causes.push(...checkPathSegmentName(name).map((why) => invalidValue('roleRef.name', name, why)));
  const subjects = draft.subjects ?? [];
  return [...causes, ...subjects.flatMap((each, index) => validateSubject(each, `subjects[${index}]`, namespaced))];
}

function validateSubject(subject: Subject, field: string, namespaced: boolean): StatusCause[] {
  const { kind, name, namespace, apiGroup = '' } = subject;
  const causes: StatusCause[] = name ? [] : [required(`${field}.name`)];
  switch (kind) {
    case 'ServiceAccount':
      if (name) causes.push(...checkDNSSubdomain(name).map((why) => invalidValue(`${field}.name`, name, why)));
      if (apiGroup !== '') causes.push(notSupported(`${field}.apiGroup`, apiGroup, ['']));
      if (!namespaced && !namespace) causes.push(required(`${field}.namespace`));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== RBAC_GROUP) causes.push(notSupported(`${field}.apiGroup`, apiGroup, [RBAC_GROUP]));
      break;
    default:
      causes.push(notSupported(`${field}.kind`, kind, ['Group', 'ServiceAccount', 'User']));
  }
  return causes;
}

export function forbidRoleRefChange(draft: Binding, current: Binding): StatusCause[] {
  const { roleRef } = draft;
  const same = (['apiGroup', 'kind', 'name'] as const).every((each) => roleRef[each] === current.roleRef[each]);
  return same ? [] : [invalidValue('roleRef', roleRef, 'cannot change roleRef')];
}

const namesOf = (binding: Binding, kind: Subject['kind']): string =>
  (binding.subjects ?? [])
    .filter((each) => each.kind === kind)
    .map((each) => (kind === 'ServiceAccount' ? `${each.namespace ?? ''}/${each.name}` : each.name))
    .join(', ');

export const ROLE_COLUMNS: readonly Column[] = [
  NAME,
  {
    name: 'Created At',
    type: 'date',
    description: AGE.description,
    priority: 0,
    value: (object) => object.metadata.creationTimestamp,
  },
];

export const BINDING_COLUMNS: readonly Column<Binding>[] = [
  NAME,
  text<Binding>(
    'Role',
    'RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
    ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`,
  ),
  AGE,
  text<Binding>('Users', 'Users in the roleBinding', (binding) => namesOf(binding, 'User'), true),
  text<Binding>('Groups', 'Groups in the roleBinding', (binding) => namesOf(binding, 'Group'), true),
  text<Binding>(
    'ServiceAccounts',
    'ServiceAccounts in the roleBinding',
    (binding) => namesOf(binding, 'ServiceAccount'),
    true,
  ),
];
