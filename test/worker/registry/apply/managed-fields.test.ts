/** Server-side apply, by golden pairs and by two managers who never lose each other's fields. */
import { describe, expect, test } from 'vitest';
import type { ManagedFieldsEntry } from '../../../../shared/api/meta.ts';
import { StatusError } from '../../../../shared/errors.ts';
import { union } from '../../../../worker/registry/apply/field-set.ts';
import { apply, type Manager, trackUpdate } from '../../../../worker/registry/apply/managed-fields.ts';
import { ATOMIC, DEDUCED, fieldsOf, type JsonMap, type TypeOf } from '../../../../worker/registry/apply/typed.ts';

const struct = (fields: Record<string, TypeOf>): TypeOf => ({
  form: 'map',
  field: (name) => (fields[name] === undefined ? { type: DEDUCED, named: false } : { type: fields[name], named: true }),
});
const labels: TypeOf = { form: 'map', field: () => ({ type: ATOMIC, named: false }) };
const port = struct({ port: ATOMIC, protocol: ATOMIC, name: ATOMIC });
const DEMO: TypeOf = struct({
  metadata: struct({ labels, annotations: labels, finalizers: { form: 'list-set' } }),
  spec: struct({
    replicas: ATOMIC,
    args: ATOMIC,
    ports: { form: 'list-map', keys: ['port', 'protocol'], defaults: { protocol: 'TCP' }, item: port },
  }),
});

const manager = (name: string, operation: Manager['operation'] = 'Apply'): Manager => ({
  name,
  operation,
  apiVersion: 'v1',
  subresource: '',
});
const at = (name: string, now = '2026-01-01T00:00:00Z', operation: Manager['operation'] = 'Apply') => ({
  type: DEMO,
  manager: manager(name, operation),
  now,
});
const ownedBy = (entries: readonly ManagedFieldsEntry[], name: string) =>
  entries.find((entry) => entry.manager === name)?.fieldsV1;
const object = (spec: JsonMap, extra: JsonMap = {}): JsonMap => ({
  apiVersion: 'v1',
  kind: 'Demo',
  metadata: { name: 'a', ...extra },
  spec,
});

describe('apply', () => {
  test('owns exactly what the manifest sets, keys of a list item by its keys and defaults', () => {
    const { entries } = apply(
      at('a'),
      object({}),
      object({ replicas: 1, ports: [{ port: 80, name: 'http' }] }, { labels: { x: '1' } }),
      [],
      false,
    );
    expect(ownedBy(entries, 'a')).toEqual({
      'f:metadata': { 'f:labels': { 'f:x': {} } },
      'f:spec': {
        'f:replicas': {},
        'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } },
      },
    });
  });

  test('changes nothing the second time, not even the time', () => {
    const config = object({ replicas: 1, ports: [{ port: 80 }], args: ['a', 'b'] }, { labels: { x: '1' } });
    const first = apply(at('a'), object({}), config, [], false);
    const second = apply(at('a', '2027-01-01T00:00:00Z'), first.object, config, first.entries, false);
    expect(second).toEqual(first);
  });

  test('removes what is no longer applied and nobody else owns', () => {
    const first = apply(
      at('a'),
      object({}),
      object({ replicas: 1, args: ['x'] }, { labels: { x: '1', y: '2' } }),
      [],
      false,
    );
    const second = apply(at('a'), first.object, object({ replicas: 1 }, { labels: { y: '2' } }), first.entries, false);
    expect(second.object).toEqual(object({ replicas: 1 }, { labels: { y: '2' } }));
  });

  test('keeps what another manager owns too', () => {
    const first = apply(at('a'), object({}), object({}, { labels: { x: '1' } }), [], false);
    const both = apply(at('b'), first.object, object({}, { labels: { x: '1' } }), first.entries, false);
    const left = apply(at('a'), both.object, object({}), both.entries, false);
    expect(left.object.metadata).toEqual({ name: 'a', labels: { x: '1' } });
    expect(ownedBy(left.entries, 'a')).toEqual({ 'f:spec': {} });
    expect(ownedBy(left.entries, 'b')).toEqual({ 'f:metadata': { 'f:labels': { 'f:x': {} } }, 'f:spec': {} });
  });

  test('refuses to change what another manager owns, and takes it by force', () => {
    const first = apply(at('a'), object({}), object({ replicas: 1 }), [], false);
    const attempt = () => apply(at('b'), first.object, object({ replicas: 2 }), first.entries, false);
    expect(attempt).toThrow(StatusError);
    expect(attempt).toThrow('Apply failed with 1 conflict: conflict with "a": .spec.replicas');
    const forced = apply(at('b'), first.object, object({ replicas: 2 }), first.entries, true);
    expect(forced.object).toEqual(object({ replicas: 2 }));
    expect(forced.entries.map((entry) => entry.manager)).toEqual(['b']);
  });

  test('lists every conflict under its manager', () => {
    const first = apply(at('a'), object({}), object({ replicas: 1, args: ['a'] }), [], false);
    expect(() => apply(at('b'), first.object, object({ replicas: 2, args: ['b'] }), first.entries, false)).toThrow(
      'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.args\n- .spec.replicas',
    );
  });

  test('merges list items by key and keeps both managers’ items', () => {
    const first = apply(at('a'), object({}), object({ ports: [{ port: 80 }] }), [], false);
    const second = apply(
      at('b'),
      first.object,
      object({ ports: [{ port: 443, protocol: 'TCP' }] }),
      first.entries,
      false,
    );
    expect(second.object.spec).toEqual({ ports: [{ port: 80 }, { port: 443, protocol: 'TCP' }] });
    const third = apply(at('a'), second.object, object({}), second.entries, false);
    expect(third.object.spec).toEqual({ ports: [{ port: 443, protocol: 'TCP' }] });
  });

  test('joins sets item by item', () => {
    const first = apply(at('a'), object({}), object({}, { finalizers: ['x/a'] }), [], false);
    const second = apply(at('b'), first.object, object({}, { finalizers: ['x/b'] }), first.entries, false);
    expect(second.object.metadata).toEqual({ name: 'a', finalizers: ['x/a', 'x/b'] });
  });
});

