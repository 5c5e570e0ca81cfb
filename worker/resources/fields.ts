/**
 * What the apiserver's decoder does between the bytes and the typed object: unknown fields are found and dropped, values are
 * held against their types, nulls and empty optional lists vanish, times and quantities take their canonical form. Works
 * on the object it is given. Rules about content (required, ranges) are each definition's own.
 */

import { badRequest, type StatusError } from '../../shared/errors.ts';
import { canonicalQuantity, QUANTITY_ERROR } from '../../shared/quantity.ts';
import { canonicalMicroTime, canonicalTime } from '../../shared/time.ts';
import { base64ErrorAt } from './base64.ts';
import type { JsonObject } from './definition.ts';
import type { Field, Schema } from './schemas.ts';

export interface FieldCheck {
  /** Paths of unknown fields, in the document's order: `spec.containers[0].foo`. They are gone from the object. */
  unknown: string[];
  /** What strict validation lists and what Warn sends, one text each: `unknown field "spec.foo"`, `duplicate field "spec.x"`. */
  problems: string[];
}

export interface CheckOptions {
  /** Paths of keys that the text had more than once, from the decoder. */
  duplicates?: readonly string[];
}

/** As encoding/json names it in errors. */
const goKindOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

/** A definition's name as Go prints its type: `v1.PodSpec`. */
function goTypeOf(schema: Schema): string {
  switch (schema.type) {
    case 'object':
    case 'schemaOr': {
      const parts = schema.name.split('.');
      return parts.slice(-2).join('.');
    }
    case 'list':
      return schema.items ? `[]${goTypeOf(schema.items)}` : '[]interface {}';
    case 'map':
      return schema.items?.type === 'quantity'
        ? 'v1.ResourceList'
        : `map[string]${schema.items ? goTypeOf(schema.items) : ''}`;
    case 'boolean':
      return 'bool';
    case 'double':
      return 'float64';
    case 'bytes':
      return '[]uint8';
    case 'quantity':
      return 'resource.Quantity';
    case 'time':
      return 'v1.Time';
    case 'microTime':
      return 'v1.MicroTime';
    default:
      return schema.type;
  }
}

/** Thrown inside the walk; becomes a 400 with the kind in front. */
class DecodeError extends Error {}

const LIMITS = { int32: [-(2 ** 31), 2 ** 31 - 1], int64: [-(2 ** 63), 2 ** 63 - 1] } as const;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where the walk stands: the path with indices, Go's path without them, and the struct whose field this is. */
interface Place {
  path: string;
  goPath: string;
  struct: string;
}

/** Told one by one; a body with more is as wrong as one with these. */
const MAX_DUPLICATES = 1000;

class Walk {
  readonly unknown: string[] = [];
  readonly problems: string[] = [];
  readonly #duplicates: ReadonlySet<string>;
  readonly #told = new Set<string>();

  constructor(duplicates: readonly string[]) {
    this.#duplicates = new Set(duplicates.slice(0, MAX_DUPLICATES));
  }

  object(schema: Schema, object: JsonObject, place: Place): void {
    const struct = schema.name.slice(schema.name.lastIndexOf('.') + 1) || place.struct;
    for (const key of Object.keys(object)) {
      const path = place.path === '' ? key : `${place.path}.${key}`;
      const typeMeta = place.path === '' && (key === 'apiVersion' || key === 'kind');
      const field = schema.fields?.get(key);
      if (field === undefined && !typeMeta) {
        if (schema.preservesUnknown) {
          this.#deepDuplicates(path);
          continue;
        }
        this.unknown.push(path);
        this.problems.push(`unknown field "${path}"`);
        delete object[key];
        continue;
      }
      const value = object[key];
      if (field !== undefined) {
        const kept = this.value(field.schema, value, {
          path,
          goPath: place.goPath === '' ? key : `${place.goPath}.${key}`,
          struct,
        });
        if (kept === undefined || (isOmitted(field, kept) && path !== MANAGED_FIELDS)) delete object[key];
        // What stays is not written: it may be shared with what is stored.
        else if (kept !== value) object[key] = kept;
      }
      if (this.#duplicates.has(path)) this.#tellDuplicate(path);
    }
  }

