/** A minion that resumes is told the same as if all of history were read for it alone, and a thousand do not read it each. */
import { expect, test } from 'vitest';
import { CONFIG_MAPS, NODES, PODS, SERVICES } from '../../../shared/api/core.ts';
import { ownChanges, sharedChanges } from '../../../worker/links/deltas.ts';
import { RecentChanges } from '../../../worker/links/recent-changes.ts';
import type { Change, Reader } from '../../../worker/store/store.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';
import { newSeed, seededRandom } from '../../support/seeded-random.ts';

const NODE_NAMES = ['m0', 'm1', 'm2'];
const NAMES = ['a', 'b', 'c', 'd'];
const namespace = 'default';

/** Pods that come and go, some with a config map, between config maps, services and nodes that change. */
function busyCluster(seed: number, steps: number): TestCluster {
  const cluster = testCluster({ seed });
  const random = seededRandom(seed);
  for (let step = 0; step < steps; step += 1) {
    const name = random.pick(NAMES);
    cluster.do((objects) => {
      switch (random.below(5)) {
        case 0: {
          if (objects.get(PODS, namespace, name) !== undefined)
            return void objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0 });
          const configMap = random.chance(0.5) ? [{ configMapRef: { name: random.pick(NAMES) } }] : [];
          return void objects.create(PODS, {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name, namespace },
            spec: {
              nodeName: random.pick(NODE_NAMES),
              containers: [{ name: 'main', image: 'nginx', envFrom: configMap }],
            },
          });
        }
        case 1: {
          const pod = objects.get(PODS, namespace, name);
          if (pod) objects.updateStatus(PODS, { ...pod, status: { ...pod.status, message: String(step) } });
          return;
        }
        case 2: {
          const current = objects.get(CONFIG_MAPS, namespace, name);
          const data = { step: String(step) };
          if (current === undefined)
            objects.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
          else if (random.chance(0.3)) objects.delete(CONFIG_MAPS, namespace, name);
          else objects.update(CONFIG_MAPS, { ...current, data });
          return;
        }
        case 3:
          if (objects.get(SERVICES, namespace, name) !== undefined) objects.delete(SERVICES, namespace, name);
          else
            objects.create(SERVICES, {
              apiVersion: 'v1',
              kind: 'Service',
              metadata: { name, namespace },
              spec: { ports: [{ port: 80 }] },
            });
          return;
        case 4: {
          const node = random.pick(NODE_NAMES);
          const current = objects.get(NODES, '', node);
          const labels = { step: String(step) };
          if (current === undefined)
            objects.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: node, labels }, spec: {} });
          else objects.update(NODES, { ...current, metadata: { ...current.metadata, labels } });
        }
      }
    });
  }
  return cluster;
}

/** Objects by key, so that the order in which changes came does not count. */
const told = (reader: Reader, node: string, changes: readonly Change[]) =>
  [ownChanges(reader, node, changes), sharedChanges(changes)].map(({ puts, removals }) => [
    new Map([...puts].sort()),
    new Map([...removals].sort()),
  ]);

test('a minion is told the same as from all of history', () => {
  const seed = newSeed(process.env);
  const { store } = busyCluster(seed, 150).plane;
  const recent = new RecentChanges(store);
  const random = seededRandom(seed);
  for (let turn = 0; turn < 60; turn += 1) {
    const revision = random.below(store.revision + 1);
    const node = random.pick(NODE_NAMES);
    const all = [...store.changesSince(revision)];
    expect(told(store, node, recent.since(revision, node)), `seed ${seed}, ${node} from ${revision}`).toEqual(
      told(store, node, all),
    );
  }
});

test('what happens meanwhile, and what is compacted, is seen', () => {
  const cluster = busyCluster(3, 80);
  const { store } = cluster.plane;
  const recent = new RecentChanges(store);
  const from = store.revision;
  recent.since(from - 10, 'm1');
  cluster.do((objects) =>
    objects.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new', namespace } }),
  );
  expect(recent.since(from, 'm1').map(({ name }) => name)).toEqual(['new']);
  store.compact(from);
  expect(recent.since(from, 'm1').map(({ name }) => name)).toEqual(['new']);
});

test('many that resume at once read history once, not once each', () => {
  const { store } = busyCluster(5, 300).plane;
  let read = 0;
  const counting = new Proxy<Reader>(store, {
    get(target, property) {
      if (property !== 'changesSince') {
        const member: unknown = Reflect.get(target, property, target);
        return typeof member === 'function' ? member.bind(target) : member;
      }
      return function* (revision: number) {
        for (const change of store.changesSince(revision)) {
          read += 1;
          yield change;
        }
      };
    },
  });
  const recent = new RecentChanges(counting);
  const first = store.revision - 200;
  // The worst order: each asks for a little more than the one before.
  for (let revision = first + 99; revision >= first; revision -= 1) recent.since(revision, 'nobody');
  expect(read).toBeLessThan(4 * 200);
});
