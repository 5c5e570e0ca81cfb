/** Paths of printer columns: what they lead to, and what is no path. */
import { expect, test } from 'vitest';
import { JsonPathError, parseJsonPath } from '../../../worker/resources/json-path.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const OBJECT = {
  metadata: { name: 'x', annotations: { 'example.com/key': 'v', 'a.b': 'dotted' } },
  spec: {
    ports: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Synced', status: 'False' },
    ],
  },
};

test.each<[string, unknown[]]>([
  ['.metadata.name', ['x']],
  ['.spec.nope', []],
  ['.spec.ports[0].port', [80]],
  ['.spec.ports[-1].port', [443]],
  ['.spec.ports[*].port', [80, 443]],
  ['.spec.ports[0:1].name', ['http']],
  ['.spec.ports[0,1].name', ['http', 'https']],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type=='Synced')].status", ['False']],
  ['.spec.ports[?(@.port>100)].name', ['https']],
  ['.spec.ports[?(@.nope)].name', []],
  [".metadata.annotations['a.b']", ['dotted']],
  ['.metadata.annotations.a\\.b', ['dotted']],
  ['.metadata.annotations.example\\.com/key', ['v']],
  ['..port', [80, 443]],
  ['.metadata.*', ['x', OBJECT.metadata.annotations]],
  ['.', [OBJECT]],
])('%s leads to %j', (path, expected) => expect(parseJsonPath(path).find(OBJECT)).toEqual(expected));

test.each(['.a[', '.a[x]', '.a[?(@.b==)]', '.a[?(@.b=="c"', '.a[0:1:0]', '.a}', `.${'a'.repeat(2000)}`])(
  '%s is refused',
  (path) => expect(() => parseJsonPath(path)).toThrow(JsonPathError),
);

const SEED = 20_261_122;
const PIECES = [
  '.',
  '..',
  '*',
  '[',
  ']',
  '0',
  '-1',
  ':',
  ',',
  '?(',
  ')',
  '@',
  '$',
  '==',
  '!=',
  '<',
  "'",
  '"',
  'a',
  'spec',
  'ports',
  '\\',
  '{',
  ' ',
  'é',
  '/',
];

test(`no text makes the reader do anything but answer (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 20_000; round++) {
    const path = Array.from({ length: 1 + random.below(12) }, () => PIECES[random.below(PIECES.length)]).join('');
    try {
      parseJsonPath(path).find(OBJECT);
    } catch (error) {
      if (!(error instanceof JsonPathError)) throw new Error(`seed ${SEED}: ${JSON.stringify(path)}`, { cause: error });
    }
  }
});

test('a look into a large object ends', () => {
  let large: unknown = { a: 1 };
  for (let depth = 0; depth < 12; depth++) large = { a: large, b: [large, large] };
  expect(parseJsonPath('..a..a..a').find(large).length).toBeLessThan(200_000);
});