  /** The value in canonical form; undefined when it stands for nothing. */
  value(schema: Schema, value: unknown, place: Place): unknown {
    if (value === null)
      return schema.structural?.nullable ? null : schema.type === 'any' && schema.structural ? null : undefined;
    if (schema.structural && !fitsStructural(schema, value)) {
      this.#deepDuplicates(place.path);
      return value;
    }
    switch (schema.type) {
      case 'any':
        return value;
      case 'string':
        if (typeof value !== 'string') this.#mismatch(value, schema, place);
        return value;
      case 'boolean':
        if (typeof value !== 'boolean') this.#mismatch(value, schema, place);
        return value;
      case 'int32':
      case 'int64':
        return this.#integer(schema, value, place);
      case 'double':
        if (typeof value !== 'number') this.#mismatch(value, schema, place);
        return value;
      case 'bytes':
        return this.#bytes(schema, value, place);
      case 'quantity':
        return quantity(value);
      case 'intOrString':
        return intOrString(value);
      case 'time':
        return time(value, canonicalTime);
      case 'microTime':
        return time(value, canonicalMicroTime);
      case 'duration':
        if (typeof value !== 'string')
          throw new DecodeError(`json: cannot unmarshal ${goKindOf(value)} into Go value of type string`);
        return value;
      case 'list':
        return this.#list(schema, value, place);
      case 'map':
        return this.#map(schema, value, place);
      case 'object':
        if (!isObject(value)) this.#mismatch(value, schema, place);
        else this.object(schema, value, place);
        return value;
      case 'schemaOr':
        return this.#schemaOr(schema, value, place);
    }
  }

  /** Below what the schema leaves open nothing is unknown, but what stood there twice is still told. */
  #deepDuplicates(path: string): void {
    for (const each of this.#duplicates) {
      const isBelow = each.startsWith(path) && /^[.[]/.test(each.slice(path.length));
      if (each === path || isBelow) this.#tellDuplicate(each);
    }
  }

  #tellDuplicate(path: string): void {
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.problems.push(`duplicate field "${path}"`);
  }

  #mismatch(value: unknown, schema: Schema, place: Place, literal = ''): never {
    const what = `${goKindOf(value)}${literal === '' ? '' : ` ${literal}`}`;
    throw new DecodeError(
      `json: cannot unmarshal ${what} into Go struct field ${place.struct}.${place.goPath} of type ${goTypeOf(schema)}`,
    );
  }

  #integer(schema: Schema, value: unknown, place: Place): unknown {
    if (typeof value !== 'number') this.#mismatch(value, schema, place);
    const [least, most] = LIMITS[schema.type as 'int32' | 'int64'];
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      this.#mismatch(value, schema, place, String(value));
    }
    return value;
  }

  #bytes(schema: Schema, value: unknown, place: Place): unknown {
    if (typeof value !== 'string') this.#mismatch(value, schema, place);
    const at = base64ErrorAt(value as string);
    if (at !== undefined) throw new DecodeError(`illegal base64 data at input byte ${at}`);
    return value;
  }

  #list(schema: Schema, value: unknown, place: Place): unknown {
    if (!Array.isArray(value)) this.#mismatch(value, schema, place);
    const items = schema.items;
    if (items === undefined) return value;
    const list = value as unknown[];
    for (const [index, each] of list.entries()) {
      const kept =
        this.value(items, each, { ...place, path: `${place.path}[${index}]` }) ??
        (schema.structural ? null : zeroOf(items));
      if (kept !== each) list[index] = kept;
    }
    return list;
  }

  #map(schema: Schema, value: unknown, place: Place): unknown {
    if (!isObject(value)) this.#mismatch(value, schema, place);
    const items = schema.items;
    if (items === undefined) return value;
    const map = value as JsonObject;
    for (const key of Object.keys(map)) {
      const path = `${place.path}.${key}`;
      const kept = this.value(items, map[key], { ...place, path }) ?? (schema.structural ? undefined : zeroOf(items));
      if (kept === undefined) {
        delete map[key];
        continue;
      }
      // A key named __proto__ is data here, as any other.
      Object.defineProperty(map, key, { value: kept, writable: true, enumerable: true, configurable: true });
      if (this.#duplicates.has(path)) this.#tellDuplicate(path);
    }
    return map;
  }

  #schemaOr(schema: Schema, value: unknown, place: Place): unknown {
    const items = schema.items;
    if (items && isObject(value)) this.object(items, value, place);
    else if (items && Array.isArray(value)) {
      for (const [index, each] of value.entries()) {
        if (isObject(each)) this.object(items, each, { ...place, path: `${place.path}[${index}]` });
      }
    }
    return value;
  }
}

