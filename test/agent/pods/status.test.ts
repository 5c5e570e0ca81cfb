import { describe, expect, test } from 'vitest';
import { emptyMemory, memoryOf, type ObservedPod, type PodMemory } from '../../../agent/pods/memory.ts';
import { podStatusOf } from '../../../agent/pods/status.ts';
import type { Container, ContainerStatus, Pod, PodSpec, PodStatus } from '../../../shared/api/core.ts';
import { EPOCH, EPOCH_MS, pod } from '../../support/builders.ts';
import { container, exited, MAIN, observed, sandbox } from './observed.ts';

const HOST = { ip: '192.168.0.9', nowMs: EPOCH_MS + 2000 };
const INIT: Container = { name: 'init', image: 'init:1' };
const web = (spec: Partial<PodSpec> = {}, status?: PodStatus): Pod =>
  pod('web', { spec: { containers: [MAIN], ...spec }, status });

function settled(): PodMemory {
  const memory = emptyMemory(EPOCH_MS);
  memory.volumes = 'ready';
  memory.network = { ip: '10.244.0.5', gateway: '10.244.0.1', mac: '0a:58:0a:f4:00:05' };
  return memory;
}

const statusOf = (wanted: Pod, seen: ObservedPod, memory = settled(), nowMs = HOST.nowMs) =>
  podStatusOf(wanted, seen, memory, { ...HOST, nowMs });

/** `running`, `waiting CrashLoopBackOff`, `terminated Error 1`. */
function stateOf(status: ContainerStatus | undefined): string {
  const { waiting, running, terminated } = status?.state ?? {};
  if (waiting) return `waiting ${waiting.reason}`;
  if (terminated) return `terminated ${terminated.reason} ${terminated.exitCode}`;
  return running ? 'running' : 'nothing';
}

const conditionsOf = (status: PodStatus) =>
  Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: value, reason }) => [type, reason ? `${value} ${reason}` : value]),
  );

