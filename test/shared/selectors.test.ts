import { describe, expect, test } from 'vitest';
import {
  formatLabelSelector,
  matchesFields,
  matchesLabelSelector,
  matchesLabels,
  matchesMap,
  parseFieldSelector,
  parseLabelSelector,
} from '../../shared/selectors.ts';

describe('a label selector', () => {
  test.each([
    ['', { a: '1' }, true],
    ['a=1', { a: '1' }, true],
    ['a==1', { a: '1' }, true],
    ['a=1', { a: '2' }, false],
    ['a=1', undefined, false],
    ['a!=1', {}, true],
    ['a!=1', { a: '1' }, false],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['! a', {}, true],
    ['a=', { a: '' }, true],
    ['a=,b', { a: '', b: 'x' }, true],
    ['a in (x, y)', { a: 'y' }, true],
    ['a in (x,y)', {}, false],
    ['a notin (x,y)', {}, true],
    ['a notin (x,y)', { a: 'x' }, false],
    ['a in ()', { a: '' }, true],
    ['a in (x,)', { a: '' }, true],
    ['a>5', { a: '6' }, true],
    ['a<5', { a: '6' }, false],
    ['a>5', { a: 'x' }, false],
    ['example.com/tier=front,!legacy', { 'example.com/tier': 'front' }, true],
    ['in in (in)', { in: 'in' }, true],
    ['toString', {}, false],
  ])('%s on %j: %s', (text, labels, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected);
  });

  test.each([
    ['=', "found '=', expected: !, identifier, or 'end of string'"],
    ['a=1,', "found '', expected: identifier after ','"],
    ['a=1 b', "found 'b', expected: ',' or 'end of string'"],
    ['a in x', "unable to parse requirement: found 'x' expected: '('"],
    ['a in (x', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['a is b', "unable to parse requirement: found 'is', expected: in, notin, =, ==, !=, gt, lt"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(expect.objectContaining({ message, code: 400 }));
  });

  test.each(['-a=1', 'a/b/c', 'a=-x', `a=${'x'.repeat(64)}`, `${'a'.repeat(64)}=1`, 'A.B/c=1'])(
    '%s holds a key or value that no label has',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(/^unable to parse requirement: /);
    },
  );

  test('of an object selects nothing when there is none, and everything when it is empty', () => {
    expect(matchesLabelSelector(undefined, { a: '1' })).toBe(false);
    expect(matchesLabelSelector({}, undefined)).toBe(true);
    const selector = { matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'DoesNotExist' as const }] };
    expect(matchesLabelSelector(selector, { a: '1' })).toBe(true);
    expect(matchesLabelSelector(selector, { a: '1', b: '' })).toBe(false);
  });

  test('of a Service selects nothing when it is empty', () => {
    expect(matchesMap({}, { a: '1' })).toBe(false);
    expect(matchesMap(undefined, { a: '1' })).toBe(false);
    expect(matchesMap({ a: '1' }, { a: '1', b: '2' })).toBe(true);
  });

  test('is written as kubectl shows it, and reads back as itself', () => {
    const selector = {
      matchLabels: { b: '2', a: '1' },
      matchExpressions: [
        { key: 'tier', operator: 'In' as const, values: ['y', 'x'] },
        { key: 'old', operator: 'DoesNotExist' as const },
      ],
    };
    const text = formatLabelSelector(selector);
    expect(text).toBe('a=1,b=2,!old,tier in (x,y)');
    expect(matchesLabels(parseLabelSelector(text), { a: '1', b: '2', tier: 'x' })).toBe(true);
    expect(formatLabelSelector(undefined)).toBe('<none>');
    expect(formatLabelSelector({})).toBe('<none>');
  });
});

describe('a field selector', () => {
  test.each([
    ['metadata.name=web', { 'metadata.name': 'web' }, true],
    ['metadata.name==web', { 'metadata.name': 'web' }, true],
    ['metadata.name!=web', { 'metadata.name': 'web' }, false],
    ['spec.nodeName=', {}, true],
    ['spec.nodeName!=', {}, false],
    ['a=1,b=2', { a: '1', b: '2' }, true],
    [String.raw`a=1\,2`, { a: '1,2' }, true],
    [String.raw`a=x\=y`, { a: 'x=y' }, true],
  ])('%s on %j: %s', (text, fields, expected) => {
    expect(matchesFields(parseFieldSelector(text), fields)).toBe(expected);
  });

  test('without an operator is refused by name', () => {
    expect(() => parseFieldSelector('a=1,b')).toThrow("invalid selector: 'a=1,b'; can't understand 'b'");
    expect(() => parseFieldSelector('a=b=c')).toThrow(expect.objectContaining({ code: 400 }));
    expect(() => parseFieldSelector(String.raw`a=b\c`)).toThrow(expect.objectContaining({ code: 400 }));
  });
});
