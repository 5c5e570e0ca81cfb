/** Rules for amounts that are a count or a share in per cent: `maxUnavailable: 25%`. Source: kubernetes, pkg/apis/apps/validation. */
import type { IntOrString, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue } from '../../shared/errors.ts';
import { validateCount } from './workloads.ts';

const NOT_A_PERCENTAGE =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

const percentOf = (value: IntOrString): number | undefined =>
  typeof value === 'string' && /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : undefined;

/** @param atMostAll whether more than 100% makes no sense. */
export function validateAmount(value: IntOrString | undefined, path: string, atMostAll: boolean): StatusCause[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return validateCount(value, path);
  const percent = percentOf(value);
  if (percent === undefined) return [invalidValue(path, value, NOT_A_PERCENTAGE)];
  return atMostAll && percent > 100 ? [invalidValue(path, value, 'must not be greater than 100%')] : [];
}

export const isZeroAmount = (value: IntOrString | undefined): boolean =>
  value === 0 || (value !== undefined && percentOf(value) === 0);
