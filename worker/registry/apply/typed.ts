/**
 * Walks over values with their types: what fields a value sets, what differs between two, one laid over another, and a
 * value without some fields. Types are asked for through `TypeOf`, so built-in kinds and CRDs are walked alike.
 * Source: structured-merge-diff, typed/{tofieldset,compare,merge,remove}.go
 */
import { setKey } from '../json.ts';
import { EMPTY, type FieldSet, isEmpty, LEAF, node } from './field-set.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonMap = { [key: string]: Json };

/** How a place in an object merges. */
export type TypeOf =
  /** Replaced whole: scalars, atomic lists and maps. */
  | { form: 'atomic' }
  /** `named`: the schema lists this field (a struct's field); otherwise the key is data (a label). */
  | { form: 'map'; field(name: string): { type: TypeOf; named: boolean } }
  | { form: 'list-map'; keys: readonly string[]; defaults: Readonly<JsonMap>; item: TypeOf }
  | { form: 'list-set' };

export const ATOMIC: TypeOf = { form: 'atomic' };
/** Where the schema is silent: maps merge key by key, lists are whole. */
export const DEDUCED: TypeOf = { form: 'map', field: () => ({ type: DEDUCED, named: false }) };

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The type that a value is walked with: a value of another shape than its type is a leaf. */
function shapeOf(type: TypeOf, value: Json | undefined): TypeOf {
  if (type.form === 'map') return isMap(value) ? type : ATOMIC;
  if (type.form === 'list-map' || type.form === 'list-set') return Array.isArray(value) ? type : ATOMIC;
  return ATOMIC;
}

/** `k:{"name":"web"}` or `v:"a"`; undefined when an item lacks its keys (then the list is a leaf). */
function elementOf(type: Extract<TypeOf, { form: 'list-map' | 'list-set' }>, item: Json): string | undefined {
  if (type.form === 'list-set') return `v:${JSON.stringify(item)}`;
  if (!isMap(item)) return undefined;
  const keys: JsonMap = {};
  for (const key of [...type.keys].sort()) {
    const value = item[key] ?? type.defaults[key];
    if (value !== undefined && value !== null) keys[key] = value;
  }
  return Object.keys(keys).length === 0 ? undefined : `k:${JSON.stringify(keys)}`;
}

/** Items by path element, in order; undefined when items cannot be told apart. */
function itemsOf(
  type: Extract<TypeOf, { form: 'list-map' | 'list-set' }>,
  list: readonly Json[],
): Map<string, Json> | undefined {
  const items = new Map<string, Json>();
  for (const item of list) {
    const element = elementOf(type, item);
    if (element === undefined || items.has(element)) return undefined;
    items.set(element, item);
  }
  return items;
}

const itemType = (type: Extract<TypeOf, { form: 'list-map' | 'list-set' }>): TypeOf =>
  type.form === 'list-set' ? ATOMIC : type.item;

/** The parts of a value under their path elements; undefined for a leaf. */
function partsOf(
  type: TypeOf,
  value: Json,
): { parts: Map<string, Json>; typeAt(element: string): { type: TypeOf; named: boolean } } | undefined {
  const shape = shapeOf(type, value);
  if (shape.form === 'map') {
    const parts = new Map(Object.entries(value as JsonMap).map(([key, each]) => [`f:${key}`, each]));
    return { parts, typeAt: (element) => shape.field(element.slice(2)) };
  }
  if (shape.form === 'list-map' || shape.form === 'list-set') {
    const parts = itemsOf(shape, value as Json[]);
    return parts === undefined ? undefined : { parts, typeAt: () => ({ type: itemType(shape), named: false }) };
  }
  return undefined;
}

const isBare = (value: Json): boolean => value === null || (isMap(value) && Object.keys(value).length === 0);

/** The fields that a manifest sets: what its manager owns after an apply. */
export function fieldsOf(type: TypeOf, value: Json): FieldSet {
  const below = partsOf(type, value);
  if (below === undefined) return LEAF;
  const children: [string, FieldSet][] = [];
  for (const [element, part] of below.parts) {
    const { type: partType, named } = below.typeAt(element);
    const set = fieldsOf(partType, part);
    children.push([element, !named || isBare(part) ? node(true, set.children) : set]);
  }
  return node(false, children);
}

export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

const SAME: Comparison = { added: EMPTY, modified: EMPTY, removed: EMPTY };

