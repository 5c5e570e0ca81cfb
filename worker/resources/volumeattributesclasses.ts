/** `storage.k8s.io/v1 VolumeAttributesClass`. Source: kubernetes, ValidateVolumeAttributesClass. */
import type { StatusCause } from '../../shared/api/meta.ts';
import { VOLUME_ATTRIBUTES_CLASSES, type VolumeAttributesClass } from '../../shared/api/storage.ts';
import { forbiddenField, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateDriverName, validateParameters } from './storageclasses.ts';
import { ALL_VERBS } from './verbs.ts';

function validateUpdate(draft: VolumeAttributesClass, current: VolumeAttributesClass): StatusCause[] {
  return (['driverName', 'parameters'] as const)
    .filter((field) => !isSame(draft[field] ?? {}, current[field] ?? {}))
    .map((field) => forbiddenField(field, `updates to ${field} are forbidden.`));
}

export const VOLUME_ATTRIBUTES_CLASSES_DEFINITION: ResourceDefinition<VolumeAttributesClass> = {
  identity: VOLUME_ATTRIBUTES_CLASSES,
  singular: 'volumeattributesclass',
  listKind: 'VolumeAttributesClassList',
  shortNames: ['vac'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  generation: false,
  unconditionalUpdate: true,
  validate: (draft) => [
    ...validateDriverName(draft.driverName, 'driverName'),
    ...(Object.keys(draft.parameters ?? {}).length === 0
      ? [required('parameters', 'must contain at least one key/value pair')]
      : validateParameters(draft.parameters, 'parameters')),
  ],
  validateUpdate,
  columns: [
    NAME,
    text<VolumeAttributesClass>(
      'DriverName',
      'Name of the CSI driver This field is immutable.',
      ({ driverName }) => driverName,
    ),
    AGE,
  ],
};
