/**
 * A container engine in memory, for tests of what is above the runtime. Containers do what their program says: a function
 * given the container that may write to its log, end it, or let it run. Keeps the same contract as the real one
 * (`test/contracts/runtime.ts`), events and refusals included.
 */
import { PassThrough } from 'node:stream';
import { containerLabels, podOf, sandboxLabels } from '../../agent/runtime/naming.ts';
import {
  type ContainerSpec,
  type EngineLimits,
  type ExecOptions,
  type ExecSession,
  type ImageInfo,
  ImagePullError,
  type LogOptions,
  type ObservedContainer,
  type Runtime,
  type RuntimeEvent,
  type SandboxSpec,
} from '../../agent/runtime/runtime.ts';

export interface FakeProcess {
  spec: ContainerSpec;
  print(text: string, stream?: 'stdout' | 'stderr'): void;
  exit(code: number, options?: { oomKilled?: boolean }): void;
  /** What SIGTERM does; unless set, it ends the process with 143. */
  onTerminate(handler: () => void): void;
}

export type Program = (process: FakeProcess) => void;
export type Command = (
  options: ExecOptions,
  stdin: Uint8Array,
) => { stdout?: string; stderr?: string; exitCode: number };

interface Line {
  stream: 'stdout' | 'stderr';
  text: string;
  atMs: number;
}

interface FakeContainer {
  seen: ObservedContainer;
  spec?: ContainerSpec;
  lines: Line[];
  terminate: () => void;
  /** Called when a line is written or the container ends. */
  readers: Set<() => void>;
}

export class FakeRuntime implements Runtime {
  readonly images = new Map<string, ImageInfo>();
  /** By image; an image without one runs until it is stopped. */
  readonly programs = new Map<string, Program>();
  /** What exec does; by default every command succeeds. */
  command: Command = () => ({ exitCode: 0 });
  /** Registries that can be reached: what a pull brings. */
  readonly registry = new Map<string, ImageInfo>();
  /** Names of the calls so far, in order. */
  readonly calls: string[] = [];
  readonly #instance: string;
  readonly #containers = new Map<string, FakeContainer>();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  readonly #nowMs: () => number;
  #count = 0;

  constructor(options: { instance?: string; nowMs?: () => number } = {}) {
    this.#instance = options.instance ?? 'longshore';
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async version() {
    return { name: 'fake', version: '1' };
  }

  async list(): Promise<ObservedContainer[]> {
    this.calls.push('list');
    return [...this.#containers.values()].map(({ seen }) => ({ ...seen }));
  }

  async inspect(containerId: string): Promise<ObservedContainer | undefined> {
    this.calls.push('inspect');
    const found = this.#containers.get(containerId);
    return found === undefined ? undefined : { ...found.seen };
  }

  async image(reference: string): Promise<ImageInfo | undefined> {
    return this.images.get(reference);
  }

  async pull(reference: string): Promise<void> {
    this.calls.push(`pull ${reference}`);
    const found = this.registry.get(reference);
    if (found === undefined) throw new ImagePullError('ErrImagePull', `pull access denied for ${reference}`);
    this.images.set(reference, found);
  }

  async createSandbox(spec: SandboxSpec): Promise<ObservedContainer> {
    this.calls.push('createSandbox');
    return this.#create(sandboxLabels(this.#instance, spec), 'pause', {
      kind: 'sandbox',
      name: '',
      attempt: spec.attempt,
    });
  }

