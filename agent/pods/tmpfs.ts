/** Memory-backed folders: `mount` and `umount`, and what is mounted where. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Mounted already is fine; the answer is whether it was not. */
export async function mountTmpfs(folder: string, sizeBytes: number | undefined): Promise<boolean> {
  if ((await mountedBelow(folder)).includes(folder)) return false;
  const options = ['mode=0777', ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`])];
  await run('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', folder]);
  return true;
}

export async function unmountBelow(folder: string): Promise<void> {
  // Innermost first.
  for (const path of (await mountedBelow(folder)).sort().reverse()) await run('umount', [path]);
}

async function mountedBelow(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .map((line) => unescaped(line.split(' ')[4] ?? ''))
    .filter((path) => path === folder || path.startsWith(`${folder}/`));
}

/** The kernel writes spaces and the like in octal. */
const unescaped = (path: string) =>
  path.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
