import { expect, test } from 'vitest';
import { EVENTS } from '../../../shared/api/core.ts';
import { EVENT_TTL_MS, NEXT_SWEEP_MS } from '../../../worker/controllers/events.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';

const record = (cluster: TestCluster, name: string) =>
  cluster.do((objects) =>
    objects.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default', creationTimestamp: new Date(cluster.clock.nowMs).toISOString() },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
      lastTimestamp: new Date(cluster.clock.nowMs).toISOString(),
    }),
  );
const names = (cluster: TestCluster) =>
  cluster.do((objects) => objects.list(EVENTS).map((event) => event.metadata.name));

test('an Event goes an hour after it was written, and later ones stay', () => {
  const cluster = testCluster();
  record(cluster, 'first');
  cluster.clock.pass(EVENT_TTL_MS / 2);
  record(cluster, 'second');
  cluster.clock.pass(EVENT_TTL_MS / 2 - 1);
  cluster.plane.drain();
  expect(names(cluster)).toEqual(['first', 'second']);
  cluster.clock.pass(1);
  cluster.plane.drain();
  expect(names(cluster)).toEqual(['second']);
  cluster.clock.pass(EVENT_TTL_MS / 2);
  cluster.plane.drain();
  expect(names(cluster)).toEqual([]);
  expect(cluster.plane.store.nextDueMs(), 'nothing is due when there is no Event').toBeUndefined();
});

test('more than a turn may remove go in several', () => {
  const cluster = testCluster();
  for (let index = 0; index < 1100; index++) record(cluster, `e${index}`);
  cluster.clock.pass(EVENT_TTL_MS);
  for (const left of [600, 100, 0]) {
    cluster.plane.drain();
    expect(names(cluster)).toHaveLength(left);
    cluster.plane.drain();
    expect(names(cluster), 'others get their turn first').toHaveLength(left);
    cluster.clock.pass(NEXT_SWEEP_MS);
  }
  expect(cluster.plane.store.nextDueMs()).toBeUndefined();
});

test('an Event that is written again stays an hour from then', () => {
  const cluster = testCluster();
  record(cluster, 'again');
  cluster.clock.pass(EVENT_TTL_MS / 2);
  cluster.do((objects) => {
    const event = objects.get(EVENTS, 'default', 'again');
    if (event !== undefined) objects.update(EVENTS, { ...event, count: 2 });
  });
  cluster.clock.pass(EVENT_TTL_MS / 2);
  cluster.plane.drain();
  expect(names(cluster)).toEqual(['again']);
  cluster.clock.pass(EVENT_TTL_MS / 2);
  cluster.plane.drain();
  expect(names(cluster)).toEqual([]);
});