  async createContainer(spec: ContainerSpec, sandboxId: string): Promise<ObservedContainer> {
    this.calls.push(`create ${spec.name}`);
    if (!this.images.has(spec.image)) throw new Error(`No such image: ${spec.image}`);
    if (!this.#containers.has(sandboxId)) throw new Error(`No such container: ${sandboxId}`);
    const labels = containerLabels(this.#instance, spec, sandboxId);
    return this.#create(labels, spec.image, { ...spec, sandboxId }, spec);
  }

  #create(
    labels: Record<string, string>,
    image: string,
    own: { kind: ObservedContainer['kind']; name: string; attempt: number; sandboxId?: string; specHash?: string },
    spec?: ContainerSpec,
  ): ObservedContainer {
    this.#count++;
    const seen: ObservedContainer = {
      id: `fake${this.#count}`,
      pod: podOf(labels),
      name: own.name,
      kind: own.kind,
      attempt: own.attempt,
      sandboxId: own.sandboxId ?? '',
      specHash: own.specHash ?? '',
      image,
      imageID: this.images.get(image)?.id ?? '',
      state: 'created',
      pid: 0,
      createdAt: this.#now(),
      resources: { cpuNano: 0, cpuShares: 0, memoryBytes: 0, ...limitsOf(spec) },
      labels,
    };
    this.#containers.set(seen.id, {
      seen,
      spec,
      lines: [],
      terminate: () => this.end(seen.id, 143),
      readers: new Set(),
    });
    return { ...seen };
  }

  async start(created: ObservedContainer): Promise<ObservedContainer> {
    this.calls.push(`start ${created.name || 'sandbox'}`);
    const container = this.#get(created.id);
    const sandbox = this.#containers.get(created.sandboxId)?.seen;
    if (created.kind !== 'sandbox' && sandbox?.state !== 'running') {
      const error = `cannot join network of a non running container: ${created.sandboxId}`;
      const times = { startedAt: this.#now(), finishedAt: this.#now() };
      container.seen = { ...container.seen, ...times, state: 'exited', exitCode: 128, error };
      throw new Error(error);
    }
    const processes = container.spec?.processes;
    if (typeof processes === 'object' && this.#containers.get(processes.containerId)?.seen.state !== 'running') {
      const error = `container ${processes.containerId} is not running`;
      const times = { startedAt: this.#now(), finishedAt: this.#now() };
      container.seen = { ...container.seen, ...times, state: 'exited', exitCode: 128, error };
      throw new Error(error);
    }
    container.seen = { ...container.seen, state: 'running', pid: 1000 + this.#count, startedAt: this.#now() };
    this.#emit('started', container);
    const { spec } = container;
    if (spec !== undefined) this.#run(container, spec);
    return { ...container.seen, state: 'running', pid: created.kind === 'sandbox' ? container.seen.pid : 0 };
  }

  #run(container: FakeContainer, spec: ContainerSpec): void {
    this.programs.get(spec.image)?.({
      spec,
      print: (text, stream = 'stdout') => {
        container.lines.push({ stream, text, atMs: this.#nowMs() });
        for (const wake of container.readers) wake();
      },
      exit: (code, options) => this.end(container.seen.id, code, options),
      onTerminate: (handler) => {
        container.terminate = handler;
      },
    });
  }

  /** The process ends, as by itself. */
  end(containerId: string, exitCode: number, options: { oomKilled?: boolean } = {}): void {
    const container = this.#get(containerId);
    if (container.seen.state === 'exited') return;
    const oomKilled = options.oomKilled === true;
    container.seen = { ...container.seen, state: 'exited', pid: 0, exitCode, oomKilled, finishedAt: this.#now() };
    if (oomKilled) this.#emit('oom', container);
    this.#emit('died', container);
    for (const wake of container.readers) wake();
  }

  /** Why the engine takes no update; undefined: it does. */
  refusesUpdate: string | undefined;

  async update(containerId: string, limits: EngineLimits): Promise<ObservedContainer> {
    const container = this.#get(containerId);
    this.calls.push(`update ${container.seen.name}`);
    if (this.refusesUpdate !== undefined) throw new Error(this.refusesUpdate);
    container.seen = { ...container.seen, resources: { ...limits } };
    return { ...container.seen };
  }

  async stop(containerId: string, graceSeconds: number): Promise<void> {
    this.calls.push(`stop ${this.#containers.get(containerId)?.seen.name || 'sandbox'} ${graceSeconds}`);
    const container = this.#containers.get(containerId);
    if (container?.seen.state !== 'running') return;
    container.terminate();
    // Time is the test's: what does not end at once has had its grace period.
    this.end(containerId, 137);
  }

  async remove(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    this.calls.push(`remove ${container.seen.name || 'sandbox'}`);
    if (container.seen.state === 'running') this.end(containerId, 137);
    this.#containers.delete(containerId);
    this.#emit('removed', container);
  }

  async *logs(containerId: string, options: LogOptions, signal: AbortSignal) {
    const container = this.#get(containerId);
    const chosen = container.lines.filter(({ atMs }) => atMs >= (options.sinceMs ?? 0));
    let next = options.tailLines === undefined ? 0 : Math.max(0, chosen.length - options.tailLines);
    for (;;) {
      for (; next < chosen.length; next++) yield bytesOf(chosen[next]!, options.timestamps);
      const isOver = container.seen.state === 'exited' && container.lines.length <= chosen.length;
      if (!options.follow || isOver || signal.aborted) return;
      if (container.lines.length === chosen.length) await this.#nextLine(container, signal);
      chosen.push(...container.lines.slice(chosen.length));
    }
  }

  #nextLine(container: FakeContainer, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        container.readers.delete(done);
        resolve();
      };
      container.readers.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    this.calls.push(`exec ${options.command.join(' ')}`);
    if (this.#get(containerId).seen.state !== 'running') throw new Error(`Container ${containerId} is not running`);
    return this.#session(options.stdin, (stdin) => this.command(options, stdin));
  }

  async attach(containerId: string, options: { stdin: boolean; tty: boolean }): Promise<ExecSession> {
    const container = this.#get(containerId);
    return this.#session(options.stdin, () => ({
      stdout: container.lines.map(({ text }) => `${text}\n`).join(''),
      exitCode: 0,
    }));
  }

  #session(hasStdin: boolean, run: (stdin: Uint8Array) => ReturnType<Command>): ExecSession {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const ended = (async () => {
      const chunks: Buffer[] = [];
      if (hasStdin) for await (const chunk of stdin) chunks.push(chunk as Buffer);
      const { stdout: out = '', stderr: err = '', exitCode } = run(Buffer.concat(chunks));
      stdout.end(out);
      stderr.end(err);
      return exitCode;
    })();
    const close = () => stdin.destroy();
    return { stdin: hasStdin ? stdin : undefined, stdout, stderr, resize: async () => undefined, ended, close };
  }

  events(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): void {
    this.#listeners.add(onEvent);
    signal.addEventListener('abort', () => this.#listeners.delete(onEvent));
  }

  /** As after a restart of the engine during which events were missed. */
  reconnect(): void {
    for (const listener of this.#listeners) listener({ type: 'reconnected' });
  }

  /** What every container uses. */
  usedBytes = 1 << 20;

  async stats(containerIds: string[]) {
    const running = containerIds.filter((id) => this.#containers.get(id)?.seen.state === 'running');
    return new Map(running.map((id) => [id, { memoryBytes: this.usedBytes, cpuNano: 1_000_000 }]));
  }

  #emit(type: 'started' | 'died' | 'removed' | 'oom', { seen }: FakeContainer): void {
    for (const listener of this.#listeners) listener({ type, containerId: seen.id, pod: seen.pod });
  }

  #get(containerId: string): FakeContainer {
    const found = this.#containers.get(containerId);
    if (found === undefined) throw new Error(`No such container: ${containerId}`);
    return found;
  }

  #now = () => new Date(this.#nowMs()).toISOString();
}

function limitsOf(spec: ContainerSpec | undefined): Partial<EngineLimits> {
  const { oomScoreAdjust: _, ...limits } = spec?.resources ?? { oomScoreAdjust: 0 };
  return limits;
}

function bytesOf({ stream, text, atMs }: Line, timestamps: boolean) {
  const prefix = timestamps ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ` : '';
  return { stream, bytes: Buffer.from(`${prefix}${text}\n`) };
}
