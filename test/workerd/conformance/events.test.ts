/** Kubernetes' conformance tests about Events in both of their forms, each named after its line. */
import { expect, test } from 'vitest';
import type { Event } from '../../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { MERGE } from '../support/operations.ts';

const api = new TestApi('conformance-events');
const OLD = '/api/v1/namespaces/default/events';
const NEW = '/apis/events.k8s.io/v1/namespaces/default/events';

interface NewEvent extends KubeObject {
  note?: string;
  series?: { count: number; lastObservedTime: string };
}

const oldEvent = (name: string, labels: Record<string, string>) => ({
  metadata: { name, labels },
  involvedObject: { namespace: 'default', kind: 'Pod', name: 'p' },
  message: 'This is a test event',
  reason: 'Test',
  type: 'Normal',
  count: 1,
});
const newEvent = (name: string, labels?: Record<string, string>) => ({
  metadata: { name, ...(labels ? { labels } : {}) },
  regarding: { namespace: 'default', kind: 'Pod', name: 'p' },
  eventTime: '2026-01-01T00:00:00.123456Z',
  note: `This is ${name}`,
  action: 'Do',
  reason: 'Test',
  type: 'Normal',
  reportingController: 'test-controller',
  reportingInstance: 'test-node',
});

const namesOf = async (path: string) =>
  (await api.json<KubeList<KubeObject>>('GET', path)).items.map((each) => each.metadata.name);

test('[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]', async () => {
  const labels = { 'testevent-constant': 'true' };
  await api.json('POST', OLD, { body: oldEvent('event-test', labels) });
  expect(await namesOf('/api/v1/events?labelSelector=testevent-constant%3Dtrue')).toEqual(['event-test']);
  await api.json('PATCH', `${OLD}/event-test`, {
    body: { message: 'This is a test event - patched' },
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
  });
  const read = await api.json<Event>('GET', `${OLD}/event-test`);
  expect(read.message).toBe('This is a test event - patched');
  const series = { count: 100, lastObservedTime: '2026-01-01T00:00:10.654321Z' };
  const updated = await api.json<Event>('PUT', `${OLD}/event-test`, { body: { ...read, series } });
  expect(updated.series).toEqual(series);
  await api.json('DELETE', `${OLD}/event-test`);
  expect(await namesOf('/api/v1/events?labelSelector=testevent-constant%3Dtrue')).toEqual([]);
});

test('[sig-instrumentation] Events should delete a collection of events [Conformance]', async () => {
  const selected = 'labelSelector=testevent-set%3Dtrue';
  for (const name of ['test-event-1', 'test-event-2', 'test-event-3']) {
    await api.json('POST', OLD, { body: oldEvent(name, { 'testevent-set': 'true' }) });
  }
  expect(await namesOf(`${OLD}?${selected}`)).toHaveLength(3);
  await api.json('DELETE', `${OLD}?${selected}`);
  expect(await namesOf(`${OLD}?${selected}`)).toEqual([]);
});

test('[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]', async () => {
  await api.json('POST', NEW, { body: newEvent('lifecycle') });
  expect(await namesOf('/apis/events.k8s.io/v1/events')).toContain('lifecycle');
  expect(await namesOf(`${NEW}?fieldSelector=reason%3DTest`)).toContain('lifecycle');
  const fetched = await api.json<NewEvent>('GET', `${NEW}/lifecycle`);
  expect(fetched).toMatchObject(newEvent('lifecycle'));
  const series = { count: 2, lastObservedTime: '2026-01-01T00:00:10.654321Z' };
  const patched = await api.json<NewEvent>('PATCH', `${NEW}/lifecycle`, { body: { series }, headers: MERGE });
  expect(patched.series).toEqual(series);
  const later = { count: 100, lastObservedTime: '2026-01-01T00:00:20.000001Z' };
  const updated = await api.json<NewEvent>('PUT', `${NEW}/lifecycle`, { body: { ...patched, series: later } });
  expect(updated.series).toEqual(later);
  expect((await api.json<Event>('GET', `${OLD}/lifecycle`)).message).toBe('This is lifecycle');
  await api.json('DELETE', `${NEW}/lifecycle`);
  expect(await namesOf('/apis/events.k8s.io/v1/events')).not.toContain('lifecycle');
  expect(await namesOf(NEW)).not.toContain('lifecycle');
});

test('[sig-instrumentation] Events API should delete a collection of events [Conformance]', async () => {
  const selected = 'labelSelector=testevent-set%3Dtrue';
  for (const name of ['new-1', 'new-2', 'new-3']) {
    await api.json('POST', NEW, { body: newEvent(name, { 'testevent-set': 'true' }) });
  }
  expect(await namesOf(`${NEW}?${selected}`)).toHaveLength(3);
  await api.json('DELETE', `${NEW}?${selected}`);
  expect(await namesOf(`${NEW}?${selected}`)).toEqual([]);
});
