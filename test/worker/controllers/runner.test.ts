import { describe, expect, test } from 'vitest';
import { backOffMs } from '../../../worker/controllers/runner.ts';

describe('a key that fails again and again', () => {
  test.each([
    [0, 5],
    [1, 10],
    [7, 640],
    [17, 655_360],
    [18, 1_000_000],
    [5000, 1_000_000],
  ])('after %i attempts waits %i ms', (attempts, expected) => {
    expect(backOffMs(attempts)).toBe(expected);
  });
});
