/** `networking.k8s.io/v1 IngressClass`. Source: kubernetes, pkg/apis/networking/validation ValidateIngressClass. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { INGRESS_CLASSES, type IngressClass } from '../../shared/api/networking.ts';
import { forbiddenField, invalidValue, notSupported, required, tooLongValue } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel, checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

/** On the class that Ingresses without one get. */
const DEFAULT_CLASS_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class';
const MAX_CONTROLLER = 250;
const SCOPES = ['Cluster', 'Namespace'];
const CONTROLLER = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[^?#\s]+$/;
const CONTROLLER_TEXT = 'must be a domain-prefixed path (such as "acme.io/foo")';

function validateParameters(parameters: NonNullable<IngressClass['spec']['parameters']>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const message of parameters.apiGroup ? checkDNSSubdomain(parameters.apiGroup) : []) {
    causes.push(invalidValue(`${path}.apiGroup`, parameters.apiGroup, message));
  }
  if (!parameters.kind) causes.push(required(`${path}.kind`, 'kind is required'));
  if (!parameters.name) causes.push(required(`${path}.name`, 'name is required'));
  const { scope, namespace } = parameters;
  if (scope === undefined) return [...causes, required(`${path}.scope`)];
  if (!SCOPES.includes(scope)) causes.push(notSupported(`${path}.scope`, scope, SCOPES));
  if (scope === 'Cluster' && namespace !== undefined) {
    causes.push(forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
  if (scope === 'Namespace') {
    if (!namespace) causes.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
    else
      for (const message of checkDNSLabel(namespace))
        causes.push(invalidValue(`${path}.namespace`, namespace, message));
  }
  return causes;
}

function validate(draft: Draft<IngressClass>): StatusCause[] {
  const { controller = '', parameters } = draft.spec ?? {};
  const causes: StatusCause[] = [];
  if (controller.length > MAX_CONTROLLER) causes.push(tooLongValue('spec.controller', MAX_CONTROLLER));
  if (controller === '') causes.push(required('spec.controller'));
  else if (!CONTROLLER.test(controller)) causes.push(invalidValue('spec.controller', controller, CONTROLLER_TEXT));
  return parameters ? [...causes, ...validateParameters(parameters, 'spec.parameters')] : causes;
}

function parametersOf({ spec }: IngressClass): string {
  const { parameters } = spec;
  if (!parameters) return '<none>';
  return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`;
}

export const INGRESS_CLASSES_DEFINITION: ResourceDefinition<IngressClass> = {
  identity: INGRESS_CLASSES,
  singular: 'ingressclass',
  listKind: 'IngressClassList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.networking.v1.IngressClass',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    if (draft.spec?.parameters) draft.spec.parameters.scope ??= 'Cluster';
  },
  validate,
  entries: ({ metadata }) =>
    metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true' ? [{ index: 'default', value: 'true' }] : [],
  validateUpdate: (draft, current) =>
    draft.spec?.controller === current.spec?.controller
      ? []
      : [invalidValue('spec.controller', draft.spec?.controller ?? '', 'field is immutable')],
  columns: [
    NAME,
    text<IngressClass>(
      'Controller',
      'Controller that is responsible for handling this class',
      ({ spec }) => spec?.controller ?? '',
    ),
    text<IngressClass>('Parameters', 'A reference to a resource with additional parameters', parametersOf),
    AGE,
  ],
};
