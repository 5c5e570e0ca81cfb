import { describe, expect, test } from 'vitest';
import { MAX_EVENTS, ReportBox } from '../../../agent/link/reports.ts';
import type { Event, PodStatus } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';

const pod = (name: string) => ({ namespace: 'default', name, uid: `uid-${name}` });
const phase = (value: PodStatus['phase']): PodStatus => ({ phase: value });
const event = (reason: string): Draft<Event> => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: {},
  involvedObject: { kind: 'Pod', name: 'a' },
  reason,
});

describe('a batch', () => {
  test('has the last status of each pod', () => {
    const box = new ReportBox();
    box.podStatus(pod('a'), phase('Pending'), false);
    box.podStatus(pod('b'), phase('Pending'), false);
    box.podStatus(pod('a'), phase('Running'), false);
    expect(box.take()?.pods?.map((each) => [each.name, each.status.phase])).toEqual([
      ['a', 'Running'],
      ['b', 'Pending'],
    ]);
  });

  test('is the only one until it is answered', () => {
    const box = new ReportBox();
    box.podStatus(pod('a'), phase('Pending'), false);
    const first = box.take();
    box.podStatus(pod('a'), phase('Running'), false);
    expect(box.take()).toBeUndefined();
    box.answered(99);
    expect(box.take()).toBeUndefined();
    box.answered(first?.id ?? 0);
    expect(box.take()).toMatchObject({ id: 2, pods: [{ status: { phase: 'Running' } }] });
  });

  test('says nothing when there is nothing to say', () => {
    expect(new ReportBox().take()).toBeUndefined();
  });

  test('joins what changed about the node, the later word winning', () => {
    const box = new ReportBox();
    box.nodeChanged({ annotations: { a: '1' }, status: { addresses: [] } });
    box.nodeChanged({ annotations: { a: '2', b: '3' } });
    expect(box.take()?.node).toEqual({ annotations: { a: '2', b: '3' }, status: { addresses: [] } });
  });

  test('is of a bounded size, and the rest follows', () => {
    const box = new ReportBox();
    for (let count = 0; count < 450; count++) box.podStatus(pod(`p${count}`), phase('Running'), false);
    const sizes: number[] = [];
    for (let report = box.take(); report; report = box.take()) {
      sizes.push(report.pods?.length ?? 0);
      box.answered(report.id);
    }
    expect(sizes).toEqual([200, 200, 50]);
  });
});

describe('a batch whose answer never came', () => {
  test('goes again, but for what is outdated', () => {
    const box = new ReportBox();
    box.podStatus(pod('a'), phase('Pending'), false);
    box.podStatus(pod('b'), phase('Succeeded'), true);
    box.event(event('first'));
    box.nodeChanged({ labels: { a: 'old', b: 'old' } });
    box.take();
    box.podStatus(pod('a'), phase('Running'), false);
    box.event(event('second'));
    box.nodeChanged({ labels: { a: 'new' } });
    box.giveBack();
    const again = box.take();
    expect(new Map(again?.pods?.map((each) => [each.name, [each.status.phase, each.gone]]))).toEqual(
      new Map([
        ['a', ['Running', undefined]],
        ['b', ['Succeeded', true]],
      ]),
    );
    expect(again?.events?.map((each) => each.reason)).toEqual(['first', 'second']);
    expect(again?.node).toEqual({ labels: { a: 'new', b: 'old' } });
    expect(again?.id).toBe(2);
  });

  test('does not bring back an older set of static pods', () => {
    const box = new ReportBox();
    box.setMirrors([]);
    box.take();
    box.setMirrors([{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: [] } }]);
    box.giveBack();
    expect(box.take()?.mirrors?.map((each) => each.metadata.name)).toEqual(['x']);
  });
});

test('the oldest events go first when a minion is cut off for long', () => {
  const box = new ReportBox();
  for (let count = 0; count < MAX_EVENTS + 7; count++) box.event(event(`e${count}`));
  expect(box.take()?.events?.[0]?.reason).toBe('e7');
});

describe('what was denied', () => {
  const denied = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 422 } as const;

  test('of the node is said again with what is said later, which wins; of static pods as a whole', () => {
    const box = new ReportBox();
    box.nodeChanged({ labels: { a: 'old', b: 'old' } });
    const mirror = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 's' }, spec: { containers: [] } };
    box.setMirrors([mirror]);
    const first = box.take();
    const refused = [
      { name: 'm1', status: denied },
      { namespace: 'default', name: 's', status: denied },
    ];
    expect(box.answered(first?.id ?? 0, refused)).toBe(true);
    expect(box.take()).toBeUndefined();
    box.nodeChanged({ labels: { a: 'new' } });
    expect(box.take()).toMatchObject({ node: { labels: { a: 'new', b: 'old' } } });
    box.answered(2);
    box.sayAgain(() => true);
    expect(box.take()).toEqual({ type: 'report', id: 3, mirrors: [mirror] });
  });

  test('is not said again of what is not there any more, nor an event', () => {
    const box = new ReportBox();
    box.podStatus(pod('a'), phase('Running'), false);
    const first = box.take();
    const { namespace, name } = pod('a');
    expect(box.answered(first?.id ?? 0, [{ namespace, name, status: { ...denied, code: 404 } }])).toBe(false);
    box.event(event('first'));
    const second = box.take();
    expect(box.answered(second?.id ?? 0, [{ namespace, name, status: denied }])).toBe(false);
    box.sayAgain(() => true);
    expect(box.take()).toBeUndefined();
  });
});
