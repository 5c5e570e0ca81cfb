/**
 * How the parts of a real kind merge when several managers apply it: golden pairs for every form that a Deployment's schema
 * has (list by keys, set, atomic list, atomic map, granular map), and two managers at random who never lose a field.
 */
import { describe, expect, test } from 'vitest';
import { apply } from '../../../../worker/registry/apply/managed-fields.ts';
import { typeOfSchema } from '../../../../worker/registry/apply/schema-types.ts';
import type { Json, JsonMap } from '../../../../worker/registry/apply/typed.ts';
import { definition } from '../../../../worker/resources/schemas.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../../support/seeded-random.ts';

const TYPE = typeOfSchema(definition('io.k8s.api.apps.v1.Deployment'));
const as = (name: string, now = '2026-01-01T00:00:00Z') => ({
  type: TYPE,
  manager: { name, operation: 'Apply' as const, apiVersion: 'apps/v1', subresource: '' },
  now,
});
const pod = (spec: JsonMap): JsonMap => ({ spec: { template: { spec } } });
const podOf = (object: JsonMap): JsonMap =>
  ((object.spec as JsonMap | undefined)?.template as JsonMap | undefined)?.spec as JsonMap;

/** First `one` applies, then `two`, then `one` again with nothing. */
function story(one: JsonMap, two: JsonMap) {
  const first = apply(as('one'), { metadata: {} }, one, [], false);
  const both = apply(as('two'), first.object, two, first.entries, false);
  const left = apply(as('one'), both.object, { metadata: {} }, both.entries, false);
  return { both: podOf(both.object), left: podOf(left.object) };
}

