/**
 * Who sends a request, judged in the Worker by the token's signature alone: a bad token never wakes an object. Ours are
 * `tokens.ts`, people's `oidc.ts`; bootstrap tokens have no signature, so a bounded number of them reaches the object
 * (`bootstrap-tokens.ts`). Whether a service account still exists is asked later, in the object (`token-status.ts`).
 */
import { unauthorized } from '../../shared/errors.ts';
import type { Env } from '../env.ts';
import { USER_HEADER } from '../rpc.ts';
import { ANONYMOUS, type UserInfo } from '../users.ts';
import { createGuessLimit, isBootstrapToken } from './bootstrap-tokens.ts';
import { issuerOf } from './issuer.ts';
import { isFromIssuer, type OidcConfig, oidcConfigOf, verifyOidcToken } from './oidc.ts';
import { API_AUDIENCE, TokenRefused, verifyToken } from './tokens.ts';

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

/** What tokens are judged with, whoever has to: the Worker for requests, the object for TokenReviews. */
export interface TokenTrust {
  /** The root secret. */
  secret: string;
  /** The cluster's public address, which its service accounts' tokens name as issuer. */
  issuer: string;
  oidc: OidcConfig | undefined;
}

export const trustOf = (env: Env, cluster: string): TokenTrust => ({
  secret: env.ROOT_SECRET,
  issuer: issuerOf(env.API_URL, cluster),
  oidc: oidcConfigOf(env),
});

export interface JudgedToken {
  user: UserInfo;
  audiences: string[];
  expiresMs: number;
}

/**
 * By signature alone. @param audiences that the token must name one of; a person's token is for the API.
 * @throws TokenRefused
 */
export async function judgeToken(
  trust: TokenTrust,
  cluster: string,
  token: string,
  nowMs: number,
  audiences: readonly string[] = [API_AUDIENCE],
): Promise<JudgedToken> {
  if (trust.oidc !== undefined && isFromIssuer(token, trust.oidc.issuer)) {
    if (!audiences.includes(API_AUDIENCE))
      throw new TokenRefused('token audiences are invalid for the target audiences');
    return { ...(await verifyOidcToken(trust.oidc, token, nowMs)), audiences: [API_AUDIENCE] };
  }
  const verified = await verifyToken(trust.secret, token, nowMs, audiences, [trust.issuer]);
  if (verified.cluster !== cluster) throw new TokenRefused('token is for another cluster');
  return verified;
}

/** Good tokens of the last minute: a curve signature costs more than all the rest of the Worker's part. */
const KEPT_MS = 60_000;
const MAX_KEPT = 1000;
const kept = new Map<string, { user: UserInfo; untilMs: number }>();

async function userOf(trust: TokenTrust, cluster: string, token: string, nowMs: number): Promise<UserInfo> {
  const key = `${trust.secret} ${trust.issuer} ${cluster} ${token}`;
  const known = kept.get(key);
  if (known !== undefined && known.untilMs > nowMs) return known.user;
  const { user, expiresMs } = await judgeToken(trust, cluster, token, nowMs);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, { user, untilMs: Math.min(nowMs + KEPT_MS, expiresMs) });
  return user;
}

/** Wrong bootstrap tokens, counted in this isolate. */
const guesses = createGuessLimit();

/**
 * @param askBootstrapUser asks the cluster's object, for bootstrap tokens alone: what else is refused wakes nobody.
 * @throws StatusError 401 for a token that is not good for this cluster.
 */
export async function authenticate(
  headers: Headers,
  trust: TokenTrust,
  cluster: string,
  nowMs: number,
  askBootstrapUser: (token: string) => Promise<UserInfo | undefined>,
): Promise<UserInfo> {
  const token = bearerToken(headers);
  if (token === undefined) return ANONYMOUS;
  if (isBootstrapToken(token)) {
    const user = guesses.mayAsk(cluster, nowMs) ? await askBootstrapUser(token) : undefined;
    if (user !== undefined) return user;
    guesses.refused(cluster);
    throw unauthorized();
  }
  try {
    return await userOf(trust, cluster, token, nowMs);
  } catch (error) {
    if (error instanceof TokenRefused) throw unauthorized();
    throw error;
  }
}

// ---- The caller, from the Worker to the object ---------------------------------------------------------------------

/** The same callers come again and again: each is written and read once. */
const written = new WeakMap<UserInfo, string>();
const read = new Map<string, UserInfo>();

/** JSON, with everything beyond ASCII escaped: a header has no room for it. */
export function encodeUser(user: UserInfo): string {
  let text = written.get(user);
  if (text === undefined) {
    text = JSON.stringify(user).replace(
      /[^\x20-\x7e]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    written.set(user, text);
  }
  return text;
}

/** Only the Worker sets the header; a request without one is nobody's. What is given is shared: nobody may change it. */
export function decodeUser(headers: Headers): UserInfo {
  const text = headers.get(USER_HEADER);
  if (text === null) return ANONYMOUS;
  let user = read.get(text);
  if (user === undefined) {
    user = JSON.parse(text) as UserInfo;
    if (read.size >= MAX_KEPT) read.clear();
    read.set(text, user);
  }
  return user;
}
