/** `v1 Endpoints`. Source: kubernetes, ValidateEndpoints and pkg/printers/internalversion. */
import { ENDPOINTS, type Endpoints } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel, checkIP, checkPort } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const SHOWN = 3;

function applyDefaults(draft: Draft<Endpoints>): void {
  for (const subset of draft.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP';
}

function validate(draft: Draft<Endpoints>): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [index, subset] of (draft.subsets ?? []).entries()) {
    const path = `subsets[${index}]`;
    if (!subset.addresses?.length && !subset.notReadyAddresses?.length) {
      causes.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
    }
    for (const list of ['addresses', 'notReadyAddresses'] as const) {
      for (const [position, address] of (subset[list] ?? []).entries()) {
        for (const message of checkIP(address.ip)) {
          causes.push(invalidValue(`${path}.${list}[${position}].ip`, address.ip, message));
        }
      }
    }
    const several = (subset.ports?.length ?? 0) > 1;
    for (const [position, port] of (subset.ports ?? []).entries()) {
      const at = `${path}.ports[${position}]`;
      if (several && !port.name) causes.push(required(`${at}.name`));
      for (const message of port.name ? checkDNSLabel(port.name) : []) {
        causes.push(invalidValue(`${at}.name`, port.name, message));
      }
      for (const message of checkPort(port.port ?? 0)) causes.push(invalidValue(`${at}.port`, port.port ?? 0, message));
      if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? '')) {
        causes.push(notSupported(`${at}.protocol`, port.protocol ?? '', ['SCTP', 'TCP', 'UDP']));
      }
    }
  }
  return causes;
}

function formatEndpoints(object: Endpoints): string {
  const all = (object.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map((address) => address.ip)
      : ports.flatMap((port) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port.port}` : `${ip}:${port.port}`)),
        ),
  );
  if (all.length === 0) return '<none>';
  const shown = all.slice(0, SHOWN).join(',');
  return all.length > SHOWN ? `${shown} + ${all.length - SHOWN} more...` : shown;
}

export const ENDPOINTS_DEFINITION: ResourceDefinition<Endpoints> = {
  identity: ENDPOINTS,
  singular: 'endpoints',
  listKind: 'EndpointsList',
  shortNames: ['ep'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.Endpoints',
  generation: false,
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  createOnUpdate: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  validate,
  columns: [
    NAME,
    text<Endpoints>(
      'Endpoints',
      'The set of all endpoints is the union of all subsets. Addresses are placed into subsets according to the IPs they share. A single address with multiple ports, some of which are ready and some of which are not (because they come from different containers) will result in the address being displayed in different subsets for the different ports. No address will appear in both Addresses and NotReadyAddresses in the same subset. Sets of addresses and ports that comprise a service.',
      formatEndpoints,
    ),
    AGE,
  ],
};
