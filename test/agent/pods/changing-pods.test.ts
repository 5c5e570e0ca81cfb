/** Pods that change while they run, through the keeper over a fake engine: ephemeral containers join, resources are resized. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Container, EphemeralContainer, Pod, PodSpec, ResourceRequirements } from '../../../shared/api/core.ts';
import { EPOCH_MS, pod } from '../../support/builders.ts';
import { FakeRuntime } from '../../support/fake-runtime.ts';
import { FakeClock, Kubelet } from '../../support/kubelet.ts';

const IMAGE = { id: 'sha256:1', digests: [], sizeBytes: 7, user: '' };

// Waiting in vain must be heard of in its own words.
vi.setConfig({ testTimeout: 30_000 });

let runtime: FakeRuntime;
let clock: FakeClock;
let kubelet: Kubelet;

beforeEach(() => {
  clock = new FakeClock(EPOCH_MS);
  runtime = new FakeRuntime({ nowMs: () => clock.now() });
  runtime.images.set('nginx:1', IMAGE);
  runtime.images.set('busybox:1', IMAGE);
  kubelet = new Kubelet(runtime, { clock });
});

afterEach(() => kubelet.close());

const web = (spec: Partial<PodSpec>, generation = 1, name = 'web'): Pod =>
  pod(name, {
    spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...spec },
    metadata: { generation, uid: `uid-${name}`, resourceVersion: String(generation) },
  });

async function keep(...pods: Pod[]): Promise<void> {
  kubelet.keeper.setPods(pods);
  await kubelet.keeper.start();
  for (const { metadata, spec } of pods)
    for (const { name } of spec.containers)
      await kubelet.until(`${name} to run`, () => kubelet.container(metadata.uid, name)?.state.running !== undefined);
}

const main = (name = 'web') => kubelet.container(`uid-${name}`, 'main');
const conditionOf = (type: string, name = 'web') =>
  kubelet.status(`uid-${name}`)?.conditions?.find((each) => each.type === type);

describe('an ephemeral container', () => {
  const DEBUGGER: EphemeralContainer = { name: 'debugger', image: 'busybox:1', targetContainerName: 'main' };
  const debugged = () => web({ ephemeralContainers: [DEBUGGER] }, 2);
  const debugging = () => kubelet.container('uid-web', 'debugger');

  beforeEach(async () => {
    await keep(web({}));
    kubelet.keeper.setPods([debugged()]);
    await kubelet.until('it to run', () => debugging()?.state.running !== undefined);
  });

  test('joins its pod: logs, commands and attachment reach it, events name it', async () => {
    expect(main()).toMatchObject({ restartCount: 0, ready: true });
    expect(await kubelet.logOf('uid-web', 'debugger')).toBe('');
    const session = await kubelet.keeper.exec('uid-web', 'debugger', { command: ['true'], tty: false, stdin: false });
    expect(await session.ended).toBe(0);
    await kubelet.keeper.attach('uid-web', 'debugger', { stdin: false, tty: false });
    expect(kubelet.events.at(-1)).toMatchObject({
      message: 'Started container debugger',
      involvedObject: { fieldPath: 'spec.ephemeralContainers{debugger}' },
    });
  });

  test('is taken up again after a restart of the agent, and ends once and for all', async () => {
    const id = debugging()?.containerID;
    await kubelet.restart([debugged()]);
    await kubelet.until('its status', () => debugging()?.containerID === id);
    runtime.end(id?.replace('docker://', '') ?? '', 5);
    await kubelet.until('its end', () => debugging()?.state.terminated?.exitCode === 5);
    await clock.advance(600_000);
    expect(runtime.calls.filter((call) => call === 'create debugger')).toHaveLength(1);
    expect(kubelet.status('uid-web')?.phase).toBe('Running');
  });
});

describe('a resize', () => {
  const sized = (resources: ResourceRequirements, own: Partial<Container> = {}): Partial<PodSpec> => ({
    containers: [{ name: 'main', image: 'nginx:1', resources, ...own }],
  });
  const cpu = (amount: string) => sized({ requests: { cpu: amount } });
  const memory = (limit: string, own: Partial<Container> = {}) =>
    sized({ requests: { memory: '32Mi' }, limits: { memory: limit } }, own);
  const details = (resources: object, generation: number, more = '') =>
    `{"containers":[{"name":"main","resources":${JSON.stringify(resources)}}],"generation":${generation}${more}}`;

  test('goes on in place, is reported and told', async () => {
    await keep(web(cpu('100m')));
    expect(main()).toMatchObject({ allocatedResources: { cpu: '100m' }, resources: { requests: { cpu: '100m' } } });
    kubelet.keeper.setPods([web(cpu('200m'), 2)]);
    await kubelet.until('the resize', () => main()?.resources?.requests?.cpu === '200m');
    expect(main()).toMatchObject({ allocatedResources: { cpu: '200m' }, restartCount: 0 });
    expect(kubelet.status('uid-web')?.observedGeneration).toBe(2);
    await kubelet.until('its end', () => conditionOf('PodResizeInProgress') === undefined);
    expect(kubelet.eventTexts().slice(-2)).toEqual([
      `Normal ResizeStarted Pod resize started: ${details({ requests: { cpu: '200m' } }, 2)}`,
      `Normal ResizeCompleted Pod resize completed: ${details({ requests: { cpu: '200m' } }, 2)}`,
    ]);
    expect(runtime.calls.filter((call) => call.startsWith('update'))).toEqual(['update main']);
    await kubelet.restart([web(cpu('200m'), 2)]);
    await clock.advance(60_000);
    expect(runtime.calls.filter((call) => call.startsWith('update'))).toEqual(['update main']);
  });

  test('restarts the container where its policy asks for that', async () => {
    const own: Partial<Container> = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    await keep(web(memory('64Mi', own)));
    kubelet.keeper.setPods([web(memory('96Mi', own), 2)]);
    await kubelet.until('the restart', () => main()?.restartCount === 1 && main()?.state.running !== undefined);
    await kubelet.until('its end', () => conditionOf('PodResizeInProgress') === undefined);
    expect(main()?.resources?.limits).toEqual({ memory: '96Mi' });
    expect(kubelet.eventTexts()).toContain('Normal Killing Container main resize requires restart');
    expect(runtime.calls).not.toContain('update main');
  });

  test('does not go below what is used, says so, and goes on when less is used', async () => {
    await keep(web(memory('64Mi')));
    runtime.usedBytes = 60 << 20;
    kubelet.keeper.setPods([web(memory('48Mi'), 2)]);
    const why =
      'cannot decrease memory limits: attempting to set container "main" memory limit (50331648) below current usage (62914560)';
    await kubelet.until('the refusal', () => conditionOf('PodResizeInProgress')?.reason === 'Error');
    expect(conditionOf('PodResizeInProgress')).toMatchObject({ status: 'True', message: why, observedGeneration: 2 });
    expect(main()).toMatchObject({ resources: { limits: { memory: '64Mi' } }, restartCount: 0 });
    expect(kubelet.eventTexts().at(-1)).toContain('Warning ResizeError Pod resize error: ');
    runtime.usedBytes = 1 << 20;
    await clock.advance(10_000);
    await kubelet.until('the resize', () => main()?.resources?.limits?.memory === '48Mi');
  });

  test('that the engine refuses is an error of the resize, not of the pod', async () => {
    runtime.refusesUpdate = 'Your kernel does not support CPU shares';
    await keep(web(cpu('100m')));
    kubelet.keeper.setPods([web(cpu('200m'), 2)]);
    await kubelet.until('the refusal', () => conditionOf('PodResizeInProgress')?.reason === 'Error');
    expect(conditionOf('PodResizeInProgress')?.message).toBe('Your kernel does not support CPU shares');
    expect(conditionOf('Ready')?.status).toBe('True');
    expect(kubelet.errors).toEqual([]);
  });

  test('that does not fit waits until another pod makes room', async () => {
    const other = web(cpu('1500m'), 1, 'other');
    await keep(web(cpu('100m')), other);
    kubelet.keeper.setPods([web(cpu('1'), 2), other]);
    await kubelet.until('the delay', () => conditionOf('PodResizePending')?.reason === 'Deferred');
    const why = "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000";
    expect(conditionOf('PodResizePending')).toMatchObject({ status: 'True', message: why, observedGeneration: 2 });
    expect(kubelet.eventTexts()).toContain(
      `Warning ResizeDeferred Pod resize Deferred: ${details({ requests: { cpu: '1' } }, 2, `,"error":${JSON.stringify(why)}`)}`,
    );
    expect(main()).toMatchObject({ allocatedResources: { cpu: '100m' }, resources: { requests: { cpu: '100m' } } });
    kubelet.keeper.setPods([web(cpu('1'), 2), web(cpu('700m'), 2, 'other')]);
    await kubelet.until('the resize', () => main()?.resources?.requests?.cpu === '1');
    expect(conditionOf('PodResizePending')).toBeUndefined();
  });

  test('that waits is still one that waits after a restart of the agent', async () => {
    await keep(web(cpu('100m')));
    kubelet.keeper.setPods([web(cpu('5'), 2)]);
    await kubelet.until('the refusal', () => conditionOf('PodResizePending')?.reason === 'Infeasible');
    const known = { ...web(cpu('5'), 2), status: kubelet.status('uid-web') };
    await kubelet.restart([known as Pod]);
    await clock.advance(1_000);
    expect(conditionOf('PodResizePending')?.reason).toBe('Infeasible');
    expect(main()?.allocatedResources).toEqual({ cpu: '100m' });
    expect(runtime.calls).not.toContain('update main');
  });

  test('is what a container that crashes comes back with', async () => {
    await keep(web(memory('64Mi')));
    runtime.refusesUpdate = 'no';
    kubelet.keeper.setPods([web(memory('96Mi'), 2)]);
    await kubelet.until('the refusal', () => conditionOf('PodResizeInProgress')?.reason === 'Error');
    runtime.end(main()?.containerID?.replace('docker://', '') ?? '', 1);
    await kubelet.until('the restart', () => main()?.restartCount === 1 && main()?.state.running !== undefined);
    await kubelet.until('its end', () => conditionOf('PodResizeInProgress') === undefined);
    expect(main()?.resources?.limits).toEqual({ memory: '96Mi' });
  });
});
