import { describe, expect, test } from 'vitest';
import type { Container, Pod, PodStatus, ResourceRequirements } from '../../shared/api/core.ts';
import { countsTheSame, isAvailable, limitsOf, qosClassOf, requestsOf, resolvePort } from '../../shared/pods.ts';
import { EPOCH_MS, pod, running } from '../support/builders.ts';

const container = (name: string, resources?: ResourceRequirements, more: Partial<Container> = {}): Container => ({
  name,
  image: 'x',
  ...(resources ? { resources } : {}),
  ...more,
});
const cpu = (amount: string): ResourceRequirements => ({ requests: { cpu: amount } });

describe('what a pod asks for', () => {
  test('is the sum of its containers', () => {
    const spec = {
      containers: [container('a', { requests: { cpu: '100m', memory: '1Mi' } }), container('b', cpu('1'))],
    };
    expect(requestsOf(pod('p', { spec }))).toEqual({ cpu: 1100, memory: 1_048_576 });
  });

  test('is the largest init container where that is more', () => {
    const spec = {
      containers: [container('a', cpu('1'))],
      initContainers: [container('i', cpu('2')), container('j', cpu('3'))],
    };
    expect(requestsOf(pod('p', { spec }))).toEqual({ cpu: 3000 });
  });

  test('counts a sidecar beside the containers, and beside the init containers after it', () => {
    const sidecar = container('s', cpu('1'), { restartPolicy: 'Always' });
    const main = [container('a', cpu('1'))];
    const before = { containers: main, initContainers: [container('i', cpu('3')), sidecar] };
    const after = { containers: main, initContainers: [sidecar, container('i', cpu('3'))] };
    expect(requestsOf(pod('p', { spec: before }))).toEqual({ cpu: 3000 });
    expect(requestsOf(pod('p', { spec: after }))).toEqual({ cpu: 4000 });
  });

  test('includes the overhead, in limits only where there are any', () => {
    const spec = { containers: [container('a', cpu('1'))], overhead: { cpu: '250m' } };
    expect(requestsOf(pod('p', { spec }))).toEqual({ cpu: 1250 });
    expect(limitsOf(pod('p', { spec }))).toEqual({});
  });
});

describe('while a pod is resized', () => {
  const status = (name: string, allocated: string, actual: string) => ({
    ...{ name, ready: true, restartCount: 0, image: '', imageID: '', state: {}, lastState: {} },
    allocatedResources: { cpu: allocated },
    resources: { requests: { cpu: actual }, limits: { cpu: actual } },
  });
  const pending = (reason: string) => ({ type: 'PodResizePending', status: 'True' as const, reason });
  const asks = { requests: { cpu: '2' }, limits: { cpu: '2' } };
  const spec = { containers: [container('a', asks)] };

  test.each<[string, PodStatus, number, number]>([
    ['without a word of the minion, it counts as it asks', {}, 2000, 2000],
    ['it counts as it asks where that is most', { containerStatuses: [status('a', '1', '1')] }, 2000, 2000],
    ['it counts as it was granted where that is most', { containerStatuses: [status('a', '3', '1')] }, 3000, 2000],
    ['it counts as it still has where that is most', { containerStatuses: [status('a', '2', '4')] }, 4000, 4000],
    [
      'one that waits counts as it asks',
      { containerStatuses: [status('a', '1', '1')], conditions: [pending('Deferred')] },
      2000,
      2000,
    ],
    [
      'one that can never be counts as it is',
      { containerStatuses: [status('a', '1', '1')], conditions: [pending('Infeasible')] },
      1000,
      1000,
    ],
    ['a status of another container changes nothing', { containerStatuses: [status('b', '9', '9')] }, 2000, 2000],
  ])('%s', (_, said, requests, limits) => {
    const found = { ...pod('p', { spec }), status: said };
    expect([requestsOf(found), limitsOf(found)]).toEqual([{ cpu: requests }, { cpu: limits }]);
  });

  test('sidecars count as containers do, other init containers as they ask', () => {
    const sidecar = container('s', cpu('1'), { restartPolicy: 'Always' });
    const both = { containers: [container('a', cpu('1'))], initContainers: [sidecar, container('i', cpu('1'))] };
    const initContainerStatuses = [status('s', '3', '3'), status('i', '9', '9')];
    expect(requestsOf({ spec: both, status: { initContainerStatuses } })).toEqual({ cpu: 4000 });
  });

  test('a change of the status counts where it changes the sums', () => {
    const as = (said: PodStatus): Pod => ({ ...pod('p', { spec }), status: said });
    const small = as({ containerStatuses: [status('a', '1', '1')] });
    expect(countsTheSame(as({ containerStatuses: [status('a', '2', '1')] }), small)).toBe(true);
    expect(countsTheSame(as({ containerStatuses: [status('a', '3', '1')] }), small)).toBe(false);
    expect(countsTheSame(as({ ...small.status, conditions: [pending('Deferred')] }), small)).toBe(true);
    expect(countsTheSame(as({ ...small.status, conditions: [pending('Infeasible')] }), small)).toBe(false);
  });
});

describe('the quality of service of a pod', () => {
  const both = { cpu: '1', memory: '1Gi' };
  test.each<[string, Container[], string]>([
    ['asks for nothing', [container('a')], 'BestEffort'],
    ['asks for some', [container('a', cpu('1'))], 'Burstable'],
    ['has limits equal to requests everywhere', [container('a', { requests: both, limits: both })], 'Guaranteed'],
    ['has limits alone, which are requests too', [container('a', { limits: both })], 'Guaranteed'],
    ['limits one of two containers', [container('a', { limits: both }), container('b')], 'Burstable'],
    ['limits cpu alone', [container('a', { limits: { cpu: '1' } })], 'Burstable'],
    [
      'asks for less than its limit',
      [container('a', { requests: { cpu: '1', memory: '1Mi' }, limits: both })],
      'Burstable',
    ],
  ])('that %s', (_, containers, expected) => {
    expect(qosClassOf({ containers })).toBe(expected);
  });
});

test('a pod is available once it has been ready for long enough', () => {
  const ready = pod('p', { status: running('10.0.0.1') });
  expect(isAvailable(ready, 0, EPOCH_MS)).toBe(true);
  expect(isAvailable(ready, 10, EPOCH_MS + 9_999)).toBe(false);
  expect(isAvailable(ready, 10, EPOCH_MS + 10_000)).toBe(true);
  expect(isAvailable(pod('p', { status: running('10.0.0.1', false) }), 0, EPOCH_MS)).toBe(false);
});

test('a named port is found in containers and sidecars, by protocol', () => {
  const spec = {
    containers: [
      container('a', undefined, {
        ports: [
          { name: 'web', containerPort: 80 },
          { name: 'dns', containerPort: 53, protocol: 'UDP' },
        ],
      }),
    ],
    initContainers: [
      container('s', undefined, { restartPolicy: 'Always', ports: [{ name: 'side', containerPort: 9 }] }),
    ],
  };
  const found = pod('p', { spec });
  expect(resolvePort(found, 8080)).toBe(8080);
  expect(resolvePort(found, 'web')).toBe(80);
  expect(resolvePort(found, 'dns')).toBeUndefined();
  expect(resolvePort(found, 'dns', 'UDP')).toBe(53);
  expect(resolvePort(found, 'side')).toBe(9);
});
