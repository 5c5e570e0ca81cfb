/**
 * The Runtime on a Docker engine. What a container is made of is in `containers.ts`, how it is called in `naming.ts`; this
 * file makes the calls, and only those that are needed.
 */
import type Docker from 'dockerode';
import type { AgentConfig } from '../config.ts';
import { containerBody, created, observe, sandboxBody, updateBody } from './containers.ts';
import { connectEngine, type Engine, messageOf, statusCodeOf, unreachable } from './engine.ts';
import { watchEvents } from './events.ts';
import { startAttach, startExec } from './exec.ts';
import { inspectImage, pullImage } from './images.ts';
import { logLines } from './logs.ts';
import { LABELS } from './naming.ts';
import { lowestOomScore } from './oom-score.ts';
import { ensurePauseImage } from './pause-image.ts';
import type { ContainerSpec, EngineLimits, ObservedContainer, Runtime, SandboxSpec } from './runtime.ts';
import { sampleUsage } from './stats.ts';

export function createDockerRuntime(config: Pick<AgentConfig, 'dockerSocket' | 'instance'>): Runtime {
  return new DockerRuntime(connectEngine(config.dockerSocket), config.instance);
}

class DockerRuntime implements Runtime {
  readonly #engine: Engine;
  readonly #docker: Docker;
  readonly #instance: string;
  readonly #lowestOomScore = lowestOomScore();
  /** Undefined until the first sandbox, and again when the engine has lost the image. */
  #pauseImage: Promise<void> | undefined;

  constructor(engine: Engine, instance: string) {
    this.#engine = engine;
    this.#docker = engine.docker;
    this.#instance = instance;
  }

  async version(): Promise<{ name: string; version: string }> {
    try {
      return { name: 'docker', version: (await this.#docker.version()).Version };
    } catch (error) {
      throw unreachable(error, this.#engine.socketPath) ?? error;
    }
  }

  async list(): Promise<ObservedContainer[]> {
    const filters = { label: [`${LABELS.instance}=${this.#instance}`] };
    const found = await this.#docker.listContainers({ all: true, filters });
    const all = await Promise.all(found.map((each) => this.inspect(each.Id)));
    return all.filter((each) => each !== undefined);
  }

  async inspect(containerId: string): Promise<ObservedContainer | undefined> {
    try {
      return observe(await this.#docker.getContainer(containerId).inspect());
    } catch (error) {
      if (statusCodeOf(error) === 404) return undefined;
      throw error;
    }
  }

  image(reference: string) {
    return inspectImage(this.#docker, reference);
  }

  pull(reference: string, credentials?: { username: string; password: string; registry: string }) {
    return pullImage(this.#docker, reference, credentials);
  }

  async createSandbox(spec: SandboxSpec): Promise<ObservedContainer> {
    const body = sandboxBody(this.#instance, spec, this.#lowestOomScore);
    await this.#ensurePauseImage();
    try {
      return await this.#create(body);
    } catch (error) {
      if (!messageOf(error).includes('No such image')) throw error;
      this.#pauseImage = undefined;
      await this.#ensurePauseImage();
      return await this.#create(body);
    }
  }

  createContainer(spec: ContainerSpec, sandboxId: string): Promise<ObservedContainer> {
    return this.#create(containerBody(this.#instance, spec, sandboxId, this.#lowestOomScore));
  }

  async start(container: ObservedContainer): Promise<ObservedContainer> {
    try {
      await this.#docker.getContainer(container.id).start();
    } catch (error) {
      throw new Error(messageOf(error), { cause: error });
    }
    if (container.kind !== 'sandbox')
      return { ...container, state: 'running', startedAt: new Date(Date.now()).toISOString() };
    const running = await this.inspect(container.id);
    if (running === undefined || running.state !== 'running')
      throw new Error(`the sandbox of pod ${container.pod.namespace}/${container.pod.name} ended as it started`);
    return running;
  }

  async update(containerId: string, limits: EngineLimits): Promise<ObservedContainer> {
    let warnings: string[] | null = null;
    try {
      const answer = await this.#docker.getContainer(containerId).update(updateBody(limits));
      warnings = (answer as { Warnings?: string[] | null }).Warnings ?? null;
    } catch (error) {
      throw new Error(messageOf(error), { cause: error });
    }
    const seen = await this.inspect(containerId);
    if (seen === undefined) throw new Error(`No such container: ${containerId}`);
    // An engine without the cgroup for it says so in a warning, and leaves what it cannot do.
    const { cpuNano, cpuShares, memoryBytes } = seen.resources;
    if (cpuNano !== limits.cpuNano || cpuShares !== limits.cpuShares || memoryBytes !== limits.memoryBytes)
      throw new Error(warnings?.join('; ') || 'the engine did not take all of the new limits');
    return seen;
  }

  async stop(containerId: string, graceSeconds: number): Promise<void> {
    const container = this.#docker.getContainer(containerId);
    await ignoring([304, 404], graceSeconds > 0 ? container.stop({ t: graceSeconds }) : container.stop({ t: 0 }));
  }

  async remove(containerId: string): Promise<void> {
    // 409: another removal of it is under way, and comes to the same.
    await ignoring([404, 409], this.#docker.getContainer(containerId).remove({ force: true, v: true }));
  }

  logs(containerId: string, options: Parameters<Runtime['logs']>[1], signal: AbortSignal) {
    return logLines(this.#engine, containerId, options, signal);
  }

  exec(containerId: string, options: Parameters<Runtime['exec']>[1]) {
    return startExec(this.#docker, containerId, options);
  }

  attach(containerId: string, options: { stdin: boolean; tty: boolean }) {
    return startAttach(this.#docker, containerId, options);
  }

  events(onEvent: Parameters<Runtime['events']>[0], signal: AbortSignal): void {
    watchEvents(this.#engine, this.#instance, onEvent, signal);
  }

  stats(containerIds: string[]) {
    return sampleUsage(this.#docker, containerIds);
  }

  #ensurePauseImage(): Promise<void> {
    this.#pauseImage ??= ensurePauseImage(this.#engine).catch((error: unknown) => {
      this.#pauseImage = undefined;
      throw error;
    });
    return this.#pauseImage;
  }

  async #create(body: Docker.ContainerCreateOptions): Promise<ObservedContainer> {
    try {
      const container = await this.#docker.createContainer(body);
      return created(container.id, body, new Date(Date.now()).toISOString());
    } catch (error) {
      if (statusCodeOf(error) !== 409) throw new Error(messageOf(error), { cause: error });
      return this.#replace(body);
    }
  }

  /** The name is taken: an earlier run of the agent made it and died before it could tell. What never ran is made anew. */
  async #replace(body: Docker.ContainerCreateOptions): Promise<ObservedContainer> {
    const existing = await this.inspect(body.name ?? '');
    if (existing?.state === 'running') return existing;
    if (existing !== undefined) await this.remove(existing.id);
    const container = await this.#docker.createContainer(body);
    return created(container.id, body, new Date(Date.now()).toISOString());
  }
}

/** Some answers say that what was asked for is so already. */
async function ignoring(statusCodes: readonly number[], call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!statusCodes.includes(statusCodeOf(error) ?? 0)) throw new Error(messageOf(error), { cause: error });
  }
}
