import { describe, expect, test } from 'vitest';
import {
  API_AUDIENCE,
  adminClaims,
  joinClaims,
  MACHINE_EXTRA,
  minionClaims,
  mintToken,
  POD_NAME_EXTRA,
  serviceAccountClaims,
  TokenRefused,
  verifyToken,
} from '../../../worker/http/tokens.ts';

const SECRET = 'a-root-secret-for-tests-of-32-bytes';
const NOW = Date.parse('2026-01-01T00:00:00Z');

describe('a token', () => {
  test.each([
    [adminClaims('c'), { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }],
    [
      joinClaims('c', 'abc'),
      { username: 'system:bootstrap:abc', groups: ['system:bootstrappers', 'system:authenticated'] },
    ],
    [
      minionClaims('c', 'm1', 'machine'),
      {
        username: 'system:node:m1',
        groups: ['system:nodes', 'system:authenticated'],
        extra: { [MACHINE_EXTRA]: ['machine'] },
      },
    ],
    [
      serviceAccountClaims(
        'c',
        { namespace: 'n', serviceaccount: { name: 's', uid: 'u' }, pod: { name: 'p', uid: 'v' } },
        600,
      ),
      {
        username: 'system:serviceaccount:n:s',
        uid: 'u',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:n', 'system:authenticated'],
        extra: { [POD_NAME_EXTRA]: ['p'] },
      },
    ],
  ])('says who its bearer is: $subject', async (claims, user) => {
    const verified = await verifyToken(SECRET, await mintToken(SECRET, claims, NOW), NOW);
    expect(verified).toMatchObject({ cluster: 'c', user, audiences: [API_AUDIENCE] });
  });

  test('is good for the root secret’s key alone, however the secret was read', async () => {
    const token = await mintToken(SECRET, adminClaims('c'), NOW);
    await expect(verifyToken(`${SECRET}\n`, token, NOW)).resolves.toMatchObject({ cluster: 'c' });
    await expect(verifyToken('another-root-secret-for-tests-123', token, NOW)).rejects.toThrow(TokenRefused);
  });

  test('is good from its first second to its last, a minute of doubt apart', async () => {
    const token = await mintToken(SECRET, joinClaims('c', 'x', 600), NOW);
    const at = (seconds: number) => verifyToken(SECRET, token, NOW + seconds * 1000);
    await expect(at(-59)).resolves.toBeDefined();
    await expect(at(659)).resolves.toBeDefined();
    await expect(at(-61)).rejects.toThrow(TokenRefused);
    await expect(at(661)).rejects.toThrow(TokenRefused);
  });

  test('is good for its audiences only', async () => {
    const bound = { namespace: 'n', serviceaccount: { name: 's', uid: 'u' } };
    const token = await mintToken(SECRET, serviceAccountClaims('c', bound, 600, ['vault']), NOW);
    await expect(verifyToken(SECRET, token, NOW)).rejects.toThrow(TokenRefused);
    await expect(verifyToken(SECRET, token, NOW, ['vault', 'other'])).resolves.toMatchObject({ audiences: ['vault'] });
  });

  test.each(['', 'x', 'a.b.c', `${'x'.repeat(9000)}`, 'eyJhbGciOiJub25lIn0.e30.'])('is not %j', async (token) => {
    await expect(verifyToken(SECRET, token, NOW)).rejects.toThrow(TokenRefused);
  });

  test('does not survive a flipped bit anywhere', async () => {
    const token = await mintToken(SECRET, adminClaims('c'), NOW);
    for (let at = 0; at < token.length - 1; at += 7) {
      const other = token[at] === 'A' ? 'B' : 'A';
      if (token[at] === '.') continue;
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      await expect(verifyToken(SECRET, changed, NOW), `at ${at}`).rejects.toThrow(TokenRefused);
    }
  });
});