describe('golden pairs: what two managers make together, and what is left when the first one wants nothing', () => {
  test.each<[string, JsonMap, JsonMap, JsonMap, JsonMap]>([
    [
      'containers by name',
      { containers: [{ name: 'a', image: '1' }] },
      { containers: [{ name: 'b', image: '2' }] },
      {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '2' },
        ],
      },
      { containers: [{ name: 'b', image: '2' }] },
    ],
    [
      'fields of one container',
      { containers: [{ name: 'a', image: '1' }] },
      { containers: [{ name: 'a', tty: true }] },
      { containers: [{ name: 'a', image: '1', tty: true }] },
      { containers: [{ name: 'a', tty: true }] },
    ],
    [
      'ports by number and protocol, which is TCP unless said, in the second’s order',
      { containers: [{ name: 'a', ports: [{ containerPort: 80 }] }] },
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 80, protocol: 'UDP' },
              { containerPort: 80, protocol: 'TCP' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 80, protocol: 'UDP' },
              { containerPort: 80, protocol: 'TCP' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 80, protocol: 'UDP' },
              { containerPort: 80, protocol: 'TCP' },
            ],
          },
        ],
      },
    ],
    [
      'environment by name, the second’s order where it says one',
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '1' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'Z', value: '2' },
              { name: 'X', value: '1' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'Z', value: '2' },
              { name: 'X', value: '1' },
              { name: 'Y', value: '1' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'Z', value: '2' },
              { name: 'X', value: '1' },
            ],
          },
        ],
      },
    ],
    [
      'volumes by name, constraints of spreading by two keys',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { topologySpreadConstraints: [{ topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', maxSkew: 1 }] },
      {
        volumes: [{ name: 'v', emptyDir: {} }],
        topologySpreadConstraints: [{ topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', maxSkew: 1 }],
      },
      { topologySpreadConstraints: [{ topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', maxSkew: 1 }] },
    ],
    [
      'an atomic list that both want alike',
      { tolerations: [{ key: 'x', operator: 'Exists' }] },
      { tolerations: [{ key: 'x', operator: 'Exists' }] },
      { tolerations: [{ key: 'x', operator: 'Exists' }] },
      { tolerations: [{ key: 'x', operator: 'Exists' }] },
    ],
  ])('%s', (_what, one, two, both, left) => {
    expect(story(pod(one), pod(two))).toEqual({ both, left });
  });

  test.each<[string, JsonMap, JsonMap, string]>([
    [
      'an atomic list',
      { tolerations: [{ key: 'x' }] },
      { tolerations: [{ key: 'y' }] },
      '.spec.template.spec.tolerations',
    ],
    ['an atomic map', { nodeSelector: { a: '1' } }, { nodeSelector: { b: '1' } }, '.spec.template.spec.nodeSelector'],
    [
      'a field of an item',
      { containers: [{ name: 'a', image: '1' }] },
      { containers: [{ name: 'a', image: '2' }] },
      '.spec.template.spec.containers[name="a"].image',
    ],
  ])('%s that each wants otherwise is a conflict', (_what, one, two, field) => {
    expect(() => story(pod(one), pod(two))).toThrow(`Apply failed with 1 conflict: conflict with "one": ${field}`);
  });
});

/** Parts that a manager may want; lists by key hold items of its own beside a shared one. */
function wanted(name: string, random: SeededRandom): JsonMap {
  const some = <T>(...items: T[]): T[] => items.filter(() => random.chance(0.5));
  const named = (...names: string[]) => some(...names, 'shared');
  const env = named(`${name}1`, `${name}2`).map((each) => ({ name: each, value: each }));
  const ports = named(`${name}1`).map((each) => ({ containerPort: each === 'shared' ? 80 : name === 'one' ? 81 : 82 }));
  const containers = named(`${name}1`, `${name}2`).map((each) => ({
    name: each,
    ...(random.chance(0.5) && env.length > 0 ? { env } : {}),
    ...(random.chance(0.5) && ports.length > 0 ? { ports } : {}),
    ...(name === 'one' ? { image: 'i' } : { tty: true }),
  }));
  const labels = Object.fromEntries(named(`${name}1`, `${name}2`).map((each) => [each, each]));
  const spec: JsonMap = { ...(containers.length > 0 ? { containers: containers as Json } : {}) };
  if (name === 'one' && random.chance(0.5)) spec.tolerations = [{ key: 'x' }];
  if (name === 'two' && random.chance(0.5)) spec.nodeSelector = { a: 'b' };
  return {
    metadata: { ...(Object.keys(labels).length > 0 ? { labels } : {}), finalizers: named(`x/${name}`) },
    ...(Object.keys(spec).length > 0 ? pod(spec) : {}),
  };
}

/** Whether all of `part` is in `whole`: lists item by item, items of objects by what names them. */
function isIn(part: Json, whole: Json | undefined): boolean {
  if (Array.isArray(part))
    return Array.isArray(whole) && part.every((each) => whole.some((other) => isIn(each, other)));
  if (typeof part !== 'object' || part === null) return part === whole;
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return false;
  return Object.entries(part).every(([key, each]) => isIn(each, whole[key]));
}

test('two managers at random: neither loses a field, what nobody wants is gone, and to apply again changes nothing', () => {
  const seed = newSeed(process.env);
  const random = seededRandom(seed);
  let object: JsonMap = { metadata: {} };
  let entries: ReturnType<typeof apply>['entries'] = [];
  const last: Record<string, JsonMap> = {};
  for (let round = 0; round < 400; round++) {
    const name = random.pick(['one', 'two']);
    const config = wanted(name, random);
    const applied = apply(as(name), object, config, entries, false);
    const where = `seed ${seed}, round ${round}`;
    expect(apply(as(name, '2027-01-01T00:00:00Z'), applied.object, config, applied.entries, false), where).toEqual(
      applied,
    );
    ({ object, entries } = applied);
    last[name] = config;
    for (const each of Object.values(last))
      expect(isIn(each, object), `${where}: ${JSON.stringify([each, object])}`).toBe(true);
    const names = (of: JsonMap) => ((podOf(of)?.containers ?? []) as JsonMap[]).map((each) => String(each.name));
    const expected = new Set(Object.values(last).flatMap(names));
    expect(new Set(names(object)), where).toEqual(expected);
  }
});
