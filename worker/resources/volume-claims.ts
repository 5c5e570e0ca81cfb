/** What volumes and claims share: access modes, volume modes, node terms. Source: kubernetes, pkg/apis/core/validation. */
import type { StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';

const ACCESS_MODES: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const VOLUME_MODES = ['Block', 'Filesystem'];

/** `RWO,ROX`, each once, in upstream's order. */
export const formatAccessModes = (modes: readonly string[] | undefined): string =>
  Object.keys(ACCESS_MODES)
    .filter((mode) => modes?.includes(mode))
    .map((mode) => ACCESS_MODES[mode])
    .join(',');

export function validateAccessModes(modes: readonly string[] | undefined, path: string, detail = ''): StatusCause[] {
  if (!modes?.length) return [required(path, detail)];
  const causes = modes
    .filter((mode) => !Object.hasOwn(ACCESS_MODES, mode))
    .map((mode) => notSupported(path, mode, Object.keys(ACCESS_MODES).sort()));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    causes.push({
      reason: 'FieldValueForbidden',
      message: 'Forbidden: may not use ReadWriteOncePod with other access modes',
      field: path,
    });
  }
  return causes;
}

export const validateVolumeMode = (mode: string | undefined, path: string): StatusCause[] =>
  mode === undefined || VOLUME_MODES.includes(mode) ? [] : [notSupported(path, mode, VOLUME_MODES)];

export const validatePositive = (amount: string, path: string): StatusCause[] =>
  compareQuantities(amount, '0') > 0 ? [] : [invalidValue(path, amount, 'must be greater than zero')];
