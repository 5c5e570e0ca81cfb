import { describe, expect, test } from 'vitest';
import type { CustomResourceDefinition, StructuralSchema } from '../../../shared/api/apiextensions.ts';
import { customDefinitions } from '../../../worker/http/openapi-custom.ts';
import type { OpenApiSchema } from '../../../worker/http/openapi-schemas.ts';
import { definitionOf } from '../../../worker/registry/custom.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';

/** What version 2 shows of a custom kind's spec. */
function shownSpec(spec: StructuralSchema): OpenApiSchema {
  const openAPIV3Schema: StructuralSchema = { type: 'object', properties: { spec } };
  const crd = {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  } as unknown as CustomResourceDefinition;
  const definition = definitionOf(crd);
  if (definition === undefined) throw new Error('the CRD makes no definition');
  const served = catalogOf([], [definition]).served.find(({ identity }) => identity.kind === 'Thing');
  if (served === undefined) throw new Error('Thing is not served');
  const made = new Map(customDefinitions(served, 'com.example.v1.Thing', { prefix: '#/definitions/', version: 2 }));
  const properties = made.get('com.example.v1.Thing')?.properties as Record<string, OpenApiSchema>;
  return properties.spec as OpenApiSchema;
}

describe('a custom kind in OpenAPI v2', () => {
  test.each<[string, StructuralSchema, OpenApiSchema]>([
    [
      'has no junctors',
      { type: 'object', properties: { a: { type: 'string', oneOf: [{ minLength: 1 }] } as StructuralSchema } },
      { type: 'object', properties: { a: { type: 'string' } } },
    ],
    [
      'has no type where null is allowed, and does not require it',
      {
        type: 'object',
        required: ['a', 'b'],
        properties: {
          a: { type: 'object', nullable: true, properties: { x: { type: 'string' } } },
          b: { type: 'string' },
        },
      },
      { type: 'object', required: ['b'], properties: { a: {}, b: { type: 'string' } } },
    ],
    [
      'requires nothing where values may be null',
      { type: 'object', required: ['a'], additionalProperties: { type: 'string', nullable: true } },
      { type: 'object', additionalProperties: {} },
    ],
    [
      'has no array of nothing in particular',
      { type: 'object', properties: { a: { type: 'array', 'x-kubernetes-preserve-unknown-fields': true } } },
      { type: 'object', properties: { a: { 'x-kubernetes-preserve-unknown-fields': true } } },
    ],
    [
      'shows the members of an embedded object, but not where unknown ones are kept',
      {
        type: 'object',
        properties: {
          open: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
          },
          closed: { type: 'object', 'x-kubernetes-embedded-resource': true },
        },
      },
      {
        type: 'object',
        properties: {
          open: { 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
          closed: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            required: ['kind', 'apiVersion'],
            properties: {
              apiVersion: expect.objectContaining({ type: 'string' }),
              kind: expect.objectContaining({ type: 'string' }),
              metadata: expect.objectContaining({
                $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
              }),
            },
          },
        },
      },
    ],
  ])('%s', (_, spec, shown) => expect(shownSpec(spec)).toEqual(shown));
});
