/** `networking.k8s.io/v1 IPAddress`: who holds an address of the Service network. Source: kubernetes, ValidateIPAddress. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { IP_ADDRESSES, type IPAddress } from '../../shared/api/networking.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain, checkIP, isIPv4 } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

/** The name is the address, in the one spelling that it has. */
function validateName(name: string): string[] {
  const wrong = checkIP(name);
  if (wrong.length > 0 || isIPv4(name)) return wrong;
  const canonical = new URL(`http://[${name}]/`).hostname.slice(1, -1);
  return canonical === name ? [] : [`must be in canonical form ("${canonical}")`];
}

function validate(draft: Draft<IPAddress>): StatusCause[] {
  const { parentRef } = draft.spec ?? {};
  if (!parentRef) return [required('spec.parentRef')];
  const causes: StatusCause[] = [];
  for (const field of ['resource', 'name'] as const) {
    if (!parentRef[field]) causes.push(required(`spec.parentRef.${field}`));
  }
  for (const message of parentRef.group ? checkDNSSubdomain(parentRef.group) : []) {
    causes.push(invalidValue('spec.parentRef.group', parentRef.group, message));
  }
  return causes;
}

function parentOf({ spec }: IPAddress): string {
  const { group = '', resource = '', namespace = '', name = '' } = spec?.parentRef ?? {};
  if (resource === '') return '<none>';
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return [qualified.toLowerCase(), namespace, name].filter((each) => each !== '').join('/');
}

export const IP_ADDRESSES_DEFINITION: ResourceDefinition<IPAddress> = {
  identity: IP_ADDRESSES,
  singular: 'ipaddress',
  listKind: 'IPAddressList',
  shortNames: ['ip'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.networking.v1.IPAddress',
  generation: false,
  unconditionalUpdate: true,
  validate,
  validateUpdate: (draft, current) =>
    isSame(draft.spec, current.spec)
      ? []
      : [invalidValue('spec.parentRef', draft.spec?.parentRef ?? null, 'field is immutable')],
  validateName,
  columns: [
    NAME,
    text<IPAddress>(
      'ParentRef',
      'ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a parent object.',
      parentOf,
    ),
    AGE,
  ],
};
