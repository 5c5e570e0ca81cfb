import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, type ConfigMap } from '../../../shared/api/core.ts';
import { ANY, type Controller, keyOf, source } from '../../../worker/controllers/controller.ts';
import { backOffMs, createRunner } from '../../../worker/controllers/runner.ts';
import { bootstrap } from '../../../worker/registry/bootstrap.ts';
import type { Objects } from '../../../worker/registry/objects.ts';
import { createRegistry } from '../../../worker/registry/registry.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';
import { type NodeSql, nodeSql } from '../../support/node-sql.ts';

describe('a key that fails again and again', () => {
  test.each([
    [0, 5],
    [1, 10],
    [7, 640],
    [17, 655_360],
    [18, 1_000_000],
    [5000, 1_000_000],
  ])('after %i attempts waits %i ms', (attempts, expected) => {
    expect(backOffMs(attempts)).toBe(expected);
  });
});

/** Runner and registry with controllers of the test's own; `drains`: work is done in the transaction that caused it. */
function running(controllers: Controller[], drains = true, sql: NodeSql = nodeSql()) {
  const clock = { nowMs: Date.parse('2026-01-01T00:00:00Z') };
  const catalog = catalogOf();
  const log: Record<string, unknown>[] = [];
  const store = new SqliteStore(sql, { clock: () => clock.nowMs, newEpoch: () => 'epoch' });
  let uids = store.revision * 1000;
  const registry = createRegistry(
    {
      store,
      catalog: () => catalog,
      admission: [],
      random: () => 0,
      newUid: () => {
        uids += 1;
        return `00000000-0000-4000-8000-${String(uids).padStart(12, '0')}`;
      },
      changed: (change, objects, transaction) => runner.changed(change, objects, transaction),
    },
    () => {
      if (drains) runner.runDue(clock.nowMs);
    },
  );
  const runner = createRunner({
    controllers,
    store,
    transact: (body) => registry.asSystem(body),
    random: () => 0,
    log: (entry) => log.push(entry),
  });
  registry.asSystem((objects) => bootstrap(objects));
  const create = (name: string) =>
    registry.asSystem((objects) =>
      objects.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } }),
    );
  const get = (name: string) => registry.asSystem((objects) => objects.get(CONFIG_MAPS, 'default', name) ?? null);
  return { clock, store, registry, runner, log, create, get };
}

const onConfigMaps = (name: string, reconcile: Controller['reconcile']): Controller => ({
  name,
  sources: [source(CONFIG_MAPS, ({ type, object }) => (type === 'ADDED' ? [keyOf(object)] : []))],
  reconcile,
});

const write = (objects: Objects, name: string, value: string): ConfigMap => {
  const current = objects.get(CONFIG_MAPS, 'default', name);
  if (current === undefined) throw new Error(`no ${name}`);
  return objects.update(CONFIG_MAPS, { ...current, data: { value } });
};

describe('work', () => {
  test('is lost with the change that caused it when that is rolled back', () => {
    const seen: string[] = [];
    const { registry, runner, clock } = running([onConfigMaps('test', (key) => void seen.push(key))]);
    expect(() =>
      registry.asSystem((objects) => {
        objects.create(CONFIG_MAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'a', namespace: 'default' },
        });
        throw new Error('no');
      }),
    ).toThrow('no');
    runner.runDue(clock.nowMs);
    expect(seen).toEqual([]);
  });

  test('survives the loss of everything in memory', () => {
    const sql = nodeSql();
    const before = running([onConfigMaps('test', () => {})], false, sql);
    before.create('a');
    const seen: string[] = [];
    const after = running([onConfigMaps('test', (key) => void seen.push(key))], false, sql);
    after.runner.runDue(after.clock.nowMs);
    expect(seen).toEqual(['default/a']);
    expect(after.store.nextDueMs()).toBeUndefined();
  });

  test('beyond the budget of a turn is left for the next', () => {
    const seen: string[] = [];
    const { create, runner, clock } = running([onConfigMaps('test', (key) => void seen.push(key))], false);
    for (let index = 0; index < 10; index += 1) create(`c${index}`);
    expect(runner.runDue(clock.nowMs, 4)).toEqual({ reconciled: 4, nextDueMs: clock.nowMs });
    expect(runner.runDue(clock.nowMs, 100)).toEqual({ reconciled: 6, nextDueMs: undefined });
    expect(new Set(seen).size).toBe(10);
  });

  test('that undoes each other takes turns, but ends each of them', () => {
    const flip = (name: string, value: string): Controller => ({
      name,
      sources: [
        source(CONFIG_MAPS, ({ type, object }) =>
          type !== 'DELETED' && object.data?.value !== value ? [keyOf(object)] : [],
        ),
      ],
      reconcile: (_key, { objects }) => void write(objects, 'a', value),
    });
    const { create, runner, clock } = running([flip('yes', 'yes'), flip('no', 'no')], false);
    create('a');
    expect(runner.runDue(clock.nowMs, 50)).toEqual({ reconciled: 50, nextDueMs: clock.nowMs });
  });

  test('of a controller that is no more is dropped and logged', () => {
    const sql = nodeSql();
    running([onConfigMaps('old', () => {})], false, sql).create('a');
    const { runner, clock, store, log } = running([], false, sql);
    runner.runDue(clock.nowMs);
    expect(store.nextDueMs()).toBeUndefined();
    expect(log).toMatchObject([{ level: 'error', queue: 'old', key: 'default/a' }]);
  });
});

