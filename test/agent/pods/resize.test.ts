/** In-place resize, the pure part: what is granted, what has to wait, when it is done, what is said of it. */
import { describe, expect, test } from 'vitest';
import { engineLimitsOf } from '../../../agent/pods/engine-limits.ts';
import { emptyMemory, memoryOf, type ObservedPod, type PodMemory } from '../../../agent/pods/memory.ts';
import { nextStep } from '../../../agent/pods/plan.ts';
import { firstGrants, followResize, grantedPod, type Room, resizeDetails } from '../../../agent/pods/resize.ts';
import { podStatusOf } from '../../../agent/pods/status.ts';
import type { Container, Pod, PodStatus, ResourceRequirements } from '../../../shared/api/core.ts';
import { EPOCH, EPOCH_MS, pod } from '../../support/builders.ts';
import { container, exited, MACHINE, MAIN, observed, sandbox } from './observed.ts';

const GI = 1024 ** 3;
const ROOM: Room = { allocatable: { cpu: 2000, memory: 4 * GI }, taken: { cpu: 500, memory: GI } };
const SMALL: ResourceRequirements = {
  requests: { cpu: '100m', memory: '64Mi' },
  limits: { cpu: '200m', memory: '128Mi' },
};
const LARGE: ResourceRequirements = {
  requests: { cpu: '200m', memory: '64Mi' },
  limits: { cpu: '400m', memory: '256Mi' },
};

const sized = (resources: ResourceRequirements, more: Partial<Container> = {}): Container => ({
  ...MAIN,
  resources,
  ...more,
});
const web = (main: Container, generation = 1, status?: PodStatus, more: Partial<Pod['spec']> = {}): Pod =>
  pod('web', { spec: { containers: [main], ...more }, metadata: { generation }, ...(status ? { status } : {}) });
const running = (resources: ResourceRequirements, own: Parameters<typeof container>[1] = {}): ObservedPod =>
  observed(sandbox(), container(sized(resources), own));

/** What is remembered of a pod that runs as it was granted. */
function granted(resources: ResourceRequirements): PodMemory {
  const memory = emptyMemory(EPOCH_MS, MACHINE);
  memory.volumes = 'ready';
  memory.network = { ip: '10.244.0.5', gateway: '10.244.0.1', mac: '0a:58:0a:f4:00:05' };
  memory.grants.set('main', resources);
  return memory;
}

const follow = (wanted: Pod, seen: ObservedPod, memory: PodMemory, room = ROOM) =>
  followResize(wanted, seen, memory, () => room);

const conditionsOf = (wanted: Pod, seen: ObservedPod, memory: PodMemory) =>
  (podStatusOf(grantedPod(wanted, memory.grants), seen, memory, { ip: '', nowMs: EPOCH_MS }).conditions ?? [])
    .filter(({ type }) => type.startsWith('PodResize'))
    .map(({ type, status, reason, message, observedGeneration }) => ({
      type,
      status,
      reason,
      message,
      observedGeneration,
    }));

