/**
 * Doing what the plan asks for, one function an action: calls to the runtime and the network, and what they come to in the
 * pod's memory and events. A failure that Kubernetes knows becomes part of the memory, with the time of the next try;
 * anything else is thrown, and logged by the worker.
 */
import type { ObservedContainer } from '../runtime/runtime.ts';
import { retryDelayMs } from './back-off.ts';
import { containerSpecOf } from './container-spec.ts';
import { engineLimitsOf } from './engine-limits.ts';
import { ConfigurationError, environmentOf, expand } from './environment.ts';
import { hostnameOf } from './hosts-file.ts';
import { ImageProblem } from './images.ts';
import { runHook } from './lifecycle.ts';
import { type Failure, memoryOf, type PodMemory } from './memory.ts';
import { gracePeriodOf } from './plan-ending.ts';
import { type PodContext, podIPOf } from './pod-context.ts';
import { makeNetworkFiles, makeTerminationLog, networkMounts, writeHosts } from './pod-network-files.ts';
import { resizeDetails } from './resize.ts';
import type { Step, StepOf } from './step.ts';
import { VolumeError } from './volume-contents.ts';
import { mountsOf, prepareVolumes, removePodFiles } from './volumes.ts';

type Performers = { [Kind in Step['do']]: (context: PodContext, step: StepOf<Kind>) => Promise<void> };

export function perform(context: PodContext, step: Step): Promise<void> {
  return (PERFORMERS[step.do] as (context: PodContext, step: Step) => Promise<void>)(context, step);
}

const PERFORMERS: Performers = {
  wait: async () => {},
  'prepare-volumes': prepare,
  'ensure-image': ensureImage,
  'create-sandbox': createSandbox,
  'start-sandbox': startSandbox,
  'attach-network': attachNetwork,
  'create-container': createContainer,
  'start-container': startContainer,
  'resize-container': resizeContainer,
  'stop-container': stopContainer,
  'remove-container': async ({ parts, forget }, { target }) => {
    await parts.runtime.remove(target.id);
    forget(target.id);
  },
  'detach-network': async ({ parts, pod, memory }) => {
    await parts.network.detach(pod().metadata.uid);
    memory.network = undefined;
  },
  'remove-volumes': async ({ files, memory }) => {
    await removePodFiles(files);
    memory.volumes = 'removed';
  },
  evict: async ({ memory, events }, { eviction }) => {
    memory.evicted = eviction;
    events.normal(eviction.reason, eviction.message);
  },
  gone: async () => {},
};

const VOLUME_RETRY = { firstMs: 500, lastMs: 122_000 };
const SANDBOX_RETRY = { firstMs: 500, lastMs: 10_000 };
const CONTAINER_RETRY_MS = 10_000;

function failureAfter(
  before: Failure | undefined,
  error: Error,
  reason: string,
  nowMs: number,
  retry: { firstMs: number; lastMs: number },
): Failure {
  const count = (before?.count ?? 0) + 1;
  const retryAtMs = nowMs + retryDelayMs(count - 1, retry.firstMs, retry.lastMs);
  return { reason, message: error.message, retryAtMs, count };
}

async function prepare({ parts, pod, memory, files, events, facts }: PodContext): Promise<void> {
  try {
    const sources = { references: parts.references, facts: facts(), tokens: parts.tokens };
    await makeNetworkFiles(pod(), files, parts.cluster(), memory.network?.ip, events);
    await prepareVolumes(pod(), files, sources, parts.clock.now());
    memory.volumes = 'ready';
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    const before = typeof memory.volumes === 'object' ? memory.volumes : undefined;
    // Once a message: a missing object may be missing for hours.
    if (before?.message !== error.message) events.warning('FailedMount', error.message);
    memory.volumes = failureAfter(before, error, 'FailedMount', parts.clock.now(), VOLUME_RETRY);
  }
}

async function ensureImage(context: PodContext, { container, attempt }: StepOf<'ensure-image'>): Promise<void> {
  const remembered = memoryOf(context.memory, container.spec.name);
  try {
    const info = await context.images.ensure(context.pod(), container.spec, container, context.events);
    remembered.image = { attempt, id: info.id, user: info.user };
    remembered.failure = undefined;
  } catch (error) {
    if (!(error instanceof ImageProblem)) throw error;
    const { reason, message, retryAtMs } = error;
    remembered.failure = { reason, message, retryAtMs, count: (remembered.failure?.count ?? 0) + 1 };
  }
}

async function createSandbox(context: PodContext, { attempt }: StepOf<'create-sandbox'>): Promise<void> {
  const { parts, pod, merge } = context;
  const { metadata, spec } = pod();
  await sandboxWork(context, async () => {
    const sandbox = await parts.runtime.createSandbox({
      pod: { namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid },
      hostname: hostnameOf(pod()),
      hostNetwork: spec.hostNetwork === true,
      hostPID: spec.hostPID === true,
      hostIPC: spec.hostIPC === true,
      attempt,
      sysctls: Object.fromEntries((spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value])),
      labels: {},
    });
    await merge(sandbox);
  });
}

