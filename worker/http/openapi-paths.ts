/**
 * The operations on one resource, as OpenAPI paths. kubectl looks for the PATCH operation of a kind and in it for an inline
 * query parameter `fieldValidation`: parameters are therefore written out, never referred to.
 */
import { apiVersionOf } from '../../shared/api/meta.ts';
import type { ServedResource } from '../resources/catalog.ts';
import type { Verb } from '../resources/definition.ts';
import { gvkOf, type SchemaForm } from './openapi-schemas.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

type Operation = { [key: string]: unknown };

const DRY_RUN =
  'When present, indicates that modifications should not be persisted. An invalid or unrecognized dryRun directive will result in an error response and no further processing of the request. Valid values are: - All: all dry run stages will be processed';
const FIELD_MANAGER =
  'fieldManager is a name associated with the actor or entity that is making these changes. The value must be less than or 128 characters long, and only contain printable characters, as defined by https://golang.org/pkg/unicode/#IsPrint.';
const FIELD_VALIDATION =
  'fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown or duplicate fields. Valid values are: Ignore, Warn (the default) and Strict.';

function query(name: string, description: string, form: SchemaForm, type = 'string'): Operation {
  const base = { name, in: 'query', description };
  return form.version === 3 ? { ...base, schema: { type, uniqueItems: true } } : { ...base, type, uniqueItems: true };
}

function pathParameter(name: string, description: string, form: SchemaForm): Operation {
  const base = { name, in: 'path', description, required: true };
  return form.version === 3
    ? { ...base, schema: { type: 'string', uniqueItems: true } }
    : { ...base, type: 'string', uniqueItems: true };
}

const writeParameters = (form: SchemaForm): Operation[] => [
  query('dryRun', DRY_RUN, form),
  query('fieldManager', FIELD_MANAGER, form),
  query('fieldValidation', FIELD_VALIDATION, form),
];

const listParameters = (form: SchemaForm): Operation[] => [
  query('allowWatchBookmarks', 'allowWatchBookmarks requests watch events with type "BOOKMARK".', form, 'boolean'),
  query('continue', 'The continue option should be set when retrieving more results from the server.', form),
  query(
    'fieldSelector',
    'A selector to restrict the list of returned objects by their fields. Defaults to everything.',
    form,
  ),
  query(
    'labelSelector',
    'A selector to restrict the list of returned objects by their labels. Defaults to everything.',
    form,
  ),
  query('limit', 'limit is a maximum number of responses to return for a list call.', form, 'integer'),
  query(
    'resourceVersion',
    'resourceVersion sets a constraint on what resource versions a request may be served from.',
    form,
  ),
  query('resourceVersionMatch', 'resourceVersionMatch determines how resourceVersion is applied to list calls.', form),
  query('sendInitialEvents', 'sendInitialEvents=true may be set together with watch=true.', form, 'boolean'),
  query('timeoutSeconds', 'Timeout for the list/watch call.', form, 'integer'),
  query(
    'watch',
    'Watch for changes to the described resources and return them as a stream of notifications.',
    form,
    'boolean',
  ),
];

const deleteParameters = (form: SchemaForm): Operation[] => [
  query('dryRun', DRY_RUN, form),
  query('gracePeriodSeconds', 'The duration in seconds before the object should be deleted.', form, 'integer'),
  query('orphanDependents', 'Deprecated: please use the PropagationPolicy.', form, 'boolean'),
  query('propagationPolicy', 'Whether and how garbage collection will be performed.', form),
];

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const BODY_TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

interface Described {
  served: ServedResource;
  form: SchemaForm;
  /** Definition names. */
  item: string;
  list: string;
}

function operation(
  { served, form }: Described,
  action: string,
  verb: string,
  parameters: Operation[],
  answer: string,
  body?: { name: string; types: readonly string[] },
): Operation {
  const { identity } = served;
  const reference = (name: string) => ({ $ref: `${form.prefix}${name}` });
  const custom = served.definition.structural !== undefined;
  const types = (body?.types ?? []).filter((type) => !custom || !/strategic|protobuf/.test(type));
  const response = { description: 'OK' };
  const tag = apiVersionOf(identity).replace('/', '_').replaceAll('.', '');
  const scope = identity.namespaced ? 'Namespaced' : '';
  const base = {
    tags: [identity.group === '' ? 'core_v1' : tag],
    operationId: `${verb}${identity.group.replace(/\..*/, '')}${identity.version}${scope}${identity.kind}${action}`,
    'x-kubernetes-action': verb,
    'x-kubernetes-group-version-kind': gvkOf(apiVersionOf(identity), identity.kind),
  };
  if (form.version === 3) {
    const content = (names: readonly string[], name: string) =>
      Object.fromEntries(names.map((type) => [type, { schema: reference(name) }]));
    return {
      ...base,
      parameters,
      ...(body ? { requestBody: { content: content(types, body.name), required: true } } : {}),
      responses: {
        200: { ...response, content: content(['application/json', 'application/yaml'], answer) },
        401: { description: 'Unauthorized' },
      },
    };
  }
  const bodyParameter = body ? [{ name: 'body', in: 'body', required: true, schema: reference(body.name) }] : [];
  return {
    ...base,
    consumes: body ? types : ['*/*'],
    produces: ['application/json', 'application/yaml'],
    schemes: ['https'],
    parameters: [...bodyParameter, ...parameters],
    responses: { 200: { ...response, schema: reference(answer) }, 401: { description: 'Unauthorized' } },
  };
}

