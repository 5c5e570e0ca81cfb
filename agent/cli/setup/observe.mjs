// What this machine has: read, never changed. What follows from it is decided in plan.mjs.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { observeModules } from './modules.mjs';

/**
 * @typedef {object} Observed
 * @property {string} platform as process.platform
 * @property {string} architecture as process.arch
 * @property {string} nodeVersion e.g. `v20.11.0`
 * @property {number} uid
 * @property {string} system PRETTY_NAME of /etc/os-release
 * @property {boolean} hasNpm
 * @property {boolean} hasApt
 * @property {boolean} modulesPresent
 * @property {boolean} modulesCurrent
 * @property {boolean} engineAnswers the Docker API answers at the socket
 * @property {boolean} engineInstalled
 * @property {boolean} hasServiceManager systemd runs
 * @property {string[]} missingCommands of COMMANDS
 */

/** Commands that a minion runs, and the Debian package each comes from. */
export const COMMANDS = /** @type {const} */ ({
  nft: 'nftables',
  ip: 'iproute2',
  bridge: 'iproute2',
  iptables: 'iptables',
  nsenter: 'util-linux',
});

export const DOCKER_SOCKET = '/var/run/docker.sock';

/** Where root's commands are, though a user's PATH may leave them out. */
const EXTRA_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** @param {string} name */
export function findCommand(name) {
  for (const folder of [...(process.env.PATH ?? '').split(':'), ...EXTRA_PATH]) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      const code = /** @type {NodeJS.ErrnoException} */ (error).code;
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR') throw error;
    }
  }
  return undefined;
}

/** Whether a Docker engine answers. @param {string} socketPath @returns {Promise<boolean>} */
export function engineAnswers(socketPath = DOCKER_SOCKET) {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: 3000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    // No socket, or nobody behind it: that is the answer.
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

function systemName() {
  if (!existsSync('/etc/os-release')) return process.platform;
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
}

/** @param {string} [dockerSocket] @returns {Promise<Observed>} */
export async function observe(dockerSocket = DOCKER_SOCKET) {
  const modules = observeModules();
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.version,
    uid: process.getuid?.() ?? -1,
    system: systemName(),
    hasNpm: findCommand('npm') !== undefined,
    hasApt: findCommand('apt-get') !== undefined,
    modulesPresent: modules.present,
    modulesCurrent: modules.current,
    engineAnswers: await engineAnswers(dockerSocket),
    engineInstalled: findCommand('dockerd') !== undefined,
    hasServiceManager: existsSync('/run/systemd/system'),
    missingCommands: Object.keys(COMMANDS).filter((name) => findCommand(name) === undefined),
  };
}
