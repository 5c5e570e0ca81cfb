import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { conformanceTable, TABLE } from './support/conformance.ts';

test('the conformance table says what the tests are (else: npm run conformance)', () => {
  expect(readFileSync(TABLE, 'utf8')).toBe(conformanceTable());
});
