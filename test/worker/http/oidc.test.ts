import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { isFromIssuer, type OidcConfig, oidcConfigOf, verifyOidcToken } from '../../../worker/http/oidc.ts';
import { TokenRefused } from '../../../worker/http/tokens.ts';

const NOW = Date.UTC(2026, 0, 1);
let issuers = 0;

/** A provider of its own for each test, for keys are kept by issuer. */
async function provider() {
  const issuer = `https://provider-${issuers++}.example.com`;
  const keys = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256' };
  const asked: string[] = [];
  const fetcher: typeof fetch = async (input) => {
    const url = String(input instanceof Request ? input.url : input);
    asked.push(url);
    if (url.endsWith('/.well-known/openid-configuration')) {
      return Response.json({ issuer, jwks_uri: `${issuer}/keys` });
    }
    return Response.json({ keys: [jwk] });
  };
  const token = (
    claims: Record<string, unknown>,
    more: { audience?: string; key?: CryptoKey; seconds?: number } = {},
  ) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(more.audience ?? 'kubectl')
      .setExpirationTime(NOW / 1000 + (more.seconds ?? 600))
      .sign(more.key ?? (keys.privateKey as CryptoKey));
  return { issuer, fetcher, token, asked };
}

const configOf = (issuer: string, more: Record<string, string> = {}): OidcConfig => {
  const config = oidcConfigOf({ OIDC_ISSUER_URL: issuer, OIDC_CLIENT_ID: 'kubectl', ...more });
  if (config === undefined) throw new Error('not configured');
  return config;
};

describe('a person’s token', () => {
  let one: Awaited<ReturnType<typeof provider>>;
  beforeAll(async () => {
    one = await provider();
  });
  const judge = async (config: OidcConfig, token: string) => verifyOidcToken(config, token, NOW, one.fetcher);

  test('names its user with the issuer before it, and asks for the keys once', async () => {
    const config = configOf(one.issuer, { OIDC_GROUPS_CLAIM: 'groups', OIDC_GROUPS_PREFIX: 'oidc:' });
    const token = await one.token({ sub: 'ann', groups: ['devs'] });
    expect(isFromIssuer(token, one.issuer)).toBe(true);
    for (let times = 0; times < 3; times++) {
      expect(await judge(config, token)).toEqual({
        user: { username: `${one.issuer}#ann`, groups: ['oidc:devs', 'system:authenticated'] },
        expiresMs: NOW + 600_000,
      });
    }
    expect(one.asked).toEqual([`${one.issuer}/.well-known/openid-configuration`, `${one.issuer}/keys`]);
  });

  test('may name its user by e-mail, without a prefix, when it is verified', async () => {
    const config = configOf(one.issuer, { OIDC_USERNAME_CLAIM: 'email' });
    const mail = { sub: '1', email: 'ann@example.com' };
    const { user } = await judge(config, await one.token({ ...mail, email_verified: true }));
    expect(user.username).toBe('ann@example.com');
    await expect(judge(config, await one.token({ ...mail, email_verified: false }))).rejects.toThrow('not verified');
  });

  test.each<[string, () => Promise<string>]>([
    ['another client’s', () => one.token({ sub: 'ann' }, { audience: 'other' })],
    ['an expired one', () => one.token({ sub: 'ann' }, { seconds: -1 })],
    ['one without the claim', () => one.token({})],
    [
      'one signed by another key',
      async () => one.token({ sub: 'ann' }, { key: (await generateKeyPair('RS256')).privateKey as CryptoKey }),
    ],
  ])('is refused when it is %s', async (_what, token) => {
    await expect(judge(configOf(one.issuer), await token())).rejects.toThrow(TokenRefused);
  });

  test('cannot be one of the cluster’s own users, nor of its groups', async () => {
    const bare = { OIDC_USERNAME_PREFIX: '-', OIDC_GROUPS_CLAIM: 'groups' };
    const config = configOf(one.issuer, bare);
    for (const claims of [{ sub: 'system:admin' }, { sub: 'ann', groups: ['system:masters'] }]) {
      await expect(judge(config, await one.token(claims))).rejects.toThrow('the cluster’s own');
    }
  });
});

test('a provider that says it is another is not believed', async () => {
  const { issuer, token } = await provider();
  const liar: typeof fetch = async () => Response.json({ issuer: 'https://other.example.com', jwks_uri: 'https://x/' });
  await expect(verifyOidcToken(configOf(issuer), await token({ sub: 'ann' }), NOW, liar)).rejects.toThrow(
    'issuer did not match',
  );
});

test('without an issuer or a client id there is no provider', () => {
  expect(oidcConfigOf({ OIDC_ISSUER_URL: 'https://x' })).toBeUndefined();
  expect(isFromIssuer('abc.def', 'https://x')).toBe(false);
});
