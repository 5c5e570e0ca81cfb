/**
 * Tokens that people bring from an OpenID provider. The provider's keys are fetched once an isolate and kept; a token that
 * they did not sign wakes no object. Which provider, and which claims name a user, is configuration of the Worker.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
 */
import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Env } from '../env.ts';
import type { UserInfo } from '../users.ts';
import { TokenRefused } from './tokens.ts';

export interface OidcConfig {
  issuer: string;
  clientId: string;
  usernameClaim: string;
  usernamePrefix: string;
  groupsClaim: string | undefined;
  groupsPrefix: string;
}

type OidcEnv = Pick<
  Env,
  | 'OIDC_ISSUER_URL'
  | 'OIDC_CLIENT_ID'
  | 'OIDC_USERNAME_CLAIM'
  | 'OIDC_USERNAME_PREFIX'
  | 'OIDC_GROUPS_CLAIM'
  | 'OIDC_GROUPS_PREFIX'
>;

/** Undefined where no provider is configured. The variables mean what the apiserver's flags of these names mean. */
export function oidcConfigOf(env: OidcEnv): OidcConfig | undefined {
  const { OIDC_ISSUER_URL: issuer, OIDC_CLIENT_ID: clientId } = env;
  if (!issuer || !clientId) return undefined;
  const usernameClaim = env.OIDC_USERNAME_CLAIM || 'sub';
  // Kubernetes: an issuer's names are told apart by its URL, but for e-mail addresses; `-` is no prefix at all.
  const fallback = usernameClaim === 'email' ? '' : `${issuer}#`;
  const prefix = env.OIDC_USERNAME_PREFIX ?? fallback;
  return {
    issuer,
    clientId,
    usernameClaim,
    usernamePrefix: prefix === '-' ? '' : prefix,
    groupsClaim: env.OIDC_GROUPS_CLAIM || undefined,
    groupsPrefix: env.OIDC_GROUPS_PREFIX ?? '',
  };
}

/** By what the token says of itself, unverified: only to choose who judges it. */
export function isFromIssuer(token: string, issuer: string): boolean {
  try {
    return decodeJwt(token).iss === issuer;
  } catch (error) {
    if (error instanceof errors.JWTInvalid) return false;
    throw error;
  }
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
const MAX_TOKEN = 16_384;

type Keys = ReturnType<typeof createRemoteJWKSet>;
/** Values, never promises: an isolate must not wait for another request's connection. */
const known = new Map<string, Keys>();

async function keysOf(issuer: string, fetcher: typeof fetch): Promise<Keys> {
  const kept = known.get(issuer);
  if (kept !== undefined) return kept;
  const answer = await fetcher(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (!answer.ok) throw new TokenRefused(`oidc: the provider answers its discovery with ${answer.status}`);
  const document = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (document.issuer !== issuer || typeof document.jwks_uri !== 'string') {
    throw new TokenRefused('oidc: issuer did not match the issuer returned by provider');
  }
  const keys = createRemoteJWKSet(new URL(document.jwks_uri), { [customFetch]: (url, init) => fetcher(url, init) });
  known.set(issuer, keys);
  return keys;
}

/** @throws TokenRefused */
export async function verifyOidcToken(
  config: OidcConfig,
  token: string,
  nowMs: number,
  fetcher: typeof fetch = (input, init) => fetch(input, init),
): Promise<{ user: UserInfo; expiresMs: number }> {
  if (token.length > MAX_TOKEN) throw new TokenRefused('token is too long');
  let payload: JWTPayload;
  try {
    const verified = await jwtVerify(token, await keysOf(config.issuer, fetcher), {
      algorithms: ALGORITHMS,
      issuer: config.issuer,
      audience: config.clientId,
      requiredClaims: ['exp'],
      currentDate: new Date(nowMs),
    });
    payload = verified.payload;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      throw new TokenRefused(`oidc: verify token: ${error.message}`);
    }
    throw error;
  }
  return { user: userOf(config, payload), expiresMs: (payload.exp ?? 0) * 1000 };
}

function userOf(config: OidcConfig, payload: JWTPayload): UserInfo {
  const name = payload[config.usernameClaim];
  if (typeof name !== 'string' || name === '') {
    throw new TokenRefused(`oidc: parse username claims "${config.usernameClaim}": claim not present`);
  }
  if (config.usernameClaim === 'email' && payload.email_verified === false) {
    throw new TokenRefused('oidc: email not verified');
  }
  const username = `${config.usernamePrefix}${name}`;
  const groups = groupsOf(config, payload);
  // A provider names people; the cluster's own users and groups are not its to give.
  if ([username, ...groups].some((each) => each.startsWith('system:'))) {
    throw new TokenRefused('oidc: names that begin with "system:" are the cluster’s own');
  }
  return { username, groups: [...groups, 'system:authenticated'] };
}

function groupsOf({ groupsClaim, groupsPrefix }: OidcConfig, payload: JWTPayload): string[] {
  if (groupsClaim === undefined) return [];
  const groups = [payload[groupsClaim] ?? []].flat();
  if (!groups.every((each) => typeof each === 'string')) {
    throw new TokenRefused(`oidc: parse groups claim "${groupsClaim}": must be strings`);
  }
  return groups.map((each) => `${groupsPrefix}${each}`);
}
