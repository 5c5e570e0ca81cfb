/** What tests that use hosts rely on: reachability, NAT, engines, and that nothing is left behind. */
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execCommand } from '../../agent/network/commands.ts';
import { createTestNetwork, type TestHost, type TestNetwork, type TestRouter } from './hosts.ts';
import { NetworkPeer } from './network-peer.ts';

let network: TestNetwork;
let open: TestHost;
let router: TestRouter;
let inside: TestHost;
const peers: NetworkPeer[] = [];

const peerIn = (netns: string) => {
  const peer = new NetworkPeer(netns);
  peers.push(peer);
  return peer;
};

beforeAll(async () => {
  network = await createTestNetwork();
  open = await network.host('open');
  router = await network.router('nat');
  inside = await network.host('inside', { router });
});

afterAll(async () => {
  for (const peer of peers) await peer.close();
  await network?.dispose();
});

describe('a host behind a NAT', () => {
  test('dials out under the router’s address', async () => {
    const server = peerIn(open.netns);
    await server.listen('tcp', 9000, 'open');
    expect(await peerIn(inside.netns).tcp(open.ip, 9000)).toEqual({ server: 'open', client: router.ip });
  });

  test('cannot be dialled, not even by someone who knows the way', async () => {
    await peerIn(inside.netns).listen('tcp', 9001, 'inside');
    const dialler = peerIn(open.netns);
    await open.exec('ip', ['route', 'add', `${inside.ip}/32`, 'via', router.ip]);
    await expect(dialler.tcp(inside.ip, 9001, { timeoutMs: 500 })).rejects.toThrow('timed out');
    await expect(dialler.tcp(router.ip, 9001, { timeoutMs: 500 })).rejects.toThrow('timed out');
  });

  test('is reached by its neighbours behind the same NAT', async () => {
    const neighbour = await network.host('neighbour', { router });
    await peerIn(inside.netns).listen('tcp', 9002, 'inside');
    expect((await peerIn(neighbour.netns).tcp(inside.ip, 9002)).client).toBe(neighbour.ip);
  });
});

test('a network that is disposed of leaves no namespace, interface, process or engine state', async () => {
  const other = await createTestNetwork();
  const left = async () => {
    const links = JSON.parse(await execCommand('ip', ['-j', 'link'])) as { ifname: string }[];
    const names = [...links.map((link) => link.ifname), ...readdirSync('/run/netns'), ...readdirSync(tmpdir())];
    return names.filter((name) => name.includes(other.id)).length;
  };
  const host = await other.host('short', { router: await other.router('nat') });
  const pid = await host.sandbox();
  const engine = await host.engine();
  expect(await engine.docker('info', '--format', '{{.Containers}}')).toBe('0\n');
  // The hub, the router, the host, the way in, the engine's folder.
  expect(await left()).toBe(5);
  await other.dispose();
  expect(await left()).toBe(0);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
