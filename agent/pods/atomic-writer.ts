/**
 * Writes a volume's files so that a reader sees either all of the old ones or all of the new: a folder with a time in its
 * name, a link `..data` to it that is replaced in one step, and a link for each file through `..data`. As kubelet does it,
 * because programs watch `..data`.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface PayloadFile {
  content: Buffer;
  mode: number;
}
/** By path inside the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = '..data';

/** The answer is whether anything was written. */
export async function writeAtomically(
  folder: string,
  payload: Payload,
  options: { nowMs: number; group?: number },
): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const before = await linkTarget(join(folder, DATA));
  if (before !== undefined && (await holdsExactly(join(folder, before), payload))) return false;

  const version = `..${new Date(options.nowMs).toISOString().replaceAll(/[-:TZ]/g, '_')}${process.hrtime.bigint() % 1000000n}`;
  await writeVersion(join(folder, version), payload, options.group);
  const next = join(folder, `${DATA}_tmp`);
  await rm(next, { force: true });
  await symlink(version, next);
  await rename(next, join(folder, DATA));

  await linkFiles(folder, payload);
  if (before !== undefined) await rm(join(folder, before), { recursive: true, force: true });
  return true;
}

async function writeVersion(folder: string, payload: Payload, group: number | undefined): Promise<void> {
  await mkdir(folder, { mode: 0o755 });
  for (const [path, { content, mode }] of payload) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, content);
    // Kubernetes: fsGroup makes the files of a read-only volume readable to the group.
    await chmod(file, group === undefined ? mode : mode | 0o440);
    if (group !== undefined) await chown(file, 0, group);
  }
}

async function linkFiles(folder: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
  const present = (await readdir(folder)).filter((name) => !name.startsWith('..'));
  for (const name of present) if (!wanted.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  for (const name of wanted) {
    if (!present.includes(name)) await symlink(join(DATA, name), join(folder, name));
  }
}

async function linkTarget(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function holdsExactly(folder: string, payload: Payload): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  if (files.length !== payload.size) return false;
  for (const [path, { content, mode }] of payload) {
    const file = join(folder, path);
    if (!files.includes(file)) return false;
    if (!(await readFile(file)).equals(content)) return false;
    if (((await lstat(file)).mode & 0o777 & ~0o440) !== (mode & 0o777 & ~0o440)) return false;
  }
  return true;
}