async function startSandbox(context: PodContext, { sandbox }: StepOf<'start-sandbox'>): Promise<void> {
  const { parts, forget, merge } = context;
  await sandboxWork(context, async () => {
    try {
      await merge(await parts.runtime.start(sandbox));
    } catch (error) {
      await parts.runtime.remove(sandbox.id);
      forget(sandbox.id);
      throw error;
    }
  });
}

async function attachNetwork(context: PodContext, { sandbox }: StepOf<'attach-network'>): Promise<void> {
  const { parts, pod, memory, files } = context;
  await sandboxWork(context, async () => {
    const all = [...pod().spec.containers, ...(pod().spec.initContainers ?? [])];
    const hostPorts = all
      .flatMap((container) => container.ports ?? [])
      .flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP }) =>
        hostPort === undefined || hostPort === 0 ? [] : [{ hostPort, containerPort, protocol, hostIP }],
      );
    const { uid } = pod().metadata;
    const attachment = await parts.network.attach({ uid, pid: sandbox.pid, hostPorts });
    await writeHosts(pod(), files, attachment.ip, parts.cluster()?.domain);
    memory.network = attachment;
  });
}

/** Every failure on the way to a connected sandbox is one to Kubernetes, and is tried again. */
async function sandboxWork({ memory, events, parts }: PodContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    memory.sandboxFailure = undefined;
  } catch (error) {
    const { message } = error as Error;
    if (memory.sandboxFailure?.message !== message)
      events.warning('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
    const { sandboxFailure } = memory;
    memory.sandboxFailure = failureAfter(
      sandboxFailure,
      error as Error,
      'FailedCreatePodSandBox',
      parts.clock.now(),
      SANDBOX_RETRY,
    );
  }
}

async function createContainer(context: PodContext, step: StepOf<'create-container'>): Promise<void> {
  const { parts, pod, files, events, memory, merge, facts } = context;
  const { spec } = step.container;
  const remembered = memoryOf(memory, spec.name);
  try {
    const services = parts.references.services();
    const env = environmentOf(pod(), spec, { references: parts.references, services, facts: facts() });
    const values = new Map(env.map(({ name, value }) => [name, value]));
    const volumes = await mountsOf(pod(), spec, files, (text) => expand(text, (name) => values.get(name)));
    const terminationLog = await makeTerminationLog(spec, files, step.attempt);
    const container = await parts.runtime.createContainer(
      containerSpecOf(pod(), step.container, {
        attempt: step.attempt,
        backOffSeconds: step.backOffSeconds,
        imageUser: remembered.image?.user ?? '',
        env,
        mounts: [...networkMounts(spec, files), ...terminationLog, ...volumes],
        machine: memory.machine,
        targetId: step.target?.id,
      }),
      step.sandbox.id,
    );
    remembered.failure = undefined;
    events.normal('Created', `Created container: ${spec.name}`, step.container);
    await merge({ ...container, imageID: remembered.image?.id ?? '' });
  } catch (error) {
    const configuration = error instanceof ConfigurationError || error instanceof VolumeError;
    const reason = configuration ? 'CreateContainerConfigError' : 'CreateContainerError';
    const { message } = error as Error;
    if (remembered.failure?.message !== message) events.warning('Failed', `Error: ${message}`, step.container);
    const retryAtMs = parts.clock.now() + CONTAINER_RETRY_MS;
    remembered.failure = { reason, message, retryAtMs, count: (remembered.failure?.count ?? 0) + 1 };
  }
}

async function startContainer(context: PodContext, { container, created }: StepOf<'start-container'>): Promise<void> {
  const { parts, pod, events, memory, merge } = context;
  const { spec } = container;
  let running: ObservedContainer;
  try {
    running = await parts.runtime.start(created);
  } catch (error) {
    const { message } = error as Error;
    events.warning('Failed', `Error: ${message}`, container);
    memoryOf(memory, spec.name).failure = { reason: 'RunContainerError', message, retryAtMs: 0, count: 1 };
    await mergeFailedStart(context, created, message);
    return;
  }
  await merge(running);
  events.normal('Started', `Started container ${spec.name}`, container);
  const hook = spec.lifecycle?.postStart;
  if (hook === undefined) return;
  try {
    await runHook(hook, hookTarget(context, spec, created.id, gracePeriodOf(pod()) * 1000 + HOOK_LIMIT_MS));
  } catch (error) {
    events.warning('FailedPostStartHook', `PostStartHook failed: ${(error as Error).message}`, container);
    memoryOf(memory, spec.name).condemned = {
      containerId: created.id,
      message: 'FailedPostStartHook',
      graceSeconds: gracePeriodOf(pod()),
      replaced: false,
    };
  }
}

