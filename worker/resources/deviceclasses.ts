/** `resource.k8s.io/v1 DeviceClass`. Source: kubernetes, pkg/apis/resource/validation. */
import { DEVICE_CLASSES, type DeviceClass } from '../../shared/api/resource.ts';
import { AGE, NAME } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateSelectors } from './device-validation.ts';
import { ALL_VERBS } from './verbs.ts';

export const DEVICE_CLASSES_DEFINITION: ResourceDefinition<DeviceClass> = {
  identity: DEVICE_CLASSES,
  singular: 'deviceclass',
  listKind: 'DeviceClassList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.resource.v1.DeviceClass',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
  },
  validate: (draft) => validateSelectors(draft.spec.selectors, 'spec.selectors'),
  columns: [NAME, AGE],
};
