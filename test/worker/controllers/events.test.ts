import { expect, test } from 'vitest';
import { EVENTS } from '../../../shared/api/core.ts';
import { EVENT_TTL_MS } from '../../../worker/controllers/events.ts';
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

test('an Event goes an hour after it was last seen, and later ones stay', () => {
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
  cluster.plane.drain();
  expect(names(cluster)).toEqual([]);
});
