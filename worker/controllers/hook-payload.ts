/**
 * What a delivery says: its signature, and the image in its body. Pure. Checking the signature against the key is
 * `hook-delivery.ts`.
 */
import type { Hook } from '../../shared/api/longshore.ts';

/** Where each kind of sender puts its signature. */
export const SIGNATURE_HEADERS: Record<NonNullable<Hook['spec']['signature']>, string> = {
  github: 'x-hub-signature-256',
  hmac: 'x-longshore-signature',
};

/** The 32 bytes of `sha256=HEX`; undefined when the text is nothing of that form. */
export function parseSignature(text: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  const hex = /^sha256=([0-9a-fA-F]{64})$/.exec(text ?? '')?.[1];
  if (hex === undefined) return undefined;
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index += 1) bytes[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

export type Payload = { image: string } | { problem: string };

/** The image that the body names at the pointer. GitHub sends JSON, or a form whose field `payload` is JSON. */
export function readPayload(body: Uint8Array, contentType: string, pointer: string): Payload {
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body);
    const isForm = contentType.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded';
    json = JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
  } catch (error) {
    return { problem: `the body is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const image = valueAt(json, pointer);
  if (image === undefined) return { problem: `the body has nothing at ${pointer}` };
  if (typeof image !== 'string') return { problem: `the value at ${pointer} is not a string` };
  return isImageReference(image)
    ? { image }
    : { problem: `${JSON.stringify(image.slice(0, 200))} is not an image reference` };
}

/** Source: RFC 6901. */
export function valueAt(json: unknown, pointer: string): unknown {
  if (pointer === '') return json;
  let value = json;
  for (const escaped of pointer.slice(1).split('/')) {
    const token = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) value = /^(0|[1-9]\d*)$/.test(token) ? value[Number(token)] : undefined;
    else if (typeof value === 'object' && value !== null && Object.hasOwn(value, token)) {
      value = (value as Record<string, unknown>)[token];
    } else return undefined;
  }
  return value;
}

const DOMAIN =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::\\d+)?';
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REFERENCE = new RegExp(
  `^(?:${DOMAIN}/)?${PART}(?:/${PART})*(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/** Source: github.com/distribution/reference, its grammar. */
export const isImageReference = (text: string): boolean => text.length <= 512 && REFERENCE.test(text);
