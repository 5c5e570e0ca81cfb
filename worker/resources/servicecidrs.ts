/**
 * `networking.k8s.io/v1 ServiceCIDR`. The cluster's own, `kubernetes`, is made at bootstrap. Cluster IPs are taken from it
 * alone: further ones are stored and say in their status that they are not used. Source: kubernetes, ValidateServiceCIDR.
 */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { SERVICE_CIDRS, type ServiceCIDR } from '../../shared/api/networking.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkCIDR } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const MAX_CIDRS = 2;

function validate(draft: Draft<ServiceCIDR>): StatusCause[] {
  const cidrs = draft.spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required('spec.cidrs', 'at least one CIDR required')];
  const causes: StatusCause[] = [];
  if (cidrs.length > MAX_CIDRS) {
    causes.push(invalidValue('spec', draft.spec, 'may only hold up to 2 values'));
  } else if (cidrs.length === 2 && cidrs[0]?.includes(':') === cidrs[1]?.includes(':')) {
    causes.push(invalidValue('spec', draft.spec, 'may specify no more than one IP for each IP family'));
  }
  for (const [index, cidr] of cidrs.entries()) {
    for (const message of checkCIDR(cidr)) causes.push(invalidValue(`spec.cidrs[${index}]`, cidr, message));
  }
  return causes;
}

export const SERVICE_CIDRS_DEFINITION: ResourceDefinition<ServiceCIDR> = {
  identity: SERVICE_CIDRS,
  singular: 'servicecidr',
  listKind: 'ServiceCIDRList',
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
  generation: false,
  unconditionalUpdate: true,
  prepareCreate(draft, { nowMs }) {
    const used = draft.spec?.cidrs?.length === 1 && draft.spec.cidrs[0] === DEFAULTS.serviceCIDR;
    draft.status = {
      conditions: [
        {
          type: 'Ready',
          status: used ? 'True' : 'False',
          lastTransitionTime: formatTime(nowMs),
          reason: used ? '' : 'NotSupported',
          message: used
            ? 'Kubernetes Service CIDR is ready'
            : 'Longshore allocates cluster IPs from the ServiceCIDR kubernetes only',
        },
      ],
    };
  },
  validate,
  validateUpdate: (draft, current) =>
    isSame(draft.spec, current.spec)
      ? []
      : [invalidValue('spec.cidrs[0]', draft.spec?.cidrs?.[0] ?? null, 'field is immutable')],
  columns: [
    NAME,
    text<ServiceCIDR>(
      'CIDRs',
      'CIDRs defines the IP blocks in CIDR notation (e.g. "192.168.0.0/24" or "2001:db8::/64") from which to assign service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This field is immutable.',
      ({ spec }) => (spec?.cidrs ?? []).join(','),
    ),
    AGE,
  ],
};
