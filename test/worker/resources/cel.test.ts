/** Expressions as Kubernetes reads them: values, functions, what does not compile, what fails, and what costs too much. */
import { describe, expect, test } from 'vitest';
import { CelCompileError, CelCostError, CelEvaluationError, celEnvironment } from '../../../worker/resources/cel.ts';
import { type CelObjectType, escapeName } from '../../../worker/resources/cel-values.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SPEC: CelObjectType = {
  fields: new Map([
    ['replicas', { name: 'replicas', type: 'int' }],
    ['name', { name: 'name', type: 'string' }],
    ['items', { name: 'items', type: { list: 'string' } }],
    ['limits', { name: 'limits', type: { map: 'int' } }],
    ['at', { name: 'at', type: 'timestamp' }],
    ['a__dash__b', { name: 'a-b', type: 'bool' }],
  ]),
};
const SELF: CelObjectType = {
  fields: new Map([
    ['spec', { name: 'spec', type: { object: SPEC } }],
    ['list', { name: 'list', type: { list: { object: SPEC } } }],
  ]),
};
const environment = celEnvironment({ self: { object: SELF }, oldSelf: { object: SELF }, object: 'dyn' });
const self = {
  spec: {
    replicas: 3,
    name: 'Abc',
    items: ['a', 'b'],
    limits: { x: 1, y: 2 },
    at: '2026-01-01T00:00:00Z',
    'a-b': true,
  },
  list: [{ replicas: 1 }, { replicas: 2, name: 'q' }],
};
const evaluate = (expression: string) =>
  environment.compile(expression).evaluate({ self, oldSelf: structuredClone(self), object: { a: { b: 3, c: 1.5 } } });

