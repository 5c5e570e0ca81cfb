/** RFC 6902 and RFC 7396 with the apiserver's limits and answers. Values in, values out; nothing is changed in place. */
import { applyPatch, type Operation } from 'rfc6902';
import { badRequest, StatusError, tooLarge } from '../../shared/errors.ts';
import { copyJson, isMap, type JsonMap, ownValue, setKey } from './json.ts';

const MAX_OPERATIONS = 10_000;
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
  for (const operation of patch) {
    if (!isOperation(operation)) throw rejected();
    for (const pointer of [operation.path, (operation as { from?: string }).from]) {
      if (pointer !== undefined && !staysInside(boxed.root, pointer)) throw rejected();
    }
    const moved = { ...operation, path: `/root${operation.path}` } as Operation & { from?: string };
    if (typeof moved.from === 'string') moved.from = `/root${moved.from}`;
    const [error] = applyPatch(boxed, [copyJson(moved)]);
    if (error) throw rejected();
  }
  if (!isMap(boxed.root)) throw rejected();
  return boxed.root;
}

/** Whether a pointer walks over the document's own members only, so that no patch reaches what objects inherit. */
function staysInside(root: unknown, pointer: string): boolean {
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  let value = root;
  for (const [index, token] of tokens.entries()) {
    if (token === '__proto__' || typeof value !== 'object' || value === null) return false;
    if (index === tokens.length - 1) return true;
    if (!Object.hasOwn(value, token)) return false;
    value = (value as JsonMap)[token];
  }
  return true;
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
