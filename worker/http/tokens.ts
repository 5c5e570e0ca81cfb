/**
 * Signed bearer tokens: what is in them, how they are minted and how they are judged by their signature alone. Pure
 * WebCrypto and jose, so that the command line mints the same tokens offline from the root secret. Whether a token still
 * holds (its service account or pod gone) is the Cluster object's to say: `token-status.ts`.
 *
 * Every key is derived from the root secret, so a Worker verifies any cluster's token without waking an object.
 */
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import type { UserInfo } from '../users.ts';

/** As kubeadm's default for service account tokens. */
export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
export const API_AUDIENCE = ISSUER;

const CLUSTER_CLAIM = 'longshore.dev/cluster';
const GROUPS_CLAIM = 'longshore.dev/groups';
const EXTRA_CLAIM = 'longshore.dev/extra';
const KUBERNETES_CLAIM = 'kubernetes.io';

/** In UserInfo.extra of a minion: which machine the token was given to. */
export const MACHINE_EXTRA = 'longshore.dev/machine-id';
export const POD_NAME_EXTRA = 'authentication.kubernetes.io/pod-name';
export const POD_UID_EXTRA = 'authentication.kubernetes.io/pod-uid';
export const NODE_NAME_EXTRA = 'authentication.kubernetes.io/node-name';
export const NODE_UID_EXTRA = 'authentication.kubernetes.io/node-uid';
/** `NAME/UID`. Kubernetes: only the verifier knows it there; here it travels to the object that judges it. */
export const SECRET_EXTRA = 'longshore.dev/bound-secret';
export const CREDENTIAL_EXTRA = 'authentication.kubernetes.io/credential-id';

/** What binds a service account's token, as upstream's private claims. */
export interface ServiceAccountClaims {
  namespace: string;
  serviceaccount: { name: string; uid: string };
  pod?: { name: string; uid: string };
  secret?: { name: string; uid: string };
  /** Where the pod runs, or what the token is bound to. */
  node?: { name: string; uid: string };
}

export interface TokenClaims {
  /** The username. */
  subject: string;
  groups: readonly string[];
  /** The one cluster that the token opens. */
  cluster: string;
  lifetimeSeconds: number;
  audiences?: readonly string[];
  /** ISSUER unless said; service accounts' tokens name the cluster's public address. */
  issuer?: string;
  extra?: Record<string, string[]>;
  serviceAccount?: ServiceAccountClaims;
}

export interface VerifiedToken {
  cluster: string;
  user: UserInfo;
  audiences: string[];
  expiresMs: number;
}

const YEAR_SECONDS = 365 * 24 * 3600;

/** Everything is allowed. */
export const adminClaims = (cluster: string, lifetimeSeconds = 10 * YEAR_SECONDS): TokenClaims => ({
  subject: 'kubernetes-admin',
  groups: ['system:masters'],
  cluster,
  lifetimeSeconds,
});

/** Opens nothing but `POST /longshore/join`. */
export const joinClaims = (cluster: string, id: string, lifetimeSeconds = 24 * 3600): TokenClaims => ({
  subject: `system:bootstrap:${id}`,
  groups: ['system:bootstrappers'],
  cluster,
  lifetimeSeconds,
});

/** One node's agent, on one machine. */
export const minionClaims = (
  cluster: string,
  node: string,
  machineId: string,
  lifetimeSeconds = 10 * YEAR_SECONDS,
): TokenClaims => ({
  subject: `system:node:${node}`,
  groups: ['system:nodes'],
  cluster,
  lifetimeSeconds,
  extra: { [MACHINE_EXTRA]: [machineId] },
});

export const serviceAccountClaims = (
  cluster: string,
  bound: ServiceAccountClaims,
  lifetimeSeconds: number,
  audiences?: readonly string[],
  issuer?: string,
): TokenClaims => ({
  subject: `system:serviceaccount:${bound.namespace}:${bound.serviceaccount.name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${bound.namespace}`],
  cluster,
  lifetimeSeconds,
  ...(audiences ? { audiences } : {}),
  ...(issuer ? { issuer } : {}),
  serviceAccount: bound,
});

// ---- Keys ---------------------------------------------------------------------------------------------------------

interface SigningKeys {
  id: string;
  private: CryptoKey;
  public: CryptoKey;
}

const CURVE_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
/** PKCS #8 of a P-256 key up to the 32 bytes of its private scalar; the public point is left for the importer to compute. */
const PKCS8_PREFIX = '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420';

const bytesOfHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** HKDF gives 48 bytes, so that reducing them by the order leaves no bias worth the name (FIPS 186-5, A.2.1). */
async function deriveKeys(secret: string): Promise<SigningKeys> {
  const encoder = new TextEncoder();
  const material = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, ['deriveBits']);
  const info = encoder.encode('longshore.dev/v1 token signing ES256');
  const bits = await crypto.subtle.deriveBits(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info },
    material,
    384,
  );
  const scalar = (BigInt(`0x${hexOf(new Uint8Array(bits))}`) % (CURVE_ORDER - 1n)) + 1n;
  const pkcs8 = bytesOfHex(PKCS8_PREFIX + scalar.toString(16).padStart(64, '0'));
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
  const jwk = (await crypto.subtle.exportKey('jwk', privateKey)) as JsonWebKey;
  const { kty = 'EC', crv = 'P-256', x = '', y = '' } = jwk;
  const publicKey = await crypto.subtle.importKey('jwk', { kty, crv, x, y, ext: true }, ALGORITHM, true, ['verify']);
  const digest = await crypto.subtle.digest('SHA-256', encoder.encode(`${x}.${y}`));
  return { id: hexOf(new Uint8Array(digest)).slice(0, 16), private: privateKey, public: publicKey };
}

const derived = new Map<string, Promise<SigningKeys>>();

function keysOf(secret: string): Promise<SigningKeys> {
  let keys = derived.get(secret);
  if (keys === undefined) {
    keys = deriveKeys(secret.trim());
    derived.set(secret, keys);
  }
  return keys;
}

/** What others verify our tokens with, as a JSON Web Key Set lists them. */
export async function publicKeys(secret: string): Promise<Record<string, string>[]> {
  const { id, public: key } = await keysOf(secret);
  const { kty = '', crv = '', x = '', y = '' } = (await crypto.subtle.exportKey('jwk', key)) as JsonWebKey;
  return [{ use: 'sig', kty, kid: id, crv, alg: 'ES256', x, y }];
}

// ---- Minting and judging -------------------------------------------------------------------------------------------

export async function mintToken(secret: string, claims: TokenClaims, nowMs: number): Promise<string> {
  const keys = await keysOf(secret);
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({
    [CLUSTER_CLAIM]: claims.cluster,
    [GROUPS_CLAIM]: claims.groups,
    ...(claims.extra ? { [EXTRA_CLAIM]: claims.extra } : {}),
    ...(claims.serviceAccount ? { [KUBERNETES_CLAIM]: claims.serviceAccount } : {}),
  })
    .setProtectedHeader({ alg: 'ES256', kid: keys.id })
    .setIssuer(claims.issuer ?? ISSUER)
    .setAudience([...(claims.audiences ?? [API_AUDIENCE])])
    .setSubject(claims.subject)
    .setJti(crypto.randomUUID())
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(now + claims.lifetimeSeconds)
    .sign(keys.private);
}

/** Why a token is refused, in words for TokenReview; requests only ever see 401. */
export class TokenRefused extends Error {}

/**
 * @param issuers besides ISSUER
 * @throws TokenRefused for anything but a token of ours that is valid now for one of `audiences`.
 */
export async function verifyToken(
  secret: string,
  token: string,
  nowMs: number,
  audiences: readonly string[] = [API_AUDIENCE],
  issuers: readonly string[] = [],
): Promise<VerifiedToken> {
  if (token.length > 8192) throw new TokenRefused('token is too long');
  const keys = await keysOf(secret);
  try {
    // Another key's token is refused before any curve arithmetic.
    if (decodeProtectedHeader(token).kid !== keys.id) throw new TokenRefused('token was not signed here');
    const { payload } = await jwtVerify(token, keys.public, {
      algorithms: ['ES256'],
      issuer: [ISSUER, ...issuers],
      audience: [...audiences],
      requiredClaims: ['exp', 'sub', CLUSTER_CLAIM],
      currentDate: new Date(nowMs),
      clockTolerance: 60,
    });
    const named = [payload.aud ?? []].flat();
    return {
      cluster: String(payload[CLUSTER_CLAIM]),
      user: userOf(payload),
      audiences: named.filter((each) => audiences.includes(each)),
      expiresMs: (payload.exp ?? 0) * 1000,
    };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw new TokenRefused(error.message);
    throw error;
  }
}

function userOf(payload: Record<string, unknown>): UserInfo {
  const groups = (payload[GROUPS_CLAIM] as string[] | undefined) ?? [];
  const bound = payload[KUBERNETES_CLAIM] as ServiceAccountClaims | undefined;
  const extra: Record<string, string[]> = {
    ...((payload[EXTRA_CLAIM] as Record<string, string[]> | undefined) ?? {}),
    [CREDENTIAL_EXTRA]: [`JTI=${String(payload.jti)}`],
  };
  if (bound?.pod) {
    extra[POD_NAME_EXTRA] = [bound.pod.name];
    extra[POD_UID_EXTRA] = [bound.pod.uid];
  }
  if (bound?.node) {
    extra[NODE_NAME_EXTRA] = [bound.node.name];
    extra[NODE_UID_EXTRA] = [bound.node.uid];
  }
  if (bound?.secret) extra[SECRET_EXTRA] = [`${bound.secret.name}/${bound.secret.uid}`];
  return {
    username: String(payload.sub),
    ...(bound ? { uid: bound.serviceaccount.uid } : {}),
    groups: [...groups, 'system:authenticated'],
    extra,
  };
}
