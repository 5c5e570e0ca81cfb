/** `longshore audit`: what the audit log of this machine's control plane holds, and, followed, what comes. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { auditFiles } from '../audit/audit-log.ts';
import { type AuditFilter, formatEvent, isAskedFor, parseEvent } from '../audit/event-row.ts';
import type { Layout } from '../control-plane/layout.ts';

const CHUNK_BYTES = 1024 * 1024;
const LOOK_AGAIN_MS = 300;

export interface AuditOptions extends AuditFilter {
  follow: boolean;
  /** Events as they are stored, instead of lines for people. */
  json: boolean;
}

/** Reads on from where it was, whole lines at a time. */
class LineReader {
  readonly #file: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #rest = Buffer.alloc(0);

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  *lines(): Generator<string> {
    for (;;) {
      const length = readSync(this.#file, this.#chunk, 0, CHUNK_BYTES, null);
      if (length === 0) return;
      let text = Buffer.concat([this.#rest, this.#chunk.subarray(0, length)]);
      for (let end = text.indexOf(10); end !== -1; end = text.indexOf(10)) {
        yield text.toString('utf8', 0, end);
        text = text.subarray(end + 1);
      }
      this.#rest = Buffer.from(text);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** @param signal ends following. */
export async function audit(
  layout: Pick<Layout, 'auditLog' | 'auditPolicy'>,
  options: AuditOptions,
  print: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const path = layout.auditLog;
  const files = auditFiles(path);
  if (files.length === 0 && !options.follow) {
    throw new Error(
      `nothing is logged: there is no ${path}. A policy in ${layout.auditPolicy} switches it on at the next start`,
    );
  }
  const show = (reader: LineReader) => {
    for (const line of reader.lines()) {
      const event = parseEvent(line);
      if (event !== undefined && isAskedFor(event, options)) print(options.json ? line : formatEvent(event));
    }
  };
  let newest: { reader: LineReader; inode: number } | undefined;
  try {
    for (const each of files) {
      newest?.reader.close();
      newest = { reader: new LineReader(each), inode: statSync(each).ino };
      show(newest.reader);
    }
    while (options.follow && signal?.aborted !== true) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      // To the end of what was the newest, before the one that took its place.
      if (newest !== undefined) show(newest.reader);
      if (!existsSync(path) || statSync(path).ino === newest?.inode) continue;
      newest?.reader.close();
      newest = { reader: new LineReader(path), inode: statSync(path).ino };
      show(newest.reader);
    }
  } finally {
    newest?.reader.close();
  }
}
