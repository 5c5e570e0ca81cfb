/**
 * Runs the programs that configure the kernel (`ip`, `bridge`, `nft`, `iptables`). Everything in the agent that touches the
 * host's network goes through an `Exec`, so that a test can send it into another namespace or record it.
 */
import { execFile } from 'node:child_process';

/** Resolves with standard output. @throws CommandError, with what the program said on standard error. */
export type Exec = (file: string, args: readonly string[], input?: string) => Promise<string>;

export class CommandError extends Error {
  readonly file: string;
  /** undefined: it was killed or could not be started. */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(file: string, args: readonly string[], exitCode: number | undefined, stderr: string) {
    super(`${[file, ...args].join(' ')}: ${stderr.trim() || `exit code ${exitCode ?? 'none'}`}`);
    this.name = 'CommandError';
    this.file = file;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** A listing of 10,000 Services is some megabytes. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

export const execCommand: Exec = (file, args, input) =>
  new Promise((resolve, reject) => {
    const child = execFile(file, args, { maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const said = missing ? `${file} is not installed` : stderr || (child.exitCode === null ? error.message : stdout);
      reject(new CommandError(file, args, child.exitCode ?? undefined, said));
    });
    // A program that ends before it has read its input breaks the pipe; its exit code tells why.
    child.stdin?.on('error', () => child.stdin?.destroy());
    child.stdin?.end(input ?? '');
  });

/** The same, each command line preceded by `prefix`, e.g. `['nsenter', '--net=/run/netns/m1']`. */
export function execBehind(prefix: readonly [string, ...string[]], exec: Exec = execCommand): Exec {
  const [file, ...first] = prefix;
  return (inner, args, input) => exec(file, [...first, inner, ...args], input);
}
