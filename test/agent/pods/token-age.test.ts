/** When a service account's token is due for the next one. */
import { describe, expect, test } from 'vitest';
import { claimsOf, dueAtMs, isFor, nextRoundMs } from '../../../agent/pods/token-age.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const jwt = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

test('a token says when it was issued, when it ends, for whom and of which pod', () => {
  const claims = claimsOf(jwt({ iat: 10, exp: 20, aud: ['a', 'b'], 'kubernetes.io': { pod: { uid: 'u' } } }));
  expect(claims).toEqual({ issuedMs: 10_000, expiresMs: 20_000, audiences: ['a', 'b'], podUid: 'u' });
  expect(claimsOf(jwt({ iat: 1, exp: 2, aud: 'a' }))).toMatchObject({ audiences: ['a'], podUid: undefined });
});

test.each([
  ['', 'nothing'],
  ['opaque', 'one part'],
  ['a.b.c', 'no base64 of JSON'],
  [jwt(null), 'null'],
  [jwt('text'), 'a text'],
  [jwt({ exp: 1 }), 'no time of issue'],
])('%j is no token with times: %s', (token) => {
  expect(claimsOf(token)).toBeUndefined();
});

test('a token is for one pod, and for its audiences', () => {
  const claims = { issuedMs: 0, expiresMs: 1, audiences: ['vault'], podUid: 'u' };
  expect([isFor(claims, 'u', 'vault'), isFor(claims, 'u', ''), isFor(claims, 'u', 'other')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(isFor(claims, 'v', 'vault')).toBe(false);
  expect(isFor({ ...claims, podUid: undefined }, 'v', 'vault')).toBe(false);
});

test('a token is due at four fifths of its life', () => {
  expect(dueAtMs({ issuedMs: 1000, expiresMs: 2000 })).toBe(1800);
});

describe('the round in which all tokens of a minion are renewed', () => {
  test.each([
    ['of the start', 0, DAY],
    ['of the first half of a day', 12 * HOUR, DAY],
    ['of the second half', 13 * HOUR, 2 * DAY],
    ['of an earlier run of the agent', -30 * DAY, DAY],
    ['of days later', 5 * DAY + HOUR, 6 * DAY],
  ])('for a token %s', (_, issuedMs, expected) => {
    expect(nextRoundMs(1000, 1000 + issuedMs)).toBe(1000 + expected);
  });
});
