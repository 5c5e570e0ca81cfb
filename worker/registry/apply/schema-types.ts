/**
 * How a kind merges, read from its schema: the `TypeOf` of `typed.ts` for built-in and custom kinds alike. Made on first
 * use and kept with the schema.
 * Source: structured-merge-diff, schema; kube-openapi, pkg/schemaconv
 */
import type { Field, MergeRule, Schema } from '../../resources/schemas.ts';
import { ATOMIC, DEDUCED, type Json, type JsonMap, type TypeOf } from './typed.ts';

/** Defaults of list keys: an item that leaves the key out is the item with this value. */
const KEY_DEFAULTS: Readonly<Record<string, JsonMap>> = {
  'io.k8s.api.core.v1.ContainerPort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.ServicePort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.LocalObjectReference': { name: '' },
};

const made = new WeakMap<Schema, TypeOf>();

/** The type of a whole object of this schema, or of a part. */
export function typeOfSchema(schema: Schema): TypeOf {
  let type = made.get(schema);
  if (type === undefined) {
    type = makeType(schema, schema.rule);
    made.set(schema, type);
  }
  return type;
}

function makeType(schema: Schema, rule: MergeRule | undefined): TypeOf {
  switch (schema.type) {
    case 'object':
      return rule?.mapType === 'atomic' ? ATOMIC : structType(schema);
    case 'map': {
      if (rule?.mapType === 'atomic') return ATOMIC;
      const { items } = schema;
      // Asked for late: schemas refer to themselves.
      return {
        form: 'map',
        field: () => ({ type: items === undefined ? DEDUCED : typeOfSchema(items), named: false }),
      };
    }
    case 'list':
      return listType(schema, rule);
    case 'any':
      return DEDUCED;
    default:
      return ATOMIC;
  }
}

function structType(schema: Schema): TypeOf {
  const fields = new Map<string, { type: TypeOf; named: boolean }>();
  const unknown = { type: DEDUCED, named: false };
  return {
    form: 'map',
    field(name) {
      const field = schema.fields?.get(name);
      if (field === undefined) return unknown;
      let found = fields.get(name);
      if (found === undefined) {
        found = { type: fieldType(field), named: true };
        fields.set(name, found);
      }
      return found;
    },
  };
}

/** A rule of the field stands before the rule of what it holds. */
const fieldType = ({ schema, rule }: Field): TypeOf =>
  rule === undefined || rule === schema.rule ? typeOfSchema(schema) : makeType(schema, rule);

/** A list without a rule is replaced whole. */
function listType(schema: Schema, rule: MergeRule | undefined): TypeOf {
  const { items } = schema;
  if (rule?.listType === 'set') return { form: 'list-set' };
  if (rule?.listType !== 'map' || items === undefined) return ATOMIC;
  const keys = rule.listMapKeys ?? [];
  return { form: 'list-map', keys, defaults: keyDefaults(items, keys), item: typeOfSchema(items) };
}

function keyDefaults(items: Schema, keys: readonly string[]): JsonMap {
  const defaults: JsonMap = {};
  for (const key of keys) {
    const value = KEY_DEFAULTS[items.name]?.[key] ?? items.fields?.get(key)?.schema.structural?.default;
    if (value !== undefined) defaults[key] = value as Json;
  }
  return defaults;
}
