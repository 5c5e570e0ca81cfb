/**
 * The file of a backup, as the cluster writes it and the command line keeps it (compressed): lines of text, each a digest,
 * a space and one block as JSON. A digest is that of the digest before it and of its own block, so that a line which is
 * missing, changed or in another place is found at once, by whoever reads, with nothing kept but the last digest.
 * Who fills and empties the blocks is `worker/store/backup.ts` and `restore.ts`.
 */
import { badRequest } from './errors.ts';

/** GET: the stream of lines. */
export const BACKUP_PATH = '/longshore/backup';
/**
 * POST, first line alone: a restore begins, and its answer names it. POST `?id=…&at=N`: the lines from the Nth on; the
 * one with the last block makes the cluster what the file says, all at once. GET `?id=…`: how far it is. DELETE `?id=…`:
 * it is given up. POST `?time=…`, an RFC 3339 time, no body: the cluster as it was then, where the platform keeps that.
 */
export const RESTORE_PATH = '/longshore/restore';
/** Of the lines of one POST: room for the largest object, escaped, with others of its block. */
export const MAX_RESTORE_BODY_BYTES = 8 * 1024 * 1024;

export const BACKUP_FORMAT = 'longshore-backup';
export const BACKUP_VERSION = 1;

export interface BackupHeader {
  kind: 'header';
  format: typeof BACKUP_FORMAT;
  version: number;
  /** Of the tables that the rows were read from. */
  schema: number;
  cluster: string;
  /** Of the namespace kube-system: clusters have had one name, one after the other. */
  uid: string;
  revision: number;
  keyspaceRevision: number;
  timeMs: number;
}

/** Rows hold texts and numbers alone; what is bytes is base64. Their columns are said where they are written. */
export type RowsKind = 'objects' | 'keys' | 'work' | 'leases' | 'attached';
export type BackupRow = (string | number)[];

export interface BackupRows {
  kind: RowsKind;
  rows: BackupRow[];
}

export interface BackupEnd {
  kind: 'end';
  objects: number;
  keys: number;
}

export type BackupBlock = BackupHeader | BackupRows | BackupEnd;

/** SHA-256 of a text, in lower-case hexadecimal. */
export type Digest = (text: string) => string;

/** How far a restore is: the digest of the last line, and how many lines there were. */
export interface RestoreProgress {
  id: string;
  lines: number;
}

export interface Restored {
  revision: number;
  epoch: string;
  objects: number;
  keys: number;
}

const LINE = /^([0-9a-f]{64}) (\{.*\})$/s;

export function formatLine(before: string, block: BackupBlock, digest: Digest): { line: string; digest: string } {
  const json = JSON.stringify(block);
  const own = digest(before + json);
  return { line: `${own} ${json}\n`, digest: own };
}

/**
 * @param before the digest of the line before; '' for the first.
 * @throws StatusError 400 for a line that is none, or not the one that follows.
 */
export function parseLine(before: string, line: string, digest: Digest): { block: BackupBlock; digest: string } {
  const [, own, json] = LINE.exec(line) ?? [];
  if (own === undefined || json === undefined) throw badRequest('the file is not a backup, or not a whole one');
  if (digest(before + json) !== own) throw badRequest('the backup is damaged: a checksum is wrong');
  return { block: JSON.parse(json) as BackupBlock, digest: own };
}

/** @throws StatusError 400 when the first block is not a header that this code reads. */
export function requireHeader(block: BackupBlock): BackupHeader {
  if (block.kind !== 'header' || block.format !== BACKUP_FORMAT) throw badRequest('the file is not a backup');
  if (block.version !== BACKUP_VERSION) {
    throw badRequest(`the backup has format version ${block.version}, this code reads version ${BACKUP_VERSION}`);
  }
  return block;
}
