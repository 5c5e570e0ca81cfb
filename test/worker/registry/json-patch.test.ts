import { expect, test } from 'vitest';
import type { JsonMap } from '../../../worker/registry/json.ts';
import { applyJsonPatch, applyMergePatch } from '../../../worker/registry/json-patch.ts';

test.each<[string, JsonMap, unknown[], JsonMap]>([
  ['adds into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  ['adds behind a list', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  ['reads ~1 as a slash', { 'a/b': 1 }, [{ op: 'replace', path: '/a~1b', value: 2 }], { 'a/b': 2 }],
  ['moves', { a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 }],
  [
    'copies what then goes its own way',
    { a: {} },
    [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/x', value: 1 },
    ],
    { a: {}, b: { x: 1 } },
  ],
  ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
  ['tests', { a: { b: [1] } }, [{ op: 'test', path: '/a', value: { b: [1] } }], { a: { b: [1] } }],
])('%s', (_what, before, patch, after) => {
  const original = structuredClone(before);
  expect(applyJsonPatch(before, patch)).toEqual(after);
  expect(before, 'the document was changed in place').toEqual(original);
});

test.each<[string, unknown]>([
  ['a failed test', [{ op: 'test', path: '/a', value: 2 }]],
  ['a path that is not there', [{ op: 'replace', path: '/x/y', value: 2 }]],
  ['an operation that is none', [{ op: 'spoil', path: '/a' }]],
  ['an operation without its value', [{ op: 'add', path: '/a' }]],
  ['a whole that is no object', [{ op: 'replace', path: '', value: 1 }]],
  ['the prototype', [{ op: 'add', path: '/__proto__/polluted', value: 1 }]],
  ['what objects inherit', [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }]],
])('refuses %s with 422, and changes nothing', (_what, patch) => {
  const document = { a: 1 };
  expect(() => applyJsonPatch(document, patch)).toThrow(
    'the server rejected our request due to an error in our request',
  );
  expect(document).toEqual({ a: 1 });
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

test('copies may add up to three MiB, and nothing may nest deeper than what can be sent', () => {
  const document = { a: 'x'.repeat(1024 * 1024) };
  const copies = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ op: 'copy', from: '/a', path: `/c${at}` }));
  expect(Object.keys(applyJsonPatch(document, copies(2)))).toEqual(['a', 'c0', 'c1']);
  expect(() => applyJsonPatch(document, copies(3))).toThrow('the server rejected our request');
  const wrap = [
    { op: 'move', from: '/a', path: '/kept' },
    { op: 'add', path: '/a', value: {} },
    { op: 'move', from: '/kept', path: '/a/below' },
  ];
  const nested = (times: number) => applyJsonPatch({ a: {} }, Array.from({ length: times }, () => wrap).flat());
  expect(() => nested(190)).not.toThrow();
  expect(() => nested(210)).toThrow('the server rejected our request');
});

test.each<[JsonMap, JsonMap, JsonMap]>([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('merges %j with %j as RFC 7396 says', (before, patch, after) => {
  expect(applyMergePatch(before, patch)).toEqual(after);
});
