import { describe, expect, test } from 'vitest';
import { emptyMemory, memoryOf, type ObservedPod, type PodMemory } from '../../../agent/pods/memory.ts';
import { nextStep } from '../../../agent/pods/plan.ts';
import { keyOf, type Step } from '../../../agent/pods/step.ts';
import type { Container, Pod, PodSpec } from '../../../shared/api/core.ts';
import { EPOCH_MS, pod } from '../../support/builders.ts';
import { at, container, exited, MAIN, observed, sandbox } from './observed.ts';

const NOW_MS = EPOCH_MS + 2000;
const SIDE: Container = { name: 'side', image: 'side:1', restartPolicy: 'Always' };
const INIT: Container = { name: 'init', image: 'init:1' };
const OTHER: Container = { name: 'other', image: 'other:1' };

const web = (spec: Partial<PodSpec> = {}): Pod => pod('web', { spec: { containers: [MAIN], ...spec } });

/** Connected, volumes made, every image at hand for its next attempt. */
function settled(attempts: Record<string, number> = {}): PodMemory {
  const memory = emptyMemory(EPOCH_MS);
  memory.volumes = 'ready';
  memory.network = { ip: '10.244.0.5', gateway: '10.244.0.1', mac: '0a:58:0a:f4:00:05' };
  for (const [name, attempt] of Object.entries({ main: 0, init: 0, side: 0, other: 0, ...attempts }))
    memoryOf(memory, name).image = { attempt, id: 'sha256:1', user: '' };
  return memory;
}

/** All that would begin now, in order, as short words; then what is waited for. */
function plan(wanted: Pod, seen: ObservedPod, memory: PodMemory, nowMs = NOW_MS): string[] {
  const words: string[] = [];
  for (;;) {
    const step = nextStep(wanted, seen, memory, nowMs);
    words.push(wordOf(step));
    if (step.do === 'wait') return words;
    memory.busy.add(keyOf(step));
    if (step.do === 'stop-container') memory.stops.set(step.target.id, nowMs + step.graceSeconds * 1000);
    if (words.length > 50) throw new Error(`the plan has no end: ${words.join(', ')}`);
  }
}

function wordOf(step: Step): string {
  switch (step.do) {
    case 'wait':
      return step.untilMs === undefined ? 'wait' : `wait until ${(step.untilMs - EPOCH_MS) / 1000}`;
    case 'ensure-image':
      return `image ${step.container.spec.name}#${step.attempt}`;
    case 'create-sandbox':
      return `create sandbox#${step.attempt}`;
    case 'create-container':
      return `create ${step.container.spec.name}#${step.attempt} back-off ${step.backOffSeconds}`;
    case 'start-container':
      return `start ${step.created.id}`;
    case 'stop-container':
      return `stop ${step.target.id} ${step.graceSeconds}`;
    case 'remove-container':
      return `remove ${step.target.id}`;
    case 'evict':
      return `evict ${step.eviction.reason}`;
    default:
      return step.do;
  }
}

const fresh = () => emptyMemory(EPOCH_MS);

