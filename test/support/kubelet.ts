/** A keeper with everything around it under the test's control, and what it reported. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keeper } from '../../agent/pods/keeper.ts';
import { type Clock, type KeeperParts, SYSTEM_CLOCK } from '../../agent/pods/parts.ts';
import type { Runtime } from '../../agent/runtime/runtime.ts';
import type { ConfigMap, ContainerStatus, Event, Pod, PodStatus, Secret, Service } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { eventually } from './eventually.ts';
import { FakeNetwork } from './fake-network.ts';

/** Time that passes only when the test says so; whatever comes due runs in order. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #due = new Set<{ atMs: number; run: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, ms), run };
    this.#due.add(entry);
    return () => this.#due.delete(entry);
  }

  /** Lets what is under way finish between any two things that come due. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#due].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Files are read and written on other threads: a number of turns of the loop is not enough, some time may be. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class Kubelet {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'longshore-kubelet-'));
  readonly manifestDir = join(this.dataDir, 'manifests');
  readonly network = new FakeNetwork();
  readonly configMaps = new Map<string, ConfigMap>();
  readonly secrets = new Map<string, Secret>();
  services: Service[] = [];
  allocatable: Record<string, string> = { cpu: '2', memory: '4Gi' };
  /** By pod uid, newest last. */
  readonly statuses = new Map<string, PodStatus[]>();
  readonly gone: string[] = [];
  readonly events: Draft<Event>[] = [];
  readonly mirrors: Draft<Pod>[][] = [];
  readonly errors: unknown[] = [];
  readonly #parts: KeeperParts;
  keeper: Keeper;

  constructor(runtime: Runtime, options: { clock?: Clock; tokens?: KeeperParts['tokens'] } = {}) {
    this.#parts = {
      runtime,
      network: this.network,
      references: {
        configMap: (namespace, name) => this.configMaps.get(`${namespace}/${name}`),
        secret: (namespace, name) => this.secrets.get(`${namespace}/${name}`),
        services: () => this.services,
      },
      reporter: {
        podStatus: ({ uid }, status, gone) => {
          const known = this.statuses.get(uid) ?? [];
          this.statuses.set(uid, [...known, status]);
          if (gone) this.gone.push(uid);
        },
        event: (event) => this.events.push(event),
        mirrors: (pods) => this.mirrors.push(pods),
      },
      config: { nodeName: 'node1', dataDir: this.dataDir, manifestDir: this.manifestDir },
      nodeIP: () => '192.168.0.9',
      allocatable: () => this.allocatable,
      cluster: () => ({ domain: 'cluster.local', dnsIP: '10.96.0.10' }),
      clock: options.clock ?? SYSTEM_CLOCK,
      random: () => 0.5,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields) => this.errors.push(fields),
        error: (fields) => this.errors.push(fields),
      },
      tokens: options.tokens,
    };
    this.keeper = new Keeper(this.#parts);
  }

  /** As after a restart of the agent: nothing is left but the engine and the disk. */
  async restart(pods: Pod[]): Promise<void> {
    await this.keeper.stop();
    this.keeper = new Keeper(this.#parts);
    this.keeper.setPods(pods);
    await this.keeper.start();
  }

  status(uid: string): PodStatus | undefined {
    return this.statuses.get(uid)?.at(-1);
  }

  container(uid: string, name: string): ContainerStatus | undefined {
    const status = this.status(uid);
    const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {};
    return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
      (each) => each.name === name,
    );
  }

  /** `Normal Started Started container main`, in order. */
  eventTexts(): string[] {
    return this.events.map(({ type, reason, message }) => `${type} ${reason} ${message}`);
  }

  until(what: string, look: () => unknown): Promise<true> {
    return eventually(what, () => (look() ? true : undefined), {
      timeoutMs: 20_000,
      describe: () =>
        JSON.stringify(
          {
            statuses: [...this.statuses].map(([uid, all]) => [uid, all.at(-1)]),
            events: this.eventTexts(),
            errors: this.errors.map(String),
          },
          null,
          1,
        ),
    });
  }

  async logOf(uid: string, container: string, previous = false): Promise<string> {
    const query = { container, previous, follow: false, timestamps: false };
    let text = '';
    for await (const bytes of this.keeper.logs(uid, query, new AbortController().signal))
      text += Buffer.from(bytes).toString();
    return text;
  }

  async close(): Promise<void> {
    await this.keeper.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
