/**
 * `admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy`: rules in CEL about what is written. Judging is
 * `admission/validating-admission-policy.ts`; checking its types against the kinds it speaks of `policy-types.ts`.
 * Source: kubernetes, pkg/apis/admissionregistration/validation
 */
import {
  VALIDATING_ADMISSION_POLICIES,
  type ValidatingAdmissionPolicy,
  type Validation,
} from '../../shared/api/admissionregistration.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { conditionEnvironment, policyEnvironment } from './admission-cel.ts';
import {
  defaultMatchResources,
  FAILURE_POLICIES,
  validateExpression,
  validateMatchConditions,
  validateMatchResources,
} from './admission-rules.ts';
import type { CelEnvironment } from './cel.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNS1035Label, checkDNSSubdomain, checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

type Spec = ValidatingAdmissionPolicy['spec'];

const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_ANNOTATIONS = 20;
const LINE_BREAK = /[\r\n]/;

function validateParamKind(kind: NonNullable<Spec['paramKind']>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { apiVersion = '', kind: name = '' } = kind;
  const parts = apiVersion.split('/');
  if (apiVersion === '') causes.push(required(`${path}.apiVersion`));
  else if (parts.length > 2) {
    causes.push(invalidValue(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  } else {
    const version = parts.at(-1) ?? '';
    const group = parts.length === 2 ? (parts[0] ?? '') : undefined;
    if (group !== undefined) {
      for (const why of checkDNSSubdomain(group)) causes.push(invalidValue(`${path}.apiVersion`, group, why));
    }
    for (const why of checkDNS1035Label(version)) causes.push(invalidValue(`${path}.apiVersion`, version, why));
  }
  if (name === '') causes.push(required(`${path}.kind`));
  else {
    const problems = checkDNS1035Label(name.toLowerCase());
    if (problems.length > 0) {
      const why = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
      causes.push(invalidValue(`${path}.kind`, name, why));
    }
  }
  return causes;
}

function validateVariables(spec: Spec): StatusCause[] {
  const seen = new Set<string>();
  return (spec.variables ?? []).flatMap(({ name = '', expression = '' }, index) => {
    const path = `spec.variables[${index}]`;
    const causes: StatusCause[] = [];
    if (name === '') causes.push(required(`${path}.name`, 'name is not specified'));
    else if (!IDENTIFIER.test(name))
      causes.push(invalidValue(`${path}.name`, name, 'name is not a valid CEL identifier'));
    if (seen.has(name)) causes.push(duplicateValue(`${path}.name`, name));
    seen.add(name);
    if (expression.trim() === '') causes.push(required(`${path}.expression`, 'expression is not specified'));
    else causes.push(...validateExpression(policyEnvironment(spec, index), expression, `${path}.expression`));
    return causes;
  });
}

function validateValidation(validation: Validation, path: string, environment: CelEnvironment): StatusCause[] {
  const causes: StatusCause[] = [];
  const expression = (validation.expression ?? '').trim();
  const { message = '', messageExpression = '', reason } = validation;
  if (expression === '') causes.push(required(`${path}.expression`, 'expression is not specified'));
  else causes.push(...validateExpression(environment, validation.expression, `${path}.expression`, ['bool']));
  if (messageExpression !== '' && messageExpression.trim() === '') {
    causes.push(invalidValue(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified'));
  } else if (messageExpression !== '') {
    causes.push(...validateExpression(environment, messageExpression, `${path}.messageExpression`, ['string']));
  }
  if (message !== '' && message.trim() === '') {
    causes.push(invalidValue(`${path}.message`, message, 'message must be non-empty if specified'));
  } else if (LINE_BREAK.test(message.trim())) {
    causes.push(invalidValue(`${path}.message`, message, 'message must not contain line breaks'));
  } else if (message === '' && LINE_BREAK.test(expression)) {
    causes.push(required(`${path}.message`, 'message must be specified if expression contains line breaks'));
  }
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(notSupported(`${path}.reason`, reason, REASONS));
  return causes;
}

function validateAnnotations(spec: Spec, environment: CelEnvironment): StatusCause[] {
  const list = spec.auditAnnotations ?? [];
  const path = 'spec.auditAnnotations';
  if (list.length > MAX_ANNOTATIONS) {
    const why = `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`;
    return [invalidValue(path, list, why)];
  }
  const seen = new Set<string>();
  return list.flatMap(({ key = '', valueExpression = '' }, index) => {
    const causes: StatusCause[] = [];
    if (key === '') causes.push(required(`${path}[${index}].key`, 'key is not specified'));
    else for (const why of checkQualifiedName(key)) causes.push(invalidValue(`${path}[${index}].key`, key, why));
    if (seen.has(key)) causes.push(duplicateValue(`${path}[${index}].key`, key));
    seen.add(key);
    const at = `${path}[${index}].valueExpression`;
    if (valueExpression.trim() === '') causes.push(required(at, 'valueExpression is not specified'));
    else causes.push(...validateExpression(environment, valueExpression, at, ['string']));
    return causes;
  });
}

function validate({ spec = {} }: Draft<ValidatingAdmissionPolicy>): StatusCause[] {
  const causes: StatusCause[] = [];
  if (spec.failurePolicy === undefined) causes.push(required('spec.failurePolicy'));
  else if (!FAILURE_POLICIES.includes(spec.failurePolicy)) {
    causes.push(notSupported('spec.failurePolicy', spec.failurePolicy, FAILURE_POLICIES));
  }
  if (spec.paramKind !== undefined) causes.push(...validateParamKind(spec.paramKind, 'spec.paramKind'));
  if (spec.matchConstraints === undefined) causes.push(required('spec.matchConstraints'));
  else {
    causes.push(...validateMatchResources(spec.matchConstraints, 'spec.matchConstraints'));
    if (!spec.matchConstraints.resourceRules?.length) causes.push(required('spec.matchConstraints.resourceRules'));
  }
  causes.push(...validateMatchConditions(spec.matchConditions, 'spec.matchConditions', conditionEnvironment(spec)));
  causes.push(...validateVariables(spec));
  if (!spec.validations?.length && !spec.auditAnnotations?.length) {
    const why = 'validations or auditAnnotations must contain at least one item';
    return [...causes, required('spec.validations', why), required('spec.auditAnnotations', why)];
  }
  const environment = policyEnvironment(spec);
  for (const [index, validation] of (spec.validations ?? []).entries()) {
    causes.push(...validateValidation(validation, `spec.validations[${index}]`, environment));
  }
  return [...causes, ...validateAnnotations(spec, environment)];
}

export const VALIDATING_ADMISSION_POLICIES_DEFINITION: ResourceDefinition<ValidatingAdmissionPolicy> = {
  identity: VALIDATING_ADMISSION_POLICIES,
  singular: 'validatingadmissionpolicy',
  listKind: 'ValidatingAdmissionPolicyList',
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy',
  generation: true,
  unconditionalUpdate: false,
  default({ spec }) {
    if (spec === undefined) return;
    spec.failurePolicy ||= 'Fail';
    if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
  },
  prepareCreate(draft) {
    delete draft.status;
  },
  validate,
  columns: [
    NAME,
    integer<ValidatingAdmissionPolicy>(
      'Validations',
      'Validations indicates the number of validation rules defined in this configuration',
      ({ spec }) => spec.validations?.length ?? 0,
    ),
    text<ValidatingAdmissionPolicy>(
      'ParamKind',
      'ParamKind specifies the kind of resources used to parameterize this policy',
      ({ spec: { paramKind } }) => (paramKind === undefined ? '<unset>' : `${paramKind.apiVersion}/${paramKind.kind}`),
    ),
    AGE,
  ],
};