const METHODS: Partial<Record<Verb, string>> = { get: 'get', update: 'put', patch: 'patch', delete: 'delete' };

function itemOperations(described: Described, verbs: readonly Verb[], action = ''): Operation {
  const { form, item } = described;
  const made: Operation = {};
  for (const verb of verbs) {
    const method = METHODS[verb];
    if (method === undefined) continue;
    const writes = writeParameters(form);
    if (verb === 'get') made[method] = operation(described, action, 'get', [], item);
    else if (verb === 'update') {
      made[method] = operation(described, action, 'put', writes, item, { name: item, types: BODY_TYPES });
    } else if (verb === 'patch') {
      const force = query('force', 'Force is going to "force" Apply requests. Only for apply patch.', form, 'boolean');
      const body = { name: `${META}Patch`, types: PATCH_TYPES };
      made[method] = operation(described, action, 'patch', [...writes, force], item, body);
    } else {
      const body = { name: `${META}DeleteOptions`, types: BODY_TYPES };
      made[method] = operation(described, action, 'delete', deleteParameters(form), `${META}Status`, body);
    }
  }
  return made;
}

function collectionOperations(described: Described): Operation {
  const { served, form, item, list } = described;
  const { verbs } = served.definition;
  const made: Operation = {};
  if (verbs.includes('list')) made.get = operation(described, '', 'list', listParameters(form), list);
  if (verbs.includes('create')) {
    const body = { name: item, types: BODY_TYPES };
    made.post = operation(described, '', 'post', writeParameters(form), item, body);
  }
  if (verbs.includes('deletecollection')) {
    const parameters = [...listParameters(form), ...deleteParameters(form)];
    made.delete = operation(described, 'Collection', 'deletecollection', parameters, `${META}Status`);
  }
  return made;
}

/** Paths of one served resource. `name` is its definition; its list's is the same with `List`. */
export function pathsOf(served: ServedResource, name: string, form: SchemaForm): Record<string, Operation> {
  const { identity, definition } = served;
  const root = identity.group === '' ? `/api/${identity.version}` : `/apis/${identity.group}/${identity.version}`;
  const collection = `${root}${identity.namespaced ? '/namespaces/{namespace}' : ''}/${identity.resource}`;
  const described: Described = { served, form, item: name, list: `${name}List` };
  const namespace = pathParameter('namespace', 'object name and auth scope, such as for teams and projects', form);
  const named = pathParameter('name', `name of the ${identity.kind}`, form);
  const pretty = query('pretty', "If 'true', then the output is pretty printed.", form);
  const outer = identity.namespaced ? [namespace, pretty] : [pretty];
  const paths: Record<string, Operation> = {
    [collection]: { ...collectionOperations(described), parameters: outer },
  };
  if (definition.virtual) return paths;
  const item = itemOperations(described, definition.verbs);
  paths[`${collection}/{name}`] = { ...item, parameters: [named, ...outer] };
  if (identity.namespaced && definition.verbs.includes('list')) {
    const all = operation(described, 'ForAllNamespaces', 'list', listParameters(form), described.list);
    paths[`${root}/${identity.resource}`] = { get: all, parameters: [pretty] };
  }
  if (served.subresources.includes('status')) {
    const status = itemOperations(described, ['get', 'update', 'patch'], 'Status');
    paths[`${collection}/{name}/status`] = { ...status, parameters: [named, ...outer] };
  }
  if (served.subresources.includes('scale')) {
    const scale: Described = { ...described, item: 'io.k8s.api.autoscaling.v1.Scale' };
    const operations = itemOperations(scale, ['get', 'update', 'patch'], 'Scale');
    const gvk = gvkOf('autoscaling/v1', 'Scale');
    for (const each of Object.values(operations)) {
      (each as Operation)['x-kubernetes-group-version-kind'] = gvk;
    }
    paths[`${collection}/{name}/scale`] = { ...operations, parameters: [named, ...outer] };
  }
  return paths;
}
