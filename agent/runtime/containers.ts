/**
 * Sandboxes and containers in the engine's terms, both ways: specs to create bodies, inspections to what the agent
 * observes. Pure; `docker-runtime.ts` makes the calls.
 */
import type Docker from 'dockerode';
import { containerLabels, containerName, isKind, LABELS, podOf, sandboxLabels, sandboxName } from './naming.ts';
import { PAUSE_IMAGE } from './pause-image.ts';
import type { ContainerSpec, EngineLimits, Mount, ObservedContainer, SandboxSpec } from './runtime.ts';

/** As kubelet's containerLogMaxSize and containerLogMaxFiles, so that no container can fill the disk with its log. */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };
/** The sandbox must be the last thing of a pod that the kernel kills. */
const SANDBOX_OOM_SCORE = -998;
/** kubelet's code for a container whose process could not be started. */
const START_ERROR_CODE = 128;

export function sandboxBody(
  instance: string,
  spec: SandboxSpec,
  lowestOomScore: number,
): Docker.ContainerCreateOptions {
  return {
    name: sandboxName(instance, spec),
    Image: PAUSE_IMAGE,
    // The engine refuses a host name together with the host's network.
    ...(spec.hostNetwork ? {} : { Hostname: spec.hostname }),
    Labels: sandboxLabels(instance, spec),
    HostConfig: {
      NetworkMode: spec.hostNetwork ? 'host' : 'none',
      IpcMode: spec.hostIPC ? 'host' : 'shareable',
      ...(spec.hostPID ? { PidMode: 'host' } : {}),
      Sysctls: spec.sysctls,
      OomScoreAdj: Math.max(SANDBOX_OOM_SCORE, lowestOomScore),
      LogConfig: { Type: 'none', Config: {} },
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
    },
  };
}

export function containerBody(
  instance: string,
  spec: ContainerSpec,
  sandboxId: string,
  lowestOomScore: number,
): Docker.ContainerCreateOptions {
  return {
    name: containerName(instance, spec),
    Image: spec.image,
    ...(spec.command === undefined ? {} : { Entrypoint: spec.command }),
    // Kubernetes: a command without args drops the image's CMD; the engine does so too when Entrypoint is given.
    ...(spec.args === undefined ? {} : { Cmd: spec.args }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    Env: spec.env.map(({ name, value }) => `${name}=${value}`),
    Labels: containerLabels(instance, spec, sandboxId),
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    Tty: spec.tty,
    StopTimeout: spec.stopSignalGraceSeconds,
    // Kubernetes has probes of its own: an image's HEALTHCHECK would only cost.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: `container:${sandboxId}`,
      IpcMode: spec.ipc === 'host' ? 'host' : `container:${sandboxId}`,
      ...pidMode(spec, sandboxId),
      Binds: spec.mounts.map(bindOf),
      ...resourcesOf(spec.resources, lowestOomScore),
      GroupAdd: spec.groups.map(String),
      ReadonlyRootfs: spec.readOnlyRootFilesystem,
      Privileged: spec.privileged,
      CapAdd: spec.capabilities.add,
      CapDrop: spec.capabilities.drop,
      SecurityOpt: [
        ...(spec.allowPrivilegeEscalation ? [] : ['no-new-privileges']),
        ...(spec.seccomp === 'unconfined' ? ['seccomp=unconfined'] : []),
      ],
      LogConfig: LOG_CONFIG,
      RestartPolicy: { Name: 'no' },
    },
  };
}

function pidMode(spec: ContainerSpec, sandboxId: string): { PidMode?: string } {
  if (spec.processes === 'host') return { PidMode: 'host' };
  if (typeof spec.processes === 'object') return { PidMode: `container:${spec.processes.containerId}` };
  return spec.processes === 'pod' ? { PidMode: `container:${sandboxId}` } : {};
}

function bindOf(mount: Mount): string {
  return `${mount.hostPath}:${mount.containerPath}:${mount.readOnly ? 'ro' : 'rw'}`;
}

const resourcesOf = (resources: ContainerSpec['resources'], lowestOomScore: number): Docker.HostConfig => ({
  ...updateBody(resources),
  OomScoreAdj: Math.max(resources.oomScoreAdjust, lowestOomScore),
});

/** What is none is left out: the engine takes 0 in an update for "as it is". */
export function updateBody({ cpuNano, cpuShares, memoryBytes }: Partial<EngineLimits>) {
  return {
    ...(cpuNano ? { NanoCpus: cpuNano } : {}),
    ...(cpuShares ? { CpuShares: cpuShares } : {}),
    // Swap on top of the limit would hide that it was reached.
    ...(memoryBytes ? { Memory: memoryBytes, MemorySwap: memoryBytes } : {}),
  };
}

const limitsOf = ({ NanoCpus, CpuShares, Memory }: Docker.HostConfig): EngineLimits => ({
  cpuNano: NanoCpus ?? 0,
  cpuShares: CpuShares ?? 0,
  memoryBytes: Memory ?? 0,
});

/** What was just made, without asking the engine again. */
export function created(id: string, body: Docker.ContainerCreateOptions, createdAt: string): ObservedContainer {
  const facts = { image: body.Image ?? '', imageID: '', createdAt, state: 'created', pid: 0 } as const;
  return observed(id, body.Labels ?? {}, { ...facts, resources: limitsOf(body.HostConfig ?? {}) });
}

type Facts = Pick<
  ObservedContainer,
  | 'image'
  | 'imageID'
  | 'createdAt'
  | 'state'
  | 'pid'
  | 'startedAt'
  | 'finishedAt'
  | 'exitCode'
  | 'oomKilled'
  | 'error'
  | 'resources'
>;

function observed(id: string, labels: Record<string, string>, facts: Facts): ObservedContainer {
  const label = labels[LABELS.kind];
  const kind = isKind(label) ? label : 'container';
  return {
    id,
    pod: podOf(labels),
    name: kind === 'sandbox' ? '' : (labels[LABELS.containerName] ?? ''),
    kind,
    attempt: Number(labels[LABELS.attempt] ?? 0),
    sandboxId: labels[LABELS.sandboxId] ?? '',
    specHash: labels[LABELS.hash] ?? '',
    labels,
    ...facts,
  };
}

export function observe(info: Docker.ContainerInspectInfo): ObservedContainer {
  const { State: state } = info;
  const resources = limitsOf(info.HostConfig);
  const common = { image: info.Config.Image, imageID: info.Image, createdAt: info.Created, resources };
  const labels = info.Config.Labels ?? {};
  // Neither paused nor restarting nor dead is a state that we bring about: they count as what they are closest to.
  if (state.Running || state.Paused)
    return observed(info.Id, labels, { ...common, state: 'running', pid: state.Pid, startedAt: state.StartedAt });
  if (state.Status === 'created' && state.Error === '')
    return observed(info.Id, labels, { ...common, state: 'created', pid: 0 });
  const failedToStart = state.Error !== '' && isZeroTime(state.StartedAt);
  return observed(info.Id, labels, {
    ...common,
    state: 'exited',
    pid: 0,
    startedAt: isZeroTime(state.StartedAt) ? info.Created : state.StartedAt,
    finishedAt: isZeroTime(state.FinishedAt) ? info.Created : state.FinishedAt,
    exitCode: failedToStart ? START_ERROR_CODE : state.ExitCode,
    oomKilled: state.OOMKilled,
    ...(state.Error === '' ? {} : { error: state.Error }),
  });
}

const isZeroTime = (time: string) => time.startsWith('0001-');
