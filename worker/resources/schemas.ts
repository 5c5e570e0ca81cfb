/**
 * The shape of every kind, as one tree that built-in and custom resources share: built-in definitions are read, each on its
 * first use, from the generated table; a CRD's structural schema becomes the same tree in `structural.ts`. What walks the
 * tree is elsewhere: `fields.ts` (unknown fields, types), `protobuf.ts` (the wire), `http/openapi.ts` (documents).
 * A line of the table: `generate/facts.ts`, plus `!` behind a required field.
 */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import { TABLE } from './generated/schemas.ts';

export type SchemaType =
  | 'object'
  | 'list'
  | 'map'
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'quantity'
  | 'intOrString'
  | 'time'
  | 'microTime'
  | 'duration'
  /** Any JSON value: RawExtension, FieldsV1, an open field of a CRD. */
  | 'any'
  /** JSONSchemaPropsOrBool, …OrArray, …OrStringArray: `items` describes the object form. */
  | 'schemaOr';

export interface MergeRule {
  listType?: 'map' | 'set' | 'atomic';
  listMapKeys?: readonly string[];
  mapType?: 'atomic' | 'granular';
  patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
  patchMergeKey?: string;
}

export interface Field {
  name: string;
  schema: Schema;
  required: boolean;
  rule: MergeRule | undefined;
}

/** A field as it stands in a protobuf message; inline ones put their fields into the parent's JSON. */
export interface WireField {
  name: string;
  schema: Schema;
  inline: boolean;
}

export interface Schema {
  type: SchemaType;
  /** Definition name, `io.k8s.api.core.v1.Pod`; '' for what has none. */
  name: string;
  /** Objects: by JSON name, inline messages already flattened. */
  fields?: ReadonlyMap<string, Field>;
  /** Objects of built-in kinds: by wire number. */
  wire?: ReadonlyMap<number, WireField>;
  /** Lists and maps: the element. */
  items?: Schema;
  /** Of the object itself wherever it stands (`mapType: atomic`). */
  rule?: MergeRule | undefined;
  /** A kind of its own: carries apiVersion and kind, and this is them. */
  identity?: { apiVersion: string; kind: string } | undefined;
  /** Custom resources: fields that the schema does not name stay. */
  preservesUnknown?: boolean;
  /** Custom resources: what this node was made from; types are checked by `structural.ts`, not by the decoder. */
  structural?: StructuralSchema;
}

export const scalar = (type: SchemaType, name = ''): Schema => ({ type, name });

const LETTERS: Record<string, Schema> = {
  s: scalar('string'),
  b: scalar('boolean'),
  i: scalar('int32'),
  l: scalar('int64'),
  d: scalar('double'),
  y: scalar('bytes'),
};

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const EXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';

/** Messages whose JSON form is not an object of their fields. */
const SPECIAL: Record<string, SchemaType> = {
  [`${META}Time`]: 'time',
  [`${META}MicroTime`]: 'microTime',
  [`${META}Duration`]: 'duration',
  [`${META}FieldsV1`]: 'any',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.api.resource.QuantityValue': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  [`${EXTENSIONS}JSON`]: 'any',
  [`${EXTENSIONS}JSONSchemaPropsOrBool`]: 'schemaOr',
  [`${EXTENSIONS}JSONSchemaPropsOrArray`]: 'schemaOr',
  [`${EXTENSIONS}JSONSchemaPropsOrStringArray`]: 'schemaOr',
  'io.k8s.api.authentication.v1.ExtraValue': 'list',
  'io.k8s.api.authorization.v1.ExtraValue': 'list',
  'io.k8s.api.certificates.v1.ExtraValue': 'list',
  [`${META}Verbs`]: 'list',
};

interface Row {
  packageName: string;
  apiVersion: string;
  line: string;
}

interface Table {
  rows: Map<string, Row>;
  rules: MergeRule[];
}

function parseRule(line: string): MergeRule {
  const rule: MergeRule = {};
  for (const part of line.slice(2).split(' ')) {
    const [key, value = ''] = part.split('=');
    if (key === 'list') rule.listType = value as NonNullable<MergeRule['listType']>;
    else if (key === 'map') rule.mapType = value as NonNullable<MergeRule['mapType']>;
    else if (key === 'keys') rule.listMapKeys = value.split(',');
    else if (key === 'patch') rule.patchStrategy = value.split(',') as NonNullable<MergeRule['patchStrategy']>;
    else if (key === 'mergeKey') rule.patchMergeKey = value;
  }
  return rule;
}

function readTable(): Table {
  const read: Table = { rows: new Map(), rules: [] };
  let packageName = '';
  let apiVersion = '';
  for (const line of TABLE.trimEnd().split('\n')) {
    if (line.startsWith('!')) {
      read.rules.push(parseRule(line));
    } else if (line.startsWith('#')) {
      [, packageName = '', apiVersion = ''] = line.split(' ');
    } else {
      const name = /^\w+/.exec(line)?.[0] ?? '';
      read.rows.set(`${packageName}.${name}`, { packageName, apiVersion, line });
    }
  }
  return read;
}

