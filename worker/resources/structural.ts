/**
 * Custom resources' schemas: the part of OpenAPI v3 that a structural schema may use, turned into the tree of `schemas.ts`;
 * and defaults. Whether a value fits its schema is `structural-validation.ts`, whether a schema is sound `structural-rules.ts`.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import { definition, type Field, type MergeRule, type Schema, scalar } from './schemas.ts';

function ruleOf(node: StructuralSchema): MergeRule | undefined {
  const rule: MergeRule = {};
  if (node['x-kubernetes-list-type']) rule.listType = node['x-kubernetes-list-type'];
  if (node['x-kubernetes-list-map-keys']) rule.listMapKeys = node['x-kubernetes-list-map-keys'];
  if (node['x-kubernetes-map-type']) rule.mapType = node['x-kubernetes-map-type'];
  return Object.keys(rule).length === 0 ? undefined : rule;
}

function treeOf(node: StructuralSchema): Schema {
  const base = { name: '', structural: node, rule: ruleOf(node) };
  const open = node['x-kubernetes-preserve-unknown-fields'] === true;
  if (node['x-kubernetes-int-or-string']) return { ...scalar('intOrString'), ...base };
  switch (node.type) {
    case 'string':
      return { ...base, type: 'string' };
    case 'integer':
      return { ...base, type: node.format === 'int32' ? 'int32' : 'int64' };
    case 'number':
      return { ...base, type: 'double' };
    case 'boolean':
      return { ...base, type: 'boolean' };
    case 'array':
      return { ...base, type: 'list', items: node.items ? treeOf(node.items) : scalar('any') };
    case 'object': {
      const more = node.additionalProperties;
      if (!node.properties && more) return { ...base, type: 'map', items: more === true ? anything() : treeOf(more) };
      const fields = new Map<string, Field>();
      for (const [name, property] of Object.entries(node.properties ?? {})) {
        const schema = treeOf(property);
        fields.set(name, { name, schema, required: node.required?.includes(name) === true, rule: schema.rule });
      }
      if (node['x-kubernetes-embedded-resource']) addTypeMeta(fields);
      return { ...base, type: 'object', fields, preservesUnknown: open };
    }
    default:
      return { ...base, type: 'any' };
  }
}

const anything = (): Schema => ({ ...scalar('any'), structural: {} });

function addTypeMeta(fields: Map<string, Field>): void {
  const string = scalar('string');
  const metadata = definition('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  fields.set('apiVersion', { name: 'apiVersion', schema: string, required: false, rule: undefined });
  fields.set('kind', { name: 'kind', schema: string, required: false, rule: undefined });
  fields.set('metadata', { name: 'metadata', schema: metadata, required: false, rule: undefined });
}

/** The tree of a whole custom resource; apiVersion, kind and metadata are as for every object. */
export function schemaOfStructural(root: StructuralSchema, identity: { apiVersion: string; kind: string }): Schema {
  const tree = treeOf({ ...root, type: 'object', 'x-kubernetes-embedded-resource': true });
  return { ...tree, identity };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fills in defaults; a default below a missing object applies only when the object itself has one. */
export function defaultStructural(node: StructuralSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (node.items) for (const each of value) defaultStructural(node.items, each);
  } else if (isRecord(value)) {
    for (const [name, property] of Object.entries(node.properties ?? {})) {
      // Kubernetes: a null where null is not allowed is as good as nothing.
      const missing = !Object.hasOwn(value, name) || (value[name] === null && !property.nullable);
      if (missing && property.default !== undefined) value[name] = structuredClone(property.default);
      if (Object.hasOwn(value, name)) defaultStructural(property, value[name]);
    }
    const more = node.additionalProperties;
    if (typeof more === 'object') {
      for (const [name, each] of Object.entries(value)) {
        if (!node.properties || !Object.hasOwn(node.properties, name)) defaultStructural(more, each);
      }
    }
  }
}
