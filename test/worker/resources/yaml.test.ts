import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../worker/resources/yaml.ts';
import { YamlError } from '../../../worker/resources/yaml-error.ts';
import { REFUSED, TAKEN, VALUES } from './yaml-facts.ts';

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]));
}

const json = (value: unknown): string => JSON.stringify(sorted(value));

function refusal(text: string): string {
  try {
    parseYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return error.message;
    throw error;
  }
  throw new Error(`${JSON.stringify(text.slice(0, 100))} was accepted`);
}

describe('YAML is read as Kubernetes’ reader reads it', () => {
  test.each(VALUES)('%s', (_, yaml, expected, problem) => {
    const { value, problems } = parseYaml(yaml);
    expect(json(value)).toBe(json(JSON.parse(expected)));
    expect(problems).toEqual(problem === undefined ? [] : [problem]);
  });

  test.each(REFUSED)('refuses %s', (_, yaml, message) => {
    expect(refusal(yaml)).toBe(message);
  });

  test.each(TAKEN)('and better: %s', (_, yaml, expected) => {
    expect(json(parseYaml(yaml).value)).toBe(expected);
  });
});

test('a name of JavaScript’s own is a field like others', () => {
  const { value } = parseYaml('__proto__: {a: b}\nx: {<<: {__proto__: 1}}\n');
  expect(JSON.stringify(value)).toBe('{"__proto__":{"a":"b"},"x":{"__proto__":1}}');
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

test('of names that stand twice a hundred are told', () => {
  const { problems } = parseYaml('k: a\n'.repeat(1000));
  expect(problems[0]?.split('\n').length).toBe(101);
});

test('an error is short, whatever it is about', () => {
  const levels = Array.from({ length: 10 }, (_, at) => `- &a${at} [${Array(3).fill(at === 0 ? 1 : `*a${at - 1}`)}]\n`);
  for (const text of [
    `!!int ${'x'.repeat(100_000)}`,
    `${levels.join('')}- ? *a9\n  : 1\n`,
    `- *${'a'.repeat(100_000)}`,
  ]) {
    expect(refusal(text).length).toBeLessThan(1100);
  }
});

describe('bounds', () => {
  const lines = (count: number, line: (at: number) => string) => Array.from({ length: count }, (_, at) => line(at));

  test('a custom resource definition of 1.5 MB, as operators bring them, is read', () => {
    const field = (at: number) =>
      [
        `field${at}:`,
        '  description: |-',
        `    What the field ${at} of many is for, in a line of words that is as long as those of people, see`,
        '    https://example.com/docs for more.',
        '  properties:',
        '    name: {type: string}',
        '    value:',
        '      description: "A text that is quoted: because of its colon"',
        '      type: integer',
        '  required:',
        '  - name',
      ]
        .map((each) => `        ${each}\n`)
        .join('');
    const text = `spec:\n  versions:\n  - schema:\n      properties:\n${lines(4000, field).join('')}`;
    expect(text.length).toBeGreaterThan(1.5 * 1024 * 1024);
    const { versions } = (parseYaml(text).value as { spec: { versions: { schema: { properties: object } }[] } }).spec;
    expect(Object.keys(versions[0]?.schema.properties ?? {}).length).toBe(4000);
  });

  test('a text of 3 MB in a block, whatever is in it, is one value', () => {
    const text = `a: |\n${lines(100_000, (at) => `  {"b": [${at}, "c"]},\n`).join('')}`;
    expect((parseYaml(text).value as { a: string }).a.length).toBe(text.length - 5 - 2 * 100_000);
  });

  test.each([
    ['lines', 'a: b\n'.repeat(100_000)],
    ['items on one line', `[${'1,'.repeat(200_000)}1]`],
    ['dashes, which are no values yet', '- \n'.repeat(400_000)],
    ['old line ends', `a: |\n${'\r'.repeat(400_000)}`],
  ])('very many %s are refused', (_, text) => {
    expect(refusal(text)).toContain('send it as JSON');
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{a: '.repeat(100_000)],
    ['dashes', '- '.repeat(100_000)],
    ['question marks', '? '.repeat(100_000)],
    ['indentation', lines(1500, (depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['one level too many', `${'['.repeat(201)}${']'.repeat(201)}`],
    ['aliases', lines(201, (at) => `- &a${at} [${at === 0 ? 1 : `*a${at - 1}`}]\n`).join('')],
  ])('nesting by %s is refused', (_, text) => {
    expect(refusal(text)).toBe('exceeded max depth of 200');
  });

  test('nesting as deep as JSON may is read', () => {
    expect(parseYaml(`${'['.repeat(200)}${']'.repeat(200)}`).problems).toEqual([]);
  });

  const alias = (count: number) => lines(count, () => '- *a\n').join('');
  test.each([
    [
      'in levels',
      lines(12, (level) => `a${level}: &a${level} [${Array(9).fill(level ? `*a${level - 1}` : 1)}]\n`).join(''),
    ],
    ['of a long text', `a: &a "${'x'.repeat(10_000)}"\nb:\n${alias(1000)}`],
    ['of a long list', `a: &a [${Array(1000).fill(1)}]\nb:\n${alias(1000)}`],
    ['by merges', `a: &a {${lines(1000, (at) => `k${at}: 1`)}}\nb:\n${lines(1000, () => '- <<: *a\n').join('')}`],
  ])('growth by aliases %s is refused', (_, text) => {
    expect(refusal(text)).toBe('yaml: document contains excessive aliasing');
  });

  test('a thousand aliases of what is small are read', () => {
    const { value } = parseYaml(`a: &a {b: c}\nd:\n${alias(1000)}`);
    expect((value as { d: unknown[] }).d[999]).toEqual({ b: 'c' });
  });
});
