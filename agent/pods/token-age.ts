/**
 * How old a service account's token may become before the next one is asked for. Pure. A token is read here, never judged:
 * that is the API's business, and so a signature is not looked at.
 */

export interface TokenAge {
  issuedMs: number;
  expiresMs: number;
}

export interface TokenClaims extends TokenAge {
  audiences: string[];
  podUid: string | undefined;
}

const DAY_MS = 86_400_000;
/** Kubernetes: kubelet's own measure. */
const LIFE_BEFORE_REFRESH = 0.8;

/** Undefined: it is no JSON Web Token, or one that says nothing of its times. */
export function claimsOf(token: string): TokenClaims | undefined {
  const payload = parsePayload(token.split('.')[1] ?? '');
  const { iat, exp, aud = [] } = payload ?? {};
  if (typeof iat !== 'number' || typeof exp !== 'number') return undefined;
  const bound = payload?.['kubernetes.io'] as { pod?: { uid?: string } } | undefined;
  return { issuedMs: iat * 1000, expiresMs: exp * 1000, audiences: [aud].flat() as string[], podUid: bound?.pod?.uid };
}

function parsePayload(text: string): Record<string, unknown> | undefined {
  const json = Buffer.from(text, 'base64url').toString('utf8');
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @param audience '': the API's own, whatever it is called */
export const isFor = (claims: TokenClaims, podUid: string, audience: string): boolean =>
  claims.podUid === podUid && (audience === '' || claims.audiences.includes(audience));

export const dueAtMs = ({ issuedMs, expiresMs }: TokenAge): number =>
  issuedMs + (expiresMs - issuedMs) * LIFE_BEFORE_REFRESH;

/**
 * The round in which this minion asks for all its long-lived tokens anew: once a day, counted from the agent's start, so that
 * a cluster with nothing else to do is woken once for all pods of a minion, and not once for each. A token younger than half
 * a day by then waits for the next round.
 */
export function nextRoundMs(startedMs: number, issuedMs: number): number {
  const rounds = Math.ceil((issuedMs + DAY_MS / 2 - startedMs) / DAY_MS);
  return startedMs + Math.max(1, rounds) * DAY_MS;
}
