/**
 * A set of field paths, as managedFields keeps one a manager: a tree of path elements in the FieldsV1 spelling
 * (`f:NAME` a field, `k:{…}` a list item by its keys, `v:…` a set member, `i:N` by index). Immutable; what owns which
 * field is decided in `managed-fields.ts`.
 * Source: structured-merge-diff, fieldpath/{set,serialize}.go
 */

export interface FieldSet {
  /** The path that ends here is in the set. */
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const EMPTY: FieldSet = { member: false, children: new Map() };
export const LEAF: FieldSet = { member: true, children: new Map() };

export const isEmpty = (set: FieldSet): boolean => !set.member && set.children.size === 0;

/** Builds a node; children that hold nothing are left out, so that equal sets look equal. */
export function node(member: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  const kept = new Map<string, FieldSet>();
  for (const [element, child] of children) if (!isEmpty(child)) kept.set(element, child);
  return kept.size === 0 ? (member ? LEAF : EMPTY) : { member, children: kept };
}

const NOTHING: readonly (readonly [string, FieldSet])[] = [];

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const mine = children.get(element);
    children.set(element, mine === undefined ? child : union(mine, child));
  }
  return node(a.member || b.member, children);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return EMPTY;
  const children: [string, FieldSet][] = [];
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other !== undefined) children.push([element, intersection(child, other)]);
  }
  return node(a.member && b.member, children);
}

/** Members of `a` that are not members of `b`; a member of `b` does not take what lies below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  const children: [string, FieldSet][] = [];
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    children.push([element, other === undefined ? child : difference(child, other)]);
  }
  return node(a.member && !b.member, children);
}

export function equal(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !equal(child, other)) return false;
  }
  return true;
}

/** Every member as a list of path elements, in order. */
export function* paths(set: FieldSet, prefix: readonly string[] = []): Generator<readonly string[]> {
  if (set.member && prefix.length > 0) yield prefix;
  for (const [element, child] of set.children) yield* paths(child, [...prefix, element]);
}

export function fromPath(elements: readonly string[]): FieldSet {
  return elements.reduceRight<FieldSet>((below, element) => node(false, [[element, below]]), LEAF);
}

/** As conflicts show it: `.spec.containers[name="web"].image`. */
export function formatPath(elements: readonly string[]): string {
  return elements.map(formatElement).join('');
}

function formatElement(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('k:')) {
    const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
    return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
  }
  return element.startsWith('v:') ? `[=${rest}]` : `[${rest}]`;
}

type FieldsV1 = { [element: string]: FieldsV1 };

/** From FieldsV1. Elements of an unknown form are kept as they are: they match nothing and are written back. */
export function parseFields(fields: unknown): FieldSet {
  if (typeof fields !== 'object' || fields === null) return EMPTY;
  return parseNode(fields as FieldsV1, false);
}

const owns = (fields: FieldsV1): boolean => '.' in fields || Object.keys(fields).length === 0;

/** Whether this can be read: objects all the way down, list items and set members named by JSON. */
export function areFields(fields: unknown): boolean {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return false;
  return Object.entries(fields).every(
    ([element, below]) => (element === '.' || isElement(element)) && areFields(below),
  );
}

function isElement(element: string): boolean {
  const rest = element.slice(2);
  if (element.startsWith('i:')) return /^-?\d+$/.test(rest);
  if (!element.startsWith('k:') && !element.startsWith('v:')) return element[1] === ':';
  try {
    const value: unknown = JSON.parse(rest);
    return element.startsWith('v:') || (typeof value === 'object' && value !== null && !Array.isArray(value));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Whether every member of the set is in these FieldsV1: asked without reading them whole. */
export function holds(fields: unknown, set: FieldSet): boolean {
  const here = fields as FieldsV1;
  if (set.member && !owns(here)) return false;
  for (const [element, child] of set.children) {
    const below = Object.hasOwn(here, element) ? here[element] : undefined;
    if (below === undefined || !holds(below, child)) return false;
  }
  return true;
}

/** Whether any member of the set is in these FieldsV1. */
export function meets(fields: unknown, set: FieldSet): boolean {
  const here = fields as FieldsV1;
  if (set.member && owns(here)) return true;
  for (const [element, child] of set.children) {
    const below = Object.hasOwn(here, element) ? here[element] : undefined;
    if (below !== undefined && meets(below, child)) return true;
  }
  return false;
}

function parseNode(fields: FieldsV1, leaf: boolean): FieldSet {
  const children: [string, FieldSet][] = [];
  let member = leaf && Object.keys(fields).length === 0;
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.') member = true;
    else children.push([element, parseNode(below, true)]);
  }
  return node(member, children);
}

export function formatFields(set: FieldSet): FieldsV1 {
  const fields: FieldsV1 = {};
  if (set.member && set.children.size > 0) fields['.'] = {};
  const elements = set.children.size === 0 ? NOTHING : [...set.children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [element, child] of elements) fields[element] = formatFields(child);
  return fields;
}
