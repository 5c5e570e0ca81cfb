/**
 * The audit log as files: events as they come from the control plane, the newest in `audit.log`, older ones in `audit.log.1`
 * and so on. Bounded: the oldest file goes when there are enough. Bodies may hold secrets, so it is for its owner's eyes.
 */
import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs';

/** What an event begins with, on the control plane's standard output. */
const EVENT = '{"kind":"Event","apiVersion":"audit.k8s.io/v1",';

export interface AuditLogLimits {
  fileBytes: number;
  /** All of them, the newest included. */
  files: number;
}

const LIMITS: AuditLogLimits = { fileBytes: 50 * 1024 * 1024, files: 6 };

/** The oldest first. */
export function auditFiles(path: string): string[] {
  const older: string[] = [];
  for (let number = 1; existsSync(`${path}.${number}`); number++) older.unshift(`${path}.${number}`);
  return existsSync(path) ? [...older, path] : older;
}

export class AuditLog {
  readonly #path: string;
  readonly #limits: AuditLogLimits;
  /** Of the newest file; undefined: not looked at yet. */
  #bytes: number | undefined;

  constructor(path: string, limits = LIMITS) {
    this.#path = path;
    this.#limits = limits;
  }

  /** Whether the line was an event, and is now written down. */
  take(line: string): boolean {
    if (!line.startsWith(EVENT)) return false;
    const path = this.#path;
    this.#bytes ??= existsSync(path) ? statSync(path).size : 0;
    const text = `${line}\n`;
    const length = Buffer.byteLength(text);
    if (this.#bytes > 0 && this.#bytes + length > this.#limits.fileBytes) this.#rotate();
    appendFileSync(path, text, { mode: 0o600 });
    this.#bytes += length;
    return true;
  }

  #rotate(): void {
    for (let number = this.#limits.files - 1; number > 0; number--) {
      const newer = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      if (existsSync(newer)) renameSync(newer, `${this.#path}.${number}`);
    }
    this.#bytes = 0;
  }
}
