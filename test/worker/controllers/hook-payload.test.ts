import { describe, expect, test } from 'vitest';
import { isImageReference, parseSignature, readPayload, valueAt } from '../../../worker/controllers/hook-payload.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a signature', () => {
  test('is 32 bytes in hexadecimal', () => {
    expect(parseSignature(`sha256=${'0aFF'.repeat(16)}`)?.slice(0, 4)).toEqual(
      new Uint8Array([0x0a, 0xff, 0x0a, 0xff]),
    );
  });

  test.each([
    undefined,
    '',
    'sha256=',
    'sha1=aa',
    `sha256=${'0'.repeat(63)}`,
    `sha256=${'g'.repeat(64)}`,
    ` sha256=${'0'.repeat(64)}`,
  ])('is not %s', (text) => {
    expect(parseSignature(text)).toBeUndefined();
  });
});

describe('a JSON pointer', () => {
  const json = { a: { 'b/c': ['x', { 'd~e': 1 }] }, '': 0 };
  test.each([
    ['', json],
    ['/a/b~1c/0', 'x'],
    ['/a/b~1c/1/d~0e', 1],
    ['/', 0],
    ['/a/b~1c/01', undefined],
    ['/a/b~1c/2', undefined],
    ['/toString', undefined],
    ['/a/b~1c/0/length', undefined],
  ])('%s finds %j', (pointer, expected) => {
    expect(valueAt(json, pointer)).toEqual(expected);
  });
});

describe('a payload', () => {
  test('is JSON', () => {
    expect(readPayload(bytes('{"image":"nginx:2"}'), 'application/json', '/image')).toEqual({ image: 'nginx:2' });
  });

  test("may be GitHub's form with JSON in it", () => {
    const body = bytes(`payload=${encodeURIComponent('{"package":{"url":"ghcr.io/a/b:1"}}')}`);
    expect(readPayload(body, 'application/x-www-form-urlencoded', '/package/url')).toEqual({ image: 'ghcr.io/a/b:1' });
  });

  test.each([
    ['{', /^the body is not JSON/],
    ['\xff', /^the body/],
    ['{}', /^the body has nothing at \/image$/],
    ['{"image":7}', /^the value at \/image is not a string$/],
    ['{"image":"a b"}', /^"a b" is not an image reference$/],
  ])('%s is refused with a reason', (text, reason) => {
    const payload = readPayload(bytes(text), 'application/json', '/image');
    expect('problem' in payload && payload.problem).toMatch(reason);
  });
});

describe('an image reference', () => {
  test.each([
    'nginx',
    'nginx:1.27-alpine',
    'library/nginx',
    'ghcr.io/a-b/c__d/e:v1',
    'localhost:5000/x',
    '[::1]:5000/x:1',
    `registry.example.com/app@sha256:${'a'.repeat(64)}`,
    `registry.example.com/app:1@sha256:${'a'.repeat(64)}`,
  ])('may be %s', (text) => {
    expect(isImageReference(text)).toBe(true);
  });

  test.each([
    '',
    ' nginx',
    'nginx ',
    'Nginx',
    'nginx:',
    ':1',
    'a//b',
    'nginx:-x',
    'nginx@sha256:abc',
    'https://x/y',
    'nginx\n',
    `${'a'.repeat(513)}`,
  ])('may not be %j', (text) => {
    expect(isImageReference(text)).toBe(false);
  });
});
