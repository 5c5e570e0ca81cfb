/**
 * `admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding`: where a policy holds, with which parameters, and what
 * follows from a breach. Source: kubernetes, pkg/apis/admissionregistration/validation
 */
import {
  type ParamRef,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
  type ValidatingAdmissionPolicyBinding,
} from '../../shared/api/admissionregistration.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { defaultMatchResources, validateMatchResources } from './admission-rules.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const ACTIONS = ['Audit', 'Deny', 'Warn'];
const NOT_FOUND_ACTIONS = ['Allow', 'Deny'];
const EXCLUSIVE = 'name and selector are mutually exclusive';

function validateParamRef(ref: ParamRef, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { name = '', selector, parameterNotFoundAction } = ref;
  if (name === '.' || name === '..') causes.push(invalidValue(`${path}.name`, name, `may not be '${name}'`));
  else if (/[/%]/.test(name)) {
    causes.push(invalidValue(`${path}.name`, name, `may not contain '${name.includes('/') ? '/' : '%'}'`));
  }
  if (name !== '' && selector !== undefined) {
    causes.push(forbiddenField(`${path}.name`, EXCLUSIVE), forbiddenField(`${path}.selector`, EXCLUSIVE));
  }
  if (selector !== undefined) causes.push(...validateLabelSelector(selector, `${path}.selector`));
  if (name === '' && selector === undefined) causes.push(required(path, 'one of name or selector must be specified'));
  if (!parameterNotFoundAction) causes.push(required(`${path}.parameterNotFoundAction`));
  else if (!NOT_FOUND_ACTIONS.includes(parameterNotFoundAction)) {
    causes.push(notSupported(`${path}.parameterNotFoundAction`, parameterNotFoundAction, NOT_FOUND_ACTIONS));
  }
  return causes;
}

function validate({ spec = {} }: Draft<ValidatingAdmissionPolicyBinding>): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!spec.policyName) causes.push(required('spec.policyName'));
  else
    for (const why of checkDNSSubdomain(spec.policyName))
      causes.push(invalidValue('spec.policyName', spec.policyName, why));
  if (spec.paramRef !== undefined) causes.push(...validateParamRef(spec.paramRef, 'spec.paramRef'));
  if (spec.matchResources !== undefined)
    causes.push(...validateMatchResources(spec.matchResources, 'spec.matchResources'));
  const actions = spec.validationActions ?? [];
  const path = 'spec.validationActions';
  if (actions.length === 0) causes.push(required(path));
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) causes.push(notSupported(`${path}[${index}]`, action, ACTIONS));
    if (actions.indexOf(action) !== index) causes.push(duplicateValue(`${path}[${index}]`, action));
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    causes.push(invalidValue(path, actions, why));
  }
  return causes;
}

function paramsOf(ref: ParamRef | undefined): string {
  if (ref === undefined) return '<unset>';
  if (ref.name) return `${ref.namespace || '*'}/${ref.name}`;
  return formatLabelSelector(ref.selector);
}

export const VALIDATING_ADMISSION_POLICY_BINDINGS_DEFINITION: ResourceDefinition<ValidatingAdmissionPolicyBinding> = {
  identity: VALIDATING_ADMISSION_POLICY_BINDINGS,
  singular: 'validatingadmissionpolicybinding',
  listKind: 'ValidatingAdmissionPolicyBindingList',
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding',
  generation: true,
  unconditionalUpdate: false,
  default({ spec }) {
    if (spec?.matchResources !== undefined) defaultMatchResources(spec.matchResources);
  },
  validate,
  columns: [
    NAME,
    text<ValidatingAdmissionPolicyBinding>(
      'PolicyName',
      'PolicyName indicates the policy definition which the policy binding binded to',
      ({ spec }) => spec.policyName ?? '',
    ),
    text<ValidatingAdmissionPolicyBinding>(
      'ParamRef',
      'ParamRef indicates the param resource which sets the configration param',
      ({ spec }) => paramsOf(spec.paramRef),
    ),
    AGE,
  ],
};
