// Whether node_modules is what the lock file says, told from npm's own record of what it installed; and the pinned Node in it.
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const PROJECT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/**
 * @typedef {{ version?: string, resolved?: string, integrity?: string, optional?: boolean }} LockedPackage
 * @typedef {{ packages?: Record<string, LockedPackage> }} LockFile
 */

/**
 * Names of packages that are missing or of another version. Optional ones may be absent: they are for other machines.
 * @param {LockFile} wanted package-lock.json
 * @param {LockFile | undefined} installed node_modules/.package-lock.json
 * @returns {string[]}
 */
export function differingPackages(wanted, installed) {
  const have = installed?.packages ?? {};
  return Object.entries(wanted.packages ?? {})
    .filter(([path, each]) => {
      if (path === '') return false;
      const found = have[path];
      if (found === undefined) return each.optional !== true;
      return found.version !== each.version || found.integrity !== each.integrity;
    })
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
}

/** @param {string} path @returns {LockFile | undefined} */
const readLock = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined);

/** The locked Node, out of the package for this machine. */
const LOCKED_NODE = join(PROJECT, `node_modules/node-linux-${process.arch}/bin/node`);

/** The Node that the TypeScript sources need (type stripping, node:sqlite): the locked one, or this one when it is new enough. */
export const pinnedNode = () => (existsSync(LOCKED_NODE) ? LOCKED_NODE : process.execPath);

/** npm links every package's commands but this one; scripts, `npx` and the tools' own `#!/usr/bin/env node` need it. */
export function linkPinnedNode() {
  const link = join(PROJECT, 'node_modules/.bin/node');
  if (existsSync(LOCKED_NODE) && !existsSync(link)) symlinkSync(relative(dirname(link), LOCKED_NODE), link);
}

/** @param {string} version e.g. `v20.11.0` */
export const runsTypeScript = (version) => Number(version.slice(1).split('.')[0]) >= 24;

/** @returns {{ current: boolean, differing: string[], present: boolean }} */
export function observeModules() {
  const wanted = readLock(join(PROJECT, 'package-lock.json')) ?? {};
  const installed = readLock(join(PROJECT, 'node_modules/.package-lock.json'));
  const differing = differingPackages(wanted, installed);
  const hasNode = existsSync(LOCKED_NODE) || runsTypeScript(process.version);
  return {
    present: installed !== undefined,
    current: installed !== undefined && differing.length === 0 && hasNode,
    differing,
  };
}
