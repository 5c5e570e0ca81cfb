import { describe, expect, test } from 'vitest';
import { ageOf, canonicalMicroTime, canonicalTime, formatAge, parseTime } from '../../shared/time.ts';

describe('a time', () => {
  test.each([
    ['2026-11-22T06:00:00Z', '2026-11-22T06:00:00Z'],
    ['2026-11-22T08:00:00+02:00', '2026-11-22T06:00:00Z'],
    ['2026-11-22T06:00:00.987Z', '2026-11-22T06:00:00Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ])('%s is kept as %s', (text, canonical) => {
    expect(canonicalTime(text)).toBe(canonical);
  });

  test.each([
    '',
    'now',
    '2026-11-22',
    '2026-11-22 06:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-22T25:00:00Z',
  ])('%j is none', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test('with microseconds keeps six digits', () => {
    expect(canonicalMicroTime('2026-11-22T06:00:00.123456789Z')).toBe('2026-11-22T06:00:00.123456Z');
    expect(canonicalMicroTime('2026-11-22T08:00:00.5+02:00')).toBe('2026-11-22T06:00:00.500000Z');
  });
});

describe('an age', () => {
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  test.each([
    [-5 * SECOND, '<invalid>'],
    [-500, '0s'],
    [0, '0s'],
    [119 * SECOND, '119s'],
    [2 * MINUTE, '2m'],
    [3 * MINUTE + 7 * SECOND, '3m7s'],
    [10 * MINUTE + 9 * SECOND, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR, '3h'],
    [7 * HOUR + 59 * MINUTE, '7h59m'],
    [47 * HOUR, '47h'],
    [2 * DAY, '2d'],
    [2 * DAY + 5 * HOUR, '2d5h'],
    [8 * DAY + 5 * HOUR, '8d'],
    [700 * DAY, '700d'],
    [2 * 365 * DAY + 11 * DAY, '2y11d'],
    [9 * 365 * DAY, '9y'],
  ])('of %d ms is %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });

  test('of what has no time is unknown', () => {
    expect(ageOf(undefined, 0)).toBe('<unknown>');
    expect(ageOf(null, 0)).toBe('<unknown>');
    expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:30Z'))).toBe('90s');
  });
});
