/** Reads a request's body with the apiserver's limit. What the bytes mean is `resources/decode.ts`. */
import { tooLarge } from '../../shared/errors.ts';
import { MAX_BODY_BYTES } from '../resources/decode.ts';

const tooLargeBody = (maxBytes: number) => tooLarge(`Request entity too large: limit is ${maxBytes}`);

/** Before anything is read or woken. @throws StatusError 413 for a body that says it is too long. */
function requireBodyFits(headers: Headers, maxBytes: number): void {
  if (Number(headers.get('content-length') ?? '0') > maxBytes) throw tooLargeBody(maxBytes);
}

/** @throws StatusError 413 as soon as too much has come. */
export async function readBody(request: Request, maxBytes: number = MAX_BODY_BYTES): Promise<Uint8Array> {
  requireBodyFits(request.headers, maxBytes);
  if (request.body === null) return new Uint8Array(0);
  // A body that says its length is no longer than that; one in chunks must be counted.
  if (request.headers.has('content-length') && !request.headers.has('transfer-encoding')) {
    return new Uint8Array(await request.arrayBuffer());
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request.body) {
    const bytes = part as Uint8Array;
    length += bytes.byteLength;
    if (length > maxBytes) throw tooLargeBody(maxBytes);
    parts.push(bytes);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
