/** `v1 Secret`. Source: kubernetes, pkg/registry/core/secret and ValidateSecret. */
import { SECRETS, type Secret } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, required, tooLongValue } from '../../shared/errors.ts';
import { decodeBase64, decodedLength, encodeBase64 } from './base64.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import { forbidImmutableChange, MAX_DATA_BYTES } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkConfigKey } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

/** What each type of secret must hold: all of these keys, or (basic-auth) one of them. */
const REQUIRED_KEYS: Record<string, readonly string[]> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};
const SERVICE_ACCOUNT_NAME = 'kubernetes.io/service-account.name';

function applyDefaults(draft: Draft<Secret>): void {
  draft.type ??= 'Opaque';
  if (draft.type === '') draft.type = 'Opaque';
  if (draft.stringData === undefined) return;
  const data: Record<string, string> = { ...draft.data };
  for (const [key, value] of Object.entries(draft.stringData)) {
    Object.defineProperty(data, key, {
      value: encodeBase64(new TextEncoder().encode(value)),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  draft.data = data;
  delete draft.stringData;
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(new TextDecoder().decode(decodeBase64(base64)));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function validate(draft: Draft<Secret>): StatusCause[] {
  const causes: StatusCause[] = [];
  const data = draft.data ?? {};
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    for (const message of checkConfigKey(key)) causes.push(invalidValue(`data[${key}]`, key, message));
    size += decodedLength(value);
  }
  if (size > MAX_DATA_BYTES) causes.push(tooLongValue('data', MAX_DATA_BYTES));
  const type = draft.type ?? '';
  for (const key of REQUIRED_KEYS[type] ?? []) {
    if (data[key] === undefined) causes.push(required(`data[${key}]`));
    else if (key.startsWith('.docker') && !isJson(data[key])) {
      causes.push(invalidValue(`data[${key}]`, '<secret contents redacted>', 'invalid character in JSON'));
    }
  }
  if (type === 'kubernetes.io/basic-auth' && data.username === undefined && data.password === undefined) {
    causes.push(required('data[username]'), required('data[password]'));
  }
  if (type === 'kubernetes.io/service-account-token' && !draft.metadata.annotations?.[SERVICE_ACCOUNT_NAME]) {
    causes.push(required(`metadata.annotations[${SERVICE_ACCOUNT_NAME}]`));
  }
  return causes;
}

function validateUpdate(draft: Secret, current: Secret): StatusCause[] {
  const causes = forbidImmutableChange(draft, current, ['data']);
  if (draft.type !== current.type) causes.unshift(invalidValue('type', draft.type, 'field is immutable'));
  return causes;
}

export const SECRETS_DEFINITION: ResourceDefinition<Secret> = {
  identity: SECRETS,
  singular: 'secret',
  listKind: 'SecretList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.Secret',
  generation: false,
  unconditionalUpdate: true,
  default: applyDefaults,
  validate,
  validateUpdate,
  fields: (object) => ({ type: object.type ?? '' }),
  columns: [
    NAME,
    text<Secret>(
      'Type',
      'Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types',
      (object) => object.type ?? '',
    ),
    {
      ...integer<Secret>(
        'Data',
        "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4",
        (object) => Object.keys(object.data ?? {}).length,
      ),
      type: 'string',
    },
    AGE,
  ],
};
