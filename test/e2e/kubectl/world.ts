/**
 * What every group of commands gets: one kubectl, the lab that all share, a namespace and a folder of its own. Whatever a
 * group runs is noted, so that at the end it can be said which commands ran.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finished, KubectlBinary, RunOptions } from '../../support/kubectl.ts';
import { Kubectl } from '../../support/kubectl.ts';
import type { Lab } from '../../support/lab.ts';

export interface Group {
  name: string;
  /** Runs with the newest kubectl alone: what it asks of kubectl is the same in each. */
  once?: true;
  /** Defines the group's tests. Nothing of the world but its names may be used before they run. */
  define(world: World): void;
}

type More = Omit<RunOptions, 'input'>;

export class World {
  /** Of this group and version alone; also a prefix for what has no namespace. */
  readonly namespace: string;
  readonly version: string;
  readonly once: boolean;
  /** The arguments of every command that was started. */
  readonly started: (readonly string[])[] = [];
  readonly #binary: KubectlBinary;
  readonly #labOf: () => Lab;
  #folder: string | undefined;

  constructor(group: Group, binary: KubectlBinary, labOf: () => Lab) {
    this.namespace = `${group.name}-${binary.version.replace('.', '-')}`;
    this.version = binary.version;
    this.once = group.once ?? false;
    this.#binary = binary;
    this.#labOf = labOf;
  }

  get lab(): Lab {
    return this.#labOf();
  }

  get kubectl(): Kubectl {
    return this.kubectlWith(this.lab.kubeconfig);
  }

  /** The same kubectl with another configuration. */
  kubectlWith(kubeconfig: string): Kubectl {
    return new Kubectl(this.#binary, kubeconfig, (args) => this.started.push(args));
  }

  /** Runs to success in the namespace; standard output. */
  run(args: readonly string[], input?: string, more: More = {}): Promise<string> {
    return this.kubectl.run(['-n', this.namespace, ...args], { ...more, ...(input === undefined ? {} : { input }) });
  }

  /** Runs in the namespace, whatever comes of it. */
  attempt(args: readonly string[], input?: string, more: More = {}): Promise<Finished> {
    return this.kubectl.try(['-n', this.namespace, ...args], { ...more, ...(input === undefined ? {} : { input }) });
  }

  json<T>(args: readonly string[]): Promise<T> {
    return this.kubectl.json<T>(['-n', this.namespace, ...args]);
  }

  /** One field of an object. */
  field(object: string, path: string): Promise<string> {
    return this.run(['get', object, '-o', `jsonpath=${path}`]);
  }

  /** A path in the group's own folder. */
  path(name: string): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'longshore-kubectl-'));
    return join(this.#folder, name);
  }

  /** Writes a file there and gives its path. */
  file(name: string, text: string): string {
    const path = this.path(name);
    writeFileSync(path, text);
    return path;
  }

  async begin(): Promise<void> {
    await this.kubectl.run(['create', 'namespace', this.namespace]);
  }

  /** What runs in the namespace ends with the lab. */
  end(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true });
  }
}

/** Runs of blanks are how kubectl lines its columns up. */
export const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));
