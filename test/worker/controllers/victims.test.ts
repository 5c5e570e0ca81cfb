import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../shared/api/core.ts';
import { chooseVictims } from '../../../worker/controllers/victims.ts';
import { EPOCH_MS, pod, running } from '../../support/builders.ts';

const DAY_MS = 86_400_000;
const NOW_MS = EPOCH_MS + 10 * DAY_MS;
const daysAgo = (days: number) => new Date(NOW_MS - days * DAY_MS).toISOString().replace('.000', '');

const base = { spec: { nodeName: 'm1' }, status: running('10.0.0.1', daysAgo(5)) };
const namesOf = (pods: readonly Pod[]) => pods.map((each) => each.metadata.name);

describe('the first pod to go is', () => {
  test.each<[string, Pod, Pod]>([
    [
      'one without a node',
      pod('goes', { status: { phase: 'Pending' } }),
      pod('stays', { spec: { nodeName: 'm1' }, status: { phase: 'Pending' } }),
    ],
    [
      'one that is pending',
      pod('goes', { spec: { nodeName: 'm1' }, status: { phase: 'Pending' } }),
      pod('stays', { ...base, status: running('10.0.0.1', false) }),
    ],
    ['one that is not ready', pod('goes', { ...base, status: running('10.0.0.1', false) }), pod('stays', base)],
    [
      'the cheaper one',
      pod('goes', { ...base, metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } } }),
      pod('stays', base),
    ],
    [
      'the one ready for a shorter time',
      pod('goes', { ...base, status: running('10.0.0.1', daysAgo(1)) }),
      pod('stays', base),
    ],
    [
      'the one that restarted more',
      pod('goes', {
        ...base,
        status: {
          ...running('10.0.0.1', daysAgo(5)),
          containerStatuses: [
            { name: 'main', state: {}, lastState: {}, ready: true, restartCount: 3, image: '', imageID: '' },
          ],
        },
      }),
      pod('stays', base),
    ],
    ['the younger one', pod('goes', { ...base, metadata: { creationTimestamp: daysAgo(1) } }), pod('stays', base)],
  ])('%s', (_name, goes, stays) => {
    expect(namesOf(chooseVictims([stays, goes], [stays, goes], 1, NOW_MS))).toEqual(['goes']);
    expect(namesOf(chooseVictims([goes, stays], [stays, goes], 1, NOW_MS))).toEqual(['goes']);
  });

  test('the one on the node that holds more of the same owner', () => {
    const crowded = pod('goes', { spec: { nodeName: 'm1' }, status: running('10.0.0.1', daysAgo(5)) });
    const alone = pod('stays', { spec: { nodeName: 'm2' }, status: running('10.0.0.2', daysAgo(5)) });
    const sibling = pod('sibling', { spec: { nodeName: 'm1' }, status: running('10.0.0.3', daysAgo(5)) });
    expect(namesOf(chooseVictims([alone, crowded], [alone, crowded, sibling], 1, NOW_MS))).toEqual(['goes']);
  });
});

test('pods of about the same age are chosen by uid, whatever their order', () => {
  const a = pod('a', { ...base, metadata: { uid: 'a', creationTimestamp: daysAgo(5) } });
  const b = pod('b', { ...base, metadata: { uid: 'b', creationTimestamp: daysAgo(5.5) } });
  expect(namesOf(chooseVictims([a, b], [], 1, NOW_MS))).toEqual(namesOf(chooseVictims([b, a], [], 1, NOW_MS)));
});

test('all go when all are to go', () => {
  expect(chooseVictims([pod('a'), pod('b')], [], 5, NOW_MS)).toHaveLength(2);
});