describe('a pod that begins', () => {
  test('makes volumes, sandbox and gets the image side by side', () => {
    expect(plan(web(), observed(), fresh())).toEqual(['prepare-volumes', 'create sandbox#0', 'image main#0', 'wait']);
  });

  test('makes its container while the sandbox still starts, and starts it when that is connected', () => {
    const memory = settled();
    memory.network = undefined;
    const made = sandbox({ state: 'created' });
    expect(plan(web(), observed(made), memory)).toEqual(['start-sandbox', 'create main#0 back-off 0', 'wait']);
    const waiting = settled();
    waiting.network = undefined;
    const seen = observed(sandbox(), container(MAIN, { state: 'created' }));
    expect(plan(web(), seen, waiting)).toEqual(['attach-network', 'wait']);
    expect(plan(web(), seen, settled())).toEqual(['start main0', 'wait']);
  });

  test('is connected only when its files are made: the address goes into one of them', () => {
    const memory = settled();
    memory.network = undefined;
    memory.busy.add('volumes');
    expect(plan(web(), observed(sandbox(), container(MAIN, { state: 'created' })), memory)).toEqual(['wait']);
  });

  test('needs no connection on the network of the host', () => {
    const memory = settled();
    memory.network = undefined;
    const seen = observed(sandbox(), container(MAIN, { state: 'created' }));
    expect(plan(web({ hostNetwork: true }), seen, memory)).toEqual(['start main0', 'wait']);
  });

  test('starts all main containers at once', () => {
    expect(plan(web({ containers: [MAIN, OTHER] }), observed(sandbox()), settled())).toEqual([
      'create main#0 back-off 0',
      'create other#0 back-off 0',
      'wait',
    ]);
  });

  test('holds containers back behind a postStart hook', () => {
    const hooked: Container = { ...MAIN, lifecycle: { postStart: { exec: { command: ['true'] } } } };
    const wanted = web({ containers: [hooked, OTHER] });
    expect(plan(wanted, observed(sandbox()), settled())).toEqual(['create main#0 back-off 0', 'wait']);
    const during = settled();
    during.busy.add('container:main');
    expect(plan(wanted, observed(sandbox(), container(hooked)), during)).toEqual(['wait']);
    expect(plan(wanted, observed(sandbox(), container(hooked)), settled())).toEqual([
      'create other#0 back-off 0',
      'wait',
    ]);
  });

  test('waits for a volume that cannot be made yet, and tries again', () => {
    const memory = settled();
    memory.volumes = { reason: 'FailedMount', message: '', retryAtMs: EPOCH_MS + 10_000, count: 1 };
    expect(plan(web(), observed(sandbox()), memory)).toEqual(['wait until 10']);
    expect(plan(web(), observed(sandbox()), memory, EPOCH_MS + 10_000)).toEqual(['prepare-volumes', 'wait']);
  });

  test('waits for an image that cannot be had yet', () => {
    const memory = settled();
    memoryOf(memory, 'main').image = undefined;
    memoryOf(memory, 'main').failure = { reason: 'ErrImagePull', message: '', retryAtMs: EPOCH_MS + 4000, count: 1 };
    expect(plan(web(), observed(sandbox()), memory)).toEqual(['wait until 4']);
    expect(plan(web(), observed(sandbox()), memory, EPOCH_MS + 4000)).toEqual(['image main#0', 'wait']);
  });

  test('waits before the next try of a sandbox that did not start', () => {
    const memory = settled();
    memory.sandboxFailure = { reason: 'FailedCreatePodSandBox', message: '', retryAtMs: EPOCH_MS + 5000, count: 1 };
    expect(plan(web(), observed(), memory)).toEqual(['wait until 5']);
  });
});

describe('init containers', () => {
  const wanted = web({ initContainers: [INIT, { ...INIT, name: 'second' }] });

  test('run one after the other, before the main ones', () => {
    const memory = settled({ second: 0 });
    expect(plan(wanted, observed(sandbox()), memory)).toEqual(['create init#0 back-off 0', 'wait']);
    expect(plan(wanted, observed(sandbox(), container(INIT)), settled({ second: 0 }))).toEqual(['wait']);
    const first = exited(INIT, 0);
    expect(plan(wanted, observed(sandbox(), first), settled({ second: 0 }))).toEqual([
      'create second#0 back-off 0',
      'wait',
    ]);
    const second = exited({ ...INIT, name: 'second' }, 0);
    expect(plan(wanted, observed(sandbox(), first, second), settled())).toEqual(['create main#0 back-off 0', 'wait']);
  });

  test('are tried again when they fail, with back-off', () => {
    const failed = exited(INIT, 1, { attempt: 1, backOffSeconds: 10 });
    expect(plan(wanted, observed(sandbox(), failed), settled({ init: 2 }))).toEqual(['wait until 11']);
    expect(plan(wanted, observed(sandbox(), failed), settled({ init: 2 }), EPOCH_MS + 11_000)).toEqual([
      'create init#2 back-off 20',
      'wait',
    ]);
  });

  test('end a pod that never restarts when they fail', () => {
    const never = web({ initContainers: [INIT], restartPolicy: 'Never' });
    expect(plan(never, observed(sandbox(), exited(INIT, 1)), settled())).toEqual(['detach-network', 'wait']);
  });

  test('are not run again though their records are gone, once a main container has begun', () => {
    expect(plan(wanted, observed(sandbox(), container(MAIN)), settled())).toEqual(['wait']);
  });

  test('run again in a new sandbox', () => {
    const seen = observed(sandbox({ id: 'sandbox1', attempt: 1 }), exited(INIT, 0), exited(MAIN, 137));
    expect(plan(web({ initContainers: [INIT] }), seen, settled({ init: 1 }))).toEqual([
      'create init#1 back-off 10',
      'wait',
    ]);
  });
});

