/**
 * An audit policy: whether a value is one, and what it says of a request. Pure; read by whoever starts a control plane and by
 * the Worker, which is `worker/http/audit/`. Other than upstream, a field that no policy has is refused: a rule with a
 * misspelt condition would match everything.
 * Source: k8s.io/apiserver/pkg/apis/audit/validation, pkg/audit/policy
 */
import {
  AUDIT_API_VERSION,
  AUDIT_LEVELS,
  AUDIT_STAGES,
  type AuditLevel,
  type AuditPolicy,
  type AuditRule,
  type AuditStage,
} from './api/audit.ts';

export class AuditPolicyError extends Error {}

type Check = (value: unknown, path: string, report: (problem: string) => void) => void;
type Members = Record<string, unknown>;

const isMap = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text: Check = (value, path, report) => {
  if (typeof value !== 'string') report(`${path}: must be a string`);
};
const flag: Check = (value, path, report) => {
  if (typeof value !== 'boolean') report(`${path}: must be true or false`);
};
const oneOf =
  (allowed: readonly string[]): Check =>
  (value, path, report) => {
    if (allowed.includes(value as string)) return;
    const names = allowed.map((each) => JSON.stringify(each)).join(', ');
    report(`${path}: Unsupported value: ${JSON.stringify(value)}: supported values: ${names}`);
  };
const list =
  (check: Check): Check =>
  (value, path, report) => {
    if (!Array.isArray(value)) report(`${path}: must be a list`);
    else for (const [index, each] of value.entries()) check(each, `${path}[${index}]`, report);
  };

function object(fields: Record<string, Check>, required: readonly string[] = []): Check {
  return (value, path, report) => {
    if (!isMap(value)) return report(`${path || 'policy'}: must be an object`);
    const at = (name: string) => (path === '' ? name : `${path}.${name}`);
    for (const name of required) if (value[name] === undefined) report(`${at(name)}: Required value`);
    for (const [name, member] of Object.entries(value)) {
      const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (check === undefined) report(`unknown field "${at(name)}"`);
      else if (member !== null) check(member, at(name), report);
    }
  };
}

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const group: Check = (value, path, report) => {
  if (typeof value !== 'string' || (value !== '' && value !== '*' && !SUBDOMAIN.test(value)))
    report(`${path}: Invalid value: ${JSON.stringify(value)}: a lowercase RFC 1123 subdomain, "*" or ""`);
};

const url: Check = (value, path, report) => {
  if (value === '*') return;
  const shown = `${path}: Invalid value: ${JSON.stringify(value)}`;
  if (typeof value !== 'string' || !value.startsWith('/'))
    return report(`${shown}: non-resource URL rules must begin with a '/' character`);
  if (value.slice(0, -1).includes('*'))
    report(`${shown}: non-resource URL wildcards '*' must be the final character of the rule`);
};

const groupResources: Check = (value, path, report) => {
  object({ group, resources: list(text), resourceNames: list(text) })(value, path, report);
  const { resources, resourceNames } = value as Members;
  if (Array.isArray(resourceNames) && resourceNames.length > 0 && !(Array.isArray(resources) && resources.length > 0))
    report(`${path}.resourceNames: using resourceNames requires at least one resource`);
};

const ruleFields = object(
  {
    level: oneOf(AUDIT_LEVELS),
    users: list(text),
    userGroups: list(text),
    verbs: list(text),
    resources: list(groupResources),
    namespaces: list(text),
    nonResourceURLs: list(url),
    omitStages: list(oneOf(AUDIT_STAGES)),
    omitManagedFields: flag,
  },
  ['level'],
);

const has = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

const rule: Check = (value, path, report) => {
  ruleFields(value, path, report);
  const { nonResourceURLs, resources, namespaces } = isMap(value) ? value : {};
  if (has(nonResourceURLs) && (has(resources) || has(namespaces)))
    report(`${path}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`);
};

const policyFields = object(
  {
    kind: oneOf(['Policy']),
    apiVersion: oneOf([AUDIT_API_VERSION]),
    metadata: () => {},
    rules: list(rule),
    omitStages: list(oneOf(AUDIT_STAGES)),
    omitManagedFields: flag,
  },
  ['kind', 'apiVersion', 'rules'],
);

/** @param value what the policy's YAML or JSON holds. @throws AuditPolicyError naming every field that is wrong. */
export function auditPolicyOf(value: unknown): AuditPolicy {
  const problems: string[] = [];
  policyFields(value, '', (problem) => problems.push(problem));
  if (problems.length === 0 && !has((value as AuditPolicy).rules)) problems.push('loaded illegal policy with 0 rules');
  if (problems.length > 0) throw new AuditPolicyError(problems.join('; '));
  return value as AuditPolicy;
}

/** What a rule looks at. */
export interface AuditedRequest {
  /** Undefined: nobody that is known. */
  user: { username: string; groups: readonly string[] } | undefined;
  verb: string;
  isResource: boolean;
  path: string;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
}

export interface AuditConfig {
  level: AuditLevel;
  omitStages: ReadonlySet<AuditStage>;
  omitManagedFields: boolean;
}

export function auditConfigFor(policy: AuditPolicy, request: AuditedRequest): AuditConfig {
  const found = policy.rules.find((each) => matches(each, request));
  return {
    level: found?.level ?? 'None',
    omitStages: new Set([...(policy.omitStages ?? []), ...(found?.omitStages ?? [])]),
    omitManagedFields: found?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const listed = (names: readonly string[] | null | undefined, value: string): boolean =>
  !names || names.length === 0 || names.includes(value);

function matches(rule: AuditRule, request: AuditedRequest): boolean {
  const { user } = request;
  if (has(rule.users) && (user === undefined || !listed(rule.users, user.username))) return false;
  if (has(rule.userGroups) && !user?.groups.some((each) => rule.userGroups?.includes(each))) return false;
  if (!listed(rule.verbs, request.verb)) return false;
  if (has(rule.namespaces) || has(rule.resources)) return request.isResource && matchesResource(rule, request);
  if (has(rule.nonResourceURLs)) return !request.isResource && matchesUrl(rule.nonResourceURLs ?? [], request.path);
  return true;
}

const matchesUrl = (urls: readonly string[], path: string): boolean =>
  urls.some((each) => each === path || (each.endsWith('*') && path.startsWith(each.slice(0, -1))));

function matchesResource(rule: AuditRule, request: AuditedRequest): boolean {
  if (!listed(rule.namespaces, request.namespace)) return false;
  if (!has(rule.resources)) return true;
  return (rule.resources ?? []).some((each) => {
    if (each.group !== '*' && (each.group ?? '') !== request.group) return false;
    if (!has(each.resources)) return true;
    return listed(each.resourceNames, request.name) && (each.resources ?? []).some((name) => names(name, request));
  });
}

/** `pods`, `pods/log`, `pods/*`, any `scale`, `*`. */
function names(pattern: string, { resource, subresource }: AuditedRequest): boolean {
  if (pattern === '*') return true;
  if (pattern === (subresource === '' ? resource : `${resource}/${subresource}`)) return true;
  if (subresource !== '' && pattern === `*/${subresource}`) return true;
  return pattern === `${resource}/*`;
}
