/** `flowcontrol.apiserver.k8s.io/v1 FlowSchema`. Source: kubernetes, pkg/apis/flowcontrol/validation. */
import { FLOW_SCHEMAS, type FlowRules, type FlowSchema, type FlowSubject } from '../../shared/api/flowcontrol.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const DEFAULT_PRECEDENCE = 1000;
const MAX_PRECEDENCE = 10_000;
const METHODS = ['ByNamespace', 'ByUser'];
const SUBJECT_KINDS = ['Group', 'ServiceAccount', 'User'];
const FIELD_OF = { Group: 'group', ServiceAccount: 'serviceAccount', User: 'user' } as const;
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

function validateSubject(subject: FlowSubject, path: string): StatusCause[] {
  if (!SUBJECT_KINDS.includes(subject.kind)) return [notSupported(`${path}.kind`, subject.kind, SUBJECT_KINDS)];
  const own = FIELD_OF[subject.kind as keyof typeof FIELD_OF];
  const causes: StatusCause[] = [];
  for (const [kind, field] of Object.entries(FIELD_OF)) {
    if (field === own && subject[field] === undefined) {
      causes.push(required(`${path}.${field}`, `${field} is required when subject kind is '${kind}'`));
    } else if (field !== own && subject[field] !== undefined) {
      causes.push(forbiddenField(`${path}.${field}`, `${field} is forbidden when subject kind is not '${kind}'`));
    }
  }
  const named = subject[own];
  if (named !== undefined && !named.name) causes.push(required(`${path}.${own}.name`));
  if (own === 'serviceAccount' && subject.serviceAccount && !subject.serviceAccount.namespace) {
    causes.push(required(`${path}.serviceAccount.namespace`, 'must specify namespace for service account'));
  }
  return causes;
}

function validateVerbs(verbs: readonly string[] | undefined, path: string): StatusCause[] {
  if (!verbs?.length) return [required(path, 'verbs must contain at least one value')];
  if (verbs.includes('*')) {
    return verbs.length > 1 ? [invalidValue(path, verbs, "if '*' is present, must not specify other verbs")] : [];
  }
  const unknown = verbs.filter((verb) => !VERBS.includes(verb));
  return unknown.length > 0 ? [notSupported(path, unknown, VERBS)] : [];
}

function validateRules(rules: FlowRules, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!rules.subjects?.length) causes.push(required(`${path}.subjects`, 'subjects must contain at least one value'));
  for (const [index, subject] of (rules.subjects ?? []).entries()) {
    causes.push(...validateSubject(subject, `${path}.subjects[${index}]`));
  }
  if (!rules.resourceRules?.length && !rules.nonResourceRules?.length) {
    causes.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  for (const [index, rule] of (rules.resourceRules ?? []).entries()) {
    const at = `${path}.resourceRules[${index}]`;
    causes.push(...validateVerbs(rule.verbs, `${at}.verbs`));
    if (!rule.apiGroups?.length)
      causes.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
    if (!rule.resources?.length)
      causes.push(required(`${at}.resources`, 'resource rules must supply at least one resource'));
    if (!rule.namespaces?.length && !rule.clusterScope) {
      const why = 'resource rules that are not cluster scoped must supply at least one namespace';
      causes.push(required(`${at}.namespaces`, why));
    }
  }
  for (const [index, rule] of (rules.nonResourceRules ?? []).entries()) {
    const at = `${path}.nonResourceRules[${index}]`;
    causes.push(...validateVerbs(rule.verbs, `${at}.verbs`));
    if (!rule.nonResourceURLs?.length) {
      causes.push(required(`${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value'));
    }
    for (const [position, url] of (rule.nonResourceURLs ?? []).entries()) {
      if (url !== '*' && !url.startsWith('/')) {
        causes.push(invalidValue(`${at}.nonResourceURLs[${position}]`, url, "must start with '/'"));
      }
    }
  }
  return causes;
}

function validate(draft: Draft<FlowSchema>): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) causes.push(invalidValue('spec.matchingPrecedence', precedence, 'must be a positive value'));
  if (precedence > MAX_PRECEDENCE) {
    causes.push(invalidValue('spec.matchingPrecedence', precedence, `must not be greater than ${MAX_PRECEDENCE}`));
  }
  if (precedence === 1 && draft.metadata.name !== 'exempt') {
    causes.push(
      invalidValue('spec.matchingPrecedence', 1, 'only the schema named "exempt" may have matchingPrecedence 1'),
    );
  }
  const type = spec.distinguisherMethod?.type;
  if (type !== undefined && !METHODS.includes(type))
    causes.push(notSupported('spec.distinguisherMethod', type, METHODS));
  const level = spec.priorityLevelConfiguration?.name ?? '';
  if (level === '') causes.push(required('spec.priorityLevelConfiguration.name', 'must reference a priority level'));
  else
    for (const message of checkDNSSubdomain(level))
      causes.push(invalidValue('spec.priorityLevelConfiguration.name', level, message));
  for (const [index, rules] of (spec.rules ?? []).entries())
    causes.push(...validateRules(rules, `spec.rules[${index}]`));
  return causes;
}

export const FLOW_SCHEMAS_DEFINITION: ResourceDefinition<FlowSchema> = {
  identity: FLOW_SCHEMAS,
  singular: 'flowschema',
  listKind: 'FlowSchemaList',
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.flowcontrol.v1.FlowSchema',
  generation: true,
  unconditionalUpdate: false,
  default(draft) {
    draft.spec ??= { priorityLevelConfiguration: { name: '' } };
    draft.spec.matchingPrecedence ||= DEFAULT_PRECEDENCE;
  },
  prepareCreate(draft) {
    draft.status = {};
  },
  validate,
  columns: [
    NAME,
    text<FlowSchema>(
      'PriorityLevel',
      '`priorityLevelConfiguration` should reference a PriorityLevelConfiguration in the cluster. If the reference cannot be resolved, the FlowSchema will be ignored and marked as invalid in its status. Required.',
      ({ spec }) => spec.priorityLevelConfiguration.name,
    ),
    integer<FlowSchema>(
      'MatchingPrecedence',
      '`matchingPrecedence` is used to choose among the FlowSchemas that match a given request. The chosen FlowSchema is among those with the numerically lowest (which we take to be logically highest) MatchingPrecedence.  Each MatchingPrecedence value must be ranged in [1,10000]. Note that if the precedence is not specified, it will be set to 1000 as default.',
      ({ spec }) => spec.matchingPrecedence ?? 0,
    ),
    text<FlowSchema>(
      'DistinguisherMethod',
      '`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.',
      ({ spec }) => spec.distinguisherMethod?.type ?? '<none>',
    ),
    AGE,
    text<FlowSchema>(
      'MissingPL',
      'references a broken or non-existent PriorityLevelConfiguration',
      ({ status }) => status?.conditions?.find((each) => each.type === 'Dangling')?.status ?? '?',
    ),
  ],
};
