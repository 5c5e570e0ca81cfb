/**
 * What the agent needs from a container engine, and nothing more. `docker-runtime.ts` is the real one (the only user of
 * dockerode), `test/support/fake-runtime.ts` the fake; both pass `test/contracts/runtime.ts`.
 * A pod is a sandbox (the pause container, which owns the network namespace) and its containers. All that the agent must
 * know to adopt a container after a restart is in the container's own labels.
 */
import type { Duplex, Readable, Writable } from 'node:stream';

export interface SandboxSpec {
  pod: { namespace: string; name: string; uid: string };
  hostname: string;
  /** true: share the host's network; else an own namespace, empty: `agent/network` connects it. */
  hostNetwork: boolean;
  hostPID: boolean;
  hostIPC: boolean;
  /** Grows by one each time that the pod gets a new sandbox. */
  attempt: number;
  sysctls: Record<string, string>;
  labels: Record<string, string>;
}

export interface Mount {
  hostPath: string;
  containerPath: string;
  readOnly: boolean;
}

/** What a running container can be given more or less of. 0: none. */
export interface EngineLimits {
  /** Of CPU time a second. */
  cpuNano: number;
  /** Of weight. */
  cpuShares: number;
  memoryBytes: number;
}

export interface ContainerSpec {
  pod: { namespace: string; name: string; uid: string };
  name: string;
  attempt: number;
  kind: 'container' | 'init' | 'ephemeral';
  image: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env: { name: string; value: string }[];
  mounts: Mount[];
  resources: Partial<EngineLimits> & { oomScoreAdjust: number };
  /** Whose processes it sees: its own, all of its pod's (shareProcessNamespace), the host's, or another container's. */
  processes: 'container' | 'pod' | 'host' | { containerId: string };
  ipc: 'pod' | 'host';
  user?: string;
  /** Supplemental groups (fsGroup among them). */
  groups: number[];
  readOnlyRootFilesystem: boolean;
  privileged: boolean;
  allowPrivilegeEscalation: boolean;
  seccomp: 'default' | 'unconfined';
  capabilities: { add: string[]; drop: string[] };
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  stopSignalGraceSeconds: number;
  /** Hash of the spec that the container was made from: a different one means it must be replaced. */
  specHash: string;
  labels: Record<string, string>;
}

export interface ObservedContainer {
  id: string;
  pod: { namespace: string; name: string; uid: string };
  /** Container name in the pod; '' for the sandbox. */
  name: string;
  kind: 'sandbox' | 'container' | 'init' | 'ephemeral';
  attempt: number;
  /** The sandbox that a container joined; '' for a sandbox. */
  sandboxId: string;
  specHash: string;
  image: string;
  imageID: string;
  state: 'created' | 'running' | 'exited';
  /** Process id on the host of the first process; 0 when not running. */
  pid: number;
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  exitCode?: number;
  oomKilled?: boolean;
  /** What the engine said when it could not start; such a container is `exited` with code 128. */
  error?: string;
  resources: EngineLimits;
  labels: Record<string, string>;
}

export interface ImageInfo {
  id: string;
  digests: string[];
  sizeBytes: number;
  /** USER of the image, '' when unset: needed for runAsNonRoot. */
  user: string;
}

export interface LogOptions {
  follow: boolean;
  tailLines?: number;
  sinceMs?: number;
  timestamps: boolean;
}

export interface ExecOptions {
  command: string[];
  tty: boolean;
  stdin: boolean;
}

export interface ExecSession {
  /** Half-closing it closes the command's stdin. */
  stdin: Writable | undefined;
  stdout: Readable;
  /** Empty with a tty. */
  stderr: Readable;
  resize(columns: number, rows: number): Promise<void>;
  /** Exit code, once the command has ended and both outputs are drained. */
  ended: Promise<number>;
  /** Stops watching; the command is not killed (as in Docker). */
  close(): void;
}

export type RuntimeEvent =
  | {
      type: 'started' | 'died' | 'removed' | 'oom';
      containerId: string;
      pod: { namespace: string; name: string; uid: string };
    }
  /** Events may have been missed (the engine was away): list again. */
  | { type: 'reconnected' };

export class ImagePullError extends Error {
  readonly reason: 'ErrImagePull' | 'ErrImageNeverPull' | 'InvalidImageName';
  constructor(reason: ImagePullError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface Runtime {
  /** @throws when the engine cannot be reached, with what to do about it. */
  version(): Promise<{ name: string; version: string }>;
  /** Everything that carries this instance's labels, running or not. */
  list(): Promise<ObservedContainer[]>;
  /** One of them; undefined when it is gone. */
  inspect(containerId: string): Promise<ObservedContainer | undefined>;
  image(reference: string): Promise<ImageInfo | undefined>;
  /** @throws ImagePullError */
  pull(reference: string, credentials?: { username: string; password: string; registry: string }): Promise<void>;
  /** Makes the pause container, not yet running. */
  createSandbox(spec: SandboxSpec): Promise<ObservedContainer>;
  /** Makes a container that will join the sandbox (which need not run yet); not yet running. */
  createContainer(spec: ContainerSpec, sandboxId: string): Promise<ObservedContainer>;
  /**
   * Starts what was created. The answer has the pid of a sandbox; a container's pid is 0 until it is inspected, which
   * saves a call on the way of every container.
   * @throws with the engine's words when it does not start; the container is then observed as `exited`.
   */
  start(created: ObservedContainer): Promise<ObservedContainer>;
  /**
   * Gives a container more or less while it runs.
   * @throws with the engine's words when it does not take it, also when it takes only a part.
   */
  update(containerId: string, limits: EngineLimits): Promise<ObservedContainer>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after the grace period. Already stopped is fine. */
  stop(containerId: string, graceSeconds: number): Promise<void>;
  /** Kills it if need be. Gone already is fine. */
  remove(containerId: string): Promise<void>;
  /** Ends when the container's log does (or `signal` aborts). stdout and stderr apart; each line whole. */
  logs(
    containerId: string,
    options: LogOptions,
    signal: AbortSignal,
  ): AsyncIterable<{ stream: 'stdout' | 'stderr'; bytes: Uint8Array }>;
  exec(containerId: string, options: ExecOptions): Promise<ExecSession>;
  attach(containerId: string, options: { stdin: boolean; tty: boolean }): Promise<ExecSession>;
  /** Events of this cluster's containers, from now on, until `signal` aborts. Reconnects by itself. */
  events(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): void;
  /** One sample: bytes and CPU nanoseconds used so far, by container id. */
  stats(containerIds: string[]): Promise<Map<string, { memoryBytes: number; cpuNano: number }>>;
}

export type { Duplex };
