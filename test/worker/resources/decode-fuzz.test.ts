/** Bodies nobody would send: whatever comes, the answer is an object or a StatusError, soon. */
import { expect, test } from 'vitest';
import { PODS } from '../../../shared/api/core.ts';
import { StatusError } from '../../../shared/errors.ts';
import { decodeBody } from '../../../worker/resources/decode.ts';
import { checkFields } from '../../../worker/resources/fields.ts';
import { schemaOfKind } from '../../../worker/resources/schemas.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../support/seeded-random.ts';
import bodies from './fixtures/kubectl-bodies.json' with { type: 'json' };

const ROUNDS = 1500;
const SEED = newSeed(process.env);
const protobufs = Object.values(bodies).map((body) => Uint8Array.from(Buffer.from(body, 'base64')));
const JSON_SEEDS = [
  '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"containers":[{"name":"c","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1"}}}]}}',
  '{"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[]},"status":{"startTime":"2026-01-01T00:00:00Z"}}',
];
const YAML_SEEDS = [
  'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {x: y}\nspec:\n  containers:\n  - name: c\n    ports:\n    - containerPort: 80\n',
  'x: &x [1, 2]\nspec:\n  <<: {a: b}\n  containers: *x\n  text: |\n    line\n    line\n',
];
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  '\\',
  '\u0000',
  '\n',
  '- ',
  '&a ',
  '*a',
  '!!binary ',
  '? ',
  '<<: ',
  '1e999',
  'null',
  '-0',
  '"__proto__":',
  '\ud800',
  '%',
  '|',
  '>',
  '#',
];

function mutate(seed: Uint8Array, random: SeededRandom): Uint8Array {
  let bytes = [...seed];
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(4)) {
      case 0:
        bytes[Math.min(at, bytes.length - 1)] = random.below(256);
        break;
      case 1:
        bytes.splice(at, random.below(8));
        break;
      case 2:
        bytes.splice(at, 0, ...new TextEncoder().encode(random.pick(TOKENS)));
        break;
      default:
        bytes = [...bytes.slice(0, at), ...bytes.slice(random.below(bytes.length + 1))];
    }
  }
  return Uint8Array.from(bytes);
}

function decode(bytes: Uint8Array, contentType: string, expected: { identity: typeof PODS } | undefined): void {
  try {
    const { object, duplicates } = decodeBody(bytes, contentType, expected);
    const schema = schemaOfKind(String(object.apiVersion), String(object.kind));
    if (schema) checkFields(schema, object, { duplicates });
    JSON.stringify(object);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    expect(error.code).toBeLessThan(500);
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each<[string, string, Uint8Array[]]>([
  ['JSON', 'application/json', JSON_SEEDS.map(encode)],
  ['YAML', 'application/yaml', YAML_SEEDS.map(encode)],
  ['protobuf', 'application/vnd.kubernetes.protobuf', protobufs],
])('broken %s ends in an object or a StatusError', (_, contentType, seeds) => {
  const random = seededRandom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(random.pick(seeds), random);
    try {
      decode(bytes, contentType, random.chance(0.5) ? { identity: PODS } : undefined);
    } catch (error) {
      throw new Error(`SEED=${SEED}, round ${round}: ${Buffer.from(bytes).toString('base64')}`, { cause: error });
    }
  }
});
