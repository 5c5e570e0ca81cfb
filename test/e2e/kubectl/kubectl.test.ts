/**
 * Every command of kubectl, with each version from 1.31 on that is here, against the control plane in workerd and a minion
 * behind a NAT. Groups of commands run side by side, each in a namespace of its own; one after the other within.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectls, Kubectl } from '../../support/kubectl.ts';
import { type Lab, startLab } from '../../support/lab.ts';
import { GROUPS } from './catalog.ts';
import { commandsOf, commandsRunBy } from './commands.ts';
import { World } from './world.ts';

const binaries = findKubectls();
const newest = binaries.at(-1);
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'm1', behind: 'nat' }] });
});
afterAll(async () => {
  await lab?.dispose();
});

test('there is a kubectl to test with', () => {
  expect(newest).toBeDefined();
});

const worlds: World[] = [];

describe.each(binaries)('kubectl $version', { concurrent: true }, (binary) => {
  for (const group of GROUPS.filter((each) => each.once === undefined || binary === newest)) {
    const world = new World(group, binary, () => lab);
    worlds.push(world);
    describe(group.name, { concurrent: true }, () => {
      describe('in order', { concurrent: false }, () => {
        beforeAll(() => world.begin());
        afterAll(() => world.end());
        group.define(world);
      });
    });
  }
});

test.each(binaries)('every command that kubectl $version has was run', async (binary) => {
  const commands = new Set(await commandsOf(new Kubectl(binary, '/dev/null')));
  const run = worlds
    .filter((world) => world.version === binary.version || world.once)
    .flatMap((world) => world.started.flatMap((args) => commandsRunBy(args, commands)));
  expect(commands.size).toBeGreaterThan(80);
  expect([...commands.difference(new Set(run))]).toEqual([]);
});
