/** `longshore join` on another host, behind a NAT: with a join token and the authority's hash, and nothing else. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hashOfAuthorityPem } from '../../agent/cli/commands/join.ts';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { adminToken, joinToken } from '../../agent/cli/tokens.ts';
import { eventually } from '../support/eventually.ts';
import { createTestNetwork, type TestHost, type TestNetwork } from '../support/hosts.ts';
import { readyNodes } from '../support/lab.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'longshore-join-'));
let network: TestNetwork;
let controlPlane: ControlPlane;
let host: TestHost;
let socket: string;

interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** On the host behind the NAT. */
function longshore(...args: string[]): Promise<Finished> {
  const command = ['node', join(PROJECT, 'agent/cli/longshore.mjs'), ...args, '--data-dir', dataDir];
  return new Promise((resolve) => {
    execFile('nsenter', [`--net=${host.netns}`, '--', ...command], { timeout: 90_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr }),
    );
  });
}

const joinFlags = async (token: string, authority: string) => [
  ...['--server', `https://${network.rootIP}:${controlPlane.apiPort}`, '--token', token],
  ...['--ca-hash', hashOfAuthorityPem(authority), '--docker-socket', socket, '--node-name', 'far'],
  ...['--manifest-dir', join(dataDir, 'manifests'), '--detach', '--no-install'],
];
const ready = async () => readyNodes((await controlPlane.api('GET', '/api/v1/nodes')).body);

beforeAll(async () => {
  network = await createTestNetwork();
  host = await network.host('far', { router: await network.router('nat') });
  socket = (await host.engine()).socket;
  controlPlane = await startControlPlane({ listen: network.rootIP });
});

afterAll(async () => {
  if (existsSync(dataDir)) await longshore('down', '--purge');
  rmSync(dataDir, { recursive: true, force: true });
  await controlPlane?.dispose();
  await network?.dispose();
});

test('a server with another authority than the hash names is refused before anything is sent to it', async () => {
  const other = await startControlPlane();
  try {
    const token = await joinToken(layoutOf(controlPlane.dataDir));
    const refused = await longshore('join', ...(await joinFlags(token, other.ca)));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('shows no authority with the hash sha256:');
    expect(await ready()).toEqual([]);
  } finally {
    await other.dispose();
  }
});

test('a join token makes the host a minion, Ready, with a subnet of its own', async () => {
  const token = await joinToken(layoutOf(controlPlane.dataDir));
  const joined = await longshore('join', ...(await joinFlags(token, controlPlane.ca)));
  expect(joined, joined.stderr).toMatchObject({ code: 0 });
  await eventually('the minion Ready', async () => (await ready()).includes('far'));
  const { body } = await controlPlane.api('GET', '/api/v1/nodes/far');
  expect(body).toMatchObject({ spec: { podCIDR: expect.stringMatching(/^10\.244\.\d+\.0\/24$/) } });
});

test('a join token opens nothing else, where that of the administrator opens all', async () => {
  const token = await joinToken(layoutOf(controlPlane.dataDir));
  const stranger = controlPlane.clientAs(token);
  expect((await stranger.request('GET', '/api/v1/pods')).status).toBe(403);
  const admin = controlPlane.clientAs(await adminToken(layoutOf(controlPlane.dataDir)));
  expect((await admin.request('GET', '/api/v1/pods')).status).toBe(200);
});

test('down says goodbye: the node is NotReady before its silence could tell', async () => {
  expect(await longshore('down')).toMatchObject({ code: 0 });
  expect(await ready()).toEqual([]);
});

test('down --purge leaves nothing on the host', async () => {
  expect(await longshore('down', '--purge')).toMatchObject({ code: 0 });
  expect(existsSync(dataDir)).toBe(false);
  expect(await host.exec('ip', ['-br', 'link'])).not.toMatch(/lsh|flannel/);
  expect(await host.exec('nft', ['list', 'tables'])).not.toContain('longshore');
});
