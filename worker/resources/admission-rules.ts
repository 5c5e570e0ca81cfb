/**
 * What webhooks and admission policies share: which requests a rule speaks of, and match conditions; their defaults and
 * their validation. Whether a request matches is `admission/matching.ts`.
 * Source: kubernetes, pkg/apis/admissionregistration/validation
 */
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../../shared/api/admissionregistration.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { CelCompileError, type CelEnvironment } from './cel.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkQualifiedName } from './names.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
export const FAILURE_POLICIES = ['Fail', 'Ignore'];
export const MATCH_POLICIES = ['Equivalent', 'Exact'];
const MAX_CONDITIONS = 64;

export function defaultRule(rule: RuleWithOperations): void {
  rule.scope ||= '*';
}

export function defaultMatchResources(resources: MatchResources): void {
  resources.matchPolicy ||= 'Equivalent';
  resources.namespaceSelector ??= {};
  resources.objectSelector ??= {};
  for (const rule of [...(resources.resourceRules ?? []), ...(resources.excludeResourceRules ?? [])]) defaultRule(rule);
}

function validateAlone(values: readonly string[] | undefined, path: string, what: string): StatusCause[] {
  if (!values?.length) return [required(path)];
  const alone = values.includes('*') && values.length > 1;
  return alone ? [invalidValue(path, values, `if '*' is present, must not specify other ${what}`)] : [];
}

function validateResources(resources: readonly string[] | undefined, path: string): StatusCause[] {
  if (!resources?.length) return [required(path)];
  const causes: StatusCause[] = [];
  const whole = new Set<string>();
  const parts = new Set<string>();
  for (const [index, resource] of resources.entries()) {
    const at = `${path}[${index}]`;
    if (resource === '') {
      causes.push(required(at));
      continue;
    }
    if (resource === '*/*' || !resource.includes('/')) continue;
    const [name = '', part = ''] = resource.split('/', 2);
    if (whole.has(name))
      causes.push(invalidValue(at, resource, `if '${name}/*' is present, must not specify ${resource}`));
    if (parts.has(part))
      causes.push(invalidValue(at, resource, `if '*/${part}' is present, must not specify ${resource}`));
    if (part === '*') whole.add(name);
    if (name === '*') parts.add(part);
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    causes.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes('*') && resources.some((each) => each !== '*' && !each.includes('/'))) {
    const why = "if '*' is present, must not specify other resources without subresources";
    causes.push(invalidValue(path, resources, why));
  }
  return causes;
}

export function validateRule(rule: RuleWithOperations, path: string): StatusCause[] {
  const causes = validateAlone(rule.operations, `${path}.operations`, 'operations');
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (!OPERATIONS.includes(operation))
      causes.push(notSupported(`${path}.operations[${index}]`, operation, OPERATIONS));
  }
  causes.push(...validateAlone(rule.apiGroups, `${path}.apiGroups`, 'API groups'));
  causes.push(...validateAlone(rule.apiVersions, `${path}.apiVersions`, 'API versions'));
  for (const [index, version] of (rule.apiVersions ?? []).entries()) {
    if (version === '') causes.push(required(`${path}.apiVersions[${index}]`));
  }
  causes.push(...validateResources(rule.resources, `${path}.resources`));
  if (rule.scope !== undefined && !SCOPES.includes(rule.scope)) {
    causes.push(notSupported(`${path}.scope`, rule.scope, SCOPES));
  }
  return causes;
}

function validateNamedRule(rule: NamedRuleWithOperations, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  for (const [index, name] of (rule.resourceNames ?? []).entries()) {
    const at = `${path}.resourceNames[${index}]`;
    if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) {
      causes.push(invalidValue(at, name, name === '' ? 'must not be empty' : `may not be '${name}'`));
    }
    if (seen.has(name)) causes.push(duplicateValue(at, name));
    seen.add(name);
  }
  return [...causes, ...validateRule(rule, path)];
}

export function validateMatchResources(resources: MatchResources, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (resources.matchPolicy !== undefined && !MATCH_POLICIES.includes(resources.matchPolicy)) {
    causes.push(notSupported(`${path}.matchPolicy`, resources.matchPolicy, MATCH_POLICIES));
  }
  if (resources.namespaceSelector === undefined) causes.push(required(`${path}.namespaceSelector`));
  else causes.push(...validateLabelSelector(resources.namespaceSelector, `${path}.namespaceSelector`));
  if (resources.objectSelector === undefined) causes.push(required(`${path}.objectSelector`));
  else causes.push(...validateLabelSelector(resources.objectSelector, `${path}.objectSelector`));
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [index, rule] of (resources[field] ?? []).entries()) {
      causes.push(...validateNamedRule(rule, `${path}.${field}[${index}]`));
    }
  }
  return causes;
}

/** @param results what the expression may evaluate to. */
export function validateExpression(
  environment: CelEnvironment,
  expression: string,
  path: string,
  results?: Parameters<CelEnvironment['compile']>[1],
): StatusCause[] {
  try {
    environment.compile(expression, results);
    return [];
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    const why = error.message.startsWith('ERROR: ') ? `compilation failed: ${error.message}` : error.message;
    return [invalidValue(path, expression, why)];
  }
}

export function validateMatchConditions(
  conditions: readonly MatchCondition[] | undefined,
  path: string,
  environment: CelEnvironment,
): StatusCause[] {
  const count = conditions?.length ?? 0;
  const causes: StatusCause[] = [];
  if (count > MAX_CONDITIONS) {
    const message = `Too many: ${count}: must have at most ${MAX_CONDITIONS} items`;
    causes.push({ reason: 'FieldValueTooMany', message, field: path });
  }
  const seen = new Set<string>();
  for (const [index, { name = '', expression = '' }] of (conditions ?? []).slice(0, MAX_CONDITIONS).entries()) {
    const at = `${path}[${index}]`;
    if (expression.trim() === '') causes.push(required(`${at}.expression`));
    else causes.push(...validateExpression(environment, expression, `${at}.expression`, ['bool']));
    if (name === '') causes.push(required(`${at}.name`));
    else for (const message of checkQualifiedName(name)) causes.push(invalidValue(`${at}.name`, name, message));
    if (name !== '' && seen.has(name)) causes.push(duplicateValue(`${at}.name`, name));
    seen.add(name);
  }
  return causes;
}
