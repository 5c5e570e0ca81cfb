/**
 * The main job as its user does it: `longshore start --detach` on this machine, the example's two Services, the kubeconfig,
 * ending and starting again, and `down --purge` that leaves nothing. Other ports and another instance name than a real
 * one's, so that it can run beside nothing but itself.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../../agent/cli/api-client.ts';
import { clusterClient } from '../../agent/cli/cluster-access.ts';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { askPublic } from '../../agent/cli/example/mission.ts';
import { networkNamesOf } from '../../agent/network/names.ts';
import type { Deployment } from '../../shared/api/apps.ts';
import type { Node, Pod } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { eventually } from '../support/eventually.ts';
import { freePorts } from '../support/longshore.ts';

const INSTANCE = 'first-light';
const dataDir = mkdtempSync(join(tmpdir(), 'longshore-first-light-'));
const manifestDir = join(dataDir, 'manifests');
const layout = layoutOf(dataDir);

interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

function longshore(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(
      'node',
      [join(PROJECT, 'agent/cli/longshore.mjs'), ...args, '--data-dir', dataDir],
      { encoding: 'utf8', timeout: 240_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr }),
    );
  });
}

const run = (file: string, args: string[]) => execFileSync(file, args, { encoding: 'utf8' });

/** Id and start time of each container of this instance. */
const containers = () =>
  run('docker', ['ps', '-aq', '--no-trunc', '--filter', `label=dev.longshore.instance=${INSTANCE}`])
    .split('\n')
    .filter(Boolean)
    .map((id) => run('docker', ['inspect', '--format', '{{.Id}} {{.State.StartedAt}}', id]).trim())
    .sort();

const processes = () =>
  run('ps', ['-eo', 'pid,args'])
    .split('\n')
    .filter((line) => line.includes(dataDir) && !line.includes('ps -eo'));

let ports: string[];
let client: ApiClient;
const pods = async () =>
  (await client.json<KubeList<Pod>>('GET', '/api/v1/namespaces/default/pods?labelSelector=example=mission')).items;

beforeAll(async () => {
  const [api, services] = await freePorts(2);
  ports = ['--api-port', String(api), '--public-port', String(services)];
});

afterAll(async () => {
  client?.close();
  if (existsSync(dataDir)) await longshore('down', '--purge');
  rmSync(dataDir, { recursive: true, force: true });
});

