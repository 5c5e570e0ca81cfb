/** Containers that join a pod while it runs: what is planned for them, and what is said of them. */
import { describe, expect, test } from 'vitest';
import { containerSpecOf } from '../../../agent/pods/container-spec.ts';
import { viewOf } from '../../../agent/pods/containers-of-pod.ts';
import { emptyMemory, memoryOf, type ObservedPod, type PodMemory } from '../../../agent/pods/memory.ts';
import { nextStep } from '../../../agent/pods/plan.ts';
import { podStatusOf } from '../../../agent/pods/status.ts';
import type { Container, EphemeralContainer, Pod, PodSpec, PodStatus } from '../../../shared/api/core.ts';
import { EPOCH_MS, pod } from '../../support/builders.ts';
import { container, exited, MACHINE, MAIN, observed, sandbox } from './observed.ts';

const DEBUGGER: EphemeralContainer = { name: 'debugger', image: 'busybox:1', targetContainerName: 'main' };
const FREE: EphemeralContainer = { name: 'debugger', image: 'busybox:1' };
const KIND = { kind: 'ephemeral' } as const;

const web = (ephemeral: EphemeralContainer, more: Partial<PodSpec> = {}): Pod =>
  pod('web', { spec: { containers: [MAIN], ephemeralContainers: [ephemeral], ...more } });

function settled(): PodMemory {
  const memory = emptyMemory(EPOCH_MS, MACHINE);
  memory.volumes = 'ready';
  memory.network = { ip: '10.244.0.5', gateway: '10.244.0.1', mac: '0a:58:0a:f4:00:05' };
  memoryOf(memory, 'debugger').image = { attempt: 0, id: 'sha256:1', user: '' };
  memoryOf(memory, 'main').image = { attempt: 0, id: 'sha256:1', user: '' };
  return memory;
}

const next = (wanted: Pod, seen: ObservedPod, memory = settled()) => nextStep(wanted, seen, memory, EPOCH_MS);
const statusOf = (wanted: Pod, seen: ObservedPod, memory = settled()) =>
  podStatusOf(wanted, seen, memory, { ip: '', nowMs: EPOCH_MS });

describe('the plan', () => {
  test('makes it beside what runs, with its target', () => {
    expect(next(web(DEBUGGER), observed(sandbox(), container(MAIN)))).toMatchObject({
      do: 'create-container',
      container: { spec: { name: 'debugger' }, kind: 'ephemeral' },
      attempt: 0,
      target: { id: 'main0' },
    });
    const made = container(DEBUGGER, { ...KIND, state: 'created' });
    expect(next(web(DEBUGGER), observed(sandbox(), container(MAIN), made))).toMatchObject({
      do: 'start-container',
      created: { id: 'debugger0' },
    });
  });

  test('waits for its target to run, and for nothing without one', () => {
    const done = observed(sandbox(), exited(MAIN, 1, { backOffSeconds: 10, finishedAt: '2026-01-01T00:00:00Z' }));
    expect(next(web(DEBUGGER), done)).toEqual({ do: 'wait', untilMs: EPOCH_MS + 10_000 });
    expect(next(web(FREE), done)).toMatchObject({ do: 'create-container', container: { spec: FREE } });
  });

  test('does not wait for init containers', () => {
    const init: Container = { name: 'init', image: 'i:1' };
    const wanted = web(FREE, { initContainers: [init] });
    const seen = observed(sandbox(), container(init, { kind: 'init' }));
    expect(next(wanted, seen)).toMatchObject({ do: 'create-container', container: { spec: FREE } });
  });

  test('never starts it again, whatever the restart policy: not when it ended, not when its record is lost', () => {
    for (const code of [0, 1]) {
      const ended = observed(sandbox(), container(MAIN), exited(FREE, code, KIND));
      expect(next(web(FREE), ended)).toEqual({ do: 'wait' });
    }
    const ended = observed(sandbox(), container(MAIN), exited(FREE, 3, KIND));
    const memory = settled();
    memory.reported = statusOf(web(FREE), ended, memory);
    expect(next(web(FREE), observed(sandbox(), container(MAIN)), memory)).toEqual({ do: 'wait' });
    expect(statusOf(web(FREE), observed(sandbox(), container(MAIN)), memory).ephemeralContainerStatuses).toEqual(
      memory.reported.ephemeralContainerStatuses,
    );
  });

  test('stops it with its pod, and removes it', () => {
    const memory = settled();
    memory.ending = { deleted: true, graceSeconds: 5 };
    const ended = observed(sandbox(), exited(MAIN, 0), container(FREE, KIND));
    expect(next(web(FREE), ended, memory)).toMatchObject({ do: 'stop-container', target: { id: 'debugger0' } });
    expect(next(web(FREE), observed(exited(FREE, 0, KIND)), memory)).toMatchObject({
      do: 'remove-container',
      target: { id: 'debugger0' },
    });
  });

  test('stops it when the pod is done', () => {
    const wanted = web(FREE, { restartPolicy: 'Never' });
    const seen = observed(sandbox(), exited(MAIN, 0), container(FREE, KIND));
    expect(next(wanted, seen)).toMatchObject({ do: 'stop-container', target: { id: 'debugger0' } });
  });
});

describe('the status', () => {
  test('is a list of its own, and neither readiness nor phase heed it', () => {
    const running = statusOf(web(FREE), observed(sandbox(), container(MAIN), container(FREE, KIND)));
    expect(running.ephemeralContainerStatuses).toEqual([
      {
        name: 'debugger',
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
        lastState: {},
        ready: false,
        restartCount: 0,
        image: 'busybox:1',
        imageID: 'sha256:1',
        containerID: 'docker://debugger0',
      },
    ]);
    const failed = statusOf(web(FREE), observed(sandbox(), container(MAIN), exited(FREE, 9, KIND)));
    expect(failed.ephemeralContainerStatuses?.[0]?.state.terminated).toMatchObject({ exitCode: 9, reason: 'Error' });
    for (const { phase, conditions } of [running, failed] satisfies PodStatus[]) {
      expect([phase, conditions?.find(({ type }) => type === 'Ready')?.status]).toEqual(['Running', 'True']);
    }
  });

  test('says why it is not there yet', () => {
    const memory = settled();
    expect(statusOf(web(FREE), observed(sandbox(), container(MAIN)), memory).ephemeralContainerStatuses).toMatchObject([
      { state: { waiting: { reason: 'ContainerCreating' } } },
    ]);
    memoryOf(memory, 'debugger').failure = { reason: 'ErrImagePull', message: 'no', retryAtMs: EPOCH_MS, count: 1 };
    expect(statusOf(web(FREE), observed(sandbox(), container(MAIN)), memory).ephemeralContainerStatuses).toMatchObject([
      { state: { waiting: { reason: 'ErrImagePull', message: 'no' } } },
    ]);
  });
});

test.each<[string, Partial<PodSpec>, unknown]>([
  ['its target, alone', {}, { containerId: 'main0' }],
  ['all of the pod, where they are shared', { shareProcessNamespace: true }, 'pod'],
  ['the host, where the pod does', { hostPID: true }, 'host'],
])('looks at the processes of %s', (_, more, expected) => {
  const wanted = web(DEBUGGER, more);
  const [view] = viewOf(wanted, observed()).ephemerals;
  const given = { attempt: 0, backOffSeconds: 0, imageUser: '', env: [], mounts: [], machine: MACHINE };
  expect(containerSpecOf(wanted, view!, { ...given, targetId: 'main0' }).processes).toEqual(expected);
});
