/**
 * The query of a write: dry run, field validation, field manager. Source: apimachinery, pkg/apis/meta/v1/validation.
 */

import type { DeleteOptions, StatusCause } from '../../shared/api/meta.ts';
import { badRequest, invalid, invalidValue, notSupported, required } from '../../shared/errors.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface WriteOptions {
  dryRun: boolean;
  fieldValidation: FieldValidation;
  /** The query's, or the client's name up to its first slash. */
  fieldManager: string;
  force: boolean | undefined;
}

const MAX_MANAGER = 128;

/** @param kind CreateOptions, UpdateOptions or PatchOptions. @throws StatusError 422 */
export function parseWriteOptions(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  userAgent: string,
  patchType = '',
): WriteOptions {
  const causes: StatusCause[] = [];
  const dryRun = query.getAll('dryRun').filter((each) => each !== '');
  if (dryRun.some((each) => each !== 'All')) causes.push(notSupported('dryRun', dryRun, ['All']));
  const manager = query.get('fieldManager') ?? '';
  if (manager.length > MAX_MANAGER) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${MAX_MANAGER} bytes`,
      field: 'fieldManager',
    });
  }
  if ([...manager].some((each) => each < ' ' || each === '\u007f')) {
    causes.push(invalidValue('fieldManager', manager, 'should only contain printable characters'));
  }
  const validation = query.get('fieldValidation') ?? '';
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation)) {
    causes.push(notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  const force = query.get('force');
  const apply = patchType === 'application/apply-patch+yaml';
  if (kind === 'PatchOptions') {
    if (apply && manager === '') causes.push(required('fieldManager', 'is required for apply patch'));
    if (!apply && force !== null) {
      causes.push({
        reason: 'FieldValueForbidden',
        message: 'Forbidden: may not be specified for non-apply patch',
        field: 'force',
      });
    }
  }
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', causes);
  return {
    dryRun: dryRun.length > 0,
    fieldValidation: validation === '' ? 'Warn' : (validation as FieldValidation),
    fieldManager: manager === '' ? (userAgent.split('/')[0] ?? '').slice(0, MAX_MANAGER) : manager,
    force: force === null ? undefined : force === 'true' || force === '1',
  };
}

/** DeleteOptions of a DELETE without a body. @throws StatusError 400 */
export function deleteOptionsOf(query: URLSearchParams): DeleteOptions {
  const options: DeleteOptions = {};
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && grace !== '') {
    if (!/^-?\d{1,15}$/.test(grace)) {
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
    }
    options.gracePeriodSeconds = Number(grace);
  }
  const policy = query.get('propagationPolicy');
  if (policy) options.propagationPolicy = policy as NonNullable<DeleteOptions['propagationPolicy']>;
  const orphan = query.get('orphanDependents');
  if (orphan !== null) options.orphanDependents = orphan !== 'false' && orphan !== '0';
  const dryRun = query.getAll('dryRun').filter((each) => each !== '');
  if (dryRun.length > 0) options.dryRun = dryRun;
  return options;
}
