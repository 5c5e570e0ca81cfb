/** RFC 6902 and RFC 7396 with the apiserver's limits and answers. Values in, values out; nothing is changed in place. */
import { applyPatch, type Operation } from 'rfc6902';
import { badRequest, StatusError, tooLarge } from '../../shared/errors.ts';
import { MAX_OBJECT_DEPTH } from '../resources/json-scan.ts';
import { copyJson, isMap, type JsonMap, ownValue, setKey } from './json.ts';

const MAX_OPERATIONS = 10_000;
/** Of all copies together, as upstream: otherwise thirty operations make a gigabyte. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;
/** Of all moves together, which cost as much as what they move is large. */
const MAX_MOVED_BYTES = 16 * MAX_COPIED_BYTES;
const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);

/** Kubernetes: a patch that cannot be applied, a failed `test` included, gets this and no more. */
const rejected = () =>
  new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

const isOperation = (value: unknown): value is Operation =>
  isMap(value) &&
  typeof value.op === 'string' &&
  OPERATIONS.has(value.op) &&
  typeof value.path === 'string' &&
  (value.path === '' || value.path.startsWith('/')) &&
  (!['move', 'copy'].includes(value.op) || typeof value.from === 'string') &&
  (!['add', 'replace', 'test'].includes(value.op) || Object.hasOwn(value, 'value'));

/** @throws StatusError 400 for what is no patch, 413 for too many operations, 422 for one that does not apply. */
export function applyJsonPatch(document: JsonMap, patch: unknown): JsonMap {
  if (!Array.isArray(patch)) {
    const what = isMap(patch) ? 'object' : typeof patch;
    throw badRequest(`error decoding patch: json: cannot unmarshal ${what} into Go value of type jsonpatch.Patch`);
  }
  if (patch.length > MAX_OPERATIONS) {
    throw tooLarge(
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  // The root is held in a box, so that a patch of the whole document has something to replace.
  const boxed = { root: copyJson(document) as unknown };
  const left = { copy: MAX_COPIED_BYTES, move: MAX_MOVED_BYTES };
  for (const operation of patch) {
    if (!isOperation(operation)) throw rejected();
    const { op } = operation;
    const target = ownerOf(boxed.root, operation.path);
    if (target === undefined) throw rejected();
    if (op === 'copy' || op === 'move') {
      const source = ownerOf(boxed.root, operation.from);
      if (source === undefined) throw rejected();
      left[op] -= sizeOf(valueIn(source), MAX_OBJECT_DEPTH - target.depth);
      if (left[op] < 0) throw rejected();
    } else if (op === 'add' || op === 'replace') sizeOf(operation.value, MAX_OBJECT_DEPTH - target.depth);
    const moved = { ...operation, path: `/root${operation.path}` } as Operation & { from?: string };
    if (typeof moved.from === 'string') moved.from = `/root${moved.from}`;
    const [error] = applyPatch(boxed, [copyJson(moved)]);
    if (error) throw rejected();
  }
  if (!isMap(boxed.root)) throw rejected();
  return boxed.root;
}

/** Where a pointer leads: to `key` in `owner`, or to the whole document. */
interface Place {
  owner: unknown;
  key: string | undefined;
  depth: number;
}

/** Walks over the document's own members only, so that no patch reaches what objects inherit; undefined when it cannot. */
function ownerOf(root: unknown, pointer: string): Place | undefined {
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const depth = tokens.length;
  const key = tokens.pop();
  let owner = root;
  for (const token of tokens) {
    if (token === '__proto__' || typeof owner !== 'object' || owner === null || !Object.hasOwn(owner, token)) {
      return undefined;
    }
    owner = (owner as JsonMap)[token];
  }
  if (key !== undefined && (key === '__proto__' || typeof owner !== 'object' || owner === null)) return undefined;
  return { owner, key, depth };
}

const valueIn = ({ owner, key }: Place): unknown => (key === undefined ? owner : ownValue(owner as JsonMap, key));

/** About as many bytes as its JSON has. @throws StatusError 422 when it nests deeper than this. */
function sizeOf(value: unknown, mostDeep: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (mostDeep <= 0) throw rejected();
  let size = 2;
  if (Array.isArray(value)) for (const each of value) size += 1 + sizeOf(each, mostDeep - 1);
  else for (const key of Object.keys(value)) size += key.length + 4 + sizeOf((value as JsonMap)[key], mostDeep - 1);
  return size;
}

/** @throws StatusError 400 for a patch that is no object. */
export function applyMergePatch(document: JsonMap, patch: unknown): JsonMap {
  if (!isMap(patch)) {
    const what = Array.isArray(patch) ? 'array' : typeof patch;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
    );
  }
  return mergeMaps(document, patch);
}

function mergeMaps(document: JsonMap, patch: JsonMap): JsonMap {
  const merged = { ...document };
  for (const key of Object.keys(patch)) {
    const value = ownValue(patch, key);
    if (value === null) delete merged[key];
    else if (isMap(value)) {
      const before = ownValue(merged, key);
      setKey(merged, key, mergeMaps(isMap(before) ? before : {}, value));
    } else setKey(merged, key, copyJson(value));
  }
  return merged;
}