export function compare(type: TypeOf, before: Json | undefined, after: Json | undefined): Comparison {
  if (before === undefined && after === undefined) return SAME;
  if (before === undefined) return { ...SAME, added: allOf(type, after as Json) };
  if (after === undefined) return { ...SAME, removed: allOf(type, before) };
  // Most of an object stays as it was: looked at once, without its type.
  if (sameJson(before, after)) return SAME;
  const old = partsOf(type, before);
  const fresh = partsOf(type, after);
  if (old === undefined || fresh === undefined || (old.parts.size === 0 && fresh.parts.size === 0)) {
    return { ...SAME, modified: LEAF };
  }
  const added: [string, FieldSet][] = [];
  const modified: [string, FieldSet][] = [];
  const removed: [string, FieldSet][] = [];
  for (const element of new Set([...old.parts.keys(), ...fresh.parts.keys()])) {
    const [oldPart, freshPart] = [old.parts.get(element), fresh.parts.get(element)];
    // Here already, for the type of a part is to be looked up.
    if (oldPart !== undefined && freshPart !== undefined && sameJson(oldPart, freshPart)) continue;
    const partType = (freshPart === undefined ? old : fresh).typeAt(element).type;
    const parts = compare(partType, oldPart, freshPart);
    added.push([element, parts.added]);
    modified.push([element, parts.modified]);
    removed.push([element, parts.removed]);
  }
  return { added: node(false, added), modified: node(false, modified), removed: node(false, removed) };
}

/** Everything in a value that is new or gone: each field, key and item, and whatever holds them. */
function allOf(type: TypeOf, value: Json): FieldSet {
  const below = partsOf(type, value);
  if (below === undefined) return LEAF;
  return node(
    true,
    [...below.parts].map(([element, part]) => [element, allOf(below.typeAt(element).type, part)]),
  );
}

/** `over` laid on `under`: maps and keyed lists part by part (order of `over` first where it says), the rest replaced. */
export function merge(type: TypeOf, under: Json | undefined, over: Json | undefined): Json | undefined {
  if (over === undefined) return under;
  if (under === undefined) return over;
  const shape = shapeOf(type, over);
  if (shape.form === 'map' && isMap(over) && isMap(under)) {
    const merged: JsonMap = { ...under };
    for (const [key, value] of Object.entries(over)) {
      const below = Object.hasOwn(under, key) ? under[key] : undefined;
      setKey(merged, key, merge(shape.field(key).type, below, value));
    }
    return merged;
  }
  if ((shape.form === 'list-map' || shape.form === 'list-set') && Array.isArray(under) && Array.isArray(over)) {
    const old = itemsOf(shape, under);
    const fresh = itemsOf(shape, over);
    if (old === undefined || fresh === undefined) return over;
    return mergeItems(itemType(shape), old, fresh);
  }
  return over;
}

/** Items keep the order of `under`; those of `over` keep their order among themselves; new ones follow their neighbour. */
function mergeItems(type: TypeOf, under: Map<string, Json>, over: Map<string, Json>): Json[] {
  const result: Json[] = [];
  const waiting = [...over.keys()];
  const places = new Map(waiting.map((element, at) => [element, at]));
  let next = 0;
  const take = (element: string) => result.push(merge(type, under.get(element), over.get(element)) as Json);
  const takeBefore = (end: number) => {
    for (const element of waiting.slice(next, end)) take(element);
    next = Math.max(next, end);
  };
  for (const element of under.keys()) {
    const at = places.get(element);
    if (at === undefined) take(element);
    else takeBefore(at + 1);
  }
  takeBefore(waiting.length);
  return result;
}

/** The value without the members of `set` (and what lies below a member). */
export function remove(type: TypeOf, value: Json, set: FieldSet): Json | undefined {
  if (isEmpty(set)) return value;
  if (set.member) return undefined;
  const shape = shapeOf(type, value);
  if (shape.form === 'map') {
    const kept: JsonMap = {};
    for (const [key, part] of Object.entries(value as JsonMap)) {
      const below = set.children.get(`f:${key}`);
      const left = below === undefined ? part : remove(shape.field(key).type, part, below);
      if (left !== undefined) setKey(kept, key, left);
    }
    return Object.keys(kept).length === 0 && Object.keys(value as JsonMap).length > 0 ? undefined : kept;
  }
  if (shape.form === 'list-map' || shape.form === 'list-set') {
    const items = itemsOf(shape, value as Json[]);
    if (items === undefined) return value;
    const kept: Json[] = [];
    for (const [element, item] of items) {
      const below = set.children.get(element);
      const left = below === undefined ? item : remove(itemType(shape), item, below);
      if (left !== undefined) kept.push(left);
    }
    return kept.length === 0 && items.size > 0 ? undefined : kept;
  }
  return value;
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((each, index) => sameJson(each, b[index]));
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}
