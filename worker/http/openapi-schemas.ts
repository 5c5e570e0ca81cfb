/**
 * The tree of `resources/schemas.ts` as OpenAPI schemas, with Kubernetes' extensions. Descriptions are not in the tree:
 * they come with the static assets, and a document is complete without them.
 */
import { definition, type Field, type MergeRule, type Schema } from '../resources/schemas.ts';

export type OpenApiSchema = { [key: string]: unknown };

/** Of one package, as `worker/public/openapi/PACKAGE.json` holds it: definition → '' (its own), field, `field=` (values). */
export type Descriptions = Record<string, Record<string, string | string[]>>;

export const APIVERSION_TEXT =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources';
export const KIND_TEXT =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
/** Carry apiVersion and kind in every group, though no group has them for its own. */
const TYPED_EVERYWHERE = new Set([
  'DeleteOptions',
  'Status',
  'APIResourceList',
  'APIGroup',
  'APIGroupList',
  'APIVersions',
]);

export function gvkOf(apiVersion: string, kind: string): { group: string; kind: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return { group: slash === -1 ? '' : apiVersion.slice(0, slash), kind, version: apiVersion.slice(slash + 1) };
}

function extensionsOf(schema: Schema, rule: MergeRule | undefined): OpenApiSchema {
  const list = schema.type === 'list' && schema.name === '';
  const listType = rule?.listType ?? (list ? 'atomic' : undefined);
  return {
    ...(listType ? { 'x-kubernetes-list-type': listType } : {}),
    ...(rule?.listMapKeys ? { 'x-kubernetes-list-map-keys': rule.listMapKeys } : {}),
    ...(rule?.mapType ? { 'x-kubernetes-map-type': rule.mapType } : {}),
    ...(rule?.patchMergeKey ? { 'x-kubernetes-patch-merge-key': rule.patchMergeKey } : {}),
    ...(rule?.patchStrategy ? { 'x-kubernetes-patch-strategy': rule.patchStrategy.join(',') } : {}),
  };
}

export interface SchemaForm {
  /** `#/components/schemas/` or, in version 2, `#/definitions/`. */
  prefix: string;
  version: 2 | 3;
}

/** A schema as it stands in a field: inline, or a reference to a definition. Version 3 cannot put siblings beside `$ref`. */
function inlineOf(schema: Schema, form: SchemaForm): OpenApiSchema {
  if (schema.structural) return structuralOf(schema.structural as OpenApiSchema);
  if (schema.name !== '' && schema.type !== 'list') return { $ref: `${form.prefix}${schema.name}` };
  switch (schema.type) {
    case 'list':
      return { type: 'array', items: schema.items ? elementOf(schema.items, form) : {} };
    case 'map':
      return { type: 'object', additionalProperties: schema.items ? elementOf(schema.items, form) : {} };
    default:
      return scalarOf(schema, form);
  }
}

const elementOf = (schema: Schema, form: SchemaForm): OpenApiSchema => {
  const inline = inlineOf(schema, form);
  return form.version === 3 && '$ref' in inline ? { allOf: [inline], default: {} } : inline;
};

function scalarOf(schema: Schema, form: SchemaForm): OpenApiSchema {
  switch (schema.type) {
    case 'string':
      return { type: 'string' };
    case 'boolean':
      return { type: 'boolean' };
    case 'int32':
    case 'int64':
      return { type: 'integer', format: schema.type };
    case 'double':
      return { type: 'number', format: 'double' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'time':
    case 'microTime':
      return { type: 'string', format: 'date-time' };
    case 'duration':
      return { type: 'string' };
    case 'quantity':
      return form.version === 2 ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] };
    case 'intOrString':
      return form.version === 2
        ? { type: 'string', format: 'int-or-string' }
        : { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' };
    case 'any':
      return schema.name.endsWith('.JSON') ? {} : { type: 'object' };
    default:
      return {};
  }
}

/** What a structural schema may hold is OpenAPI already; its defaults and extensions go along. */
const structuralOf = (schema: OpenApiSchema): OpenApiSchema => ({ ...schema });

function fieldOf(field: Field, form: SchemaForm, texts: Descriptions[string] | undefined): OpenApiSchema {
  const inline = inlineOf(field.schema, form);
  const description = texts?.[field.name];
  const values = texts?.[`${field.name}=`];
  const more = {
    ...(description === undefined ? {} : { description }),
    ...(Array.isArray(values) && field.schema.type === 'string' ? { enum: values } : {}),
    ...extensionsOf(field.schema, field.rule),
  };
  if ('$ref' in inline && form.version === 3) return { ...more, allOf: [inline] };
  return { ...more, ...inline };
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** One definition of the document. `describe` gives its texts, when they are at hand. */
export function definitionOf(
  schema: Schema,
  form: SchemaForm,
  describe: (name: string) => Descriptions[string] | undefined,
  groupVersions: readonly string[],
): OpenApiSchema {
  const texts = describe(schema.name);
  const own = texts?.[''];
  const description = typeof own === 'string' ? { description: own } : {};
  if (schema.type !== 'object') return { ...description, ...scalarOf(schema, form) };
  const kind = schema.identity?.kind ?? lastPart(schema.name);
  const everywhere = schema.name.startsWith(META) && TYPED_EVERYWHERE.has(kind);
  const properties: Record<string, OpenApiSchema> = {};
  if (schema.identity || everywhere) {
    properties.apiVersion = { description: APIVERSION_TEXT, type: 'string' };
    properties.kind = { description: KIND_TEXT, type: 'string' };
  }
  const required: string[] = [];
  for (const field of schema.fields?.values() ?? []) {
    properties[field.name] = fieldOf(field, form, texts);
    if (field.required) required.push(field.name);
  }
  const gvks = schema.identity
    ? [gvkOf(schema.identity.apiVersion, schema.identity.kind)]
    : kind === 'DeleteOptions' && everywhere
      ? groupVersions.map((apiVersion) => gvkOf(apiVersion, kind))
      : kind === 'Status' && everywhere
        ? [gvkOf('v1', kind)]
        : [];
  return {
    ...description,
    type: 'object',
    ...(required.length > 0 ? { required } : {}),
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(gvks.length > 0 ? { 'x-kubernetes-group-version-kind': gvks } : {}),
    ...(schema.rule?.mapType ? { 'x-kubernetes-map-type': schema.rule.mapType } : {}),
  };
}

/** These and all that they refer to, by name. */
export function closureOf(roots: readonly Schema[]): Map<string, Schema> {
  const found = new Map<string, Schema>();
  const pending = [...roots];
  for (let schema = pending.pop(); schema !== undefined; schema = pending.pop()) {
    if (schema.name !== '' && schema.type !== 'list') {
      if (found.has(schema.name)) continue;
      found.set(schema.name, schema);
    }
    for (const field of schema.fields?.values() ?? []) pending.push(field.schema);
    if (schema.items) pending.push(schema.items);
  }
  return new Map([...found].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** Definitions that every group's document has. */
export const COMMON: readonly Schema[] = ['DeleteOptions', 'Patch', 'Status', 'WatchEvent', 'APIResourceList'].map(
  (name) => definition(META + name),
);
