/** `discovery.k8s.io/v1 EndpointSlice`. Source: kubernetes, pkg/apis/discovery/validation. */
import { ENDPOINT_SLICES, type EndpointSlice } from '../../shared/api/discovery.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel, checkDNSSubdomain, isIPv4, isIPv6 } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const MAX_ENDPOINTS = 1000;
const MAX_PORTS = 100;
const SHOWN = 3;
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];

function applyDefaults(draft: Draft<EndpointSlice>): void {
  for (const port of draft.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

function validateAddress(address: string, type: string, path: string): StatusCause[] {
  if (type === 'IPv4' && !isIPv4(address)) return [invalidValue(path, address, 'must be a valid IPv4 address')];
  if (type === 'IPv6' && !isIPv6(address)) return [invalidValue(path, address, 'must be a valid IPv6 address')];
  if (type === 'FQDN') return checkDNSSubdomain(address).map((message) => invalidValue(path, address, message));
  return [];
}

function tooMany(path: string, count: number, most: number): StatusCause[] {
  const message = `Too many: ${count}: must have at most ${most} items`;
  return count > most ? [{ reason: 'FieldValueTooMany', message, field: path }] : [];
}

function validate(draft: Draft<EndpointSlice>): StatusCause[] {
  const causes: StatusCause[] = [];
  const type = draft.addressType ?? '';
  if ((type as string) === '') causes.push(required('addressType'));
  else if (!ADDRESS_TYPES.includes(type)) causes.push(notSupported('addressType', type, ADDRESS_TYPES));
  causes.push(...tooMany('endpoints', draft.endpoints?.length ?? 0, MAX_ENDPOINTS));
  for (const [index, endpoint] of (draft.endpoints ?? []).entries()) {
    const path = `endpoints[${index}]`;
    const addresses = endpoint.addresses ?? [];
    if (addresses.length === 0) causes.push(required(`${path}.addresses`, 'must contain at least 1 address'));
    causes.push(...tooMany(`${path}.addresses`, addresses.length, 100));
    for (const [position, address] of addresses.entries()) {
      causes.push(...validateAddress(address, type, `${path}.addresses[${position}]`));
    }
    for (const message of endpoint.hostname ? checkDNSLabel(endpoint.hostname) : []) {
      causes.push(invalidValue(`${path}.hostname`, endpoint.hostname, message));
    }
  }
  causes.push(...tooMany('ports', draft.ports?.length ?? 0, MAX_PORTS));
  const names = new Set<string>();
  for (const [index, port] of (draft.ports ?? []).entries()) {
    const name = port.name ?? '';
    for (const message of name === '' ? [] : checkDNSLabel(name)) {
      causes.push(invalidValue(`ports[${index}].name`, name, message));
    }
    if (names.has(name)) causes.push(duplicateValue(`ports[${index}].name`, name));
    names.add(name);
    if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? '')) {
      causes.push(notSupported(`ports[${index}].protocol`, port.protocol ?? '', ['SCTP', 'TCP', 'UDP']));
    }
  }
  return causes;
}

function firstOf(all: string[]): string {
  const shown = all.slice(0, SHOWN).join(',');
  if (all.length > SHOWN) return `${shown} + ${all.length - SHOWN} more...`;
  return shown === '' ? '<unset>' : shown;
}

export const ENDPOINT_SLICES_DEFINITION: ResourceDefinition<EndpointSlice> = {
  identity: ENDPOINT_SLICES,
  singular: 'endpointslice',
  listKind: 'EndpointSliceList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  validate,
  validateUpdate: (draft, current) =>
    draft.addressType === current.addressType
      ? []
      : [invalidValue('addressType', draft.addressType, 'field is immutable')],
  columns: [
    NAME,
    text<EndpointSlice>(
      'AddressType',
      'addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same type. This field is immutable after creation. The following address types are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully Qualified Domain Name.',
      (object) => object.addressType,
    ),
    text<EndpointSlice>(
      'Ports',
      'ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name. When ports is empty, it indicates that there are no defined ports. When a port is defined with a nil port value, it indicates "all ports". Each slice may include a maximum of 100 ports.',
      (object) =>
        firstOf((object.ports ?? []).map((port) => (port.port === undefined ? port.name || '*' : String(port.port)))),
    ),
    text<EndpointSlice>(
      'Endpoints',
      'endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 endpoints.',
      (object) => firstOf((object.endpoints ?? []).flatMap((endpoint) => endpoint.addresses)),
    ),
    AGE,
  ],
};
