/**
 * Values held against a custom resource's schema, with the apiserver's messages, and with its leniency: what is wrong already
 * and did not change is let be (ratcheting). Rules in CEL are `cel-rules.ts`.
 * Source: kube-openapi, pkg/validation/validate; apiextensions-apiserver, pkg/apiserver/validation; KEP-4008
 */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, notSupported, required, tooLongValue } from '../../shared/errors.ts';
import { isSame } from './data-validation.ts';
import { hasFormat } from './formats.ts';
import { matchesPattern } from './regex.ts';

/** Causes of one value: enough to see what is wrong, and never a body of megabytes. */
const MAX_CAUSES = 100;

export const typeOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'integer'
          : 'number'
        : typeof value;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** The value that this one replaces; NONE where nothing can be said to correspond. */
const NONE = Symbol('none');
type Old = unknown | typeof NONE;

/** The element of an old list that corresponds: by its keys, in lists of type map; in others there is none. */
export function correspondingItem(node: StructuralSchema, item: unknown, old: unknown): unknown {
  const keys = node['x-kubernetes-list-map-keys'];
  if (node['x-kubernetes-list-type'] !== 'map' || keys === undefined || !Array.isArray(old) || !isRecord(item))
    return undefined;
  const keyOf = (each: Record<string, unknown>, key: string) => each[key] ?? node.items?.properties?.[key]?.default;
  return old.find((each) => isRecord(each) && keys.every((key) => isSame(keyOf(each, key), keyOf(item, key))));
}

/**
 * Causes in the order of the schema; [] when the value fits. Unknown fields are not a cause: they are pruned before.
 * @param old what the value replaces: parts that are as they were are not looked at.
 */
export function validateStructural(node: StructuralSchema, value: unknown, path = '', old?: unknown): StatusCause[] {
  return validateNode(node, value, path, old === undefined ? NONE : old).slice(0, MAX_CAUSES);
}

function validateNode(node: StructuralSchema, value: unknown, path: string, old: Old): StatusCause[] {
  if (old !== NONE && isSame(value, old)) return [];
  if (value === null && node.nullable) return [];
  const type = typeOf(value);
  if (node['x-kubernetes-int-or-string']) {
    if (type !== 'integer' && type !== 'string') return [invalidType(path, type, 'integer,string')];
  } else if (node.type && node.type !== type && !(node.type === 'number' && type === 'integer')) {
    return [invalidType(path, type, node.type)];
  }
  const causes = [...validateFacts(node, value, path), ...validateLogic(node, value, path)];
  if (Array.isArray(value)) causes.push(...validateItems(node, value, path, old));
  else if (isRecord(value)) {
    causes.push(...validateProperties(node, value, path, old));
    if (node['x-kubernetes-embedded-resource']) causes.push(...validateEmbedded(value, path));
  }
  return causes;
}

