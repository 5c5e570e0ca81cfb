// What has to be done before a command can run, decided from what was observed; or why it cannot. Pure.

import { runsTypeScript } from './modules.mjs';
import { COMMANDS } from './observe.mjs';

/**
 * @typedef {import('./observe.mjs').Observed} Observed
 * @typedef {{ do: 'modules', why: string }
 *   | { do: 'packages', packages: string[] }
 *   | { do: 'engine', how: 'systemctl' | 'dockerd' }} Step
 * @typedef {{ steps: Step[], refusals: string[] }} Plan
 * @typedef {'modules' | 'minion'} Needs what a command needs: the node modules alone, or all that runs pods
 */

const OLDEST_NODE = 20;

/** Which commands run pods on this machine. The others only read and write files, or ask the API. */
const MINION_COMMANDS = ['start', 'up', 'upgrade', 'join', 'test'];

/** @param {string | undefined} command @returns {Needs} */
export const needsOf = (command) => (MINION_COMMANDS.includes(command ?? '') ? 'minion' : 'modules');

/** Debian packages that are missing. @param {Observed} observed */
function missingPackages(observed) {
  /** @type {Set<string>} */
  const packages = new Set(
    observed.missingCommands.map((name) => COMMANDS[/** @type {keyof typeof COMMANDS} */ (name)]),
  );
  if (!observed.engineInstalled && !observed.engineAnswers) packages.add('docker.io');
  return [...packages].sort();
}

/** @param {string[]} packages */
const inWords = (packages) =>
  packages.map((name) => (name === 'docker.io' ? 'Docker Engine (package docker.io)' : `package ${name}`)).join(', ');

/**
 * @param {Observed} observed
 * @param {Needs} needs
 * @param {{ install: boolean, extraPackages?: string[] }} options `install` false: anything missing is a refusal
 * @returns {Plan}
 */
export function planSetup(observed, needs, options) {
  /** @type {Step[]} */
  const steps = [];
  /** @type {string[]} */
  const refusals = [];

  if (Number(observed.nodeVersion.slice(1).split('.')[0]) < OLDEST_NODE) {
    refusals.push(
      `Node ${OLDEST_NODE} or later is needed, this is ${observed.nodeVersion}: see https://nodejs.org/en/download`,
    );
  }
  if (!['x64', 'arm64'].includes(observed.architecture)) {
    refusals.push(`Longshore runs on x86_64 and arm64, not on ${observed.architecture}.`);
  }
  if (needs === 'minion' && observed.platform !== 'linux') {
    refusals.push(
      `pods need Linux (network namespaces, nftables, Docker Engine); this is ${observed.platform}. Use a Linux machine or a virtual one.`,
    );
    return { steps: [], refusals };
  }
  if (needs === 'modules' && observed.platform !== 'linux' && !runsTypeScript(observed.nodeVersion)) {
    refusals.push(`Node 24 or later is needed on ${observed.platform}: see https://nodejs.org/en/download`);
  }

  const packages =
    needs === 'minion' ? [...new Set([...missingPackages(observed), ...(options.extraPackages ?? [])])].sort() : [];
  const startsEngine = needs === 'minion' && !observed.engineAnswers;

  if (needs === 'minion' && observed.uid !== 0) {
    refusals.push('root is needed to make network interfaces and nftables rules: run it again with `sudo`.');
  }
  if (packages.length > 0 && !observed.hasApt) {
    refusals.push(
      `missing: ${inWords(packages)}. There is no apt-get on ${observed.system}: install them with its own package manager` +
        (packages.includes('docker.io') ? ' (Docker: https://docs.docker.com/engine/install/).' : '.'),
    );
  } else if (packages.length > 0 && observed.uid !== 0) {
    refusals.push(`missing: ${inWords(packages)}. Get them with \`sudo apt-get install ${packages.join(' ')}\`.`);
  }
  if (!observed.modulesCurrent && !observed.hasNpm) {
    refusals.push(
      'npm is missing, which installs the node modules: `apt-get install npm`, or see https://nodejs.org/en/download',
    );
  }

  if (!observed.modulesCurrent) {
    steps.push({
      do: 'modules',
      why: observed.modulesPresent ? 'the lock file has changed' : 'they are not there yet',
    });
  }
  if (packages.length > 0) steps.push({ do: 'packages', packages });
  if (startsEngine) steps.push({ do: 'engine', how: observed.hasServiceManager ? 'systemctl' : 'dockerd' });

  const installs = steps.filter((step) => step.do !== 'engine');
  if (!options.install && installs.length > 0)
    refusals.push(`--no-install was given, but ${installs.map(describeStep).join('; and ')}.`);
  return refusals.length > 0 ? { steps: [], refusals } : { steps, refusals };
}

/** @param {Step} step */
export function describeStep(step) {
  switch (step.do) {
    case 'modules':
      return `node modules are to be installed with \`npm ci\` (${step.why}; Node 24 is among them; about 500 MB in node_modules)`;
    case 'packages':
      return `missing: ${inWords(step.packages)}; to be had with \`apt-get install ${step.packages.join(' ')}\``;
    case 'engine':
      return step.how === 'systemctl'
        ? 'the Docker engine is to be started with `systemctl start docker`'
        : 'the Docker engine is to be started (`dockerd`; no service manager runs here)';
  }
}
