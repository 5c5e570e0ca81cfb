/** The command line's backup and restore against the real control plane, and what a real kubectl sees of it. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Finished, findKubectls, Kubectl } from '../support/kubectl.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

let plane: ControlPlane;
let folder: string;

beforeAll(async () => {
  plane = await startControlPlane();
  folder = mkdtempSync(join(tmpdir(), 'longshore-backup-'));
});
afterAll(async () => {
  await plane?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function longshore(...args: string[]): Promise<Finished> {
  const command = [join(PROJECT, 'agent/cli/main.ts'), ...args, '--data-dir', plane.dataDir];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const configMap = (name: string, value: string) => ({ metadata: { name }, data: { value } });

async function contentOf(name: string): Promise<string | undefined> {
  const { status, body } = await plane.api('GET', `${CONFIG_MAPS}/${name}`);
  return status === 200 ? (body as { data: { value: string } }).data.value : undefined;
}

describe.each(findKubectls().slice(-1))('kubectl $version', (binary) => {
  test('what waits on a watch goes on across a restore, and old revisions are expired', async () => {
    const kubectl = new Kubectl(binary, plane.kubeconfigPath);
    const file = join(folder, 'cluster.backup');
    await kubectl.run(['create', 'configmap', 'kept', '--from-literal=value=before']);
    const saved = await longshore('backup', file);
    expect(saved, saved.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('objects') });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await kubectl.run(['create', 'configmap', 'later', '--from-literal=value=x']);
    await kubectl.run(['patch', 'configmap', 'kept', '-p', '{"data":{"value":"changed"}}']);
    const list = await kubectl.run(['get', '--raw', CONFIG_MAPS]);
    const { metadata } = JSON.parse(list) as { metadata: { resourceVersion: string } };

    // Its informer lists and watches; what it waits for is written in the history after.
    const wait = ['wait', '--for=jsonpath={.data.value}=after', 'configmap/kept', '--timeout=60s'];
    const waiting = kubectl.try(wait, { timeoutMs: 90_000 });
    const watching = kubectl.start(['get', 'configmaps', '-w', '-o', 'name']);
    const shown: string[] = [];
    watching.stdout?.setEncoding('utf8').on('data', (text: string) => shown.push(text));
    const watchEnded = once(watching, 'exit');
    await eventually('the watch under way', () => shown.join('').includes('configmap/later'));

    const restored = await longshore('restore', file);
    expect(restored, restored.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('are back') });
    await watchEnded;
    expect([await contentOf('kept'), await contentOf('later')]).toEqual(['before', undefined]);
    const old = `${CONFIG_MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`;
    expect(await kubectl.run(['get', '--raw', old])).toContain('"code":410');
    await kubectl.run(['patch', 'configmap', 'kept', '-p', '{"data":{"value":"after"}}']);
    expect(await waiting).toMatchObject({ code: 0, stdout: expect.stringContaining('condition met') });
  });
});

test('a restore is whole after the control plane was killed, and nothing when it is killed under way', async () => {
  const file = join(folder, 'killed.backup');
  for (let i = 0; i < 20; i += 1) {
    await plane.api('POST', CONFIG_MAPS, configMap(`k${i}`, `${i}`.repeat(100_000)));
  }
  await plane.api('POST', CONFIG_MAPS, configMap('mark', 'then'));
  expect((await longshore('backup', file)).code).toBe(0);
  await plane.api('PUT', `${CONFIG_MAPS}/mark`, configMap('mark', 'now'));
  const going = longshore('restore', file);
  await plane.kill('SIGKILL');
  await plane.restart();
  const { code } = await going;
  // The command goes on where it was, when it had begun; otherwise it failed, and nothing happened.
  expect(await contentOf('mark')).toBe(code === 0 ? 'then' : 'now');
  expect((await longshore('restore', file)).code).toBe(0);
  await plane.kill('SIGKILL');
  await plane.restart();
  expect(await contentOf('mark')).toBe('then');
  expect((await plane.api('POST', CONFIG_MAPS, configMap('new', 'x'))).status).toBe(201);
});

test('files that are no whole backup are refused before the cluster hears of them', async () => {
  const file = join(folder, 'whole.backup');
  expect((await longshore('backup', file)).code).toBe(0);
  const bytes = readFileSync(file);
  const cut = join(folder, 'cut.backup');
  writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length / 2)));
  const other = join(folder, 'other.backup');
  writeFileSync(other, 'kind: List\n');
  for (const each of [cut, other]) {
    const { code, stderr } = await longshore('restore', each);
    expect([code, stderr]).toEqual([1, expect.stringContaining('not a backup')]);
  }
  const missing = await longshore('restore', join(folder, 'missing'));
  expect(missing.stderr).toContain('ENOENT');
  const past = await longshore('restore', '--at', new Date().toISOString().replace(/\.\d+/, ''));
  expect(past).toMatchObject({ code: 1, stderr: expect.stringContaining('no history of its storage is kept') });
  expect((await longshore('restore')).stderr).toContain('say what to restore');
});

test('a backup that fails leaves no file', async () => {
  const file = join(folder, 'none', 'x.backup');
  expect((await longshore('backup', file)).code).toBe(1);
  const denied = join(folder, 'denied.backup');
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, readFileSync(plane.kubeconfigPath, 'utf8').replace(/token: .*/, 'token: wrong'));
  const { code, stderr } = await longshore('backup', denied, '--kubeconfig', kubeconfig);
  expect([code, stderr]).toEqual([1, expect.stringContaining('Unauthorized')]);
  expect([existsSync(file), existsSync(denied), existsSync(`${denied}.unfinished`)]).toEqual([false, false, false]);
});
