/** `v1 ResourceQuota`. Who counts is `admission/resource-quota.ts`. Source: kubernetes, ValidateResourceQuota. */
import { RESOURCE_QUOTAS, type ResourceQuota } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'];
const COUNTED = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const STANDARD = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  'requests.storage',
  ...COUNTED,
]);
/** What a quota of these scopes may bound. */
const POD_RESOURCES = new Set([
  'pods',
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
]);
const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];
const VALUED_SCOPES = ['PriorityClass', 'VolumeAttributesClass'];
const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn'];
const IMMUTABLE = 'field is immutable';

const isCount = (name: string): boolean => COUNTED.includes(name) || name.startsWith('count/');

function validateAmounts(amounts: Record<string, string> | undefined, path: string): StatusCause[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const at = `${path}[${name}]`;
    const causes = checkQualifiedName(name).map((message) => invalidValue(at, name, message));
    if (!name.includes('/') && !STANDARD.has(name) && !/^(requests\.)?hugepages-/.test(name)) {
      causes.push(invalidValue(at, name, 'must be a standard resource for quotas'));
    }
    if (compareQuantities(amount, '0') < 0) {
      causes.push(invalidValue(at, amount, 'must be greater than or equal to 0'));
    }
    if (isCount(name) && !/^[+-]?\d+([kMGTPE]|[KMGTPE]i|[eE]\+?\d+)?$/.test(amount)) {
      causes.push(invalidValue(at, amount, 'must be an integer'));
    }
    return causes;
  });
}

function validateContradictions(scopes: readonly string[], path: string): StatusCause[] {
  const both = (left: string, right: string): boolean => scopes.includes(left) && scopes.includes(right);
  if (!both('BestEffort', 'NotBestEffort') && !both('Terminating', 'NotTerminating')) return [];
  return [invalidValue(path, scopes, 'conflicting scopes')];
}

function validateScopes(spec: ResourceQuota['spec']): StatusCause[] {
  const causes: StatusCause[] = [];
  const names = Object.keys(spec.hard ?? {});
  const scopes = spec.scopes ?? [];
  for (const scope of scopes) {
    if (!SCOPES.includes(scope)) causes.push(invalidValue('spec.scopes', scopes, 'unsupported scope'));
    const bounded = scope === 'BestEffort' ? (name: string) => name === 'pods' || name === 'count/pods' : isOfPods;
    if (names.some((name) => !bounded(name)) && scope !== 'VolumeAttributesClass') {
      causes.push(invalidValue('spec.scopes', scopes, 'unsupported scope applied to resource'));
    }
  }
  causes.push(...validateContradictions(scopes, 'spec.scopes'));
  for (const [index, each] of (spec.scopeSelector?.matchExpressions ?? []).entries()) {
    const at = `spec.scopeSelector.matchExpressions[${index}]`;
    if (!SCOPES.includes(each.scopeName))
      causes.push(invalidValue(`${at}.scopeName`, each.scopeName, 'unsupported scope'));
    if (!OPERATORS.includes(each.operator)) causes.push(notSupported(`${at}.operator`, each.operator, OPERATORS));
    const takesValues = each.operator === 'In' || each.operator === 'NotIn';
    const values = each.values ?? [];
    if (!VALUED_SCOPES.includes(each.scopeName) && each.operator !== 'Exists') {
      const why =
        "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      causes.push(invalidValue(`${at}.operator`, each.operator, why));
    } else if (takesValues && values.length === 0) {
      causes.push(
        required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
      );
    } else if (!takesValues && values.length > 0) {
      const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      causes.push(invalidValue(`${at}.values`, values, why));
    }
  }
  return causes;
}

const isOfPods = (name: string): boolean =>
  POD_RESOURCES.has(name) || name === 'count/pods' || /^(requests\.)?hugepages-/.test(name);

function validate(draft: Draft<ResourceQuota>): StatusCause[] {
  const { spec = {} } = draft;
  return [...validateAmounts(spec.hard, 'spec.hard'), ...validateScopes(spec)];
}

function validateStatus(draft: ResourceQuota): StatusCause[] {
  return [...validateAmounts(draft.status?.hard, 'status.hard'), ...validateAmounts(draft.status?.used, 'status.used')];
}

function validateUpdate(draft: ResourceQuota, current: ResourceQuota): StatusCause[] {
  const sorted = (quota: ResourceQuota): string[] => [...(quota.spec?.scopes ?? [])].sort();
  const causes: StatusCause[] = [];
  if (!isSame(sorted(draft), sorted(current))) {
    causes.push(invalidValue('spec.scopes', draft.spec?.scopes ?? null, IMMUTABLE));
  }
  if (!isSame(draft.spec?.scopeSelector ?? null, current.spec?.scopeSelector ?? null)) {
    causes.push(forbiddenField('spec.scopeSelector', IMMUTABLE));
  }
  return causes;
}

function usage({ status }: ResourceQuota, limits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter((name) => name.startsWith('limits.') === limits)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
    .join(', ');
}

export const RESOURCE_QUOTAS_DEFINITION: ResourceDefinition<ResourceQuota> = {
  identity: RESOURCE_QUOTAS,
  singular: 'resourcequota',
  listKind: 'ResourceQuotaList',
  shortNames: ['quota'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  generation: false,
  unconditionalUpdate: true,
  prepareCreate(draft) {
    draft.status = {};
  },
  validate,
  validateUpdate,
  validateStatus,
  columns: [
    NAME,
    text<ResourceQuota>(
      'Request',
      'Request represents a minimum amount of cpu/memory that a container may consume.',
      (quota) => usage(quota, false),
    ),
    text<ResourceQuota>(
      'Limit',
      'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.',
      (quota) => usage(quota, true),
    ),
    AGE,
  ],
};
