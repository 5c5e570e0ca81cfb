/** `v1 PersistentVolumeClaim`. Source: kubernetes, ValidatePersistentVolumeClaim and its update. */
import { PERSISTENT_VOLUME_CLAIMS, type PersistentVolumeClaim } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, required } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';
import { formatAccessModes, validateAccessModes, validatePositive, validateVolumeMode } from './volume-claims.ts';

type ClaimSpec = PersistentVolumeClaim['spec'];

/** Kubernetes: the two ways to name a source are kept alike. */
function applyDefaults(draft: Draft<PersistentVolumeClaim>): void {
  draft.spec ??= {};
  defaultClaimSpec(draft.spec);
}

export function defaultClaimSpec(spec: ClaimSpec): void {
  spec.volumeMode ??= 'Filesystem';
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    spec.dataSource = { ...spec.dataSourceRef };
  }
}

export function validateClaimSpec(spec: ClaimSpec, path: string): StatusCause[] {
  const causes = validateAccessModes(spec.accessModes, `${path}.accessModes`, 'at least 1 access mode is required');
  if (spec.selector) causes.push(...validateLabelSelector(spec.selector, `${path}.selector`));
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) causes.push(required(`${path}.resources[storage]`));
  else causes.push(...validatePositive(storage, `${path}.resources[storage]`));
  if (spec.storageClassName) {
    for (const message of checkDNSSubdomain(spec.storageClassName)) {
      causes.push(invalidValue(`${path}.storageClassName`, spec.storageClassName, message));
    }
  }
  for (const field of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[field];
    if (source === undefined) continue;
    if (!source.name) causes.push(required(`${path}.${field}.name`));
    if (!source.kind) causes.push(required(`${path}.${field}.kind`));
    if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim') {
      causes.push(
        invalidValue(
          `${path}.${field}`,
          source.kind,
          "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        ),
      );
    }
  }
  return [...causes, ...validateVolumeMode(spec.volumeMode, `${path}.volumeMode`)];
}

function validateUpdate(draft: PersistentVolumeClaim, current: PersistentVolumeClaim): StatusCause[] {
  const [after, before] = [draft.spec, current.spec];
  const causes: StatusCause[] = [];
  // Kubernetes: what may change is the name of its volume, once, its size upwards once it is bound, and its attributes class.
  const munged: ClaimSpec = {
    ...after,
    volumeName: before.volumeName || after.volumeName,
    volumeAttributesClassName: before.volumeAttributesClassName,
    storageClassName: before.storageClassName ?? after.storageClassName,
  };
  const bound = current.status?.phase === 'Bound';
  const old = before.resources?.requests?.storage;
  const asked = after.resources?.requests?.storage;
  if (bound && old !== undefined && asked !== undefined) {
    munged.resources = { ...after.resources, requests: { ...after.resources?.requests, storage: old } };
    const granted = current.status?.capacity?.storage;
    if (compareQuantities(asked, old) < 0 && (granted === undefined || compareQuantities(asked, granted) < 0)) {
      causes.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'));
    }
  }
  if (
    !isSame(munged, {
      ...before,
      volumeName: before.volumeName || after.volumeName,
      storageClassName: munged.storageClassName,
    })
  ) {
    const why =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    causes.push(forbiddenField('spec', why));
  }
  if (after.volumeMode !== before.volumeMode) {
    causes.push(invalidValue('spec.volumeMode', after.volumeMode ?? null, 'field is immutable'));
  }
  return causes;
}

const phaseOf = ({ metadata, status }: PersistentVolumeClaim): string =>
  metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '');

export const PERSISTENT_VOLUME_CLAIMS_DEFINITION: ResourceDefinition<PersistentVolumeClaim> = {
  identity: PERSISTENT_VOLUME_CLAIMS,
  singular: 'persistentvolumeclaim',
  listKind: 'PersistentVolumeClaimList',
  shortNames: ['pvc'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  generation: false,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { phase: 'Pending' };
  },
  prepareUpdate(draft) {
    applyDefaults(draft);
  },
  validate: (draft) => validateClaimSpec(draft.spec, 'spec'),
  validateUpdate,
  columns: [
    NAME,
    text<PersistentVolumeClaim>(
      'Status',
      'status represents the current information/status of a persistent volume claim. Read-only. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#persistentvolumeclaims',
      phaseOf,
    ),
    text<PersistentVolumeClaim>(
      'Volume',
      'volumeName is the binding reference to the PersistentVolume backing this claim.',
      ({ spec }) => spec.volumeName ?? '',
    ),
    text<PersistentVolumeClaim>(
      'Capacity',
      'capacity represents the actual resources of the underlying volume.',
      ({ spec, status }) => (spec.volumeName ? (status?.capacity?.storage ?? '0') : ''),
    ),
    text<PersistentVolumeClaim>(
      'Access Modes',
      'accessModes contains the desired access modes the volume should have. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1',
      ({ spec, status }) => (spec.volumeName ? formatAccessModes(status?.accessModes) : ''),
    ),
    text<PersistentVolumeClaim>(
      'StorageClass',
      'StorageClass of the pvc',
      ({ metadata, spec }) =>
        metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? '',
    ),
    text<PersistentVolumeClaim>(
      'VolumeAttributesClass',
      'volumeAttributesClassName may be used to set the VolumeAttributesClass used by this claim.',
      ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    ),
    AGE,
    text<PersistentVolumeClaim>(
      'VolumeMode',
      'volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied when not included in claim spec.',
      ({ spec }) => spec.volumeMode ?? '<unset>',
      true,
    ),
  ],
};
