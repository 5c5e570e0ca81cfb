/**
 * One child process that is kept running: started again with growing pauses when it ends by itself, ended for good by
 * `stop`. Its output goes to a log file, its id to a pid file, so that another `longshore` can find what a killed one left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface KeptProcessOptions {
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Descriptors of this process that it gets as its own, from 3 on. */
  descriptors?: readonly number[];
  logPath: string;
  pidPath: string;
  /** How long the process may take to end after the first signal before SIGKILL. */
  graceMs: number;
  /** Takes the process' standard output instead of the log file, which gets what this does not take. */
  onLine?(line: string): boolean;
  /** Told about each end that was not asked for, and when the next try is. */
  onCrash?(how: string, retryMs: number): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** Having run this long, a process is taken for healthy and the pauses begin anew. */
const HEALTHY_MS = 30_000;
const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path) && statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.old`);
  return openSync(path, 'a', 0o640);
}

function takeLines(output: Readable, logPath: string, onLine: (line: string) => boolean): void {
  const lines = createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    if (!onLine(line)) appendFileSync(logPath, `${line}\n`);
  });
}

export class KeptProcess {
  readonly #options: KeptProcessOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #stopping = false;
  /** How the process last ended, for a start that fails at once. */
  lastExit: string | undefined;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    this.#stopping = false;
    const { command, args, env, descriptors = [], logPath, pidPath, onLine } = this.#options;
    const log = openLog(logPath);
    // A session of its own: Ctrl-C in the terminal is for longshore alone, which then ends its children in order.
    const output = onLine === undefined ? log : ('pipe' as const);
    const child = spawn(command, [...args], {
      detached: true,
      stdio: ['ignore', output, log, ...descriptors],
      env: env ?? process.env,
    });
    closeSync(log);
    if (child.stdout !== null && onLine !== undefined) takeLines(child.stdout, logPath, onLine);
    const startedAt = Date.now();
    this.#child = child;
    if (child.pid !== undefined) {
      mkdirSync(dirname(pidPath), { recursive: true });
      writeFileSync(pidPath, `${child.pid}\n`);
    }
    this.#exited = new Promise((resolve) => {
      const ended = (how: string) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.lastExit = how;
        rmSync(pidPath, { force: true });
        if (Date.now() - startedAt > HEALTHY_MS) this.#pauseMs = FIRST_PAUSE_MS;
        if (!this.#stopping) this.#startAgainLater(how);
        resolve();
      };
      child.once('error', (error) => ended(error.message));
      child.once('exit', (code, signal) => ended(signal === null ? `exited with ${code}` : `killed by ${signal}`));
    });
  }

  #startAgainLater(how: string): void {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    this.#options.onCrash?.(how, pauseMs);
    this.#retry = setTimeout(() => this.start(), pauseMs);
  }

  /** Ends the process: `signal` first, SIGKILL after the grace period. Resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child === undefined) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.graceMs);
    child.kill(signal);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Kills the process as a crash would; it is not started again. For tests. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    this.#child?.kill(signal);
    await this.#exited;
  }
}