describe('a resize that fits', () => {
  test('is granted, planned, and done when the engine has the numbers', () => {
    const memory = granted(SMALL);
    const wanted = web(sized(LARGE), 2);
    expect(follow(wanted, running(SMALL), memory)).toEqual(['started']);
    expect(memory.grants.get('main')).toEqual(LARGE);
    expect(conditionsOf(wanted, running(SMALL), memory)).toEqual([
      { type: 'PodResizeInProgress', status: 'True', reason: undefined, message: undefined, observedGeneration: 2 },
    ]);
    expect(nextStep(wanted, running(SMALL), memory, EPOCH_MS)).toMatchObject({
      do: 'resize-container',
      target: { id: 'main0' },
    });
    expect(follow(wanted, running(LARGE), memory)).toEqual(['completed']);
    expect(conditionsOf(wanted, running(LARGE), memory)).toEqual([]);
    expect(nextStep(wanted, running(LARGE), memory, EPOCH_MS)).toEqual({ do: 'wait' });
  });

  test('is done at once where the engine has nothing to do', () => {
    const memory = granted(SMALL);
    const more = { ...SMALL, requests: { cpu: '100m', memory: '100Mi' } };
    expect(follow(web(sized(more), 2), running(SMALL), memory)).toEqual(['started', 'completed']);
  });

  test('needs no room when it shrinks, however full the node is', () => {
    const full = { allocatable: { cpu: 0, memory: 0 }, taken: { cpu: 9000, memory: 9 * GI } };
    expect(follow(web(sized(SMALL), 2), running(LARGE), granted(LARGE), full)).toEqual(['started']);
  });

  test.each([
    ['cpu', { ...SMALL, limits: { cpu: '300m', memory: '128Mi' } }, true],
    ['memory', { ...SMALL, limits: { cpu: '200m', memory: '256Mi' } }, false],
  ])('restarts a container whose policy for %s asks for that', (resource, resources, isCpu) => {
    const main = sized(resources, { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] });
    const wanted = web(main, 2, undefined, { terminationGracePeriodSeconds: 7 });
    const memory = granted(SMALL);
    expect(follow(wanted, running(SMALL), memory)).toEqual(['started']);
    const step = nextStep(wanted, running(SMALL), memory, EPOCH_MS);
    if (!isCpu) return expect(step, resource).toMatchObject({ do: 'resize-container' });
    expect(step).toMatchObject({
      do: 'stop-container',
      message: 'Container main resize requires restart',
      graceSeconds: 7,
      replaced: true,
    });
    const ended = observed(sandbox(), exited(sized(SMALL), 143));
    expect(follow(wanted, ended, memory)).toEqual([]);
    const replaced = observed(sandbox(), container(main, { attempt: 1 }), exited(sized(SMALL), 143));
    expect(follow(wanted, replaced, memory)).toEqual(['completed']);
  });

  test('that the engine does not take says why, and is tried again later', () => {
    const memory = granted(SMALL);
    const wanted = web(sized(LARGE), 2);
    follow(wanted, running(SMALL), memory);
    const retryAtMs = EPOCH_MS + 10_000;
    memoryOf(memory, 'main').resizeFailure = { reason: 'Error', message: 'no cgroup', retryAtMs, count: 1 };
    expect(conditionsOf(wanted, running(SMALL), memory)).toMatchObject([
      { type: 'PodResizeInProgress', reason: 'Error', message: 'no cgroup', observedGeneration: 2 },
    ]);
    expect(nextStep(wanted, running(SMALL), memory, EPOCH_MS)).toEqual({ do: 'wait', untilMs: retryAtMs });
    expect(nextStep(wanted, running(SMALL), memory, retryAtMs)).toMatchObject({ do: 'resize-container' });
  });
});

describe('a resize that does not fit', () => {
  const asking = (cpu: string) => web(sized({ requests: { cpu, memory: '64Mi' } }), 3);

  test('is infeasible where the node has too little, and waits where others have it; what runs goes on', () => {
    const had = { requests: { cpu: '100m', memory: '64Mi' } };
    const memory = granted(had);
    expect(follow(asking('3'), running(had), memory)).toEqual(['pending']);
    expect(conditionsOf(asking('3'), running(had), memory)).toEqual([
      {
        type: 'PodResizePending',
        status: 'True',
        reason: 'Infeasible',
        message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
        observedGeneration: 3,
      },
    ]);
    expect(follow(asking('3'), running(had), memory)).toEqual([]);
    expect(follow(asking('1800m'), running(had), memory)).toEqual(['pending']);
    expect(memory.resize.pending).toEqual({
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 1800, used: 500, capacity: 2000",
      generation: 3,
    });
    expect(grantedPod(asking('1800m'), memory.grants).spec.containers[0]?.resources).toEqual(had);
    expect(nextStep(grantedPod(asking('1800m'), memory.grants), running(had), memory, EPOCH_MS)).toEqual({
      do: 'wait',
    });
    const roomier = { ...ROOM, taken: { cpu: 100 } };
    expect(follow(asking('1800m'), running(had), memory, roomier)).toEqual(['started']);
    expect(memory.resize.pending).toBeUndefined();
  });

  test('is forgotten when nobody asks for it any more', () => {
    const had = { requests: { cpu: '100m', memory: '64Mi' } };
    const memory = granted(had);
    follow(asking('3'), running(had), memory);
    expect(follow(web(sized(had), 4), running(had), memory)).toEqual([]);
    expect(memory.resize).toEqual({});
  });
});

