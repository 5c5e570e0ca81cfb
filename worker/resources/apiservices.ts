/**
 * `apiregistration.k8s.io/v1 APIService`. Those of served group versions are made by the control plane itself. One that names
 * a Service is stored and says in its status that Longshore does not hand requests on to other API servers.
 * Source: kube-aggregator, pkg/apis/apiregistration/validation.
 */
import { API_SERVICES, type APIService } from '../../shared/api/apiregistration.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNS1035Label, checkDNSSubdomain } from './names.ts';
import { checkPathSegmentName } from './rbac-validation.ts';
import { ALL_VERBS } from './verbs.ts';

const HTTPS_PORT = 443;
const MAX_GROUP_PRIORITY = 20_000;
const MAX_VERSION_PRIORITY = 1_000;

function validate(draft: Draft<APIService>): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  const name = draft.metadata.name ?? '';
  const needed = `${spec.version ?? ''}.${spec.group ?? ''}`;
  if (name !== needed)
    causes.push(invalidValue('metadata.name', name, `must be \`spec.version+"."+spec.group\`: "${needed}"`));
  if (spec.group)
    for (const message of checkDNSSubdomain(spec.group)) causes.push(invalidValue('spec.group', spec.group, message));
  if (!spec.version) causes.push(required('spec.version'));
  else
    for (const message of checkDNS1035Label(spec.version))
      causes.push(invalidValue('spec.version', spec.version, message));
  const { groupPriorityMinimum: group = 0, versionPriority: version = 0 } = spec;
  if (group <= 0 || group > MAX_GROUP_PRIORITY) {
    causes.push(invalidValue('spec.groupPriorityMinimum', group, 'must be positive and less than 20000'));
  }
  if (version <= 0 || version > MAX_VERSION_PRIORITY) {
    causes.push(invalidValue('spec.versionPriority', version, 'must be positive and less than 1000'));
  }
  if (!spec.service) {
    if (spec.caBundle) causes.push(invalidValue('spec.caBundle', '', 'local APIServices may not have a caBundle'));
    if (spec.insecureSkipTLSVerify) {
      causes.push(
        invalidValue('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'),
      );
    }
    return causes;
  }
  if (!spec.service.namespace) causes.push(required('spec.service.namespace'));
  if (!spec.service.name) causes.push(required('spec.service.name'));
  if (spec.insecureSkipTLSVerify && spec.caBundle) {
    causes.push(invalidValue('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  }
  return causes;
}

function availabilityOf(remote: boolean): { status: 'True' | 'False'; reason: string; message: string } {
  return remote
    ? {
        status: 'False',
        reason: 'AggregationNotSupported',
        message:
          'Longshore does not hand requests on to other API servers; serve the group with CustomResourceDefinitions',
      }
    : { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
}

function availableOf({ status }: APIService): string {
  const condition = status?.conditions?.find((each) => each.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason})`;
}

export const API_SERVICES_DEFINITION: ResourceDefinition<APIService> = {
  identity: API_SERVICES,
  singular: 'apiservice',
  listKind: 'APIServiceList',
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
  generation: false,
  unconditionalUpdate: false,
  default(draft) {
    if (draft.spec?.service) draft.spec.service.port ??= HTTPS_PORT;
  },
  prepareCreate(draft, { nowMs }) {
    const available = availabilityOf(draft.spec?.service !== undefined);
    draft.status = { conditions: [{ type: 'Available', lastTransitionTime: formatTime(nowMs), ...available }] };
  },
  validate,
  // The core group's is called `v1.`.
  validateName: checkPathSegmentName,
  columns: [
    NAME,
    text<APIService>('Service', 'The reference to the service that hosts this API endpoint.', ({ spec }) =>
      spec.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local',
    ),
    text<APIService>('Available', 'Whether this service is available.', availableOf),
    AGE,
  ],
};
