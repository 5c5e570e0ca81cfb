/** `storage.k8s.io/v1 CSIStorageCapacity`. Source: kubernetes, ValidateCSIStorageCapacity. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { CSI_STORAGE_CAPACITIES, type CSIStorageCapacity } from '../../shared/api/storage.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

function validate(draft: Draft<CSIStorageCapacity>): StatusCause[] {
  const causes = draft.nodeTopology ? validateLabelSelector(draft.nodeTopology, 'nodeTopology') : [];
  const name = draft.storageClassName ?? '';
  if (name === '') causes.push(required('storageClassName'));
  else for (const message of checkDNSSubdomain(name)) causes.push(invalidValue('storageClassName', name, message));
  for (const field of ['capacity', 'maximumVolumeSize'] as const) {
    const amount = draft[field];
    if (amount !== undefined && compareQuantities(amount, '0') < 0) {
      causes.push(invalidValue(field, amount, 'must be greater than or equal to 0'));
    }
  }
  return causes;
}

function validateUpdate(draft: CSIStorageCapacity, current: CSIStorageCapacity): StatusCause[] {
  return (['nodeTopology', 'storageClassName'] as const)
    .filter((field) => !isSame(draft[field] ?? null, current[field] ?? null))
    .map((field) => invalidValue(field, draft[field] ?? null, 'field is immutable'));
}

export const CSI_STORAGE_CAPACITIES_DEFINITION: ResourceDefinition<CSIStorageCapacity> = {
  identity: CSI_STORAGE_CAPACITIES,
  singular: 'csistoragecapacity',
  listKind: 'CSIStorageCapacityList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  generation: false,
  unconditionalUpdate: false,
  validate,
  validateUpdate,
  columns: [
    NAME,
    text<CSIStorageCapacity>(
      'StorageClassName',
      'storageClassName represents the name of the StorageClass that the reported capacity applies to. It must meet the same requirements as the name of a StorageClass object (non-empty, DNS subdomain). If that object no longer exists, the CSIStorageCapacity object is obsolete and should be removed by its creator. This field is immutable.',
      (object) => object.storageClassName,
    ),
    text<CSIStorageCapacity>(
      'Capacity',
      'capacity is the value reported by the CSI driver in its GetCapacityResponse for a GetCapacityRequest with topology and parameters that match the previous fields.',
      (object) => object.capacity ?? '<unset>',
    ),
  ],
};
