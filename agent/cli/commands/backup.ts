/** `longshore backup FILE`: everything of one revision of the cluster, checked as it comes, in a file or not at all. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, createWriteStream, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { BACKUP_PATH, type BackupEnd, type BackupHeader, parseLine, requireHeader } from '../../../shared/backup.ts';
import type { ApiClient } from '../api-client.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface BackupFile {
  header: BackupHeader;
  end: BackupEnd;
  lines: number;
}

/** Looks at every line and passes it on. @throws when one is wrong, or the end is missing. */
export async function checkLines(
  lines: AsyncIterable<string>,
  take: (line: string) => Promise<void> | void,
): Promise<BackupFile> {
  let digest = '';
  let header: BackupHeader | undefined;
  let end: BackupEnd | undefined;
  let count = 0;
  for await (const line of lines) {
    if (end !== undefined) throw new Error('the backup goes on behind its end');
    const parsed = parseLine(digest, line, sha256);
    digest = parsed.digest;
    header ??= requireHeader(parsed.block);
    if (parsed.block.kind === 'end') end = parsed.block;
    count += 1;
    await take(line);
  }
  if (header === undefined || end === undefined) throw new Error('the backup is not a whole one: its end is missing');
  return { header, end, lines: count };
}

/** Readable by its owner alone: it holds every Secret. */
export async function backup(client: ApiClient, file: string): Promise<BackupFile> {
  const unfinished = `${file}.unfinished`;
  const descriptor = openSync(unfinished, 'w', 0o600);
  const gzip = createGzip({ level: 4 });
  const written = finished(gzip.pipe(createWriteStream(unfinished, { fd: descriptor, autoClose: false })));
  try {
    const response = await client.stream(BACKUP_PATH);
    const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
    const found = await checkLines(lines, async (line) => {
      if (!gzip.write(`${line}\n`)) await Promise.race([once(gzip, 'drain'), written]);
    });
    gzip.end();
    await written;
    fsyncSync(descriptor);
    renameSync(unfinished, file);
    return found;
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  } finally {
    gzip.destroy();
    closeSync(descriptor);
  }
}
