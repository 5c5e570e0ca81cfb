import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../../shared/api/apps.ts';
import type { IntOrString } from '../../../shared/api/meta.ts';
import {
  boundsOf,
  DESIRED_ANNOTATION,
  isScaled,
  MAX_ANNOTATION,
  newReplicas,
  scaledValue,
  scaleProportionally,
  shrinkOld,
} from '../../../worker/controllers/rolling-update.ts';
import { deployment, replicaSet } from '../../support/builders.ts';

const rolling = (replicas: number, maxSurge: IntOrString, maxUnavailable: IntOrString): Deployment =>
  deployment('web', { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });

const sizes = (steps: ReturnType<typeof shrinkOld>) =>
  steps.map((each) => [each.replicaSet.metadata.name, each.replicas]);

describe('percentages', () => {
  test.each<[IntOrString, number, 'up' | 'down', number]>([
    ['25%', 10, 'up', 3],
    ['25%', 10, 'down', 2],
    ['25%', 1, 'up', 1],
    ['25%', 1, 'down', 0],
    ['100%', 7, 'up', 7],
    ['0%', 7, 'up', 0],
    [3, 10, 'up', 3],
  ])('%s of %i rounded %s is %i', (value, total, round, expected) => {
    expect(scaledValue(value, total, round)).toBe(expected);
  });
});

describe('the bounds of a rollout', () => {
  test.each<[number, IntOrString, IntOrString, { maxSurge: number; maxUnavailable: number }]>([
    [10, '25%', '25%', { maxSurge: 3, maxUnavailable: 2 }],
    [1, '25%', '25%', { maxSurge: 1, maxUnavailable: 0 }],
    [4, 0, 1, { maxSurge: 0, maxUnavailable: 1 }],
    // Both round to zero: then one may be missing, or nothing would ever move.
    [3, 0, '25%', { maxSurge: 0, maxUnavailable: 1 }],
    [2, 1, 5, { maxSurge: 1, maxUnavailable: 2 }],
  ])('for %i replicas with surge %s and unavailable %s', (replicas, surge, unavailable, expected) => {
    expect(boundsOf(rolling(replicas, surge, unavailable))).toEqual(expected);
  });

  test('are none for Recreate', () => {
    const recreate = deployment('web', { replicas: 5, strategy: { type: 'Recreate' } });
    expect(boundsOf(recreate)).toEqual({ maxSurge: 0, maxUnavailable: 0 });
  });
});

describe('how many new pods', () => {
  test.each<[string, Deployment, number[], number, number]>([
    ['as many as the surge leaves room for', rolling(10, '25%', '25%'), [10], 0, 3],
    ['no more while the old ones fill the room', rolling(10, 0, 1), [10], 0, 0],
    ['never more than desired', rolling(4, 10, 0), [1], 2, 4],
    ['down to desired at once', rolling(2, 1, 0), [], 5, 2],
    ['all at once for a first rollout', rolling(4, 1, 0), [], 0, 4],
  ])('%s', (_name, current, old, now, expected) => {
    const newest = replicaSet('new', now);
    const all = [...old.map((replicas, index) => replicaSet(`old-${index}`, replicas)), newest];
    expect(newReplicas(current, all, newest)).toBe(expected);
  });
});

describe('how old replica sets shrink', () => {
  test('by what may be unavailable', () => {
    expect(sizes(shrinkOld(rolling(10, 3, 2), replicaSet('new', 3, 0), [replicaSet('old', 10)]))).toEqual([['old', 8]]);
  });

  test('not at all while new pods are not available and none may be missing', () => {
    expect(shrinkOld(rolling(4, 1, 0), replicaSet('new', 1, 0), [replicaSet('old', 4)])).toEqual([]);
  });

  test('by one for each new pod that became available', () => {
    expect(sizes(shrinkOld(rolling(4, 1, 0), replicaSet('new', 1, 1), [replicaSet('old', 4)]))).toEqual([['old', 3]]);
  });

  test('by pods that are broken first, so that a bad rollout can be followed by a good one', () => {
    const old = [replicaSet('broken', 2, 0), replicaSet('good', 4, 4, { creationTimestamp: '2026-01-02T00:00:00Z' })];
    expect(sizes(shrinkOld(rolling(4, 2, 0), replicaSet('new', 0), old))).toEqual([['broken', 0]]);
  });

  test('not by pods of which the last order to shrink has not been counted yet', () => {
    // Told to go from 4 to 3 a moment ago; its status still says 4.
    const old = replicaSet('old', 3, 4);
    expect(sizes(shrinkOld(rolling(4, 1, 1), replicaSet('new', 2, 1), [old]))).toEqual([['old', 2]]);
  });
});

describe('scaling in the middle of a rollout', () => {
  const sized = (name: string, replicas: number, desired: number, max: number, at: string) =>
    replicaSet(name, replicas, replicas, {
      creationTimestamp: at,
      annotations: { [DESIRED_ANNOTATION]: String(desired), [MAX_ANNOTATION]: String(max) },
    });

  test('is noticed by what the replica sets were last told', () => {
    expect(isScaled(rolling(10, 1, 0), [sized('a', 5, 5, 6, '2026-01-01T00:00:00Z')])).toBe(true);
    expect(isScaled(rolling(5, 1, 0), [sized('a', 5, 5, 6, '2026-01-01T00:00:00Z')])).toBe(false);
  });

  test('gives each replica set its share', () => {
    const old = sized('old', 8, 10, 13, '2026-01-01T00:00:00Z');
    const newest = sized('new', 5, 10, 13, '2026-01-02T00:00:00Z');
    expect(sizes(scaleProportionally(rolling(15, 3, 2), newest, [old]))).toEqual([
      ['old', 11],
      ['new', 7],
    ]);
  });

  test('to zero takes all of them to zero', () => {
    const old = sized('old', 8, 10, 13, '2026-01-01T00:00:00Z');
    const newest = sized('new', 5, 10, 13, '2026-01-02T00:00:00Z');
    expect(sizes(scaleProportionally(rolling(0, 3, 2), newest, [old]))).toEqual([
      ['old', 0],
      ['new', 0],
    ]);
  });

  test('changes the only active one when there is just one', () => {
    const newest = sized('new', 3, 3, 4, '2026-01-02T00:00:00Z');
    expect(sizes(scaleProportionally(rolling(7, 1, 0), newest, [replicaSet('old', 0)]))).toEqual([['new', 7]]);
  });

  test('ends the old ones when the new one is complete', () => {
    const old = sized('old', 1, 3, 4, '2026-01-01T00:00:00Z');
    const newest = sized('new', 3, 3, 4, '2026-01-02T00:00:00Z');
    expect(sizes(scaleProportionally(rolling(3, 1, 0), newest, [old]))).toEqual([['old', 0]]);
  });
});
