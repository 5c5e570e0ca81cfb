/** `v1 PersistentVolume`. Binding is a controller's. Source: kubernetes, ValidatePersistentVolume. */
import { PERSISTENT_VOLUMES, type PersistentVolume } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';
import { formatAccessModes, validateAccessModes, validatePositive, validateVolumeMode } from './volume-claims.ts';

const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];
/** Everything in the spec that is no volume source. */
const OWN_FIELDS = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
]);

const sourcesOf = (spec: PersistentVolume['spec']): string[] => Object.keys(spec).filter((key) => !OWN_FIELDS.has(key));

function validate(draft: Draft<PersistentVolume>): StatusCause[] {
  const { spec } = draft;
  const causes = validateAccessModes(spec.accessModes, 'spec.accessModes');
  const capacity = spec.capacity ?? {};
  if (Object.keys(capacity).length === 0) causes.push(required('spec.capacity'));
  else if (capacity.storage === undefined || Object.keys(capacity).length > 1) {
    causes.push(notSupported('spec.capacity', Object.keys(capacity).join(','), ['storage']));
  }
  for (const [name, amount] of Object.entries(capacity))
    causes.push(...validatePositive(amount, `spec.capacity[${name}]`));
  const policy = spec.persistentVolumeReclaimPolicy ?? '';
  if (!RECLAIM_POLICIES.includes(policy)) {
    causes.push(notSupported('spec.persistentVolumeReclaimPolicy', policy, RECLAIM_POLICIES));
  }
  const sources = sourcesOf(spec);
  for (const source of sources.slice(1)) {
    causes.push(forbiddenField(`spec.${source}`, 'may not specify more than 1 volume type'));
  }
  if (sources.length === 0) causes.push(required('spec', 'must specify a volume type'));
  if (spec.hostPath) {
    if (!spec.hostPath.path) causes.push(required('spec.hostPath.path'));
    if (spec.hostPath.path === '/' && policy === 'Recycle') {
      causes.push(forbiddenField('spec', "may not be 'recycle' for a hostPath mount of '/'"));
    }
  }
  if (spec.csi) {
    if (!spec.csi.driver) causes.push(required('spec.csi.driver'));
    if (!spec.csi.volumeHandle) causes.push(required('spec.csi.volumeHandle'));
  }
  if (spec.storageClassName) {
    for (const message of checkDNSSubdomain(spec.storageClassName)) {
      causes.push(invalidValue('spec.storageClassName', spec.storageClassName, message));
    }
  }
  return [...causes, ...validateVolumeMode(spec.volumeMode, 'spec.volumeMode')];
}

function validateUpdate(draft: PersistentVolume, current: PersistentVolume): StatusCause[] {
  const causes: StatusCause[] = [];
  const source = (volume: PersistentVolume): object =>
    Object.fromEntries(Object.entries(volume.spec).filter(([key]) => !OWN_FIELDS.has(key)));
  if (!isSame(source(draft), source(current))) {
    causes.push(
      forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    );
  }
  if (draft.spec.volumeMode !== current.spec.volumeMode) {
    causes.push(invalidValue('spec.volumeMode', draft.spec.volumeMode ?? null, 'field is immutable'));
  }
  if (current.spec.nodeAffinity && !isSame(draft.spec.nodeAffinity, current.spec.nodeAffinity)) {
    causes.push(invalidValue('spec.nodeAffinity', draft.spec.nodeAffinity ?? null, 'field is immutable'));
  }
  return causes;
}

const claimOf = ({ spec }: PersistentVolume): string =>
  spec.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '';

export const PERSISTENT_VOLUMES_DEFINITION: ResourceDefinition<PersistentVolume> = {
  identity: PERSISTENT_VOLUMES,
  singular: 'persistentvolume',
  listKind: 'PersistentVolumeList',
  shortNames: ['pv'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  generation: false,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
    draft.spec.persistentVolumeReclaimPolicy ??= 'Retain';
    draft.spec.volumeMode ??= 'Filesystem';
    if (draft.spec.hostPath) draft.spec.hostPath.type ??= '';
  },
  prepareCreate(draft, { nowMs }) {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) };
  },
  validate,
  validateUpdate,
  columns: [
    NAME,
    text<PersistentVolume>(
      'Capacity',
      "capacity is the description of the persistent volume's resources and capacity. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity",
      ({ spec }) => spec.capacity?.storage ?? '0',
    ),
    text<PersistentVolume>(
      'Access Modes',
      'accessModes contains all ways the volume can be mounted. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes',
      ({ spec }) => formatAccessModes(spec.accessModes),
    ),
    text<PersistentVolume>(
      'Reclaim Policy',
      'persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default for dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be supported by the volume plugin underlying this PersistentVolume. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming',
      ({ spec }) => spec.persistentVolumeReclaimPolicy ?? '',
    ),
    text<PersistentVolume>(
      'Status',
      'status represents the current information/status for the persistent volume. Populated by the system. Read-only. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#persistent-volumes',
      ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')),
    ),
    text<PersistentVolume>(
      'Claim',
      'claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding',
      claimOf,
    ),
    text<PersistentVolume>(
      'StorageClass',
      'StorageClass of the pv',
      ({ metadata, spec }) =>
        metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? '',
    ),
    text<PersistentVolume>(
      'VolumeAttributesClass',
      'Name of VolumeAttributesClass to which this persistent volume belongs. Empty value is not allowed. When this field is not set, it indicates that this volume does not belong to any VolumeAttributesClass. This field is mutable and can be changed by the CSI driver after a volume has been updated successfully to a new class. For an unbound PersistentVolume, the volumeAttributesClassName will be matched with unbound PersistentVolumeClaims during the binding process.',
      ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    ),
    text<PersistentVolume>(
      'Reason',
      'reason is a brief CamelCase string that describes any failure and is meant for machine parsing and tidy display in the CLI.',
      ({ status }) => status?.reason ?? '',
    ),
    AGE,
    text<PersistentVolume>(
      'VolumeMode',
      'volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state. Value of Filesystem is implied when not included in spec.',
      ({ spec }) => spec.volumeMode ?? '<unset>',
      true,
    ),
  ],
};
