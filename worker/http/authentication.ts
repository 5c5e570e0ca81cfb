/**
 * Who sends a request, judged in the Worker by the token's signature alone: a bad token never wakes an object. Whether a
 * service account still exists is asked later, in the Cluster object (`token-status.ts`).
 */
import { unauthorized } from '../../shared/errors.ts';
import { ANONYMOUS, type UserInfo } from '../env.ts';
import { USER_HEADER } from '../rpc.ts';
import { TokenRefused, type VerifiedToken, verifyToken } from './tokens.ts';

const BEARER = /^Bearer +(\S+)$/i;
/** Browsers cannot set headers on a WebSocket: the token travels as a subprotocol, base64url. */
const SUBPROTOCOL = 'base64url.bearer.authorization.k8s.io.';

export function bearerToken(headers: Headers): string | undefined {
  const header = headers.get('authorization');
  if (header !== null) {
    const match = BEARER.exec(header.trim());
    if (match === null) throw unauthorized();
    return match[1];
  }
  const offered = (headers.get('sec-websocket-protocol') ?? '').split(',').map((each) => each.trim());
  const carrier = offered.find((each) => each.startsWith(SUBPROTOCOL));
  if (carrier === undefined) return undefined;
  try {
    return atob(carrier.slice(SUBPROTOCOL.length).replaceAll('-', '+').replaceAll('_', '/'));
  } catch (error) {
    if (error instanceof DOMException) throw unauthorized();
    throw error;
  }
}

/** Good tokens of the last minute: a curve signature costs more than all the rest of the Worker's part. */
const KEPT_MS = 60_000;
const MAX_KEPT = 1000;
const kept = new Map<string, { verified: VerifiedToken; untilMs: number }>();

async function verify(secret: string, token: string, nowMs: number): Promise<VerifiedToken> {
  const key = `${secret} ${token}`;
  const known = kept.get(key);
  if (known !== undefined && known.untilMs > nowMs) return known.verified;
  const verified = await verifyToken(secret, token, nowMs);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, { verified, untilMs: Math.min(nowMs + KEPT_MS, verified.expiresMs) });
  return verified;
}

/** @throws StatusError 401 for a token that is not good for this cluster. */
export async function authenticate(
  request: Request,
  secret: string,
  cluster: string,
  nowMs: number,
): Promise<UserInfo> {
  const token = bearerToken(request.headers);
  if (token === undefined) return ANONYMOUS;
  let verified: VerifiedToken;
  try {
    verified = await verify(secret, token, nowMs);
  } catch (error) {
    if (error instanceof TokenRefused) throw unauthorized();
    throw error;
  }
  if (verified.cluster !== cluster) throw unauthorized();
  return verified.user;
}

// ---- The caller, from the Worker to the object ---------------------------------------------------------------------

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeUser(user: UserInfo): string {
  const bytes = encoder.encode(JSON.stringify(user));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** Only the Worker sets the header; a request without one is nobody's. */
export function decodeUser(headers: Headers): UserInfo {
  const text = headers.get(USER_HEADER);
  if (text === null) return ANONYMOUS;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(decoder.decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))) as UserInfo;
}