describe('sidecars', () => {
  const wanted = web({ initContainers: [SIDE, INIT] });

  test('must have started before what comes after them', () => {
    expect(plan(wanted, observed(sandbox()), settled())).toEqual(['create side#0 back-off 0', 'wait']);
    const probed = web({ initContainers: [{ ...SIDE, startupProbe: {} }, INIT] });
    const seen = observed(sandbox(), container(SIDE));
    expect(plan(probed, seen, settled())).toEqual(['wait']);
    expect(plan(wanted, seen, settled())).toEqual(['create init#0 back-off 0', 'wait']);
  });

  test('are started again whatever the policy of the pod', () => {
    const seen = observed(sandbox(), exited(SIDE, 0), exited(INIT, 0), container(MAIN));
    const never = web({ initContainers: [SIDE, INIT], restartPolicy: 'Never' });
    expect(plan(never, seen, settled({ side: 1 }))).toEqual(['create side#1 back-off 10', 'wait']);
  });

  test('are stopped when the main containers are done', () => {
    const never = web({ initContainers: [SIDE], restartPolicy: 'Never' });
    const seen = observed(sandbox(), container(SIDE), exited(MAIN, 0));
    expect(plan(never, seen, settled())).toEqual(['stop side0 30', 'wait']);
  });

  test('end after the main containers, in reverse', () => {
    const second: Container = { ...SIDE, name: 'second' };
    const two = web({ initContainers: [SIDE, second] });
    const ending = () => ({ ...settled(), ending: { deleted: true, graceSeconds: 7 } });
    expect(plan(two, observed(sandbox(), container(SIDE), container(second), container(MAIN)), ending())).toEqual([
      'stop main0 7',
      'wait',
    ]);
    const mainDone = exited(MAIN, 0);
    expect(plan(two, observed(sandbox(), container(SIDE), container(second), mainDone), ending())).toEqual([
      'stop second0 7',
      'wait',
    ]);
  });
});

describe('restarts', () => {
  test.each([
    ['Always', 0, true],
    ['Always', 1, true],
    ['OnFailure', 0, false],
    ['OnFailure', 1, true],
    ['Never', 0, false],
    ['Never', 1, false],
  ] as const)('with policy %s after exit code %i: %s', (restartPolicy, exitCode, again) => {
    const steps = plan(web({ restartPolicy }), observed(sandbox(), exited(MAIN, exitCode)), settled({ main: 1 }));
    expect(steps[0]).toBe(again ? 'create main#1 back-off 10' : 'detach-network');
  });

  test.each([
    [0, 'create main#1 back-off 10', 2],
    [10, 'create main#1 back-off 20', 11],
    [20, 'create main#1 back-off 40', 21],
    [160, 'create main#1 back-off 300', 161],
    [300, 'create main#1 back-off 300', 301],
  ])('a container whose own back-off is %i s', (backOffSeconds, created, dueSeconds) => {
    const seen = observed(sandbox(), exited(MAIN, 1, { backOffSeconds }));
    if (backOffSeconds > 0) expect(plan(web(), seen, settled({ main: 1 }))).toEqual([`wait until ${dueSeconds}`]);
    expect(plan(web(), seen, settled({ main: 1 }), EPOCH_MS + dueSeconds * 1000)[0]).toBe(created);
  });

  test('begin anew after ten good minutes', () => {
    const seen = observed(sandbox(), exited(MAIN, 1, { backOffSeconds: 300, finishedAt: at(601) }));
    expect(plan(web(), seen, settled({ main: 1 }), EPOCH_MS + 601_000)[0]).toBe('create main#1 back-off 10');
  });

  test('go on being counted when the engine has lost the records', () => {
    const status = { name: 'main', image: '', imageID: '', ready: true, state: {}, lastState: {}, restartCount: 4 };
    const known = { ...web(), status: { containerStatuses: [{ ...status, containerID: 'docker://lost' }] } };
    expect(plan(known, observed(sandbox()), settled({ main: 5 }))[0]).toBe('create main#5 back-off 0');
    const neverRan = { ...web(), status: { containerStatuses: [{ ...status, restartCount: 0 }] } };
    expect(plan(neverRan, observed(sandbox()), settled())[0]).toBe('create main#0 back-off 0');
  });

  test('get the image again for each attempt', () => {
    expect(plan(web(), observed(sandbox(), exited(MAIN, 1)), settled())).toEqual(['image main#1', 'wait']);
  });

  test('keep one earlier attempt for its log, and remove older ones', () => {
    const seen = observed(sandbox(), container(MAIN, { attempt: 2 }), exited(MAIN, 1, { attempt: 1 }), exited(MAIN, 1));
    expect(plan(web(), seen, settled())).toEqual(['remove main0', 'wait']);
  });

  test('replace a container whose image has changed, even where nothing is restarted', () => {
    const wanted = web({ containers: [{ ...MAIN, image: 'nginx:2' }], restartPolicy: 'Never' });
    expect(plan(wanted, observed(sandbox(), container(MAIN)), settled())).toEqual(['stop main0 30', 'wait']);
    const memory = settled({ main: 1 });
    memoryOf(memory, 'main').condemned = { containerId: 'main0', message: '', graceSeconds: 30, replaced: true };
    expect(plan(wanted, observed(sandbox(), exited(MAIN, 0)), memory)[0]).toBe('create main#1 back-off 10');
  });

  test('stop what a probe has condemned, once', () => {
    const memory = settled();
    memoryOf(memory, 'main').condemned = { containerId: 'main0', message: '', graceSeconds: 5, replaced: false };
    expect(plan(web(), observed(sandbox(), container(MAIN)), memory)).toEqual(['stop main0 5', 'wait']);
  });
});

