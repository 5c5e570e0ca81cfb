/** Custom resources' schemas: which are refused, what values they let through, defaults, and what is let be. */

import { describe, expect, test } from 'vitest';
import type { JSONSchemaProps, StructuralSchema } from '../../../shared/api/apiextensions.ts';
import { compileRules, validateRules } from '../../../worker/resources/cel-rules.ts';
import { checkFields } from '../../../worker/resources/fields.ts';
import { hasFormat } from '../../../worker/resources/formats.ts';
import { defaultStructural, schemaOfStructural } from '../../../worker/resources/structural.ts';
import { validateSchema } from '../../../worker/resources/structural-rules.ts';
import { validateStructural } from '../../../worker/resources/structural-validation.ts';

const textsOf = (causes: { field?: string; message?: string }[]) =>
  causes.map((each) => `${each.field}: ${each.message}`);
const inA = (a: JSONSchemaProps): JSONSchemaProps => ({ type: 'object', properties: { a } });

describe('a schema', () => {
  test.each<[string, JSONSchemaProps, string]>([
    ['no type', inA({}), 'root.properties[a].type: Required value: must not be empty for specified object fields'],
    ['another root', { type: 'string' }, 'root.type: Invalid value: "string": must be object at the root'],
    ['an array of nothing', inA({ type: 'array' }), 'root.properties[a].items: Required value: must be specified'],
    [
      'items without a type',
      inA({ type: 'array', items: {} }),
      'root.properties[a].items.type: Required value: must not be empty for specified array items',
    ],
    [
      'a type beside int-or-string',
      inA({ type: 'string', 'x-kubernetes-int-or-string': true }),
      'root.properties[a].type: Invalid value: "string": must be empty if x-kubernetes-int-or-string is true',
    ],
    [
      'a closed map',
      inA({ type: 'object', additionalProperties: false }),
      'root.properties[a].additionalProperties: Forbidden: additionalProperties cannot be set to false',
    ],
    [
      'a map with fields',
      inA({ type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } }),
      'additionalProperties and properties are mutual exclusive',
    ],
    ['a reference', inA({ type: 'object', $ref: '#/x' }), 'root.properties[a].$ref: Forbidden: $ref is not supported'],
    [
      'a null type',
      inA({ type: 'null' }),
      'root.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative',
    ],
    [
      'a type inside anyOf',
      inA({
        type: 'object',
        properties: { b: { type: 'string' } },
        anyOf: [{ properties: { b: { type: 'string' } } }],
      }),
      'root.properties[a].anyOf[0].properties[b].type: Forbidden: must be empty to be structural',
    ],
    [
      'a field that only oneOf names',
      inA({ type: 'object', oneOf: [{ required: ['b'], properties: { b: {} } }] }),
      'root.properties[a].properties[b]: Required value: because it is defined in root.properties[a].oneOf[0].properties[b]',
    ],
    [
      'a bad pattern',
      inA({ type: 'string', pattern: '(' }),
      'root.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: ',
    ],
    [
      'a look-ahead, which RE2 does not have',
      inA({ type: 'string', pattern: '(?=a)' }),
      'must be a valid regular expression',
    ],
    [
      'a list map without keys',
      inA({ type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } }),
      'root.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
    ],
    [
      'keys that may be missing',
      inA({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' } } },
      }),
      'root.properties[a].items.properties[k].default: Required value',
    ],
    [
      'rules about metadata',
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      'root.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ],
    [
      'a default of another type',
      inA({ type: 'string', default: 1 }),
      'root.properties[a].default: Invalid value: "integer": root.properties[a].default in body must be of type string: "integer"',
    ],
    [
      'a default that would be pruned',
      inA({ type: 'object', default: { b: 1 } }),
      'root.properties[a].default: Invalid value: {"b":1}: must not have unknown fields',
    ],
    [
      'a rule that does not compile',
      inA({ type: 'integer', 'x-kubernetes-validations': [{ rule: 'self + "x" == 1' }] }),
      'root.properties[a].x-kubernetes-validations[0].rule: Invalid value: "self + \\"x\\" == 1": compilation failed: ERROR: <input>:1:1: found no matching overload for \'_+_\' applied to \'(int, string)\'',
    ],
    [
      'a message that is no text',
      inA({ type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 1', messageExpression: 'self' }] }),
      'messageExpression compilation failed: must evaluate to string',
    ],
    [
      'a change where nothing corresponds',
      inA({ type: 'array', items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf' }] } }),
      'oldSelf cannot be used on the uncorrelatable portion of the schema within',
    ],
    [
      'a reason that is none',
      inA({ type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 1', reason: 'Because' }] }),
      '.reason: Unsupported value: "Because"',
    ],
  ])('with %s is refused', (_, schema, expected) => {
    expect(textsOf(validateSchema(schema, 'root')).join('\n')).toContain(expected);
  });

  test('that nests without end is refused before anything recurses', () => {
    let schema: JSONSchemaProps = { type: 'string' };
    for (let depth = 0; depth < 5000; depth++) schema = { type: 'object', properties: { a: schema } };
    expect(textsOf(validateSchema(schema, 'root')).at(-1)).toContain('schemas may not be nested more than 100 deep');
  });

  test('that is sound is taken', () => {
    const schema: JSONSchemaProps = {
      type: 'object',
      properties: {
        metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
        spec: {
          type: 'object',
          anyOf: [{ required: ['a'] }, { properties: { b: { minimum: 3 } } }],
          properties: {
            a: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
            b: { type: 'integer', default: 1 },
            open: { 'x-kubernetes-preserve-unknown-fields': true },
            template: {
              type: 'object',
              'x-kubernetes-embedded-resource': true,
              'x-kubernetes-preserve-unknown-fields': true,
            },
            map: {
              type: 'object',
              additionalProperties: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self != oldSelf' }] },
            },
          },
        },
      },
    };
    expect(validateSchema(schema, 'root')).toEqual([]);
  });
});

describe('a value', () => {
  const only = (schema: StructuralSchema, value: unknown, old?: unknown) =>
    textsOf(
      validateStructural(
        { type: 'object', properties: { x: schema } },
        { x: value },
        '',
        old === undefined ? undefined : { x: old },
      ),
    );
  test.each<[string, StructuralSchema, unknown, string[]]>([
    [
      'another type',
      { type: 'string' },
      1,
      ['x: Invalid value: "integer": x in body must be of type string: "integer"'],
    ],
    ['a whole number for a number', { type: 'number' }, 1, []],
    ['null where it may be', { type: 'string', nullable: true }, null, []],
    [
      'null where it may not',
      { type: 'string' },
      null,
      ['x: Invalid value: "null": x in body must be of type string: "null"'],
    ],
    [
      'none of an enum',
      { type: 'string', enum: ['a', 'b'] },
      'c',
      ['x: Unsupported value: "c": supported values: "a", "b"'],
    ],
    ['too long', { type: 'string', maxLength: 2 }, 'abc', ['x: Too long: may not be more than 2 bytes']],
    [
      'too short',
      { type: 'string', minLength: 2 },
      'a',
      ['x: Invalid value: "a": x in body should be at least 2 chars long'],
    ],
    [
      'over an exclusive limit',
      { type: 'integer', maximum: 2, exclusiveMaximum: true },
      2,
      ['x: Invalid value: 2: x in body should be less than 2'],
    ],
    [
      'no multiple',
      { type: 'integer', multipleOf: 3 },
      4,
      ['x: Invalid value: 4: x in body should be a multiple of 3'],
    ],
    [
      'too many',
      { type: 'array', maxItems: 1, items: { type: 'integer' } },
      [1, 2],
      ['x: Too many: 2: must have at most 1 items'],
    ],
    [
      'too few',
      { type: 'array', minItems: 1, items: { type: 'integer' } },
      [],
      ['x: Invalid value: 0: x in body should have at least 1 items'],
    ],
    [
      'an item of another type',
      { type: 'array', items: { type: 'integer' } },
      [1, 'b'],
      ['x[1]: Invalid value: "string": x[1] in body must be of type integer: "string"'],
    ],
    ['a missing field', { type: 'object', required: ['y'] }, {}, ['x.y: Required value']],
    [
      'a bad format',
      { type: 'string', format: 'date-time' },
      'today',
      ['x: Invalid value: "today": x in body must be of type date-time: "today"'],
    ],
    [
      'twice in a set',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      ['a', 'a'],
      ['x[1]: Duplicate value: "a"'],
    ],
    [
      'twice under one key',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object' },
      },
      [
        { k: 1, v: 1 },
        { k: 1, v: 2 },
      ],
      ['x[1]: Duplicate value: {"k":1}'],
    ],
    [
      'none of oneOf',
      { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      {},
      [
        'x: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid',
        'x.a: Required value',
      ],
    ],
    [
      'two of oneOf',
      { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      { a: 1, b: 1 },
      ['x: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      'what not forbids',
      { type: 'object', not: { required: ['a'] } },
      { a: 1 },
      ['x: Invalid value: "": "x" must not validate the schema (not)'],
    ],
  ])('that is %s', (_, schema, value, expected) => expect(only(schema, value)).toEqual(expected));

  test('that was wrong and did not change is let be, item by item where items have keys', () => {
    const list: StructuralSchema = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' }, n: { type: 'integer', maximum: 5 } } },
    };
    const old = [
      { k: 'a', n: 9 },
      { k: 'b', n: 1 },
    ];
    expect(
      only(
        list,
        [
          { k: 'b', n: 2 },
          { k: 'a', n: 9 },
        ],
        old,
      ),
    ).toEqual([]);
    expect(only(list, [{ k: 'a', n: 8 }], old)).toEqual([
      'x[0].n: Invalid value: 8: x[0].n in body should be less than or equal to 5',
    ]);
    expect(only({ type: 'string', maxLength: 1 }, 'abc', 'abc')).toEqual([]);
    expect(only({ type: 'string', maxLength: 1 }, 'abd', 'abc')).toHaveLength(1);
  });

  test('is pruned, keeps what is open, and gets its defaults', () => {
    const root: StructuralSchema = {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          default: {},
          properties: {
            known: { type: 'string', default: 'd' },
            nullable: { type: 'string', nullable: true, default: 'n' },
            open: {
              type: 'object',
              'x-kubernetes-preserve-unknown-fields': true,
              properties: { closed: { type: 'object', properties: {} } },
            },
            list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer', default: 1 } } } },
          },
        },
      },
    };
    const schema = schemaOfStructural(root, { apiVersion: 'example.com/v1', kind: 'X' });
    const object = {
      spec: {
        known: null,
        nullable: null,
        unknown: 1,
        open: { free: [1], closed: { gone: 1 } },
        list: [{ b: 1 }, null],
      },
    };
    expect(checkFields(schema, object).unknown).toEqual(['spec.unknown', 'spec.open.closed.gone', 'spec.list[0].b']);
    defaultStructural(root, object);
    expect(object).toEqual({
      spec: { known: 'd', nullable: null, open: { free: [1], closed: {} }, list: [{ a: 1 }, null] },
    });
    const empty: Record<string, unknown> = {};
    defaultStructural(root, empty);
    expect(empty).toEqual({ spec: { known: 'd', nullable: 'n' } });
  });
});

describe('rules of a schema', () => {
  const schema: StructuralSchema = {
    type: 'object',
    'x-kubernetes-validations': [{ rule: "self.metadata.name.startsWith('a')", message: 'names start with a' }],
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: {
            type: 'integer',
            'x-kubernetes-validations': [{ rule: 'self > 0' }, { rule: 'self >= oldSelf', message: 'only up' }],
          },
          first: {
            type: 'integer',
            'x-kubernetes-validations': [
              { rule: '!oldSelf.hasValue() || self == oldSelf.value()', message: 'fixed', optionalOldSelf: true },
            ],
          },
          list: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: {
              type: 'object',
              properties: { k: { type: 'string' }, n: { type: 'integer' } },
              'x-kubernetes-validations': [{ rule: 'self.n >= oldSelf.n', message: 'no less' }],
            },
          },
          bad: { type: 'array', items: { type: 'integer' }, 'x-kubernetes-validations': [{ rule: 'self[5] > 1' }] },
        },
      },
    },
  };
  const rules = compileRules(schema);
  const object = (spec: object, name = 'abc') => ({ metadata: { name }, spec });
  const check = (value: unknown, old?: unknown) => textsOf(validateRules(rules, value, old));

  test('are held against new objects', () => {
    expect(check(object({ size: 1 }))).toEqual([]);
    expect(check(object({ size: 0 }, 'xyz'))).toEqual([
      '<nil>: Invalid value: "object": names start with a',
      'spec.size: Invalid value: "integer": failed rule: self > 0',
    ]);
    expect(check(object({ bad: [1] }))).toEqual([
      'spec.bad: Invalid value: "array": index out of bounds: 5 evaluating rule: self[5] > 1',
    ]);
  });

  test('know what was, where it corresponds', () => {
    expect(check(object({ size: 1 }), object({ size: 2 }))).toEqual(['spec.size: Invalid value: "integer": only up']);
    expect(check(object({ first: 2 }))).toEqual([]);
    expect(check(object({ first: 2 }), object({ first: 1 }))).toEqual(['spec.first: Invalid value: "integer": fixed']);
    const old = object({
      list: [
        { k: 'a', n: 3 },
        { k: 'b', n: 3 },
      ],
    });
    expect(
      check(
        object({
          list: [
            { k: 'b', n: 4 },
            { k: 'a', n: 2 },
            { k: 'c', n: 0 },
          ],
        }),
        old,
      ),
    ).toEqual(['spec.list[1]: Invalid value: "object": no less']);
  });

  test('let be what did not change', () => {
    expect(check(object({ size: 0 }, 'xyz'), object({ size: 0 }, 'xyz'))).toEqual([]);
    expect(check(object({ size: 0, first: 1 }, 'abc'), object({ size: 0 }, 'abc'))).toEqual([]);
  });

  test('end where one costs too much, and say so', () => {
    const many = Array.from({ length: 2000 }, (_, index) => index);
    const costly = compileRules({
      type: 'object',
      properties: {
        list: {
          type: 'array',
          items: { type: 'integer' },
          'x-kubernetes-validations': [{ rule: 'self.all(x, self.exists_one(y, x == y))' }],
        },
      },
    });
    expect(textsOf(validateRules(costly, { list: many }, undefined))).toEqual([
      'list: Invalid value: "array": \'operation cancelled: actual cost limit exceeded\': no further validation rules will be run due to call cost exceeds limit for rule: self.all(x, self.exists_one(y, x == y))',
    ]);
  });
});

test.each<[string, unknown, boolean]>([
  ['date-time', '2026-01-01T00:00:00Z', true],
  ['date-time', '2026-13-01T00:00:00Z', false],
  ['date', '2026-01-01', true],
  ['duration', '1h30m', true],
  ['duration', 'soon', false],
  ['ipv4', '10.0.0.1', true],
  ['cidr', '10.0.0.0/33', false],
  ['uuid', '123e4567-e89b-12d3-a456-426614174000', true],
  ['byte', 'YQ==', true],
  ['byte', '!', false],
  ['int32', 2 ** 31, false],
  ['int32', 2 ** 31 - 1, true],
  ['isbn', '978-3-16-148410-0', true],
  ['email', 'a@b', true],
  ['made-up', 'anything', true],
])('format %s of %j is %s', (format, value, expected) => expect(hasFormat(format, value)).toBe(expected));
