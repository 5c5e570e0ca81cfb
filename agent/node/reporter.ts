/**
 * Keeps the cluster's picture of this minion true: looks at the machine now and then, and says what changed. Heartbeats are
 * the link's; a node that stays as it is causes no report and no write.
 */
import type { Node, NodeCondition, NodeStatus } from '../../shared/api/core.ts';
import type { Report } from '../../shared/link/protocol.ts';
import type { AgentConfig } from '../config.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { addressesOf, conditionsOf, nodeInfoOf, readMachine, resourcesOf } from './facts.ts';

export interface ReporterParts {
  config: Pick<AgentConfig, 'dataDir' | 'maxPods'>;
  runtime: Pick<Runtime, 'version'>;
  nodeIP: string;
  /** This minion's Node as last heard of; its conditions keep their transition times over a restart. */
  known: () => Node | undefined;
  report(change: NonNullable<Report['node']>): void;
  now(): number;
}

const LOOK_EVERY_MS = 10_000;

/** A condition without the times: what decides whether there is anything to say. */
const essence = (conditions: readonly NodeCondition[]) =>
  JSON.stringify(conditions.map(({ type, status, reason, message }) => [type, status, reason, message]));

export class NodeReporter {
  readonly #parts: ReporterParts;
  #runtimeName = '';
  /** Why pods cannot run; undefined: they can. */
  #notReady: string | undefined = 'container runtime network not ready';
  #runtimeDown: string | undefined;
  #conditions: NodeCondition[];
  #said = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#conditions = parts.known()?.status?.conditions ?? [];
  }

  /** @throws when the container engine cannot be reached */
  async start(): Promise<void> {
    const { name, version } = await this.#parts.runtime.version();
    this.#runtimeName = `${name}://${version}`;
    const look = async () => {
      await this.#askRuntime();
      this.#sayWhatChanged();
      this.#timer = setTimeout(look, LOOK_EVERY_MS);
    };
    this.#timer = setTimeout(look, LOOK_EVERY_MS);
  }

  /** From now on pods run here. */
  ready(): void {
    this.#notReady = undefined;
    this.#sayWhatChanged();
  }

  /** The whole status, for a registration. */
  status(): NodeStatus {
    const { config, nodeIP } = this.#parts;
    const machine = readMachine(config.dataDir);
    this.#conditions = conditionsOf(machine, this.#why(), this.#conditions, this.#parts.now());
    this.#said = essence(this.#conditions);
    return {
      ...resourcesOf(machine, config.maxPods),
      conditions: this.#conditions,
      addresses: addressesOf(nodeIP),
      nodeInfo: nodeInfoOf(config.dataDir, this.#runtimeName),
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #why(): string | undefined {
    return this.#runtimeDown ?? this.#notReady;
  }

  async #askRuntime(): Promise<void> {
    try {
      await this.#parts.runtime.version();
      this.#runtimeDown = undefined;
    } catch (error) {
      this.#runtimeDown = `container runtime is down: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #sayWhatChanged(): void {
    const machine = readMachine(this.#parts.config.dataDir);
    const conditions = conditionsOf(machine, this.#why(), this.#conditions, this.#parts.now());
    const text = essence(conditions);
    if (text === this.#said) return;
    this.#said = text;
    this.#conditions = conditions;
    this.#parts.report({ status: { conditions } });
  }
}