describe('a sandbox that died', () => {
  const dead = sandbox({ state: 'exited' });

  test('takes its containers with it, then its address, then there is a new one', () => {
    expect(plan(web(), observed(dead, container(MAIN)), settled())[0]).toBe('stop main0 30');
    expect(plan(web(), observed(dead, exited(MAIN, 137)), settled())[0]).toBe('detach-network');
    const detached = settled({ main: 1 });
    detached.network = undefined;
    expect(plan(web(), observed(dead, exited(MAIN, 137)), detached)[0]).toBe('create sandbox#1');
  });

  test('is not replaced for a pod that is done', () => {
    const memory = settled();
    memory.network = undefined;
    expect(plan(web({ restartPolicy: 'Never' }), observed(dead, exited(MAIN, 0)), memory)).toEqual(['wait']);
  });

  test('leaves its old record to be removed', () => {
    const seen = observed(
      sandbox({ id: 'sandbox1', attempt: 1 }),
      dead,
      container(MAIN, { sandboxId: 'sandbox1', attempt: 1 }),
    );
    expect(plan(web(), seen, settled())).toEqual(['remove sandbox0', 'wait']);
  });
});

describe('a pod that ends', () => {
  const ending = (graceSeconds = 30): PodMemory => ({ ...settled(), ending: { deleted: true, graceSeconds } });

  test('stops everything, then removes records, address, files, and is gone', () => {
    expect(plan(web(), observed(sandbox(), container(MAIN)), ending())).toEqual(['stop main0 30', 'wait']);
    expect(plan(web(), observed(sandbox(), exited(MAIN, 0)), ending())).toEqual([
      'remove main0',
      'detach-network',
      'wait',
    ]);
    const detached = { ...ending(), network: undefined };
    expect(plan(web(), observed(sandbox()), detached)).toEqual(['remove sandbox0', 'wait']);
    expect(plan(web(), observed(), { ...ending(), network: undefined })).toEqual(['remove-volumes', 'wait']);
    expect(plan(web(), observed(), { ...ending(), network: undefined, volumes: 'removed' })).toEqual(['gone', 'wait']);
  });

  test('is told again to stop only when it has less time than before', () => {
    const seen = observed(sandbox(), container(MAIN));
    const memory = ending();
    expect(plan(web(), seen, memory)).toEqual(['stop main0 30', 'wait']);
    expect(plan(web(), seen, memory, NOW_MS + 3000)).toEqual(['wait']);
    memory.ending = { deleted: true, graceSeconds: 1 };
    expect(plan(web(), seen, memory, NOW_MS + 3000)).toEqual(['stop main0 1', 'wait']);
  });

  test('waits for what is just being started', () => {
    const memory = ending();
    memory.busy.add('container:main');
    expect(plan(web(), observed(sandbox(), container(MAIN, { state: 'created' })), memory)).toEqual(['wait']);
  });

  test('does not wait for a pull that nobody needs any more', () => {
    const memory: PodMemory = { ...ending(), network: undefined };
    memory.busy.add('image:main');
    expect(plan(web(), observed(), memory)).toEqual(['remove-volumes', 'wait']);
  });

  test('removes what its spec does not know', () => {
    expect(plan(web(), observed(exited(OTHER, 0)), { ...ending(), network: undefined })).toEqual([
      'remove other0',
      'wait',
    ]);
  });
});

describe('a pod that may not go on', () => {
  test('is ended at its deadline, and keeps its records', () => {
    const wanted = web({ activeDeadlineSeconds: 60 });
    expect(plan(wanted, observed(sandbox(), container(MAIN)), settled())).toEqual(['wait until 60']);
    expect(plan(wanted, observed(sandbox(), container(MAIN)), settled(), EPOCH_MS + 60_000)).toEqual([
      'evict DeadlineExceeded',
      'wait',
    ]);
    const evicted = { ...settled(), evicted: { reason: 'DeadlineExceeded', message: '' } };
    expect(plan(wanted, observed(sandbox(), exited(MAIN, 137)), evicted)).toEqual(['detach-network', 'wait']);
    const detached = { ...evicted, network: undefined };
    expect(plan(wanted, observed(sandbox(), exited(MAIN, 137)), { ...detached, busy: new Set<string>() })).toEqual([
      'stop sandbox0 1',
      'wait',
    ]);
  });

  test('is not begun when the cluster says that it is over', () => {
    const over = { ...web(), status: { phase: 'Failed' as const } };
    expect(plan(over, observed(), fresh())).toEqual(['wait']);
  });
});