/** Custom resources: a value of the wrong type stays, for `validateStructural` to refuse with the apiserver's words. */
function fitsStructural(schema: Schema, value: unknown): boolean {
  if (schema.type === 'list') return Array.isArray(value);
  if (schema.type === 'object' || schema.type === 'map') return isObject(value);
  return false;
}

/** What Go's zero value of the element is, for a null among others. */
const zeroOf = (schema: Schema): unknown =>
  schema.type === 'string' || schema.type === 'bytes'
    ? ''
    : schema.type === 'object' || schema.type === 'map'
      ? {}
      : schema.type === 'list'
        ? []
        : schema.type === 'boolean'
          ? false
          : schema.type === 'any' || schema.type === 'schemaOr'
            ? null
            : schema.type === 'quantity'
              ? '0'
              : 0;

/** Kubernetes: here an empty list is an order of its own: forget who owns what. */
const MANAGED_FIELDS = 'metadata.managedFields';

const isOmitted = (field: Field, value: unknown): boolean => !field.required && isEmptyCollection(field.schema, value);

/** Kubernetes: an empty optional list or map is the same as none (they are `omitempty`, and protobuf cannot tell). */
function isEmptyCollection(schema: Schema, value: unknown): boolean {
  if (schema.structural) return false;
  if (schema.type === 'list') return (value as unknown[]).length === 0;
  return schema.type === 'map' && Object.keys(value as JsonObject).length === 0;
}

function quantity(value: unknown): string {
  const canonical =
    typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(String(value).trim()) : undefined;
  if (canonical === undefined) throw new DecodeError(QUANTITY_ERROR);
  return canonical;
}

function intOrString(value: unknown): unknown {
  if (typeof value === 'string') return value;
  const [least, most] = LIMITS.int32;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const literal = typeof value === 'number' ? ` ${value}` : '';
  throw new DecodeError(`json: cannot unmarshal ${goKindOf(value)}${literal} into Go value of type int32`);
}

function time(value: unknown, canonical: (text: string) => string | undefined): string {
  if (typeof value !== 'string')
    throw new DecodeError(`json: cannot unmarshal ${goKindOf(value)} into Go value of type string`);
  const text = canonical(value);
  if (text === undefined) {
    const quoted = JSON.stringify(value);
    throw new DecodeError(`parsing time ${quoted} as "2006-01-02T15:04:05Z07:00": cannot parse ${quoted} as "2006"`);
  }
  return text;
}

/** `Deployment in version "v1" cannot be handled as a Deployment: …` */
export function cannotHandle(schema: Schema, why: string): StatusError {
  const kind = schema.identity?.kind ?? schema.name.slice(schema.name.lastIndexOf('.') + 1);
  const apiVersion = schema.identity?.apiVersion ?? 'v1';
  const version = apiVersion.slice(apiVersion.lastIndexOf('/') + 1);
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

/** What fieldValidation=Strict answers. Problems are those of the decoder and of `checkFields` together. */
export const strictError = (schema: Schema, problems: readonly string[]): StatusError =>
  cannotHandle(schema, `strict decoding error: ${problems.join(', ')}`);

/**
 * Prunes and canonicalises `object` in place.
 * @throws StatusError 400 for a value of the wrong type, worded as Go's decoder does.
 */
export function checkFields(schema: Schema, object: JsonObject, options: CheckOptions = {}): FieldCheck {
  const walk = new Walk(options.duplicates ?? []);
  try {
    walk.object(schema, object, { path: '', goPath: '', struct: '' });
  } catch (error) {
    if (error instanceof DecodeError) throw cannotHandle(schema, error.message);
    throw error;
  }
  return { unknown: walk.unknown, problems: walk.problems };
}
