// `npm run lock`, after any `npm install`: adds to package-lock.json the optional packages for other machines that npm left
// out because the registry at hand does not have them. npm 11's `npm ci` refuses a lock file without them, even on machines
// that would never fetch them. What they run on is told from their names, which all follow one pattern.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './modules.mjs';

/**
 * @typedef {{ version: string, optional?: boolean, dev?: boolean, os?: string[], cpu?: string[], libc?: string[],
 *   optionalDependencies?: Record<string, string> }} Entry
 */

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Where a platform package runs, by its name: `@biomejs/cli-linux-x64-musl`. @param {string} name */
export function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.find((each) => words.includes(each));
  const cpu = PROCESSORS.find((each) => words.includes(each));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((each) => each.startsWith('musl')) ? ['musl'] : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc }) };
}

/** The entries that the lock file lacks. @param {Record<string, Entry>} packages @returns {[string, Entry][]} */
export function lackingEntries(packages) {
  return Object.values(packages).flatMap((each) =>
    Object.entries(each.optionalDependencies ?? {})
      .filter(([name, version]) => packages[`node_modules/${name}`] === undefined && /^\d/.test(version))
      .flatMap(([name, version]) => {
        const platform = platformOf(name);
        if (platform === undefined) return [];
        /** @type {[string, Entry]} */
        const entry = [
          `node_modules/${name}`,
          { version, ...(each.dev ? { dev: true } : {}), optional: true, ...platform },
        ];
        return [entry];
      }),
  );
}

if (process.argv[1] === import.meta.filename) {
  const path = join(PROJECT, 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const lacking = lackingEntries(lock.packages);
  const sorted = [...Object.entries(lock.packages), ...lacking].sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(sorted);
  writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
  process.stdout.write(`${lacking.length} entries added\n`);
}
