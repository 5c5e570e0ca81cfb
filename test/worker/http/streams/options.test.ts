import { describe, expect, test } from 'vitest';
import { StatusError } from '../../../../shared/errors.ts';
import { parseLogOptions, parseTerminalOptions } from '../../../../worker/http/streams/options.ts';

const NOW = Date.parse('2026-05-01T12:00:00Z');
const query = (text: string) => new URLSearchParams(text);
const logs = (text: string) => parseLogOptions(query(text), 'web', NOW);

function refusalOf(body: () => unknown): StatusError {
  try {
    body();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('log options', () => {
  test('are what the query says', () => {
    expect(logs('follow=true&timestamps=1&tailLines=5&limitBytes=100&sinceSeconds=60')).toEqual({
      follow: true,
      previous: false,
      timestamps: true,
      tailLines: 5,
      limitBytes: 100,
      sinceMs: NOW - 60_000,
    });
    expect(logs('sinceTime=2026-05-01T11:00:00Z').sinceMs).toBe(NOW - 3_600_000);
    expect(logs('')).toEqual({ follow: false, previous: false, timestamps: false });
  });

  test.each([
    ['tailLines=-1', 'tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['limitBytes=0', 'limitBytes: Invalid value: 0: must be greater than 0'],
    ['sinceSeconds=0', 'sinceSeconds: Invalid value: 0: must be greater than 0'],
    ['sinceSeconds=1&sinceTime=2026-05-01T11:00:00Z', 'at most one of `sinceTime` or `sinceSeconds` may be specified'],
  ])('%s is 422 with upstream’s text', (text, message) => {
    const refusal = refusalOf(() => logs(text));
    expect(refusal.code).toBe(422);
    expect(refusal.message).toContain('PodLogOptions "web" is invalid');
    expect(refusal.message).toContain(message);
  });

  test.each(['tailLines=x', 'limitBytes=1.5', 'sinceTime=yesterday'])('%s is 400', (text) => {
    expect(refusalOf(() => logs(text)).code).toBe(400);
  });
});

describe('exec options', () => {
  test('are what the query says', () => {
    expect(parseTerminalOptions(query('command=sh&command=-c&command=ls&stdin=true&stdout=true&stderr=true'))).toEqual({
      stdin: true,
      stdout: true,
      stderr: true,
      tty: false,
      command: ['sh', '-c', 'ls'],
    });
  });

  test('leave stderr out of a terminal', () => {
    expect(parseTerminalOptions(query('tty=true&stdout=true&stderr=true')).stderr).toBe(false);
  });

  test('without any stream are refused', () => {
    expect(refusalOf(() => parseTerminalOptions(query('command=ls'))).message).toBe(
      'you must specify at least 1 of stdin, stdout, stderr',
    );
  });
});
