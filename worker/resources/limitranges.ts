/** `v1 LimitRange`. What it does to pods and claims is `admission/limit-ranger.ts`. Source: kubernetes, ValidateLimitRange. */
import { LIMIT_RANGES, type LimitRange, type LimitRangeItem } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, required } from '../../shared/errors.ts';
import { compareQuantities, quantityMilliValue } from '../../shared/quantity.ts';
import { CREATED_AT, NAME } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const TYPES = ['Container', 'PersistentVolumeClaim', 'Pod'];
const STANDARD_RESOURCES = ['cpu', 'ephemeral-storage', 'memory', 'storage'];
const LISTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function applyDefaults(draft: Draft<LimitRange>): void {
  for (const item of draft.spec?.limits ?? []) {
    // Required, which validation says: what reads it before must find one.
    item.type ??= '';
    if (item.type !== 'Container') continue;
    const limits = { ...item.max, ...item.default };
    if (Object.keys(limits).length > 0) item.default = limits;
    const requests = { ...item.min, ...item.default, ...item.defaultRequest };
    if (Object.keys(requests).length > 0) item.defaultRequest = requests;
  }
}

const isStandard = (name: string): boolean => STANDARD_RESOURCES.includes(name) || name.startsWith('hugepages-');

function validateNames(item: LimitRangeItem, path: string): StatusCause[] {
  return LISTS.flatMap((list) =>
    Object.keys(item[list] ?? {}).flatMap((name) => {
      const at = `${path}.${list}[${name}]`;
      const causes = checkQualifiedName(name).map((message) => invalidValue(at, name, message));
      if (causes.length > 0 || name.includes('/') || item.type.includes('/') || isStandard(name)) return causes;
      const text = `must be a standard resource type or fully qualified`;
      return [invalidValue(at, name, text)];
    }),
  );
}

/** Amounts of one resource in the order that they must have. */
function validateOrder(item: LimitRangeItem, name: string, path: string): StatusCause[] {
  const { [name]: max } = item.max ?? {};
  const { [name]: min } = item.min ?? {};
  const { [name]: limit } = item.default ?? {};
  const { [name]: request } = item.defaultRequest ?? {};
  const { [name]: ratio } = item.maxLimitRequestRatio ?? {};
  const causes: StatusCause[] = [];
  const order = (list: string, value: string, low: [string, string?], high: [string, string?]): void => {
    if (low[1] === undefined || high[1] === undefined || compareQuantities(low[1], high[1]) <= 0) return;
    const text = `${low[0]} value ${low[1]} is greater than ${high[0]} value ${high[1]}`;
    causes.push(invalidValue(`${path}.${list}[${name}]`, value, text));
  };
  order('min', min ?? '', ['min', min], ['max', max]);
  order('defaultRequest', request ?? '', ['min', min], ['default request', request]);
  order('defaultRequest', request ?? '', ['default request', request], ['max', max]);
  order('defaultRequest', request ?? '', ['default request', request], ['default limit', limit]);
  order('default', min ?? '', ['min', min], ['default', limit]);
  order('default', max ?? '', ['default', limit], ['max', max]);
  if (ratio === undefined) return causes;
  const at = `${path}.maxLimitRequestRatio[${name}]`;
  if (compareQuantities(ratio, '1') < 0) causes.push(invalidValue(at, ratio, `ratio ${ratio} is less than 1`));
  if (min === undefined || max === undefined || quantityMilliValue(min) === 0) return causes;
  const most = quantityMilliValue(max) / quantityMilliValue(min);
  if (quantityMilliValue(ratio) / 1000 > most) {
    causes.push(invalidValue(at, ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`));
  }
  return causes;
}

function validate(draft: Draft<LimitRange>): StatusCause[] {
  const seen = new Set<string>();
  return (draft.spec?.limits ?? []).flatMap((item, index) => {
    const path = `spec.limits[${index}]`;
    const causes = checkQualifiedName(item.type).map((message) => invalidValue(`${path}.type`, item.type, message));
    if (causes.length === 0 && !item.type.includes('/') && !TYPES.includes(item.type)) {
      causes.push(invalidValue(`${path}.type`, item.type, 'must be a standard limit type or fully qualified'));
    }
    if (seen.has(item.type)) causes.push(duplicateValue(`${path}.type`, item.type));
    seen.add(item.type);
    causes.push(...validateNames(item, path));
    if (item.type === 'Pod') {
      for (const list of ['default', 'defaultRequest'] as const) {
        if (Object.keys(item[list] ?? {}).length > 0) {
          causes.push(forbiddenField(`${path}.${list}`, "may not be specified when `type` is 'Pod'"));
        }
      }
    }
    if (item.type === 'PersistentVolumeClaim' && !item.min?.storage && !item.max?.storage) {
      const text = 'either minimum or maximum storage value is required, but neither was provided';
      causes.push(required(`${path}.limits`, text));
    }
    const names = new Set(LISTS.flatMap((list) => Object.keys(item[list] ?? {})));
    return [...causes, ...[...names].sort().flatMap((name) => validateOrder(item, name, path))];
  });
}

export const LIMIT_RANGES_DEFINITION: ResourceDefinition<LimitRange> = {
  identity: LIMIT_RANGES,
  singular: 'limitrange',
  listKind: 'LimitRangeList',
  shortNames: ['limits'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.LimitRange',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  validate,
  columns: [NAME, CREATED_AT],
};
