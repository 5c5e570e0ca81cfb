import { describe, expect, test } from 'vitest';
import type { NodeCondition, Taint } from '../../../shared/api/core.ts';
import { lowestFree } from '../../../worker/controllers/node-cidrs.ts';
import { stoppedConditions, taintsOf, unknownConditions } from '../../../worker/controllers/node-conditions.ts';
import { evictionMs } from '../../../worker/controllers/taint-eviction.ts';
import { EPOCH, EPOCH_MS, node } from '../../support/builders.ts';

const ready = (status: NodeCondition['status']): NodeCondition => ({ type: 'Ready', status });
const withConditions = (...conditions: NodeCondition[]) => node('m1', { status: { conditions } });
const textOf = ({ key, effect }: Taint) => `${key}:${effect}`;

describe('taints', () => {
  test.each<[string, NodeCondition[], string[]]>([
    ['none for a ready node', [ready('True')], []],
    [
      'not-ready keeps pods away and drives them out',
      [ready('False')],
      ['node.kubernetes.io/not-ready:NoSchedule', 'node.kubernetes.io/not-ready:NoExecute'],
    ],
    [
      'unreachable likewise',
      [ready('Unknown')],
      ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
    ],
    ['a node that never reported only keeps pods away', [], ['node.kubernetes.io/not-ready:NoSchedule']],
    [
      'pressure keeps pods away',
      [ready('True'), { type: 'DiskPressure', status: 'True' }],
      ['node.kubernetes.io/disk-pressure:NoSchedule'],
    ],
  ])('%s', (_name, conditions, expected) => {
    expect(taintsOf(withConditions(...conditions), EPOCH_MS).map(textOf)).toEqual(expected);
  });

  test('of a cordoned node say so', () => {
    expect(taintsOf(node('m1', { spec: { unschedulable: true } }), EPOCH_MS).map(textOf)).toEqual([
      'node.kubernetes.io/unschedulable:NoSchedule',
    ]);
  });

  test('of others stay, and those that stay keep their time', () => {
    const taints: Taint[] = [
      { key: 'team', value: 'a', effect: 'NoExecute' },
      { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: EPOCH },
      { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule', timeAdded: EPOCH },
    ];
    const subject = { ...withConditions(ready('Unknown')), spec: { taints } };
    expect(taintsOf(subject, EPOCH_MS + 60_000)).toEqual([
      taints[0],
      taints[1],
      { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule', timeAdded: '2026-01-01T00:01:00Z' },
    ]);
  });
});

describe('conditions', () => {
  test('of a node that fell silent are unknown, with the time at which that was found', () => {
    const conditions = unknownConditions(
      withConditions(ready('True'), { type: 'NetworkUnavailable', status: 'False' }),
      EPOCH_MS,
    );
    expect(conditions.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['NetworkUnavailable', 'False', undefined],
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ]);
  });

  test('of a minion that said goodbye are not ready, and say why', () => {
    const [condition] = stoppedConditions(withConditions(ready('True')), 'longshore down', EPOCH_MS);
    expect(condition).toEqual({
      type: 'Ready',
      status: 'False',
      reason: 'KubeletStopped',
      message: 'The minion said goodbye: longshore down',
      lastTransitionTime: EPOCH,
    });
  });
});

describe('when a pod leaves a tainted node', () => {
  const taint: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: EPOCH };
  const now = EPOCH_MS + 5_000;
  test.each([
    ['at once without a toleration', [], now],
    [
      'after its toleration seconds',
      [{ key: taint.key, operator: 'Exists' as const, tolerationSeconds: 300 }],
      EPOCH_MS + 300_000,
    ],
    ['never with a toleration for ever', [{ operator: 'Exists' as const }], undefined],
    [
      'after the shortest of several',
      [
        { operator: 'Exists' as const, tolerationSeconds: 60 },
        { key: taint.key, operator: 'Exists' as const, tolerationSeconds: 30 },
      ],
      EPOCH_MS + 30_000,
    ],
    [
      'at once where another effect is tolerated',
      [{ operator: 'Exists' as const, effect: 'NoSchedule' as const }],
      now,
    ],
  ])('%s', (_name, tolerations, expected) => {
    expect(evictionMs([taint], tolerations, now)).toBe(expected);
  });

  test('at once when one of two taints is not tolerated', () => {
    const other: Taint = { key: 'else', effect: 'NoExecute' };
    expect(evictionMs([taint, other], [{ key: taint.key, operator: 'Exists' }], now)).toBe(now);
  });
});

describe('shares of the pod network', () => {
  test('are given from the bottom, and again when they are free', () => {
    expect(lowestFree(new Set())).toBe('10.244.0.0/24');
    expect(lowestFree(new Set(['10.244.0.0/24', '10.244.2.0/24']))).toBe('10.244.1.0/24');
  });

  test('are enough for a thousand minions, and end', () => {
    const taken = new Set<string>();
    for (let share = lowestFree(taken); share !== undefined; share = lowestFree(taken)) taken.add(share);
    expect(taken.size).toBe(1024);
    expect([...taken].at(-1)).toBe('10.247.255.0/24');
  });
});
