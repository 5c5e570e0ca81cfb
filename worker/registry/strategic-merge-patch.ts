/**
 * Strategic merge patch: lists merge by the key that the schema names, and directives say what merging cannot:
 * `$patch` (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/F`, `$setElementOrder/F`.
 * Source: apimachinery, pkg/util/strategicpatch/patch.go
 */
import { badRequest } from '../../shared/errors.ts';
import { childSchema, mergeRule, type Schema } from '../resources/schemas.ts';
import { copyJson, equalJson, isMap, type JsonMap, ownValue, setKey } from './json.ts';

const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';

type Shape = Schema | undefined;

/** @throws StatusError 400 for a directive that makes no sense, or an element without its merge key. */
export function applyStrategicMergePatch(document: JsonMap, patch: unknown, schema: Shape): JsonMap {
  if (!isMap(patch)) throw badRequest('Invalid JSON document');
  return mergeMap(document, patch, schema);
}

const ruleOf = (schema: Shape, field: string) => (schema === undefined ? undefined : mergeRule(schema, field));
const childOf = (schema: Shape, field: string): Shape =>
  schema === undefined ? undefined : childSchema(schema, field);

function mergeMap(original: JsonMap, patch: JsonMap, schema: Shape): JsonMap {
  const directive = ownValue(patch, DIRECTIVE);
  if (directive === 'replace') return withoutDirectives({ ...patch, [DIRECTIVE]: undefined }) as JsonMap;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive);
  const merged = retained(original, patch);
  for (const key of Object.keys(patch)) {
    if (key === DIRECTIVE || key === RETAIN || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) {
      const field = key.slice(DELETE_FROM.length);
      const list = ownValue(merged, field);
      const gone = listOf(patch[key], key);
      if (Array.isArray(list)) {
        setKey(
          merged,
          field,
          list.filter((each) => !gone.some((value) => equalJson(value, each))),
        );
      }
      continue;
    }
    mergeField(merged, key, ownValue(patch, key), patch, schema);
  }
  for (const key of Object.keys(patch).filter((each) => each.startsWith(ORDER))) {
    const field = key.slice(ORDER.length);
    const list = ownValue(merged, field);
    if (!Array.isArray(list)) continue;
    const before = ownValue(original, field);
    const order = listOf(patch[key], key);
    setKey(
      merged,
      field,
      ordered(list, order, Array.isArray(before) ? before : [], ruleOf(schema, field)?.patchMergeKey),
    );
  }
  return merged;
}

function retained(original: JsonMap, patch: JsonMap): JsonMap {
  const keys = ownValue(patch, RETAIN);
  if (keys === undefined) return { ...original };
  const kept = listOf(keys, RETAIN);
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !kept.includes(key));
  if (stray !== undefined) throw badRequest('invalid patch format of retainKeys');
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.includes(key)));
}

function mergeField(merged: JsonMap, key: string, value: unknown, patch: JsonMap, schema: Shape): void {
  if (value === null) {
    delete merged[key];
    return;
  }
  const before = ownValue(merged, key);
  const rule = ruleOf(schema, key);
  const strategies = rule?.patchStrategy ?? [];
  const child = childOf(schema, key);
  if (isMap(value)) {
    const replaces = strategies.includes('replace') || !isMap(before);
    setKey(merged, key, mergeMap(replaces ? {} : before, value, child));
  } else if (Array.isArray(value) && strategies.includes('merge')) {
    const list = Array.isArray(before) ? before : [];
    const joined = mergeList(list, value, child?.items, rule?.patchMergeKey);
    setKey(merged, key, joined);
    // Kubernetes: without an order of its own, what the patch adds goes behind what was there.
    if (!Object.hasOwn(patch, ORDER + key)) return;
  } else setKey(merged, key, withoutDirectives(value));
}

function mergeList(original: unknown[], patch: unknown[], element: Shape, mergeKey: string | undefined): unknown[] {
  if (patch.some((each) => isMap(each) && ownValue(each, DIRECTIVE) === 'replace')) {
    return patch
      .filter((each) => !(isMap(each) && ownValue(each, DIRECTIVE) === 'replace'))
      .map((each) => withoutDirectives(each));
  }
  if (mergeKey === undefined || patch.every((each) => !isMap(each))) {
    const added = patch.filter((each, index) => {
      const earlier = [...original, ...patch.slice(0, index)];
      return !earlier.some((known) => equalJson(known, each));
    });
    return [...original, ...copyJson(added)];
  }
  let merged = [...original];
  for (const each of patch) {
    if (!isMap(each)) throw badRequest('Invalid JSON document');
    const keyValue = ownValue(each, mergeKey);
    if (keyValue === undefined) {
      throw badRequest(`map: ${JSON.stringify(each)} does not contain declared merge key: ${mergeKey}`);
    }
    const isSame = (known: unknown) => isMap(known) && equalJson(ownValue(known, mergeKey), keyValue);
    const directive = ownValue(each, DIRECTIVE);
    if (directive === 'delete') {
      merged = merged.filter((known) => !isSame(known));
      continue;
    }
    const at = merged.findIndex(isSame);
    if (at === -1) merged.push(mergeMap({}, each, element));
    else merged[at] = mergeMap(merged[at] as JsonMap, each, element);
  }
  return merged;
}

/** Items in the patch's order; those only the server has keep their place before what followed them. */
function ordered(list: unknown[], order: unknown[], before: unknown[], mergeKey: string | undefined): unknown[] {
  const keyOf = (each: unknown) => (mergeKey !== undefined && isMap(each) ? ownValue(each, mergeKey) : each);
  const place = (among: unknown[], each: unknown) => among.findIndex((known) => equalJson(keyOf(known), keyOf(each)));
  const named = list.filter((each) => place(order, each) !== -1).sort((a, b) => place(order, a) - place(order, b));
  const others = list.filter((each) => place(order, each) === -1);
  const result: unknown[] = [];
  while (named.length > 0 || others.length > 0) {
    const [left, right] = [others[0], named[0]];
    if (left === undefined) result.push(named.shift());
    else if (right === undefined) result.push(others.shift());
    else {
      const [leftAt, rightAt] = [place(before, left), place(before, right)];
      const serverFirst = leftAt !== -1 && rightAt !== -1 && leftAt < rightAt;
      result.push(serverFirst ? others.shift() : named.shift());
    }
  }
  return result;
}

/** A new value takes nothing of the patch language with it. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((each) => !(isMap(each) && ownValue(each, DIRECTIVE) === 'delete'))
      .map((each) => withoutDirectives(each));
  }
  if (!isMap(value)) return value;
  const clean: JsonMap = {};
  for (const key of Object.keys(value)) {
    const isDirective = key === DIRECTIVE || key === RETAIN || key.startsWith(ORDER) || key.startsWith(DELETE_FROM);
    const each = ownValue(value, key);
    if (!isDirective && each !== null && each !== undefined) setKey(clean, key, withoutDirectives(each));
  }
  return clean;
}

function listOf(value: unknown, key: string): unknown[] {
  if (!Array.isArray(value)) throw badRequest(`invalid patch format of ${key}`);
  return value;
}

const unknownDirective = (directive: unknown) => badRequest(`Unknown patch type found: ${String(directive)}`);
