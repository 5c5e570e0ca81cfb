/**
 * CEL's types for what Kubernetes writes as JSON, and JSON turned into CEL values of those types. Objects are turned field by
 * field when they are looked at, so that a rule on a large object costs what it reads.
 * Source: https://kubernetes.io/docs/reference/using-api/cel/
 */
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { parseTime } from '../../shared/time.ts';
import { base64ErrorAt, decodeBase64 } from './base64.ts';

export type CelType =
  | 'dyn'
  | 'string'
  | 'int'
  | 'double'
  | 'bool'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | { list: CelType }
  /** Keys are strings. */
  | { map: CelType }
  | { optional: CelType }
  | { object: CelObjectType };

/** Fields by their name in expressions (`escapeName`). One value is one type: share it rather than make an equal one. */
export interface CelObjectType {
  fields: ReadonlyMap<string, CelField>;
}

export interface CelField {
  /** In JSON. */
  name: string;
  type: CelType;
}

/** What makes instances of an object type; each type has its own class, by which cel-js knows them. */
export type ObjectClass = new (raw: Readonly<Record<string, unknown>>, classes: ObjectClasses) => CelObject;
export type ObjectClasses = ReadonlyMap<CelObjectType, ObjectClass>;

const KEYWORDS = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A JSON field's name in expressions; undefined: it cannot be named there. */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  if (KEYWORDS.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

export class CelObject extends Map<string, unknown> {
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #type: CelObjectType;
  readonly #classes: ObjectClasses;

  constructor(raw: Readonly<Record<string, unknown>>, type: CelObjectType, classes: ObjectClasses) {
    super();
    this.#raw = raw;
    this.#type = type;
    this.#classes = classes;
  }

  override get(key: string): unknown {
    if (super.has(key)) return super.get(key);
    const field = this.#type.fields.get(key);
    if (field === undefined || !Object.hasOwn(this.#raw, field.name)) return undefined;
    const value = toCel(field.type, this.#raw[field.name], this.#classes);
    if (value !== undefined) super.set(key, value);
    return value;
  }

  override has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** All fields that are set; makes them. */
  complete(): this {
    for (const key of this.#type.fields.keys()) this.get(key);
    return this;
  }

  override values(): MapIterator<unknown> {
    this.complete();
    return super.values();
  }

  override get size(): number {
    this.complete();
    return super.size;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As JSON has them; times and durations are objects too. */
const isPlain = (value: unknown): value is Record<string, unknown> =>
  isRecord(value) && Object.getPrototypeOf(value) === Object.prototype;

/** Without a schema: whole numbers are int, others double; objects are maps. What another expression gave stays as it is. */
function toDynamic(value: unknown): unknown {
  if (value instanceof Map) return value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toDynamic);
  if (isPlain(value)) return new Map(Object.entries(value).map(([key, each]) => [key, toDynamic(each)]));
  return value;
}

const DURATION = /([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)/g;
const UNIT_MS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** Go's durations: `1h30m`, `-1.5s`, `0`. Undefined: it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0' || text === '+0' || text === '-0') return 0;
  if (!/^[+-]?([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(DURATION)) sum += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  return text.startsWith('-') ? -sum : sum;
}

/** `value` as CEL sees it; undefined where a value does not fit its type (validation says so elsewhere) or is null. */
export function toCel(type: CelType, value: unknown, classes: ObjectClasses): unknown {
  if (type === 'dyn') return toDynamic(value);
  if (value === null || value === undefined) return undefined;
  if (typeof type === 'object') {
    if ('list' in type) {
      const { list } = type;
      return Array.isArray(value) ? value.map((each) => toCel(list, each, classes)) : undefined;
    }
    if ('optional' in type) return toCel(type.optional, value, classes);
    if (!isRecord(value)) return undefined;
    if ('object' in type) {
      const Made = classes.get(type.object);
      return Made === undefined ? toDynamic(value) : new Made(value, classes);
    }
    const entries = Object.entries(value).map(([key, each]) => [key, toCel(type.map, each, classes)] as const);
    return new Map(entries.filter(([, each]) => each !== undefined));
  }
  switch (type) {
    case 'int':
      return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
    case 'double':
      return typeof value === 'number' ? value : undefined;
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'bytes':
      return typeof value === 'string' && base64ErrorAt(value) === undefined ? decodeBase64(value) : undefined;
    case 'timestamp': {
      const ms = typeof value === 'string' ? (parseTime(value) ?? Date.parse(value)) : Number.NaN;
      return Number.isNaN(ms) ? undefined : new Date(ms);
    }
    case 'duration': {
      const ms = typeof value === 'string' ? parseDurationMs(value) : undefined;
      return ms === undefined ? undefined : Duration.fromMilliseconds(ms);
    }
  }
}