let table: Table | undefined;
const schemas = new Map<string, Schema>();
const tableOf = (): Table => {
  table ??= readTable();
  return table;
};

const FIELD = /^([^:]+):(\d+)([^[{~!@]+)(\[\]|\{\})?(~)?(!)?(?:@(\d+))?$/;

interface ParsedField extends WireField {
  number: number;
  required: boolean;
  rule: MergeRule | undefined;
}

function parseField(text: string, packageName: string): ParsedField {
  const match = FIELD.exec(text);
  if (match === null) throw new Error(`generated schema table: cannot read ${text} of ${packageName}`);
  const [, name = '', number, type = '', shape, inline, required, rule] = match;
  const full = type.includes('.') ? `io.k8s.${type}` : `${packageName}.${type}`;
  const element = LETTERS[type] ?? definition(full);
  const schema: Schema =
    shape === '[]'
      ? { type: 'list', name: '', items: element }
      : shape === '{}'
        ? { type: 'map', name: '', items: element }
        : element;
  return {
    name,
    schema,
    inline: inline === '~',
    number: Number(number),
    required: required === '!',
    rule: rule === undefined ? undefined : tableOf().rules[Number(rule)],
  };
}

/** An object's fields are read from its line when somebody first looks at them: definitions refer to each other in circles. */
class ObjectSchema implements Schema {
  readonly type = 'object';
  readonly name: string;
  readonly rule: MergeRule | undefined;
  readonly identity: Schema['identity'];
  readonly #row: Row;
  #parsed: ParsedField[] | undefined;
  #fields: Map<string, Field> | undefined;
  #wire: Map<number, WireField> | undefined;

  constructor(name: string, row: Row) {
    this.name = name;
    this.#row = row;
    const head = row.line.split(' ', 1)[0] ?? '';
    const rule = /@(\d+)/.exec(head)?.[1];
    this.rule = rule === undefined ? undefined : tableOf().rules[Number(rule)];
    const kind = name.slice(name.lastIndexOf('.') + 1);
    this.identity = head.includes('*') ? { apiVersion: row.apiVersion, kind } : undefined;
  }

  get parsed(): ParsedField[] {
    this.#parsed ??= this.#row.line
      .split(' ')
      .slice(1)
      .map((text) => parseField(text, this.#row.packageName));
    return this.#parsed;
  }

  get fields(): ReadonlyMap<string, Field> {
    if (this.#fields === undefined) {
      const fields = new Map<string, Field>();
      for (const { name, schema, inline, required, rule } of this.parsed) {
        if (inline) for (const inner of schema.fields?.values() ?? []) fields.set(inner.name, inner);
        else fields.set(name, { name, schema, required, rule });
      }
      this.#fields = fields;
    }
    return this.#fields;
  }

  get wire(): ReadonlyMap<number, WireField> {
    this.#wire ??= new Map(this.parsed.map((field) => [field.number, field]));
    return this.#wire;
  }
}

function makeDefinition(name: string): Schema {
  const special = SPECIAL[name];
  if (special === 'list') return { type: 'list', name, items: scalar('string') };
  if (special === 'schemaOr') return { type: 'schemaOr', name, items: definition(`${EXTENSIONS}JSONSchemaProps`) };
  if (special !== undefined) return scalar(special, name);
  const row = tableOf().rows.get(name);
  if (row === undefined) throw new Error(`no schema is called ${name}`);
  return new ObjectSchema(name, row);
}

/** The schema of a built-in definition, by its full name. @throws Error for a name that is not in the table. */
export function definition(name: string): Schema {
  let schema = schemas.get(name);
  if (schema === undefined) {
    schema = makeDefinition(name);
    schemas.set(name, schema);
  }
  return schema;
}

/** `v1 Pod`, `apps/v1 Deployment` → its schema, of all kinds that Kubernetes has, served here or not. */
let kinds: Map<string, string> | undefined;
export function schemaOfKind(apiVersion: string, kind: string): Schema | undefined {
  kinds ??= new Map(
    [...tableOf().rows]
      .filter(([, row]) => /^\w+\*/.test(row.line))
      .map(([name, row]) => [`${row.apiVersion} ${name.slice(name.lastIndexOf('.') + 1)}`, name]),
  );
  const name = kinds.get(`${apiVersion} ${kind}`);
  return name === undefined ? undefined : definition(name);
}

/** The schema below one field; undefined where the schema does not say (unknown field, open object). Lists: of the list. */
export function childSchema(schema: Schema, field: string): Schema | undefined {
  if (schema.type === 'map') return schema.items;
  return schema.fields?.get(field)?.schema;
}

/** How the value of a field is merged by strategic and server-side patches; a list without a rule is atomic. */
export function mergeRule(schema: Schema, field: string): MergeRule | undefined {
  const found = schema.fields?.get(field);
  return found?.rule ?? found?.schema.rule;
}