describe('phase and container states', () => {
  const always: Partial<PodSpec> = {};
  const never: Partial<PodSpec> = { restartPolicy: 'Never' };
  const onFailure: Partial<PodSpec> = { restartPolicy: 'OnFailure' };
  const crashed = exited(MAIN, 1, { attempt: 1, backOffSeconds: 10 });
  const cases: [string, Partial<PodSpec>, ObservedPod, PodStatus['phase'], string][] = [
    ['before anything', always, observed(), 'Pending', 'waiting ContainerCreating'],
    [
      'made, not started',
      always,
      observed(sandbox(), container(MAIN, { state: 'created' })),
      'Pending',
      'waiting ContainerCreating',
    ],
    ['running', always, observed(sandbox(), container(MAIN)), 'Running', 'running'],
    ['crashed, in back-off', always, observed(sandbox(), crashed), 'Running', 'waiting CrashLoopBackOff'],
    ['crashed, about to restart', always, observed(sandbox(), exited(MAIN, 1)), 'Running', 'terminated Error 1'],
    ['done, restarting', always, observed(sandbox(), exited(MAIN, 0)), 'Running', 'terminated Completed 0'],
    ['done', never, observed(sandbox(), exited(MAIN, 0)), 'Succeeded', 'terminated Completed 0'],
    ['failed', never, observed(sandbox(), exited(MAIN, 3)), 'Failed', 'terminated Error 3'],
    ['done with OnFailure', onFailure, observed(sandbox(), exited(MAIN, 0)), 'Succeeded', 'terminated Completed 0'],
    ['failed with OnFailure', onFailure, observed(sandbox(), exited(MAIN, 3)), 'Running', 'terminated Error 3'],
    [
      'killed for memory',
      never,
      observed(sandbox(), exited(MAIN, 137, { oomKilled: true })),
      'Failed',
      'terminated OOMKilled 137',
    ],
    [
      'never started',
      never,
      observed(sandbox(), exited(MAIN, 128, { error: 'no such file' })),
      'Failed',
      'terminated StartError 128',
    ],
    [
      'behind an init container',
      { initContainers: [INIT] },
      observed(sandbox(), container(INIT)),
      'Pending',
      'waiting PodInitializing',
    ],
    [
      'after a failed init container',
      { ...never, initContainers: [INIT] },
      observed(sandbox(), exited(INIT, 1)),
      'Failed',
      'waiting PodInitializing',
    ],
  ];
  test.each(cases)('%s', (_, spec, seen, phase, state) => {
    const status = statusOf(web(spec), seen);
    expect([status.phase, stateOf(status.containerStatuses?.[0])]).toEqual([phase, state]);
  });

  test('a pod of which one container runs and another crashes is running', () => {
    const other: Container = { name: 'other', image: 'other:1' };
    const seen = observed(sandbox(), container(MAIN), exited(other, 1, { attempt: 4, backOffSeconds: 80 }));
    expect(statusOf(web({ containers: [MAIN, other] }), seen)).toMatchObject({
      phase: 'Running',
      containerStatuses: [
        { name: 'main', ready: true, restartCount: 0 },
        {
          name: 'other',
          ready: false,
          started: false,
          restartCount: 4,
          state: {
            waiting: {
              reason: 'CrashLoopBackOff',
              message: 'back-off 1m20s restarting failed container=other pod=web_default(uid-web)',
            },
          },
          lastState: { terminated: { exitCode: 1, reason: 'Error', containerID: 'docker://other4' } },
        },
      ],
    });
  });

  test('what is shown as the state is not the last state too', () => {
    const seen = observed(sandbox(), exited(MAIN, 2, { attempt: 1 }), exited(MAIN, 1));
    const [status] = statusOf(web({ restartPolicy: 'Never' }), seen).containerStatuses ?? [];
    expect(status?.state.terminated?.exitCode).toBe(2);
    expect(status?.lastState.terminated?.exitCode).toBe(1);
  });

  test('a problem with the image or the configuration is the reason to wait', () => {
    const memory = settled();
    const failure = { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nginx:1"', retryAtMs: 0, count: 2 };
    memoryOf(memory, 'main').failure = failure;
    const [status] = statusOf(web(), observed(sandbox()), memory).containerStatuses ?? [];
    expect(status?.state).toEqual({ waiting: { reason: failure.reason, message: failure.message } });
  });

  test('what a container wrote when it ended is its message', () => {
    const memory = settled();
    memory.messages.set('main0', 'out of coffee');
    const [status] =
      statusOf(web({ restartPolicy: 'Never' }), observed(exited(MAIN, 1)), memory).containerStatuses ?? [];
    expect(status?.state.terminated?.message).toBe('out of coffee');
  });

  test('a deleted pod whose containers have ended has failed or succeeded by their exit codes', () => {
    const ending = (): PodMemory => ({ ...settled(), ending: { deleted: true, graceSeconds: 30 } });
    expect(statusOf(web(), observed(sandbox(), container(MAIN)), ending()).phase).toBe('Running');
    expect(statusOf(web(), observed(sandbox(), exited(MAIN, 0)), ending()).phase).toBe('Succeeded');
    expect(statusOf(web(), observed(sandbox(), exited(MAIN, 143)), ending()).phase).toBe('Failed');
  });

  test('an evicted pod has failed and says why', () => {
    const memory = { ...settled(), evicted: { reason: 'DeadlineExceeded', message: 'too long' } };
    const status = statusOf(web(), observed(sandbox(), container(MAIN)), memory);
    expect(status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' });
  });

  test('a phase that is final stays', () => {
    const memory = { ...settled(), reported: { phase: 'Succeeded' } as PodStatus };
    expect(statusOf(web(), observed(), memory).phase).toBe('Succeeded');
  });
});

describe('conditions', () => {
  test('of a pod that is ready', () => {
    const status = statusOf(web(), observed(sandbox(), container(MAIN)));
    expect(conditionsOf(status)).toEqual({
      PodReadyToStartContainers: 'True',
      Initialized: 'True',
      Ready: 'True',
      ContainersReady: 'True',
      PodScheduled: 'True',
    });
  });

  test('of one that begins say what is missing', () => {
    const status = statusOf(web({ initContainers: [INIT] }), observed(), emptyMemory(EPOCH_MS));
    expect(conditionsOf(status)).toEqual({
      PodReadyToStartContainers: 'False',
      Initialized: 'False ContainersNotInitialized',
      Ready: 'False ContainersNotReady',
      ContainersReady: 'False ContainersNotReady',
      PodScheduled: 'True',
    });
    const messages = status.conditions?.flatMap(({ message }) => message ?? []);
    expect(messages).toEqual([
      'containers with incomplete status: [init]',
      'containers with unready status: [main]',
      'containers with unready status: [main]',
    ]);
  });

  test('of one that succeeded say that it is completed', () => {
    const status = statusOf(web({ restartPolicy: 'Never' }), observed(exited(MAIN, 0)));
    expect(conditionsOf(status)).toMatchObject({
      Initialized: 'True PodCompleted',
      Ready: 'False PodCompleted',
      ContainersReady: 'False PodCompleted',
    });
  });

  test('follow the probes', () => {
    const probed = web({ containers: [{ ...MAIN, readinessProbe: {}, startupProbe: {} }] });
    const seen = observed(sandbox(), container(MAIN));
    const memory = settled();
    const look = () => {
      const status = statusOf(probed, seen, memory);
      const [first] = status.containerStatuses ?? [];
      return [first?.started, first?.ready, conditionsOf(status).Ready];
    };
    expect(look()).toEqual([false, false, 'False ContainersNotReady']);
    memoryOf(memory, 'main').probed = { containerId: 'main0', started: true, ready: false };
    expect(look()).toEqual([true, false, 'False ContainersNotReady']);
    memoryOf(memory, 'main').probed = { containerId: 'main0', started: true, ready: true };
    expect(look()).toEqual([true, true, 'True']);
    memoryOf(memory, 'main').probed = { containerId: 'an-earlier-one', started: true, ready: true };
    expect(look()).toEqual([false, false, 'False ContainersNotReady']);
  });

  test('count a sidecar that is not ready', () => {
    const side: Container = { name: 'side', image: 'side:1', restartPolicy: 'Always', readinessProbe: {} };
    const status = statusOf(web({ initContainers: [side] }), observed(sandbox(), container(side), container(MAIN)));
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.message).toBe(
      'containers with unready status: [side]',
    );
  });

  test('wait for readiness gates, and keep conditions that are not the kubelet’s', () => {
    const gate = { type: 'example.test/gate', status: 'False' as const };
    const gated = (status?: PodStatus) => web({ readinessGates: [{ conditionType: gate.type }] }, status);
    const seen = observed(sandbox(), container(MAIN));
    const messageOf = (wanted: Pod) => statusOf(wanted, seen).conditions?.find(({ type }) => type === 'Ready')?.message;
    expect(messageOf(gated())).toBe(
      'corresponding condition of pod readiness gate "example.test/gate" does not exist.',
    );
    expect(messageOf(gated({ conditions: [gate] }))).toBe(
      'the status of pod readiness gate "example.test/gate" is not "True", but False',
    );
    const open = statusOf(gated({ conditions: [{ ...gate, status: 'True' }] }), seen);
    expect(conditionsOf(open)).toMatchObject({ Ready: 'True', 'example.test/gate': 'True' });
  });

  test('keep the time of their last change', () => {
    const memory = settled();
    const seen = observed(sandbox(), container(MAIN));
    memory.reported = statusOf(web(), seen, memory);
    const later = statusOf(web(), seen, memory, EPOCH_MS + 60_000);
    expect(later).toEqual(memory.reported);
    const crashed = statusOf(web(), observed(sandbox(), exited(MAIN, 1)), memory, EPOCH_MS + 60_000);
    const timeOf = (type: string) => crashed.conditions?.find((each) => each.type === type)?.lastTransitionTime;
    expect([timeOf('Initialized'), timeOf('Ready')]).toEqual(['2026-01-01T00:00:02Z', '2026-01-01T00:01:00Z']);
  });
});

describe('the rest', () => {
  test('addresses, times, quality of service, generation', () => {
    const wanted = web({ containers: [{ ...MAIN, resources: { requests: { cpu: '1' } } }] });
    wanted.metadata.generation = 4;
    expect(statusOf(wanted, observed(sandbox(), container(MAIN)))).toMatchObject({
      observedGeneration: 4,
      hostIP: '192.168.0.9',
      hostIPs: [{ ip: '192.168.0.9' }],
      podIP: '10.244.0.5',
      podIPs: [{ ip: '10.244.0.5' }],
      startTime: EPOCH,
      qosClass: 'Burstable',
    });
  });

  test('a pod on the network of the host has its address', () => {
    const status = statusOf(web({ hostNetwork: true }), observed(sandbox(), container(MAIN)), emptyMemory(EPOCH_MS));
    expect([status.podIP, conditionsOf(status).PodReadyToStartContainers]).toEqual(['192.168.0.9', 'True']);
  });

  test('a pod that is over keeps the address that it had', () => {
    const memory = { ...settled(), network: undefined };
    const wanted = web({ restartPolicy: 'Never' }, { podIP: '10.244.0.5' });
    expect(statusOf(wanted, observed(exited(MAIN, 0)), memory).podIP).toBe('10.244.0.5');
  });
});
