/** `storage.k8s.io/v1 VolumeAttachment`. Source: kubernetes, ValidateVolumeAttachment. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { VOLUME_ATTACHMENTS, type VolumeAttachment } from '../../shared/api/storage.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain } from './names.ts';
import { validateDriverName } from './storageclasses.ts';
import { ALL_VERBS } from './verbs.ts';

function validate(draft: Draft<VolumeAttachment>): StatusCause[] {
  const { attacher, nodeName = '', source = {} } = draft.spec ?? {};
  const causes = validateDriverName(attacher, 'spec.attacher');
  const { persistentVolumeName, inlineVolumeSpec } = source;
  if (persistentVolumeName === undefined && inlineVolumeSpec === undefined) {
    causes.push(required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'));
  } else if (persistentVolumeName !== undefined && inlineVolumeSpec !== undefined) {
    const why = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
    causes.push({ reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field: 'spec.source' });
  } else if (persistentVolumeName === '') {
    causes.push(required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName'));
  }
  for (const message of checkDNSSubdomain(nodeName)) causes.push(invalidValue('spec.nodeName', nodeName, message));
  return causes;
}

export const VOLUME_ATTACHMENTS_DEFINITION: ResourceDefinition<VolumeAttachment> = {
  identity: VOLUME_ATTACHMENTS,
  singular: 'volumeattachment',
  listKind: 'VolumeAttachmentList',
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.storage.v1.VolumeAttachment',
  generation: false,
  unconditionalUpdate: false,
  prepareCreate(draft) {
    draft.status = { attached: false };
  },
  validate,
  validateUpdate: (draft, current) =>
    isSame(draft.spec, current.spec) ? [] : [invalidValue('spec', draft.spec, 'field is immutable')],
  columns: [
    NAME,
    text<VolumeAttachment>(
      'Attacher',
      'attacher indicates the name of the volume driver that MUST handle this request. This is the name returned by GetPluginName().',
      ({ spec }) => spec.attacher,
    ),
    text<VolumeAttachment>(
      'PV',
      'source represents the volume that should be attached.',
      ({ spec }) => spec.source?.persistentVolumeName ?? '',
    ),
    text<VolumeAttachment>(
      'Node',
      'nodeName represents the node that the volume should be attached to.',
      ({ spec }) => spec.nodeName,
    ),
    {
      name: 'Attached',
      type: 'boolean',
      description:
        'attached indicates the volume is successfully attached. This field must only be set by the entity completing the attach operation, i.e. the external-attacher.',
      priority: 0,
      value: ({ status }) => status?.attached ?? false,
    },
    AGE,
  ],
};