/** A postStart hook has no limit of its own in Kubernetes; it must not hold its pod for ever. */
const HOOK_LIMIT_MS = 600_000;

/** The engine keeps the record of what did not start; where it does not (it was away), we say what we know. */
async function mergeFailedStart(
  { parts, merge }: PodContext,
  created: ObservedContainer,
  message: string,
): Promise<void> {
  const seen = await parts.runtime.inspect(created.id);
  const nowText = new Date(parts.clock.now()).toISOString();
  if (seen !== undefined && seen.state !== 'created') return merge({ ...seen, error: seen.error ?? message });
  await merge({ ...created, state: 'exited', exitCode: 128, error: message, startedAt: nowText, finishedAt: nowText });
}

async function resizeContainer(context: PodContext, { container, target }: StepOf<'resize-container'>): Promise<void> {
  const { parts, pod, events, memory, merge } = context;
  const { name, resources } = container.spec;
  const remembered = memoryOf(memory, name);
  const limits = engineLimitsOf(resources, memory.machine);
  try {
    await refuseBelowUsage(context, name, target, limits.memoryBytes);
    const resized = await parts.runtime.update(target.id, limits);
    remembered.resizeFailure = undefined;
    await merge(resized);
  } catch (error) {
    const { message } = error as Error;
    const generation = memory.resize.progress?.generation ?? 0;
    if (remembered.resizeFailure?.message !== message)
      events.warning('ResizeError', `Pod resize error: ${resizeDetails(pod(), generation, message)}`);
    const retry = { firstMs: CONTAINER_RETRY_MS, lastMs: CONTAINER_RETRY_MS };
    const { resizeFailure } = remembered;
    remembered.resizeFailure = failureAfter(resizeFailure, error as Error, 'Error', parts.clock.now(), retry);
  }
}

/** Kubernetes: a container is not killed for what it already uses. @throws in a kubelet's words */
async function refuseBelowUsage(
  { parts }: PodContext,
  name: string,
  { id, resources }: ObservedContainer,
  memoryBytes: number,
): Promise<void> {
  if (memoryBytes === 0 || (resources.memoryBytes > 0 && memoryBytes >= resources.memoryBytes)) return;
  const usage = (await parts.runtime.stats([id])).get(id)?.memoryBytes ?? 0;
  if (usage <= memoryBytes) return;
  const what = `attempting to set container "${name}" memory limit (${memoryBytes}) below current usage (${usage})`;
  throw new Error(`cannot decrease memory limits: ${what}`);
}

/** Kubernetes: whatever preStop took, the container has this long to end. */
const LEAST_GRACE_SECONDS = 2;

async function stopContainer(context: PodContext, step: StepOf<'stop-container'>): Promise<void> {
  const { parts, events, memory, merge, forget } = context;
  const { target, spec, graceSeconds } = step;
  const view =
    spec === undefined ? undefined : { spec, kind: target.kind === 'sandbox' ? ('container' as const) : target.kind };
  if (step.replaced && spec !== undefined) condemnToReplacement(memory, step, spec.name);
  if (view !== undefined) events.normal('Killing', step.message, view);
  const beganMs = parts.clock.now();
  const preStop = spec?.lifecycle?.preStop;
  if (preStop !== undefined && graceSeconds > 0) {
    try {
      await runHook(preStop, hookTarget(context, spec!, target.id, graceSeconds * 1000));
    } catch (error) {
      events.warning('FailedPreStopHook', `PreStopHook failed: ${(error as Error).message}`, view);
    }
  }
  const spentSeconds = Math.ceil((parts.clock.now() - beganMs) / 1000);
  const left = preStop === undefined ? graceSeconds : Math.max(LEAST_GRACE_SECONDS, graceSeconds - spentSeconds);
  await parts.runtime.stop(target.id, Math.min(left, graceSeconds));
  const seen = await parts.runtime.inspect(target.id);
  if (seen === undefined) forget(target.id);
  else await merge(seen);
}

function condemnToReplacement(memory: PodMemory, step: StepOf<'stop-container'>, name: string): void {
  const { target, message, graceSeconds } = step;
  memoryOf(memory, name).condemned = { containerId: target.id, message, graceSeconds, replaced: true };
}

function hookTarget(
  context: PodContext,
  container: NonNullable<StepOf<'stop-container'>['spec']>,
  containerId: string,
  timeoutMs: number,
) {
  const { runtime, clock } = context.parts;
  return { runtime, clock, pod: context.pod(), container, containerId, podIP: podIPOf(context), timeoutMs };
}
