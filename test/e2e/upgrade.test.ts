/**
 * `longshore upgrade` as its user does it: the clone is at another version, and what runs is replaced by it while kubectl,
 * clients, watches and minions use it. No call fails beyond one retry, no pod and no node is touched.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import { type UpgradeReport, upgradeUnderLoad } from '../durability/upgrade.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, startFleet } from '../support/fleet.ts';
import { BUSYBOX, importTestImages } from '../support/images.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';

const PODS = '/api/v1/namespaces/default/pods';
const FAKES = 20;
const NEW_VERSION = 'v1.36.0+longshore.next';

let installed: Installation;
let fleet: Fleet;
let kubectl: Kubectl;

const pod = (name: string, nodeName: string, command: string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { nodeName, terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: BUSYBOX, command }] },
});
const isReady = ({ status }: Pod) =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');

beforeAll(async () => {
  const binary = findKubectls().at(-1);
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  installed = await startInstallation('upgraded');
  kubectl = new Kubectl(binary, installed.layout.kubeconfig);
  importTestImages('/var/run/docker.sock');
  const { layout, ca, apiPort, client, node } = installed;
  const server = `https://127.0.0.1:${apiPort}`;
  fleet = await startFleet({ dataDir: layout.dataDir, ca, server, count: FAKES });
  const counting = ['sh', '-c', 'n=0; while true; do n=$((n+1)); echo "line $n"; sleep 0.2; done'];
  await client.json('POST', PODS, pod('witness', node, counting));
  for (const { node } of fleet.minions) await client.json('POST', PODS, pod(`on-${node}`, node, ['true']));
  await eventually('every pod ready', async () =>
    (await client.json<{ items: Pod[] }>('GET', PODS)).items.every(isReady),
  );
});
afterAll(async () => {
  await fleet?.stop();
  await installed?.dispose();
});

test('an upgrade that cannot be made changes nothing', async () => {
  const before = installed.pids();
  installed.edit('worker/index.ts', (text) => `not a module; ${text}`);
  const refused = await installed.longshore('upgrade', '--no-install');
  installed.edit('worker/index.ts', (text) => text.replace('not a module; ', ''));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('worker/index.ts');
  expect(installed.pids()).toEqual(before);
  await installed.client.json('GET', '/version');
});

test('under load, no call fails beyond one retry, every watch resumes, no pod or node is touched', async () => {
  const { client } = installed;
  const before = installed.pids();
  const containers = installed.containers();
  installed.edit('shared/defaults.ts', (text) => text.replace(/(gitVersion: ')[^']+/, `$1${NEW_VERSION}`));
  let upgraded = false;
  let asked = 0;
  const refused: string[] = [];
  const ask = async () => {
    while (!upgraded) {
      asked += 1;
      const args = ['get', 'pods', '-o', 'name'];
      const { code, stderr } = await kubectl.try(args);
      // As anybody would: once more.
      if (code !== 0 && (await kubectl.try(args)).code !== 0) refused.push(stderr);
    }
  };
  const followed = kubectl.start(['logs', '-f', 'witness']);
  followed.stdout?.resume();
  const ended = new Promise((resolve) => followed.once('exit', resolve));
  const asking = ask();
  let report: UpgradeReport;
  try {
    report = await upgradeUnderLoad(client, { writers: 8, readers: 2, followers: 3, callsAround: 200 }, async () => {
      const done = await installed.longshore('upgrade', '--no-install');
      expect(done, done.stderr).toMatchObject({ code: 0 });
    });
  } finally {
    upgraded = true;
    await asking;
    followed.kill();
    await ended;
  }
  expect(report.failed).toEqual([]);
  expect(refused).toEqual([]);
  expect(asked).toBeGreaterThan(0);
  expect(report.touched).toEqual([]);
  expect(report.violations).toEqual([]);
  expect(report.reconnects).toBeGreaterThanOrEqual(3);
  expect(installed.containers()).toEqual(containers);
  const after = installed.pids();
  for (const which of ['supervisor', 'workerd', 'agent'] as const) {
    expect(after[which], which).toBeDefined();
    expect(after[which], which).not.toBe(before[which]);
  }
  expect(await client.json('GET', '/version')).toMatchObject({ gitVersion: NEW_VERSION });
});

test('minions are back by what changed alone, and logs, exec and events are as ever', async () => {
  await eventually('every minion back', () => fleet.settled());
  expect(fleet.minions.map(({ resynced }) => resynced)).toEqual(fleet.minions.map(() => 1));
  expect([...fleet.answers]).toEqual([]);
  // The agent is dialling again meanwhile, as after any restart.
  await eventually('the real minion back', async () => (await kubectl.try(['logs', '--tail=1', 'witness'])).code === 0);
  const lines = (await kubectl.run(['logs', 'witness'])).trimEnd().split('\n');
  expect(lines).toEqual(lines.map((_, index) => `line ${index + 1}`));
  expect(await kubectl.run(['exec', 'witness', '--', 'echo', 'still here'])).toBe('still here\n');
  const { items } = await installed.client.json<{ items: { reason: string }[] }>('GET', '/api/v1/events');
  expect(items.filter(({ reason }) => reason === 'NodeNotReady' || reason === 'Killing')).toEqual([]);
});
