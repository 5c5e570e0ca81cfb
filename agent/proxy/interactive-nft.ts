/**
 * One nft(8) in interactive mode, which runs each line as one transaction and keeps its socket: what a process for every change
 * pays for is its start and, after a removal, a grace period of the kernel's RCU when its socket closes. Here are only the
 * questions and answers; what to ask, and what an answer proves, is in `nft-shell.ts`.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';

/** Like that of node:child_process; the three streams have to be pipes. */
export type Spawn = (file: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

/**
 * A pipe would get standard output in blocks, so the last answer would never come: `stdbuf` (coreutils) sends it by lines. In
 * one pipe with standard error, complaints and answers keep their order.
 */
const COMMAND = ['-c', 'exec stdbuf -oL nft -i 2>&1'] as const;

/** No history file is read or written; texts are those of the C locale. */
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: '/dev/null', LC_ALL: 'C' });

interface Question {
  isAnswered: (output: string) => boolean;
  resolve: (output: string) => void;
  reject: (error: Error) => void;
}

export class InteractiveNft {
  readonly #child: ChildProcess;
  readonly #patienceMs: number;
  #output = '';
  #question: Question | undefined;
  #end: string | undefined;
  #written = 0;

  /** @param patienceMs how long an answer may take; whoever does not answer is killed */
  constructor(spawn: Spawn, patienceMs: number) {
    this.#patienceMs = patienceMs;
    const child = spawn('sh', COMMAND, { stdio: ['pipe', 'pipe', 'pipe'], env: environment() });
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    // A process that has ended breaks the pipe; that it has is told by its end.
    child.stdin?.on('error', () => child.stdin?.destroy());
    child.on('error', (error) => this.#ended(error.message));
    child.on('close', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /** Bytes that it was ever asked: nft remembers each line, to be recalled by an arrow key. */
  get written(): number {
    return this.#written;
  }

  /**
   * One question at a time.
   * @returns all that it said until then
   * @throws when it ends before, or takes too long
   */
  ask(lines: readonly string[], isAnswered: (output: string) => boolean): Promise<string> {
    if (this.#end !== undefined) return Promise.reject(new Error(`nft has ended: ${this.#end}`));
    if (this.#question !== undefined) return Promise.reject(new Error('nft is still busy with another question'));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#output = '';
    this.#question = { isAnswered, resolve, reject };
    const deadline = setTimeout(() => this.#giveUp(), this.#patienceMs);
    const text = lines.map((line) => `${line}\n`).join('');
    this.#written += Buffer.byteLength(text);
    this.#child.stdin?.write(text);
    return promise.finally(() => clearTimeout(deadline));
  }

  /** It ends by itself when it has nothing more to read: also when this process dies. */
  close(): void {
    this.#child.stdin?.end();
  }

  #hear(text: string): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#output += text;
    if (!question.isAnswered(this.#output)) return;
    this.#question = undefined;
    question.resolve(this.#output);
  }

  #giveUp(): void {
    this.#child.kill('SIGKILL');
    this.#ended(`no answer in ${this.#patienceMs} ms`);
  }

  #ended(how: string): void {
    this.#end ??= how;
    const question = this.#question;
    this.#question = undefined;
    question?.reject(new Error(`nft has ended (${this.#end}) ${this.#output.trim()}`.trim()));
  }
}