describe('a reconcile', () => {
  test('that throws leaves nothing of what it wrote, nor of what that caused, and no other is touched', () => {
    let fails = true;
    const failing = onConfigMaps('failing', (_key, { objects }) => {
      write(objects, 'a', 'half');
      if (fails) throw new Error('on the way');
    });
    const told: unknown[] = [];
    const watching: Controller = {
      name: 'watching',
      sources: [source(CONFIG_MAPS, ({ type, object }) => (type === 'MODIFIED' ? [keyOf(object)] : []))],
      reconcile: (_key, { objects }) => void told.push(objects.get(CONFIG_MAPS, 'default', 'a')?.data),
    };
    const { create, get, runner, clock, log } = running([failing, watching]);
    create('a');
    expect(get('a')?.data).toBeUndefined();
    expect(told).toEqual([]);
    expect(log).toMatchObject([{ level: 'error', controller: 'failing', key: 'default/a', attempts: 1, retryMs: 5 }]);
    expect(String(log[0]?.error)).toContain('on the way');
    clock.nowMs += 5;
    runner.runDue(clock.nowMs);
    expect(log[1]).toMatchObject({ attempts: 2, retryMs: 10 });
    fails = false;
    clock.nowMs += 10;
    runner.runDue(clock.nowMs);
    expect(get('a')?.data).toEqual({ value: 'half' });
    expect(told).toEqual([{ value: 'half' }]);
  });

  test('that asks to be called again is, at the earliest time asked for, and knows when it was due', () => {
    const dues: number[] = [];
    const { create, runner, clock, store } = running([
      onConfigMaps('test', (_key, context) => {
        dues.push(context.dueMs - context.nowMs);
        if (dues.length > 1) return;
        context.requeueAfter(5000);
        context.requeueAfter(1000);
        context.requeueAfter(9000);
      }),
    ]);
    create('a');
    expect(store.nextDueMs()).toBe(clock.nowMs + 1000);
    clock.nowMs += 61_000;
    runner.runDue(clock.nowMs);
    expect(dues).toEqual([0, -60_000]);
    expect(store.nextDueMs()).toBeUndefined();
  });

  test('may name other keys of its own queue', () => {
    const seen: string[] = [];
    const { create } = running([
      onConfigMaps('test', (key, context) => {
        seen.push(key);
        if (key === 'default/a') context.enqueue('default/b');
      }),
    ]);
    create('a');
    expect(seen).toEqual(['default/a', 'default/b']);
  });
});

test('a controller of all resources hears of all of them', () => {
  const seen: string[] = [];
  const { create } = running([
    {
      name: 'all',
      sources: [{ identity: ANY, keys: ({ identity, object }) => [`${identity.resource}/${object.metadata.name}`] }],
      reconcile: (key) => void seen.push(key),
    },
  ]);
  create('a');
  expect(seen).toEqual(expect.arrayContaining(['namespaces/default', 'services/kubernetes', 'configmaps/a']));
});
