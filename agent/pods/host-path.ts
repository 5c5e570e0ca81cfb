/** hostPath volumes: the path is checked, or made, as its type says. Source: https://kubernetes.io/docs/concepts/storage/volumes/#hostpath */
import type { Stats } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { VolumeError } from './volume-contents.ts';

type Check = { is(stats: Stats): boolean; name: string; make?: (path: string) => Promise<unknown> };

const CHECKS: Record<string, Check | undefined> = {
  '': { is: () => true, name: '', make: (path) => mkdir(path, { recursive: true, mode: 0o755 }) },
  Directory: { is: (stats) => stats.isDirectory(), name: 'directory' },
  DirectoryOrCreate: {
    is: (stats) => stats.isDirectory(),
    name: 'directory',
    make: (path) => mkdir(path, { recursive: true, mode: 0o755 }),
  },
  File: { is: (stats) => stats.isFile(), name: 'file' },
  FileOrCreate: {
    is: (stats) => stats.isFile(),
    name: 'file',
    make: (path) => writeFile(path, '', { mode: 0o644, flag: 'wx' }),
  },
  Socket: { is: (stats) => stats.isSocket(), name: 'socket' },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), name: 'character device' },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), name: 'block device' },
};

/** @throws VolumeError in upstream's words. */
export async function checkHostPath({ path, type = '' }: { path: string; type?: string }): Promise<void> {
  const check = CHECKS[type];
  if (check === undefined) throw new VolumeError(`${path} is an invalid volume type: ${type}`);
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (stats === undefined && check.make !== undefined) await check.make(path);
  else if (stats === undefined || !check.is(stats))
    throw new VolumeError(`hostPath type check failed: ${path} is not a ${check.name}`);
}
