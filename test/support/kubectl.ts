/**
 * The real kubectl, at a fixed version: where it is on this machine, and how a test runs it. A machine may have a
 * dispatcher of a cloud SDK under the plain name, so versions are taken by name where they stand beside that SDK.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface KubectlBinary {
  path: string;
  /** `1.33`. */
  version: string;
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

const OLDEST_MINOR = 31;

function onPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    const path = join(folder, name);
    if (folder !== '' && existsSync(path)) return path;
  }
  return undefined;
}

function versionOf(path: string): string | undefined {
  try {
    const text = execFileSync(path, ['version', '--client', '-o', 'json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { clientVersion } = JSON.parse(text) as {
      clientVersion: { major: string; minor: string; gitVersion: string };
    };
    return clientVersion.gitVersion.includes('dispatcher')
      ? undefined
      : `${clientVersion.major}.${Number.parseInt(clientVersion.minor, 10)}`;
  } catch (error) {
    console.warn(`${path} is not a usable kubectl: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return undefined;
  }
}

/** Every kubectl from 1.31 on that this machine has, oldest first, one a version. */
export function findKubectls(): KubectlBinary[] {
  const paths = new Set<string>();
  const named = process.env.LONGSHORE_TEST_KUBECTL;
  if (named !== undefined) paths.add(named);
  for (const name of ['gcloud', 'kubectl']) {
    const command = onPath(name);
    if (command === undefined) continue;
    const folder = dirname(realpathSync(command));
    for (const file of readdirSync(folder)) if (/^kubectl(\.1\.\d+)?$/.test(file)) paths.add(join(folder, file));
  }
  const byVersion = new Map<string, KubectlBinary>();
  for (const path of paths) {
    const version = versionOf(path);
    if (version === undefined || Number(version.split('.')[1]) < OLDEST_MINOR) continue;
    if (!byVersion.has(version)) byVersion.set(version, { path, version });
  }
  return [...byVersion.values()].sort((a, b) => Number(a.version.split('.')[1]) - Number(b.version.split('.')[1]));
}

export interface RunOptions {
  input?: string | Uint8Array;
  timeoutMs?: number;
  /** Added to the environment. */
  env?: Record<string, string>;
}

/** One kubectl with one kubeconfig. */
export class Kubectl {
  readonly binary: KubectlBinary;
  readonly kubeconfig: string;
  /** Called with the arguments of each command that is started. */
  readonly onStart: ((args: readonly string[]) => void) | undefined;

  constructor(binary: KubectlBinary, kubeconfig: string, onStart?: (args: readonly string[]) => void) {
    this.binary = binary;
    this.kubeconfig = kubeconfig;
    this.onStart = onStart;
  }

  /** Starts it and leaves it running; the caller ends it. */
  start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    this.onStart?.(args);
    return spawn(this.binary.path, [...args], {
      env: { ...process.env, KUBECONFIG: this.kubeconfig, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Runs to the end, whatever the exit code. */
  async try(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const child = this.start(args, options.env);
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
    const output: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => output.stdout.push(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => output.stderr.push(text));
    child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
      // The command may end without reading its input.
      if (error.code !== 'EPIPE') throw error;
    });
    child.stdin?.end(options.input);
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit, signal) => resolve(exit ?? (signal === null ? -1 : 128)));
    });
    clearTimeout(timer);
    return { code, stdout: output.stdout.join(''), stderr: output.stderr.join('') };
  }

  /** Runs to success and returns standard output. @throws with both outputs otherwise. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const finished = await this.try(args, options);
    if (finished.code !== 0) {
      throw new Error(`kubectl ${args.join(' ')} exited with ${finished.code}\n${finished.stderr}${finished.stdout}`);
    }
    return finished.stdout;
  }

  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run([...args, '-o', 'json'])) as T;
  }
}
