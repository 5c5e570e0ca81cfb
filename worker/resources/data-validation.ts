/** Rules that ConfigMaps and Secrets share: size, and the `immutable` mark. */
import type { KubeObject, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField } from '../../shared/errors.ts';

/** Of all values together, decoded. */
export const MAX_DATA_BYTES = 1024 * 1024;

const TEXT = 'field is immutable when `immutable` is set';

const canonical = (value: unknown): string =>
  JSON.stringify(value ?? {}, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
      : each,
  );

/** Deep equality where the order of keys does not count. */
export const isSame = (left: unknown, right: unknown): boolean => canonical({ v: left }) === canonical({ v: right });

export function forbidImmutableChange<T extends KubeObject & { immutable?: boolean }>(
  draft: T,
  current: T,
  fields: readonly (keyof T & string)[],
): StatusCause[] {
  if (current.immutable !== true) return [];
  const causes: StatusCause[] = [];
  if (draft.immutable !== true) causes.push(forbiddenField('immutable', TEXT));
  for (const field of fields) {
    if (!isSame(draft[field] ?? {}, current[field] ?? {})) causes.push(forbiddenField(field, TEXT));
  }
  return causes;
}
