/** `v1 ConfigMap`. Source: kubernetes, pkg/registry/core/configmap and ValidateConfigMap. */
import { CONFIG_MAPS, type ConfigMap } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, tooLongValue } from '../../shared/errors.ts';
import { decodedLength } from './base64.ts';
import { AGE, integer, NAME } from './columns.ts';
import { forbidImmutableChange, MAX_DATA_BYTES } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkConfigKey } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

function validate(draft: Draft<ConfigMap>): StatusCause[] {
  const causes: StatusCause[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(draft.data ?? {})) {
    for (const message of checkConfigKey(key)) causes.push(invalidValue(`data[${key}]`, key, message));
    if (draft.binaryData && Object.hasOwn(draft.binaryData, key)) {
      causes.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
    size += new TextEncoder().encode(value).length;
  }
  for (const [key, value] of Object.entries(draft.binaryData ?? {})) {
    for (const message of checkConfigKey(key)) causes.push(invalidValue(`binaryData[${key}]`, key, message));
    size += decodedLength(value);
  }
  if (size > MAX_DATA_BYTES) causes.push(tooLongValue('', MAX_DATA_BYTES));
  return causes;
}

export const CONFIG_MAPS_DEFINITION: ResourceDefinition<ConfigMap> = {
  identity: CONFIG_MAPS,
  singular: 'configmap',
  listKind: 'ConfigMapList',
  shortNames: ['cm'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.ConfigMap',
  generation: false,
  unconditionalUpdate: true,
  validate,
  validateUpdate: (draft, current) => forbidImmutableChange(draft, current, ['data', 'binaryData']),
  columns: [
    NAME,
    {
      ...integer<ConfigMap>(
        'Data',
        "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.",
        (object) => Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
      ),
      type: 'string',
    },
    AGE,
  ],
};
