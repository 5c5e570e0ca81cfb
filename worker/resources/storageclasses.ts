/** `storage.k8s.io/v1 StorageClass`. Source: kubernetes, pkg/apis/storage/validation ValidateStorageClass. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { STORAGE_CLASSES, type StorageClass } from '../../shared/api/storage.ts';
import { forbiddenField, invalidValue, notSupported, required, tooLongValue } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const RECLAIM_POLICIES = ['Delete', 'Retain'];
const BINDING_MODES = ['Immediate', 'WaitForFirstConsumer'];
const MAX_PARAMETERS = 512;
const MAX_PARAMETER_BYTES = 256 * 1024;
/** On the class that claims without one get. */
const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

export function validateParameters(parameters: Record<string, string> | undefined, path: string): StatusCause[] {
  const entries = Object.entries(parameters ?? {});
  const causes: StatusCause[] = [];
  if (entries.length > MAX_PARAMETERS) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${MAX_PARAMETERS} bytes`,
      field: path,
    });
  }
  if (entries.some(([key]) => key === '')) causes.push(invalidValue(path, '', 'field can not be empty.'));
  const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return size > MAX_PARAMETER_BYTES ? [...causes, tooLongValue(path, MAX_PARAMETER_BYTES)] : causes;
}

export function validateDriverName(name: string | undefined, path: string): StatusCause[] {
  if (!name) return [required(path)];
  return checkQualifiedName(name.toLowerCase()).map((message) => invalidValue(path, name, message));
}

function validate(draft: Draft<StorageClass>): StatusCause[] {
  const causes = [
    ...validateDriverName(draft.provisioner, 'provisioner'),
    ...validateParameters(draft.parameters, 'parameters'),
  ];
  const policy = draft.reclaimPolicy ?? '';
  if (!RECLAIM_POLICIES.includes(policy)) causes.push(notSupported('reclaimPolicy', policy, RECLAIM_POLICIES));
  const mode = draft.volumeBindingMode ?? '';
  if (!BINDING_MODES.includes(mode)) causes.push(notSupported('volumeBindingMode', mode, BINDING_MODES));
  for (const [index, term] of (draft.allowedTopologies ?? []).entries()) {
    for (const [position, { key, values }] of (term.matchLabelExpressions ?? []).entries()) {
      const at = `allowedTopologies[${index}].matchLabelExpressions[${position}]`;
      for (const message of checkQualifiedName(key)) causes.push(invalidValue(`${at}.key`, key, message));
      if (!values?.length) causes.push(required(`${at}.values`));
    }
  }
  return causes;
}

function validateUpdate(draft: StorageClass, current: StorageClass): StatusCause[] {
  const fixed = (field: 'parameters' | 'provisioner' | 'reclaimPolicy' | 'volumeBindingMode') =>
    !isSame(draft[field] ?? {}, current[field] ?? {});
  const causes: StatusCause[] = [];
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
    if (fixed(field)) causes.push(forbiddenField(field, `updates to ${field} are forbidden.`));
  }
  if (fixed('volumeBindingMode')) {
    causes.push(invalidValue('volumeBindingMode', draft.volumeBindingMode ?? null, 'field is immutable'));
  }
  return causes;
}

export const STORAGE_CLASSES_DEFINITION: ResourceDefinition<StorageClass> = {
  identity: STORAGE_CLASSES,
  singular: 'storageclass',
  listKind: 'StorageClassList',
  shortNames: ['sc'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.storage.v1.StorageClass',
  generation: false,
  unconditionalUpdate: true,
  default(draft) {
    draft.reclaimPolicy ??= 'Delete';
    draft.volumeBindingMode ??= 'Immediate';
  },
  validate,
  validateUpdate,
  entries: ({ metadata }) =>
    metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true' ? [{ index: 'default', value: 'true' }] : [],
  columns: [
    {
      ...NAME,
      value: ({ metadata }) =>
        metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true' ? `${metadata.name} (default)` : metadata.name,
    },
    text<StorageClass>(
      'Provisioner',
      'provisioner indicates the type of the provisioner.',
      ({ provisioner }) => provisioner,
    ),
    text<StorageClass>(
      'ReclaimPolicy',
      'reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class. Defaults to Delete.',
      ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    ),
    text<StorageClass>(
      'VolumeBindingMode',
      'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When unset, VolumeBindingImmediate is used. This field is only honored by servers that enable the VolumeScheduling feature.',
      ({ volumeBindingMode }) => volumeBindingMode ?? '<unset>',
    ),
    {
      name: 'AllowVolumeExpansion',
      type: 'string',
      description: 'allowVolumeExpansion shows whether the storage class allow volume expand.',
      priority: 0,
      value: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    },
    AGE,
  ],
};
