/**
 * Custom resources' schemas: the part of OpenAPI v3 that a structural schema may use, turned into the tree of `schemas.ts`,
 * and values checked against it with the apiserver's messages. CEL rules are not here.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
import type { StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { definition, type Field, type MergeRule, type Schema, scalar } from './schemas.ts';

export interface StructuralSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  description?: string;
  properties?: Record<string, StructuralSchema>;
  required?: readonly string[];
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema | boolean;
  nullable?: boolean;
  default?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
}

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
      if (!node.properties && more)
        return { ...base, type: 'map', items: more === true ? scalar('any') : treeOf(more) };
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

const typeOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'integer'
          : 'number'
        : typeof value;

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** Causes in the order of the schema; [] when the value fits. Unknown fields are not a cause: they are pruned before. */
export function validateStructural(node: StructuralSchema, value: unknown, path = ''): StatusCause[] {
  if (value === null && node.nullable) return [];
  const type = typeOf(value);
  if (node['x-kubernetes-int-or-string']) {
    if (type === 'integer' || type === 'string') return [];
    return [invalidType(path, type, 'integer,string')];
  }
  if (node.type && node.type !== type && !(node.type === 'number' && type === 'integer')) {
    return [invalidType(path, type, node.type)];
  }
  const causes: StatusCause[] = [];
  if (node.enum && !node.enum.some((each) => JSON.stringify(each) === JSON.stringify(value))) {
    causes.push(notSupported(path, value, node.enum.map(String)));
  }
  const fail = (detail: string) => causes.push(invalidValue(path, value, `${path} in body ${detail}`));
  if (typeof value === 'string') {
    const length = [...value].length;
    if (node.minLength !== undefined && length < node.minLength)
      fail(`should be at least ${node.minLength} chars long`);
    if (node.maxLength !== undefined && length > node.maxLength) fail(`should be at most ${node.maxLength} chars long`);
    if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value))
      fail(`should match '${node.pattern}'`);
  } else if (typeof value === 'number') {
    if (node.minimum !== undefined && value < node.minimum) fail(`should be greater than or equal to ${node.minimum}`);
    if (node.maximum !== undefined && value > node.maximum) fail(`should be less than or equal to ${node.maximum}`);
  } else if (Array.isArray(value)) {
    if (node.minItems !== undefined && value.length < node.minItems)
      fail(`should have at least ${node.minItems} items`);
    if (node.maxItems !== undefined && value.length > node.maxItems) fail(`should have at most ${node.maxItems} items`);
    const { items } = node;
    if (items)
      for (const [index, each] of value.entries()) causes.push(...validateStructural(items, each, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    causes.push(...validateProperties(node, value as Record<string, unknown>, path));
  }
  return causes;
}

function validateProperties(node: StructuralSchema, value: Record<string, unknown>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const name of node.required ?? []) if (!Object.hasOwn(value, name)) causes.push(required(join(path, name)));
  for (const [name, each] of Object.entries(value)) {
    const property = node.properties && Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
    const more = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
    const child = property ?? more;
    if (child) causes.push(...validateStructural(child, each, property ? join(path, name) : `${path}.${name}`));
  }
  return causes;
}

const invalidType = (path: string, actual: string, expected: string): StatusCause => ({
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${JSON.stringify(actual)}: ${path} in body must be of type ${expected}: ${JSON.stringify(actual)}`,
  field: path,
});

/** Fills in defaults; a default below a missing object applies only when the object itself has one. */
export function defaultStructural(node: StructuralSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (node.items) for (const each of value) defaultStructural(node.items, each);
  } else if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>;
    for (const [name, property] of Object.entries(node.properties ?? {})) {
      if (!Object.hasOwn(object, name) && property.default !== undefined)
        object[name] = structuredClone(property.default);
      if (Object.hasOwn(object, name)) defaultStructural(property, object[name]);
    }
    const more = node.additionalProperties;
    if (typeof more === 'object') for (const each of Object.values(object)) defaultStructural(more, each);
  }
}