describe('an ordinary write', () => {
  test('owns what it creates, maps themselves included', () => {
    const entries = trackUpdate(
      at('kubectl', undefined, 'Update'),
      { metadata: {}, spec: {} },
      object({ replicas: 1 }, { labels: { x: '1' } }),
      [],
    );
    expect(ownedBy(entries, 'kubectl')).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } },
      'f:spec': { 'f:replicas': {} },
    });
  });

  test('takes a changed field from its owner and names the time in a later conflict', () => {
    const first = apply(at('a'), object({}), object({ replicas: 1 }), [], false);
    const after = object({ replicas: 5 });
    const entries = trackUpdate(at('scaler', '2026-02-02T00:00:00Z', 'Update'), first.object, after, first.entries);
    expect(entries.map((entry) => entry.manager)).toEqual(['scaler']);
    expect(() => apply(at('a'), after, object({ replicas: 1 }), entries, false)).toThrow(
      'conflict with "scaler" using v1 at 2026-02-02T00:00:00Z: .spec.replicas',
    );
  });

  test('that changes nothing keeps every entry as it was', () => {
    const first = apply(at('a'), object({}), object({ replicas: 1 }), [], false);
    expect(trackUpdate(at('b', '2027-01-01T00:00:00Z', 'Update'), first.object, first.object, first.entries)).toEqual(
      first.entries,
    );
  });

  test('that writes once more what it owns alone changes only when, and the order of the entries', () => {
    const first = trackUpdate(
      at('a', '2026-01-01T00:00:00Z', 'Update'),
      { metadata: {}, spec: {} },
      object({ replicas: 1 }),
      [],
    );
    const second = trackUpdate(
      at('b', '2026-01-02T00:00:00Z', 'Update'),
      object({ replicas: 1 }),
      object({ replicas: 1, args: ['a'] }),
      first,
    );
    const third = trackUpdate(
      at('a', '2026-01-03T00:00:00Z', 'Update'),
      object({ replicas: 1, args: ['a'] }),
      object({ replicas: 2, args: ['a'] }),
      second,
    );
    expect(third.map(({ manager, time }) => [manager, time])).toEqual([
      ['b', '2026-01-02T00:00:00Z'],
      ['a', '2026-01-03T00:00:00Z'],
    ]);
    expect(third[1]?.fieldsV1).toEqual(first[0]?.fieldsV1);
  });

  test('keeps at most ten managers and gathers the oldest', () => {
    let current = object({});
    let entries: ManagedFieldsEntry[] = [];
    for (let index = 0; index < 14; index++) {
      const after = object(
        {},
        { labels: { ...(current.metadata as { labels?: JsonMap }).labels, [`l${index}`]: 'x' } },
      );
      entries = trackUpdate(
        at(`m${index}`, `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`, 'Update'),
        current,
        after,
        entries,
      );
      current = after;
    }
    expect(entries).toHaveLength(10);
    expect(entries[0]?.manager).toBe('ancient-changes');
  });
});

/** Numbers from a seed, so that a failure can be run again. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('two managers', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  test(`never lose each other's fields (seed ${seed})`, () => {
    const random = generator(seed);
    const pick = (names: readonly string[]) => names.filter(() => random() < 0.5);
    let current = object({});
    let entries: ManagedFieldsEntry[] = [];
    const last: Record<string, JsonMap> = {};
    for (let round = 0; round < 500; round++) {
      const name = random() < 0.5 ? 'a' : 'b';
      const mine = name === 'a' ? ['p', 'q', 'shared'] : ['r', 's', 'shared'];
      const ports = name === 'a' ? [80, 81] : [443, 444];
      const config = object(
        { ports: ports.filter(() => random() < 0.5).map((each) => ({ port: each, name: `n${each}` })) },
        { labels: Object.fromEntries(pick(mine).map((label) => [label, '1'])) },
      );
      const result = apply(at(name), current, config, entries, false);
      expect(apply(at(name), result.object, config, result.entries, false)).toEqual(result);
      last[name] = config;
      current = result.object;
      entries = result.entries;
      const present = fieldsOf(DEMO, current);
      for (const each of Object.values(last)) {
        const wanted = fieldsOf(DEMO, each);
        expect(union(present, wanted), `round ${round}`).toEqual(union(wanted, present));
        for (const label of Object.keys((each.metadata as { labels: JsonMap }).labels)) {
          expect((current.metadata as { labels: JsonMap }).labels, `round ${round}`).toHaveProperty(label);
        }
        for (const port of (each.spec as { ports: JsonMap[] }).ports) {
          expect((current.spec as { ports?: JsonMap[] }).ports, `round ${round}`).toContainEqual(port);
        }
      }
    }
  });
});
