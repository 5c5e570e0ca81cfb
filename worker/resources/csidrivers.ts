/** `storage.k8s.io/v1 CSIDriver`. Source: kubernetes, ValidateCSIDriver. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { CSI_DRIVERS, type CSIDriver } from '../../shared/api/storage.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { Column, ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain, tooLong } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const MAX_NAME = 63;
const FS_GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType'];
const MODES = ['Ephemeral', 'Persistent'];
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const FLAGS = {
  attachRequired: true,
  podInfoOnMount: false,
  storageCapacity: false,
  requiresRepublish: false,
  seLinuxMount: false,
} as const;

function validate(draft: Draft<CSIDriver>): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  for (const field of ['attachRequired', 'podInfoOnMount', 'storageCapacity'] as const) {
    if (spec[field] === undefined) causes.push(required(`spec.${field}`));
  }
  const policy = spec.fsGroupPolicy ?? '';
  if (policy === '') causes.push(required('spec.fsGroupPolicy'));
  else if (!FS_GROUP_POLICIES.includes(policy))
    causes.push(notSupported('spec.fsGroupPolicy', policy, FS_GROUP_POLICIES));
  const audiences = new Set<string>();
  for (const [index, request] of (spec.tokenRequests ?? []).entries()) {
    const at = `spec.tokenRequests[${index}]`;
    const audience = request.audience ?? '';
    if (audiences.has(audience)) causes.push(duplicateValue(`${at}.audience`, audience));
    audiences.add(audience);
    const seconds = request.expirationSeconds;
    if (seconds === undefined) continue;
    if (seconds < MIN_TOKEN_SECONDS) {
      causes.push(invalidValue(`${at}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'));
    }
    if (seconds > MAX_TOKEN_SECONDS) {
      causes.push(
        invalidValue(`${at}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'),
      );
    }
  }
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!MODES.includes(mode)) causes.push(notSupported('spec.volumeLifecycleModes', mode, MODES.toReversed()));
  }
  return causes;
}

function validateUpdate(draft: CSIDriver, current: CSIDriver): StatusCause[] {
  return (['attachRequired', 'volumeLifecycleModes'] as const)
    .filter((field) => !isSame(draft.spec[field], current.spec[field]))
    .map((field) => invalidValue(`spec.${field}`, draft.spec[field] ?? null, 'field is immutable'));
}

const flag = (name: string, description: string, field: keyof typeof FLAGS): Column<CSIDriver> => ({
  name,
  type: 'boolean',
  description,
  priority: 0,
  value: ({ spec }) => spec[field] ?? false,
});

export const CSI_DRIVERS_DEFINITION: ResourceDefinition<CSIDriver> = {
  identity: CSI_DRIVERS,
  singular: 'csidriver',
  listKind: 'CSIDriverList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.storage.v1.CSIDriver',
  generation: false,
  unconditionalUpdate: false,
  default(draft) {
    draft.spec ??= {};
    for (const [field, value] of Object.entries(FLAGS)) draft.spec[field as keyof typeof FLAGS] ??= value;
    draft.spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!draft.spec.volumeLifecycleModes?.length) draft.spec.volumeLifecycleModes = ['Persistent'];
  },
  validate,
  validateUpdate,
  validateName: (name) => [
    ...(name.length > MAX_NAME ? [tooLong(MAX_NAME)] : []),
    ...checkDNSSubdomain(name.toLowerCase()),
  ],
  columns: [
    NAME,
    flag(
      'AttachRequired',
      'attachRequired indicates this CSI volume driver requires an attach operation (because it implements the CSI ControllerPublishVolume() method), and that the Kubernetes attach detach controller should call the attach volume interface which checks the volumeattachment status and waits until the volume is attached before proceeding to mounting.',
      'attachRequired',
    ),
    flag(
      'PodInfoOnMount',
      'podInfoOnMount indicates this CSI volume driver requires additional pod information (like podName, podUID, etc.) during mount operations, if set to true. If set to false, pod information will not be passed on mount. Default is false.',
      'podInfoOnMount',
    ),
    flag(
      'StorageCapacity',
      'storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity that the driver deployment will report by creating CSIStorageCapacity objects with capacity information, if set to true.',
      'storageCapacity',
    ),
    text<CSIDriver>(
      'TokenRequests',
      "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for to do necessary authentication.",
      ({ spec }) => (spec.tokenRequests ?? []).map((each) => each.audience).join(',') || '<unset>',
    ),
    flag(
      'RequiresRepublish',
      'requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to reflect any possible change in the mounted volume. This field defaults to false.',
      'requiresRepublish',
    ),
    text<CSIDriver>(
      'Modes',
      'volumeLifecycleModes defines what kind of volumes this CSI volume driver supports.',
      ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
    ),
    AGE,
  ],
};
