import { expect, test } from 'vitest';
import { namedYaml, writeYaml, yamlAnswer } from '../../../worker/http/yaml-answer.ts';
import { parseYaml } from '../../../worker/resources/yaml.ts';

const TEXTS = [
  ...[
    'y',
    'N',
    'yes',
    'Off',
    'true',
    '~',
    'null',
    '',
    '1',
    '1e3',
    '0X1f',
    '0o17',
    '017',
    '0B1',
    '1_000',
    '.inf',
    '1:30',
  ],
  ...[
    '2026-01-01',
    '<<',
    '=',
    '- a',
    'a: b',
    'a #b',
    '?',
    '---',
    '...',
    '[',
    '{',
    '@',
    '`',
    '%',
    '!a',
    '&a',
    '*a',
    '|',
    '"',
    "'",
  ],
  ...[
    'a\nb\n',
    'a\n',
    '\na',
    '  a',
    'a  ',
    'a\n\n',
    'a\n  b\n c',
    '\t',
    'a\r\nb',
    '\u0000',
    '\u0007',
    '\u0085',
    '\u2028',
    '\u{1f600}',
  ],
];

test.each(TEXTS)('%j is written so that it is read as the text that it is', (text) => {
  const value = { a: text, b: [text, { c: text }], d: { [text]: 1 } };
  expect(parseYaml(writeYaml(value)).value).toEqual(value);
});

test('lists are as deep as their names, and no line is broken', () => {
  const long = 'word '.repeat(60).trim();
  expect(
    writeYaml({
      items: [
        { a: 1, b: [] },
        { c: long, d: null },
      ],
    }),
  ).toBe(`items:\n- a: 1\n  b: []\n- c: ${long}\n  d: null\n`);
});

test('an answer of the object that is named YAML becomes YAML, any other stays', async () => {
  const answer = await yamlAnswer(
    namedYaml(Response.json({ kind: 'Pod' }, { status: 201, headers: { 'audit-id': 'x' } })),
  );
  expect([
    answer.status,
    answer.headers.get('audit-id'),
    answer.headers.get('content-type'),
    await answer.text(),
  ]).toEqual([201, 'x', 'application/yaml', 'kind: Pod\n']);
  const json = Response.json({});
  expect(await yamlAnswer(json)).toBe(json);
});
