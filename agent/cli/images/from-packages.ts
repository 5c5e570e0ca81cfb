/**
 * Images for the example from the distribution's own packages, where no registry can be reached: the real nginx and Redis
 * as Debian builds them, the libraries that ldd names, a static busybox for shell and tools. Only packages of a Debian-like
 * system that has apt are used; nothing of the machine's own files but the libraries.
 */
import { execFile, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type EngineApi, importImage } from './engine-api.ts';
import { MADE_IMAGES } from './references.ts';

const run = promisify(execFile);

export interface Recipe {
  image: string;
  packages: string[];
  /** Programs of the packages that go into the image, with the libraries they need. */
  programs: string[];
  /** Empty folders. */
  folders: string[];
  changes: string[];
}

export const RECIPES: Recipe[] = [
  {
    image: MADE_IMAGES.nginx ?? '',
    packages: ['nginx'],
    programs: ['/usr/sbin/nginx'],
    folders: ['/var/lib/nginx', '/var/log/nginx', '/run', '/usr/share/nginx'],
    changes: ['CMD ["nginx", "-g", "daemon off;"]', 'EXPOSE 80'],
  },
  {
    image: MADE_IMAGES.redis ?? '',
    packages: ['redis-server', 'redis-tools'],
    programs: ['/usr/bin/redis-server', '/usr/bin/redis-cli'],
    folders: ['/data'],
    changes: ['CMD ["redis-server"]', 'EXPOSE 6379', 'WORKDIR /data'],
  },
];

const TOOLS_PACKAGE = 'busybox-static';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Downloads packages into a folder and unpacks them there. @throws with apt's words when one is not to be had */
async function unpack(packages: readonly string[], folder: string): Promise<void> {
  const downloads = join(folder, '.debs');
  mkdirSync(downloads, { recursive: true });
  const download = () => run('apt-get', ['download', '-q', ...packages], { cwd: downloads });
  try {
    await download();
  } catch {
    // On a fresh machine apt has no lists yet; when that was not it, the second try says what is wrong.
    await run('apt-get', ['update', '-q']);
    await download();
  }
  for (const file of readdirSync(downloads)) await run('dpkg', ['-x', join(downloads, file), folder]);
  rmSync(downloads, { recursive: true });
}

/** What a package needs, alternatives resolved to the first. */
async function dependenciesOf(packages: readonly string[]): Promise<string[]> {
  const { stdout } = await run('apt-cache', [
    'depends',
    '--no-recommends',
    '--no-suggests',
    '--no-conflicts',
    '--no-breaks',
    '--no-replaces',
    '--no-enhances',
    ...packages,
  ]);
  return [
    ...new Set([...stdout.matchAll(/^\s+(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)].map((match) => match[1] ?? '')),
  ];
}

/** A line of ldd: `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)`, `=> not found`, or a bare path (the loader). */
export function parseLdd(text: string): { found: string[]; missing: string[] } {
  const found: string[] = [];
  const missing: string[] = [];
  for (const line of text.split('\n')) {
    const named = /^\s*(\S+) => (not found|\S+)/.exec(line);
    const bare = /^\s*(\/\S+) \(0x/.exec(line);
    if (named?.[2] === 'not found') missing.push(named[1] ?? '');
    else if (named?.[2]?.startsWith('/')) found.push(named[2]);
    else if (bare?.[1] !== undefined) found.push(bare[1]);
  }
  return { found, missing };
}

/** Folders of shared libraries below a root: `lib/x86_64-linux-gnu` and the like. */
function libraryFolders(root: string): string[] {
  return ['lib', 'usr/lib', 'lib64']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [
      folder,
      ...readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
        .map((entry) => join(folder, entry.name)),
    ]);
}

async function ldd(program: string, staging: string): Promise<{ found: string[]; missing: string[] }> {
  const { stdout } = await run('ldd', [program], {
    env: { ...process.env, LC_ALL: 'C', LD_LIBRARY_PATH: libraryFolders(staging).join(':') },
  });
  return parseLdd(stdout);
}

/** The libraries of all programs, by the path they are found at; packages are fetched for what this machine lacks. */
async function librariesOf(
  programs: readonly string[],
  packages: readonly string[],
  staging: string,
): Promise<string[]> {
  let asked = [...packages];
  for (;;) {
    const looked = await Promise.all(programs.map((program) => ldd(join(staging, program), staging)));
    const missing = looked.flatMap((each) => each.missing);
    if (missing.length === 0) return [...new Set(looked.flatMap((each) => each.found))];
    const more = (await dependenciesOf(asked)).filter((name) => name.startsWith('lib') && !asked.includes(name));
    if (more.length === 0) throw new Error(`no package of ${asked.join(', ')} brings ${missing.join(', ')}`);
    await unpack(more, staging);
    asked = [...asked, ...more];
  }
}

function place(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(source), target);
}

const ACCOUNTS = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  'etc/group': 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n',
};

/** The root file system of one image, in `root`. */
async function assemble(recipe: Recipe, staging: string, root: string): Promise<void> {
  await unpack([...recipe.packages, TOOLS_PACKAGE], staging);
  const libraries = await librariesOf(recipe.programs, recipe.packages, staging);
  for (const folder of ['bin', 'root', 'tmp', 'etc', ...recipe.folders])
    mkdirSync(join(root, folder), { recursive: true });
  for (const program of recipe.programs) place(join(staging, program), join(root, program));
  for (const library of libraries) {
    // A library out of a fetched package keeps the place that it has in the package.
    place(library, join(root, library.startsWith(staging) ? library.slice(staging.length) : library));
  }
  const busybox = join(root, 'bin/busybox');
  place(join(staging, existsSync(join(staging, 'bin/busybox')) ? 'bin/busybox' : 'usr/bin/busybox'), busybox);
  for (const name of (await run(busybox, ['--list'])).stdout.split('\n').filter(Boolean)) {
    if (!existsSync(join(root, 'bin', name))) symlinkSync('busybox', join(root, 'bin', name));
  }
  for (const [path, text] of Object.entries(ACCOUNTS)) writeFileSync(join(root, path), text);
}

/** Makes one image in the engine. */
export async function makeImage(engine: EngineApi, recipe: Recipe): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'longshore-image-'));
  try {
    const root = join(work, 'root');
    await assemble(recipe, join(work, 'packages'), root);
    await run('chmod', ['1777', join(root, 'tmp')]);
    const archive = spawn('tar', ['-C', root, '--numeric-owner', '--owner=0', '--group=0', '-cf', '-', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await importImage(engine, recipe.image, archive.stdout, [`ENV PATH=${PATH}`, ...recipe.changes]);
  } finally {
    rmSync(work, { recursive: true });
  }
}
