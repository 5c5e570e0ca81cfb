/**
 * Custom kinds in OpenAPI documents: what the author of a CRD wrote, with the members that every object has. Version 3 shows the
 * schema as it is; version 2 leaves out what its readers would misunderstand.
 * Source: apiextensions-apiserver, pkg/controller/openapi/builder, pkg/controller/openapi/v2/conversion.go
 */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import { apiVersionOf } from '../../shared/api/meta.ts';
import type { ServedResource } from '../resources/catalog.ts';
import { APIVERSION_TEXT, gvkOf, KIND_TEXT, type OpenApiSchema, type SchemaForm } from './openapi-schemas.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const METADATA_TEXT = `Standard object's metadata. More info: ${CONVENTIONS}#metadata`;
const LIST_METADATA_TEXT = `Standard list metadata. More info: ${CONVENTIONS}#types-kinds`;

const reference = (name: string, description: string, form: SchemaForm): OpenApiSchema =>
  form.version === 3
    ? { description, allOf: [{ $ref: `${form.prefix}${name}` }] }
    : { description, $ref: `${form.prefix}${name}` };

const typeMeta = (form: SchemaForm): Record<string, OpenApiSchema> => ({
  apiVersion: { description: APIVERSION_TEXT, type: 'string' },
  kind: { description: KIND_TEXT, type: 'string' },
  metadata: reference(`${META}ObjectMeta`, METADATA_TEXT, form),
});

/** The parts of a schema that are schemas themselves, each made anew. */
function published(node: StructuralSchema, form: SchemaForm): OpenApiSchema {
  const shown: OpenApiSchema = { ...node };
  if (form.version === 2) restrain(shown);
  if (shown.properties !== undefined) shown.properties = publishedAll(node.properties ?? {}, form);
  if (shown.items !== undefined && node.items) shown.items = published(node.items, form);
  if (typeof shown.additionalProperties === 'object' && typeof node.additionalProperties === 'object') {
    shown.additionalProperties = published(node.additionalProperties, form);
  }
  // kubectl: with these, it would refuse the fields that are not named.
  const isOpen = form.version === 2 && node['x-kubernetes-preserve-unknown-fields'] === true;
  if (node['x-kubernetes-embedded-resource'] && !isOpen) {
    shown.properties = { ...(shown.properties as object | undefined), ...typeMeta(form) };
    shown.required = [...new Set([...(node.required ?? []), 'kind', 'apiVersion'])];
  }
  return shown;
}

const publishedAll = (properties: Record<string, StructuralSchema>, form: SchemaForm): OpenApiSchema =>
  Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, published(node, form)]));

/** kubectl: takes a type in version 2 at its word, and so refuses null, and fields that are not named. */
function restrain(shown: OpenApiSchema): void {
  for (const keyword of ['allOf', 'anyOf', 'oneOf', 'not']) delete shown[keyword];
  if (shown.nullable) {
    for (const keyword of ['nullable', 'type', 'items', 'properties', 'additionalProperties']) delete shown[keyword];
  }
  if (shown['x-kubernetes-preserve-unknown-fields']) {
    for (const keyword of ['type', 'items', 'properties', 'additionalProperties']) delete shown[keyword];
  }
  if (shown['x-kubernetes-int-or-string']) delete shown.type;
  // kubectl: has no arrays of nothing in particular.
  if (shown.type === 'array' && shown.items === undefined) delete shown.type;
  restrainRequired(shown);
}

/** What may be null has no type there, and so may be missing as far as the document says. */
function restrainRequired(shown: OpenApiSchema): void {
  const { required, properties, additionalProperties } = shown as StructuralSchema;
  if (required === undefined) return;
  const left = required.filter((name) => properties?.[name]?.nullable !== true);
  const values = typeof additionalProperties === 'object' ? additionalProperties : undefined;
  if (left.length === 0 || values?.nullable === true) delete shown.required;
  else shown.required = left;
}

/** A custom kind and its list, under the names of the two definitions. */
export function customDefinitions(served: ServedResource, name: string, form: SchemaForm): [string, OpenApiSchema][] {
  const { identity, definition } = served;
  const root = definition.structural ?? {};
  const apiVersion = apiVersionOf(identity);
  const open = form.version === 2 && root['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties: _, ...own } = open ? { type: 'object' as const } : published({ ...root, type: 'object' }, form);
  const properties = open ? {} : publishedAll(root.properties ?? {}, form);
  const item = { $ref: `${form.prefix}${name}` };
  const list = {
    description: `${identity.kind}List is a list of ${identity.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta(form),
      metadata: reference(`${META}ListMeta`, LIST_METADATA_TEXT, form),
      items: {
        description: `List of ${definition.identity.resource}. More info: ${CONVENTIONS}`,
        type: 'array',
        items: form.version === 3 ? { allOf: [item] } : item,
      },
    },
    'x-kubernetes-group-version-kind': [gvkOf(apiVersion, served.listKind)],
  };
  return [
    [
      name,
      {
        ...own,
        properties: { ...properties, ...typeMeta(form) },
        'x-kubernetes-group-version-kind': [gvkOf(apiVersion, identity.kind)],
      },
    ],
    [`${name}List`, list],
  ];
}