describe('first light', () => {
  let started: Finished;
  let urls: string[];

  test('start --detach ends well, with both Services answering', async () => {
    const flags = ['--instance', INSTANCE, '--node-name', INSTANCE, '--manifest-dir', manifestDir];
    started = await longshore('start', '--detach', '--no-install', ...ports, ...flags);
    expect(started, started.stderr).toMatchObject({ code: 0 });
    expect(started.stdout).toContain('Both Services answer:');
    urls = [...started.stdout.matchAll(/^ {2}\w+ +(http:\S+)$/gm)].map((match) => match[1] ?? '');
    expect(urls.map((url) => new URL(url).hostname)).toEqual(['board.default.localhost', 'shop.default.localhost']);
    client = clusterClient(layout);
  });

  test('the table showed pods on their way, and the end says how to go on', () => {
    expect(started.stdout).toMatch(/shop-\S+ {2}nginx (waiting|pulling|creating)/);
    expect(started.stdout).toMatch(/board-\S+ {2}nginx ready {2}redis ready/);
    expect(started.stdout).toContain(`export KUBECONFIG=${layout.kubeconfig}`);
    expect(started.stdout.match(/^ {2}kubectl .+$/gm)).toHaveLength(3);
    expect(started.stdout).not.toContain(clusterToken());
  });

  test('each page is filled in by the database beside its nginx, which counts the visits', async () => {
    for (const url of urls) {
      await eventually(
        `a visit counted at ${url}`,
        async () => {
          const { status, body } = await askPublic(url);
          expect(status).toBe(200);
          return Number(/(\d+) visits, says/.exec(body)?.[1]) > 0;
        },
        { timeoutMs: 30_000 },
      );
    }
  });

  test('the printed kubeconfig is the file, for its owner alone, and opens the cluster', async () => {
    const printed = await longshore('kubeconfig');
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(printed.stdout).toBe(readFileSync(layout.kubeconfig, 'utf8'));
    const { items } = await client.json<KubeList<Node>>('GET', '/api/v1/nodes');
    expect(items.map((node) => [node.metadata.name, ready(node)])).toEqual([[INSTANCE, 'True']]);
  });

  test('no secret lies open: keys, tokens and state are for root alone', () => {
    const open = run('find', [dataDir, '-maxdepth', '2', '-type', 'f', '-perm', '/077', '-size', '+0']).trim();
    const secret = open.split('\n').filter((path) => /secret|\.key$|kubeconfig|config\.json|settings|capnp/.test(path));
    expect(secret).toEqual([]);
  });

  test('starting what runs already is fine, and changes nothing', async () => {
    const before = containers();
    const again = await longshore('start', '--detach', '--no-install');
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('runs already');
    expect(containers()).toEqual(before);
  });

  test('status says what runs', async () => {
    const said = await longshore('status');
    expect(said).toMatchObject({ code: 0 });
    expect(said.stdout).toMatch(/control plane {2}running/);
    expect(said.stdout).toContain(`${INSTANCE}: Ready, 4 pods`);
  });

  test('down ends the processes and leaves the pods; started again, all is as it was', async () => {
    const before = containers();
    const objects = (await pods()).map((pod) => pod.metadata.uid).sort();
    await client.json(
      'PATCH',
      '/apis/apps/v1/namespaces/default/deployments/shop',
      { metadata: { annotations: { kept: 'yes' } } },
      'application/merge-patch+json',
    );
    expect(await longshore('down')).toMatchObject({ code: 0 });
    expect(processes()).toEqual([]);
    expect(containers()).toEqual(before);
    expect(await longshore('status')).toMatchObject({ code: 1 });

    const again = await longshore('start', '--detach', '--no-install');
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(containers()).toEqual(before);
    const after = await pods();
    expect(after.map((pod) => pod.metadata.uid).sort()).toEqual(objects);
    const restarts = after.flatMap((pod) => pod.status?.containerStatuses ?? []).map((each) => each.restartCount);
    expect(restarts.every((count) => count === 0)).toBe(true);
    const shop = await client.json<Deployment>('GET', '/apis/apps/v1/namespaces/default/deployments/shop');
    expect(shop.metadata.annotations?.kept).toBe('yes');
  });

  test('killed outright, it leaves nothing that a start could not take over', async () => {
    const before = containers();
    process.kill(Number(readFileSync(layout.supervisorPid, 'utf8')), 'SIGKILL');
    const again = await longshore('start', '--detach', '--no-install');
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(containers()).toEqual(before);
    expect(processes().filter((line) => line.includes('workerd serve'))).toHaveLength(1);
    expect(processes().filter((line) => line.includes('agent/main.ts'))).toHaveLength(1);
  });

  test('down --purge leaves no process, container, interface, nft table or file', async () => {
    const names = networkNamesOf(INSTANCE);
    expect(run('ip', ['-br', 'link'])).toContain(names.bridge);
    expect(run('nft', ['list', 'tables'])).toContain(names.table);
    const purged = await longshore('down', '--purge');
    expect(purged, purged.stderr).toMatchObject({ code: 0 });
    expect(processes()).toEqual([]);
    expect(containers()).toEqual([]);
    expect(run('ip', ['-br', 'link'])).not.toMatch(new RegExp(`${names.bridge}|${names.vxlan}`));
    expect(run('nft', ['list', 'tables'])).not.toContain(names.table.replace('longshore_network', ''));
    expect(run('iptables', ['-S'])).not.toContain(names.bridge);
    expect(run('docker', ['images', '--format', '{{.Repository}}'])).not.toMatch(/^longshore\.local/m);
    expect(existsSync(dataDir)).toBe(false);
  });

  test('down where nothing ever ran says so', async () => {
    expect(await longshore('down')).toMatchObject({ code: 0, stdout: `Nothing was ever started from ${dataDir}.\n` });
  });
});

const ready = (node: Node) => node.status?.conditions?.find((each) => each.type === 'Ready')?.status;

const clusterToken = () => client.options.token ?? 'no token';
