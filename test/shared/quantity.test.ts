import { describe, expect, test } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatBytes,
  formatMilli,
  quantityMilliValue,
  quantityValue,
} from '../../shared/quantity.ts';
import { seededRandom } from '../support/seeded-random.ts';

describe('a quantity', () => {
  test.each([
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['100', '100'],
    ['1000k', '1M'],
    ['0.1', '100m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['-1', '-1'],
    ['0', '0'],
    ['0Gi', '0'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['100Ki', '100Ki'],
    ['1e3', '1e3'],
    ['12E6', '12e6'],
    ['1E', '1E'],
    ['0.0000000001', '1n'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
  });

  test.each(['', 'a', '1.2.3', '1Kii', '1e', '--1', '1 Gi', ' 1', '1K', '0x10', '1e999999999', '9'.repeat(200)])(
    '%j is none',
    (text) => {
      expect(canonicalQuantity(text)).toBeUndefined();
    },
  );

  test('gives whole and thousandth units, rounded up', () => {
    expect(quantityValue('1.5Gi')).toBe(1_610_612_736);
    expect(quantityValue('100m')).toBe(1);
    expect(quantityMilliValue('0.1')).toBe(100);
    expect(quantityMilliValue('1u')).toBe(1);
    expect(quantityMilliValue('-1500u')).toBe(-1);
  });

  test('compares and adds across notations', () => {
    expect(compareQuantities('1', '1000m')).toBe(0);
    expect(compareQuantities('1Gi', '1G')).toBe(1);
    expect(addQuantities('0', '1Gi', '512Mi')).toBe('1536Mi');
    expect(formatMilli(1500)).toBe('1500m');
    expect(formatBytes(1_048_576)).toBe('1Mi');
  });

  test('keeps its amount, and its spelling is final, whatever it was', () => {
    const seed = 20_261_122;
    const random = seededRandom(seed).next;
    const suffixes = ['', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'u', 'n'];
    for (let round = 0; round < 2000; round++) {
      const digits = String(Math.floor(random() * 10 ** (1 + Math.floor(random() * 8))));
      const text = `${digits}${random() < 0.3 ? `.${Math.floor(random() * 1000)}` : ''}${suffixes[Math.floor(random() * suffixes.length)]}`;
      const canonical = canonicalQuantity(text) ?? '';
      expect(canonicalQuantity(canonical), `seed ${seed}: ${text}`).toBe(canonical);
      // Amounts are kept to a billionth, rounded up: what is below that may differ from the text, never from itself.
      expect(compareQuantities(canonical, text), `seed ${seed}: ${text}`).toBe(0);
    }
  });
});