describe('an expression', () => {
  test.each([
    'self.spec.replicas > 2 && self.spec.replicas % 2 == 1',
    'has(self.spec.name) && !has(self.list[0].name)',
    'self == oldSelf && self.spec == oldSelf.spec && self.list[0] != self.list[1]',
    'self.list.all(x, x.replicas > 0) && self.list.exists_one(x, has(x.name))',
    "self.list.filter(x, x.replicas == 2).map(x, x.name) == ['q']",
    "self.spec.limits.all(k, k in ['x', 'y']) && self.spec.limits['x'] + self.spec.limits.y == 3",
    'self.spec.a__dash__b',
    "self.spec.at < timestamp('2027-01-01T00:00:00Z')",
    "duration('1h') > duration('30m')",
    "self.list[0].?name.orValue('none') == 'none'",
    'object.a.b == 3 && object.a.c == 1.5',
    "cel.bind(n, self.spec.name, n.lowerAscii() == 'abc' && n.upperAscii() == 'ABC')",
    "self.spec.name.matches('^A[a-z]+$') && !self.spec.name.matches('^b')",
    "'abcabc'.replace('b', 'x', 1) == 'axcabc' && 'abc'.charAt(1) == 'b' && 'a,b'.split(',').join('-') == 'a-b'",
    "'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
    '[1, 2, 3].isSorted() && ![2, 1].isSorted() && [1, 5, 3].max() == 5 && [1, 5, 3].min() == 1 && [1, 2].sum() == 3',
    '[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2',
    'sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])',
    "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('500m').add(quantity('1')).compareTo(quantity('1500m')) == 0",
    "quantity('2').isInteger() && quantity('2k').asInteger() == 2000 && quantity('-1').sign() == -1 && !isQuantity('x')",
    "ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && ip.isCanonical('2001:db8::1') && !isIP('10.0.0.300')",
    "cidr('10.0.0.0/8').containsIP('10.2.3.4') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && string(cidr('10.1.2.3/8').masked()) == '10.0.0.0/8'",
    "url('https://example.com:80/p?a=1&a=2').getHost() == 'example.com:80' && url('https://e.com/?a=1&a=2').getQuery()['a'] == ['1', '2'] && !isURL('x y')",
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-a').compareTo(semver('1.0.0')) == -1 && !isSemver('1.2')",
    "!format.dns1123Label().validate('abc').hasValue() && format.dns1123Label().validate('A_').hasValue() && format.named('uuid').hasValue()",
    "'%s %d %.2f %x %s'.format(['a', 5, 1.5, 255, [1, 2]]) == 'a 5 1.50 ff [1, 2]'",
    "type(self.spec.replicas) == int && string(self.spec.replicas) == '3' && int('7') == 7",
    'false && self.list[9].replicas == 1 ? false : true',
  ])('%s', (expression) => expect(evaluate(expression)).toBe(true));

  test.each([
    ['self.spec.nope == 1', "ERROR: <input>:1:11: undefined field 'nope'\n | self.spec.nope == 1\n | ..........^"],
    ['has(self.spec.nope)', "undefined field 'nope'"],
    ['nope == 1', "undeclared reference to 'nope' (in container '')"],
    ["self.spec.replicas + 'x'", "found no matching overload for '_+_' applied to '(int, string)'"],
    ['self.spec.replicas == 3.0', "found no matching overload for '_==_' applied to '(int, double)'"],
    ['self.spec.name.matches(1)', "found no matching overload for 'matches' applied to 'string.(int)'"],
    ['1 +', 'Syntax error'],
    ["b'x'.json()", "undeclared reference to 'json'"],
    ['self.spec.replicas ? true : false', 'bool'],
  ])('%s does not compile', (expression, message) => {
    expect(() => environment.compile(expression)).toThrow(CelCompileError);
    expect(() => environment.compile(expression)).toThrow(message);
  });

  test('must be of the type that is asked for', () => {
    expect(() => environment.compile('self.spec.replicas', ['bool'])).toThrow('must evaluate to bool');
    expect(environment.compile('self.spec.replicas > 1', ['bool']).type).toBe('bool');
    expect(environment.compile('self == oldSelf').uses('oldSelf')).toBe(true);
    expect(environment.compile('self.spec.replicas > 1').uses('oldSelf')).toBe(false);
  });

  test.each([
    ["self.list[0].name == 'x'", 'no such key: name'],
    ['self.list[7].replicas == 1', 'index out of bounds: 7'],
    ['1 / (self.spec.replicas - 3) == 1', 'division by zero'],
    ["self.spec.name.matches('(')", 'error parsing regexp'],
    ["quantity('x').isInteger()", 'quantities must match the regular expression'],
  ])('%s fails with %s', (expression, message) => {
    expect(() => evaluate(expression)).toThrow(CelEvaluationError);
    expect(() => evaluate(expression)).toThrow(message);
  });

  const ten = '[1,2,3,4,5,6,7,8,9,10]';
  test.each([
    [
      'loops in loops',
      ['a', 'b', 'c', 'd', 'e', 'f'].reduce((inner, name) => `${ten}.all(${name}, ${inner})`, 'a > 0'),
    ],
    [
      'lists that double',
      ['b', 'c', 'd', 'e', 'f', 'g', 'h']
        .reduceRight(
          (inner, name, index) => `cel.bind(${name}, ${Array(12).fill('abcdefgh'[index]).join('+')}, ${inner})`,
          'size(h) > 0',
        )
        .replace(/^/, 'cel.bind(a, [1,2,3,4,5,6,7,8], ')
        .concat(')'),
    ],
    [
      'an error that is swallowed',
      `${['a', 'b', 'c', 'd', 'e', 'f'].reduce((inner, name) => `${ten}.all(${name}, ${inner})`, 'a > 0')} || true`,
    ],
  ])('%s end where they cost too much', (_, expression) => {
    const started = performance.now();
    expect(() => evaluate(expression)).toThrow(CelCostError);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('shares its bound with others that are given the same budget', () => {
    const budget = { remaining: 10 };
    environment.compile('self.spec.replicas > 2').evaluate({ self }, budget);
    expect(budget.remaining).toBeLessThan(10);
    expect(() => {
      for (let times = 0; times < 10; times++) environment.compile('self.spec.replicas > 2').evaluate({ self }, budget);
    }).toThrow(CelCostError);
  });
});

test('names of fields are escaped where CEL has another use for them', () => {
  expect(['namespace', 'a-b', 'a.b', 'a/b', 'a__b', 'x', 'in', '3x', 'ö'].map(escapeName)).toEqual([
    '__namespace__',
    'a__dash__b',
    'a__dot__b',
    'a__slash__b',
    'a__underscores__b',
    'x',
    '__in__',
    undefined,
    undefined,
  ]);
});

const SEED = 20_261_122;
const PIECES = [
  'self',
  '.',
  'spec',
  'list',
  '[',
  ']',
  '(',
  ')',
  '0',
  '1.5',
  "'a'",
  '"',
  '+',
  '-',
  '*',
  '/',
  '%',
  '==',
  '<',
  '&&',
  '||',
  '!',
  '?',
  ':',
  'all',
  'x',
  ',',
  'has',
  'map',
  'true',
  'null',
  'in',
  '{',
  '}',
  'size',
  'matches',
  '\\',
  '\n',
  'é',
  '\u0000',
  'cel.bind',
  'optional.of',
  '.?',
  'format',
  'quantity',
];

test(`no text makes the compiler or an evaluation do anything but answer (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const good = [
    'self.spec.replicas > 2',
    'self.list.all(x, x.replicas > 0)',
    "self.spec.name.matches('^A')",
    "'%s'.format([self.spec])",
  ];
  for (let round = 0; round < 3000; round++) {
    let expression = Array.from({ length: 1 + random.below(14) }, () => PIECES[random.below(PIECES.length)]).join(
      random.below(2) === 0 ? '' : ' ',
    );
    if (round % 3 === 0) {
      const sound = good[random.below(good.length)] ?? '';
      const at = random.below(sound.length);
      expression = sound.slice(0, at) + (PIECES[random.below(PIECES.length)] ?? '') + sound.slice(at + random.below(3));
    }
    try {
      evaluate(expression);
    } catch (error) {
      const known = [CelCompileError, CelEvaluationError, CelCostError].some((kind) => error instanceof kind);
      if (!known) throw new Error(`seed ${SEED}, round ${round}: ${JSON.stringify(expression)}`, { cause: error });
    }
  }
});
