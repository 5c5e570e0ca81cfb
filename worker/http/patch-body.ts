/** The body of a PATCH: its media type, its JSON. What a patch does is `registry/json-patch.ts` and its neighbours. */
import { badRequest, unsupportedMediaType } from '../../shared/errors.ts';
import { mediaTypeOf } from '../resources/decode.ts';
import { JsonSyntaxError, scanJson } from '../resources/json-scan.ts';

export const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const;
export type PatchType = (typeof PATCH_TYPES)[number];
export const APPLY = 'application/apply-patch+yaml';
const STRATEGIC = 'application/strategic-merge-patch+json';

/**
 * @param custom Kubernetes: a custom resource's schema has no strategic merge.
 * @throws StatusError 415 naming what is accepted.
 */
export function patchTypeOf(headers: Headers, custom: boolean): PatchType {
  const type = mediaTypeOf(headers.get('content-type'));
  const accepted = PATCH_TYPES.filter((each) => !custom || each !== STRATEGIC);
  const found = accepted.find((each) => each === type);
  if (found === undefined) throw unsupportedMediaType(accepted);
  return found;
}

/** The patch, and the paths of keys that it has more than once. @throws StatusError 400 */
export function parsePatch(bytes: Uint8Array): { patch: unknown; duplicates: string[] } {
  const text = new TextDecoder().decode(bytes);
  try {
    const { duplicates } = scanJson(text);
    return { patch: JSON.parse(text) as unknown, duplicates };
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badRequest(`error decoding patch: ${error.message}`);
    throw error;
  }
}
