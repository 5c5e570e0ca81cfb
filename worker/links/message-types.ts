/**
 * Whether a value that came as JSON has the types that a schema says: what is read without further looks must be held against
 * it first. Changes nothing and drops nothing; what bodies of requests need beyond that is `resources/fields.ts`.
 */
import { canonicalQuantity } from '../../shared/quantity.ts';
import type { JsonObject } from '../resources/definition.ts';
import { type Field, type Schema, type SchemaType, scalar } from '../resources/schemas.ts';

type Fields = Record<string, Schema>;

/** A message: `required` fields are there, `optional` ones may be, others are not looked at. */
export function messageOf(required: Fields, optional: Fields = {}): Schema {
  const field =
    (isRequired: boolean) =>
    ([name, schema]: [string, Schema]): [string, Field] => [
      name,
      { name, schema, required: isRequired, rule: undefined },
    ];
  const fields = [...Object.entries(required).map(field(true)), ...Object.entries(optional).map(field(false))];
  return { type: 'object', name: '', fields: new Map(fields) };
}
export const listOf = (items: Schema): Schema => ({ type: 'list', name: '', items });
export const mapOf = (items: Schema): Schema => ({ type: 'map', name: '', items });
export const TEXT = scalar('string');
export const INTEGER = scalar('int64');
export const BOOLEAN = scalar('boolean');

/** What is wrong, with its place (`pods[0].status is no object`); undefined when nothing is. */
export function mistyped(schema: Schema, value: unknown): string | undefined {
  // Places are written for what is wrong alone: almost every message is right, and there are many.
  return fits(schema, value) ? undefined : wrongAt(schema, value, '');
}

function fits(schema: Schema, value: unknown): boolean {
  if (!FITS[schema.type](value)) return false;
  const { type, items, fields } = schema;
  if (type === 'list' && items !== undefined) {
    for (const each of value as unknown[]) if (!fits(items, each)) return false;
  } else if (type === 'map' && items !== undefined) {
    for (const key in value as object) if (!fits(items, (value as JsonObject)[key])) return false;
  } else if (type === 'object' && fields !== undefined) {
    if (missingOf(schema, value as JsonObject) !== undefined) return false;
    for (const key in value as object) {
      const field = fields.get(key);
      if (field !== undefined && !fits(field.schema, (value as JsonObject)[key])) return false;
    }
  }
  return true;
}

function wrongAt(schema: Schema, value: unknown, place: string): string {
  if (!FITS[schema.type](value))
    return `${place === '' ? 'the message' : place} is no ${NAMES[schema.type] ?? schema.type}`;
  const missing = schema.type === 'object' ? missingOf(schema, value as JsonObject) : undefined;
  if (missing !== undefined) return `${below(place, missing)} is missing`;
  for (const [key, each] of Object.entries(value as object)) {
    const inner = schema.items ?? schema.fields?.get(key)?.schema;
    const at = schema.type === 'list' ? `${place}[${key}]` : below(place, key);
    if (inner !== undefined && !fits(inner, each)) return wrongAt(inner, each, at);
  }
  throw new Error(`${place} is as it should be`);
}

const below = (place: string, key: string) => (place === '' ? key : `${place}.${key}`);

/** Kinds of Kubernetes come as drafts: what they must have is judged when they are written. */
function missingOf({ name, fields }: Schema, value: JsonObject): string | undefined {
  if (name !== '' || fields === undefined) return undefined;
  for (const field of fields.values()) if (field.required && !Object.hasOwn(value, field.name)) return field.name;
  return undefined;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** As `shared/time.ts` has it, but for days that a month lacks: a status has many times, and each costs. */
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
// Kubernetes: a time that is not set is null, `lastProbeTime` of most conditions.
const isTime = (value: unknown) =>
  value === null || (isText(value) && RFC3339.test(value) && !Number.isNaN(Date.parse(value)));

const FITS: Record<SchemaType, (value: unknown) => boolean> = {
  object: isObject,
  map: isObject,
  list: Array.isArray,
  string: isText,
  bytes: isText,
  duration: isText,
  boolean: (value) => typeof value === 'boolean',
  int32: (value) => Number.isInteger(value) && Math.abs(value as number) <= 2 ** 31,
  int64: Number.isSafeInteger,
  double: (value) => typeof value === 'number',
  quantity: (value) => (isText(value) || typeof value === 'number') && canonicalQuantity(String(value)) !== undefined,
  intOrString: (value) => isText(value) || Number.isInteger(value),
  time: isTime,
  microTime: isTime,
  any: () => true,
  schemaOr: () => true,
};

const NAMES: Partial<Record<SchemaType, string>> = {
  map: 'object',
  int32: 'integer',
  int64: 'integer',
  double: 'number',
};
