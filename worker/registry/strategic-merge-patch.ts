/**
 * Strategic merge patch: lists merge by the key that the schema names, and directives say what merging cannot:
 * `$patch` (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/F`, `$setElementOrder/F`.
 * Source: apimachinery, pkg/util/strategicpatch/patch.go
 */
import { badRequest } from '../../shared/errors.ts';
import { childSchema, mergeRule, type Schema } from '../resources/schemas.ts';
import { copyJson, identityOf, isMap, type JsonMap, ownValue, setKey } from './json.ts';

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
      const gone = new Set(listOf(patch[key], key).map(identityOf));
      if (Array.isArray(list)) {
        setKey(
          merged,
          field,
          list.filter((each) => !gone.has(identityOf(each))),
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
  const kept = new Set(listOf(keys, RETAIN));
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !kept.has(key));
  if (stray !== undefined) throw badRequest('invalid patch format of retainKeys');
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
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
    const known = new Set(original.map(identityOf));
    const added = patch.filter((each) => {
      const identity = identityOf(each);
      const isNew = !known.has(identity);
      known.add(identity);
      return isNew;
    });
    return [...original, ...copyJson(added)];
  }
  return mergeKeyed(original, patch, element, mergeKey);
}

/** Items are looked up by their key; one that is deleted leaves a gap until the end. */
function mergeKeyed(original: unknown[], patch: unknown[], element: Shape, mergeKey: string): unknown[] {
  const merged: unknown[] = [...original];
  const places = new Map<string, number[]>();
  const add = (item: unknown, at: number): void => {
    const key = isMap(item) ? ownValue(item, mergeKey) : undefined;
    if (key === undefined) return;
    const identity = identityOf(key);
    const known = places.get(identity);
    if (known === undefined) places.set(identity, [at]);
    else known.push(at);
  };
  for (const [at, item] of original.entries()) add(item, at);
  for (const each of patch) {
    if (!isMap(each)) throw badRequest('Invalid JSON document');
    const keyValue = ownValue(each, mergeKey);
    if (keyValue === undefined) {
      throw badRequest(`map: ${JSON.stringify(each)} does not contain declared merge key: ${mergeKey}`);
    }
    const identity = identityOf(keyValue);
    const same = places.get(identity) ?? [];
    if (ownValue(each, DIRECTIVE) === 'delete') {
      for (const at of same) merged[at] = undefined;
      places.delete(identity);
    } else if (same[0] === undefined) {
      const item = mergeMap({}, each, element);
      add(item, merged.length);
      merged.push(item);
    } else merged[same[0]] = mergeMap(merged[same[0]] as JsonMap, each, element);
  }
  return merged.filter((each) => each !== undefined);
}

/** Items in the patch's order; those only the server has keep their place before what followed them. */
function ordered(list: unknown[], order: unknown[], before: unknown[], mergeKey: string | undefined): unknown[] {
  const keyOf = (each: unknown) => identityOf(mergeKey !== undefined && isMap(each) ? ownValue(each, mergeKey) : each);
  /** Where each key stands first. */
  const placesIn = (items: unknown[]) =>
    new Map(items.map((each, at): [string, number] => [keyOf(each), at]).reverse());
  const [wanted, server] = [placesIn(order), placesIn(before)];
  const items = list.map((value) => {
    const key = keyOf(value);
    return { value, wantedAt: wanted.get(key), serverAt: server.get(key) };
  });
  const named = items
    .filter(({ wantedAt }) => wantedAt !== undefined)
    .sort((a, b) => (a.wantedAt ?? 0) - (b.wantedAt ?? 0));
  const others = items.filter(({ wantedAt }) => wantedAt === undefined);
  const result: unknown[] = [];
  let [nextNamed, nextOther] = [0, 0];
  while (result.length < items.length) {
    const [left, right] = [others[nextOther], named[nextNamed]];
    const leftFirst =
      left !== undefined &&
      (right === undefined ||
        (left.serverAt !== undefined && right.serverAt !== undefined && left.serverAt < right.serverAt));
    result.push(leftFirst ? left.value : right?.value);
    if (leftFirst) nextOther++;
    else nextNamed++;
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