describe('what an adopted pod was granted', () => {
  const status = (own: Partial<PodStatus> = {}): PodStatus => ({
    containerStatuses: [
      {
        name: 'main',
        state: { running: { startedAt: EPOCH } },
        lastState: {},
        ready: true,
        restartCount: 0,
        image: '',
        imageID: '',
        allocatedResources: SMALL.requests ?? {},
        resources: SMALL,
      },
    ],
    ...own,
  });
  const PENDING = { type: 'PodResizePending', status: 'True' as const, reason: 'Infeasible' };

  test.each<[string, Pod, ObservedPod, ResourceRequirements]>([
    ['is what a new pod asks for', web(sized(LARGE)), observed(), LARGE],
    ['is what it asks for when the engine has that', web(sized(LARGE), 2, status()), running(LARGE), LARGE],
    ['is what was reported when the engine has something else', web(sized(LARGE), 2, status()), running(SMALL), SMALL],
    [
      'is what was reported while it waits',
      web(sized(LARGE), 2, status({ conditions: [PENDING] })),
      observed(sandbox(), exited(sized(SMALL), 1)),
      SMALL,
    ],
  ])('%s', (_, wanted, seen, expected) => {
    expect(firstGrants(wanted, seen, MACHINE).get('main')).toEqual(expected);
  });
});

describe('the status of a container', () => {
  const resourcesOf = (wanted: Pod, seen: ObservedPod) => {
    const memory = granted(wanted.spec.containers[0]?.resources ?? {});
    const { containerStatuses } = podStatusOf(wanted, seen, memory, { ip: '', nowMs: EPOCH_MS });
    const { allocatedResources, resources } = containerStatuses?.[0] ?? {};
    return { allocatedResources, resources };
  };

  test('says what it was granted and what it has', () => {
    expect(resourcesOf(web(sized(SMALL)), running(SMALL))).toEqual({
      allocatedResources: SMALL.requests,
      resources: SMALL,
    });
    expect(resourcesOf(web(sized(LARGE)), running(SMALL))).toEqual({
      allocatedResources: LARGE.requests,
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } },
    });
    expect(resourcesOf(web(MAIN), running({}))).toEqual({ allocatedResources: undefined, resources: {} });
  });

  test('does not say that a limit is missing where the engine keeps none', () => {
    const none = { cpuNano: 0, cpuShares: 102, memoryBytes: 0 };
    expect(resourcesOf(web(sized(SMALL)), running(SMALL, { resources: none })).resources).toEqual(SMALL);
  });
});

test('details are the resources in the order of their names', () => {
  const side: Container = { name: 'side', image: 's', restartPolicy: 'Always' };
  const wanted = web(sized({ requests: { memory: '1', cpu: '1' } }), 1, undefined, { initContainers: [side] });
  expect(resizeDetails(wanted, 4, 'why')).toBe(
    '{"initContainers":[{"name":"side","resources":{}}],"containers":[{"name":"main","resources":{"requests":{"cpu":"1","memory":"1"}}}],"generation":4,"error":"why"}',
  );
});

test('what the engine is told of processors has its bounds', () => {
  expect(engineLimitsOf({ limits: { cpu: '1m' } }, MACHINE)).toMatchObject({ cpuShares: 2, cpuNano: 10_000_000 });
  expect(engineLimitsOf({ limits: { cpu: '64' } }, MACHINE)).toMatchObject({ cpuNano: 4_000_000_000 });
});
