// What a test run that was killed leaves behind, found and removed: processes by a mark in their environment, network
// namespaces and folders by the pid of their maker in their names. Only what belongs to the given run, or to makers that no
// longer live, is touched; so runs side by side do not hurt each other.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT, pinnedNode } from '../agent/cli/setup/modules.mjs';

/** Set for everything that a run starts; its value is the pid of the run. */
export const RUN_MARK = 'LONGSHORE_TEST_RUN';
/** Folders of runs; short, for paths of Unix sockets end at 107 bytes. */
export const WORK_PREFIX = 'lst-';

const KILL_TRIES = 100;

const NAMESPACE = /^lt-([0-9a-z]+)[0-9a-f]{4}-/;

/** @param {string} file @param {string[]} args */
const run = (file, args) => spawnSync(file, args, { encoding: 'utf8' });

/** One that has ended but was not yet asked for its exit code counts as gone. @param {number} pid */
function isAlive(pid) {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    throw error;
  }
}

/** @param {number} pid */
function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/** Processes that carry the mark of a run. @param {number} runPid @returns {number[]} */
export function markedProcesses(runPid) {
  const mark = `${RUN_MARK}=${runPid}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark);
      } catch (error) {
        // It has ended, or it is another user's.
        if (['ENOENT', 'ESRCH', 'EACCES'].includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''))
          return false;
        throw error;
      }
    })
    .map(Number);
}

/** The pid of the process that made a test namespace, from its name. @param {string} name */
export function makerOf(name) {
  const match = NAMESPACE.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] ?? '', 36);
}

function sweepNamespaces() {
  const names = run('ip', ['netns', 'list']).stdout ?? '';
  for (const line of names.split('\n')) {
    const name = line.split(' ')[0] ?? '';
    const maker = makerOf(name);
    if (maker === undefined || isAlive(maker)) continue;
    for (const pid of (run('ip', ['netns', 'pids', name]).stdout ?? '').split('\n').filter(Boolean)) kill(Number(pid));
    run('ip', ['netns', 'del', name]);
  }
}

/** Engines that were killed leave mounts, which keep a folder from being removed. @param {string} folder */
function removeFolder(folder) {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) run('umount', ['-l', path]);
  rmSync(folder, { recursive: true, force: true });
}

/** The clusters that tests started on this machine's own network, by the command that removes them. @param {string} folder */
function purgeClusters(folder) {
  for (const name of readdirSync(folder).filter((each) => each.startsWith('longshore-first-light-'))) {
    const dataDir = join(folder, name);
    if (!existsSync(join(dataDir, 'settings.json'))) continue;
    run(pinnedNode(), [join(PROJECT, 'agent/cli/main.ts'), 'down', '--purge', '--data-dir', dataDir]);
  }
}

/** Removes one run's leftovers: its clusters, processes, folder. @param {number} runPid @param {string} folder */
function sweepOne(runPid, folder) {
  purgeClusters(folder);
  const pids = markedProcesses(runPid);
  for (const pid of pids) kill(pid);
  // This may run while the process ends, so nothing here can await.
  for (let tries = 0; tries < KILL_TRIES && pids.some(isAlive); tries += 1) run('sleep', ['0.05']);
  sweepNamespaces();
  removeFolder(folder);
}

/** Removes what runs left that are no more. */
export function sweepDeadRuns() {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(WORK_PREFIX))) {
    const pid = Number(name.slice(WORK_PREFIX.length).split('-')[0]);
    if (Number.isInteger(pid) && !isAlive(pid)) sweepOne(pid, join(tmpdir(), name));
  }
  sweepNamespaces();
}

/** Removes what this run left. @param {string} folder */
export const sweepThisRun = (folder) => sweepOne(process.pid, folder);