/** What is said about the value itself: enum, lengths, ranges, pattern, format. Also of schemas inside allOf and the like. */
function validateFacts(node: StructuralSchema, value: unknown, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (node.enum && !node.enum.some((each) => isSame(each, value))) {
    causes.push(
      notSupported(
        path,
        value,
        node.enum.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))),
      ),
    );
  }
  const fail = (detail: string, shown: unknown = value) =>
    causes.push(invalidValue(path, shown, `${path} in body ${detail}`));
  if (typeof value === 'string') {
    const length = [...value].length;
    if (node.maxLength !== undefined && length > node.maxLength) causes.push(tooLongValue(path, node.maxLength));
    if (node.minLength !== undefined && length < node.minLength)
      fail(`should be at least ${node.minLength} chars long`);
    if (node.pattern !== undefined && !matchesPattern(node.pattern, value)) fail(`should match '${node.pattern}'`);
  } else if (typeof value === 'number') {
    const { minimum, maximum, multipleOf } = node;
    if (maximum !== undefined && (node.exclusiveMaximum ? value >= maximum : value > maximum))
      fail(`should be less than ${node.exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
    if (minimum !== undefined && (node.exclusiveMinimum ? value <= minimum : value < minimum))
      fail(`should be greater than ${node.exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
    if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
      fail(`should be a multiple of ${multipleOf}`);
  } else if (Array.isArray(value)) {
    if (node.maxItems !== undefined && value.length > node.maxItems)
      causes.push(tooMany(path, value.length, node.maxItems));
    if (node.minItems !== undefined && value.length < node.minItems)
      fail(`should have at least ${node.minItems} items`, value.length);
  } else if (isRecord(value)) {
    const count = Object.keys(value).length;
    if (node.maxProperties !== undefined && count > node.maxProperties)
      causes.push(tooMany(path, count, node.maxProperties));
    if (node.minProperties !== undefined && count < node.minProperties)
      fail(`should have at least ${node.minProperties} properties`, count);
  }
  if (node.format !== undefined && !hasFormat(node.format, value)) {
    causes.push({
      reason: 'FieldValueTypeInvalid',
      message: `Invalid value: ${JSON.stringify(value)}: ${path} in body must be of type ${node.format}: ${JSON.stringify(value)}`,
      field: path,
    });
  }
  return causes;
}

const tooMany = (field: string, actual: number, most: number): StatusCause => ({
  reason: 'FieldValueTooMany',
  message: `Too many: ${actual}: must have at most ${most} items`,
  field,
});

/** allOf, anyOf, oneOf, not: in a structural schema they only add to what the rest says. */
function validateLogic(node: StructuralSchema, value: unknown, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const say = (what: string) => causes.push(invalidValue(path, '', `${JSON.stringify(path)} ${what}`));
  const tried = (schemas: readonly StructuralSchema[]) => schemas.map((each) => validateNode(each, value, path, NONE));
  const least = (results: StatusCause[][]) => results.toSorted((left, right) => left.length - right.length)[0] ?? [];
  if (node.allOf?.length) {
    const results = tried(node.allOf);
    const failed = results.filter((each) => each.length > 0);
    if (failed.length > 0) {
      causes.push(...failed.flat());
      say('must validate all the schemas (allOf)');
    }
  }
  if (node.anyOf?.length) {
    const results = tried(node.anyOf);
    if (!results.some((each) => each.length === 0)) {
      say('must validate at least one schema (anyOf)');
      causes.push(...least(results));
    }
  }
  if (node.oneOf?.length) {
    const results = tried(node.oneOf);
    const valid = results.filter((each) => each.length === 0).length;
    if (valid === 0) {
      say('must validate one and only one schema (oneOf). Found none valid');
      causes.push(...least(results));
    } else if (valid > 1) say(`must validate one and only one schema (oneOf). Found ${valid} valid alternatives`);
  }
  if (node.not && validateNode(node.not, value, path, NONE).length === 0) say('must not validate the schema (not)');
  return causes;
}

function validateItems(node: StructuralSchema, value: readonly unknown[], path: string, old: Old): StatusCause[] {
  const causes = validateUnique(node, value, path);
  const { items } = node;
  if (items === undefined) return causes;
  for (const [index, each] of value.entries()) {
    const before = old === NONE ? undefined : correspondingItem(node, each, old);
    causes.push(...validateNode(items, each, `${path}[${index}]`, before === undefined ? NONE : before));
    if (causes.length >= MAX_CAUSES) break;
  }
  return causes;
}

/** Lists of type set and map hold nothing twice. */
function validateUnique(node: StructuralSchema, value: readonly unknown[], path: string): StatusCause[] {
  const listType = node['x-kubernetes-list-type'];
  const keys = node['x-kubernetes-list-map-keys'] ?? [];
  if (listType !== 'map' && listType !== 'set') return [];
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  for (const [index, each] of value.entries()) {
    const shown =
      listType === 'set'
        ? each
        : Object.fromEntries(keys.map((key) => [key, isRecord(each) ? (each[key] ?? null) : null]));
    const text = canonicalText(shown);
    if (seen.has(text)) causes.push(duplicateValue(`${path}[${index}]`, shown));
    seen.add(text);
  }
  return causes;
}

const canonicalText = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    isRecord(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  );

function validateProperties(
  node: StructuralSchema,
  value: Record<string, unknown>,
  path: string,
  old: Old,
): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const name of node.required ?? []) if (!Object.hasOwn(value, name)) causes.push(required(join(path, name)));
  for (const [name, each] of Object.entries(value)) {
    const property = node.properties && Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
    const more = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
    const child = property ?? more;
    if (child === undefined) continue;
    const before = isRecord(old) && Object.hasOwn(old, name) ? old[name] : NONE;
    causes.push(...validateNode(child, each, join(path, name), before));
    if (causes.length >= MAX_CAUSES) break;
  }
  return causes;
}

/** Kubernetes: an embedded resource says what it is. */
function validateEmbedded(value: Record<string, unknown>, path: string): StatusCause[] {
  return ['apiVersion', 'kind']
    .filter((name) => typeof value[name] !== 'string' || value[name] === '')
    .map((name) => required(join(path, name), 'must not be empty'));
}

const invalidType = (path: string, actual: string, expected: string): StatusCause => ({
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${JSON.stringify(actual)}: ${path === '' ? '' : `${path} in body `}must be of type ${expected}: ${JSON.stringify(actual)}`,
  field: path === '' ? '<nil>' : path,
});
