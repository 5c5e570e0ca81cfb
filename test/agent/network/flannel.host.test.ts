/** The pod network on real kernels: two hosts, pods pretended by processes in namespaces of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FlannelNetwork } from '../../../agent/network/flannel.ts';
import type { Node } from '../../../shared/api/core.ts';
import { createTestNetwork, type TestHost, type TestNetwork } from '../../support/hosts.ts';
import { NetworkPeer } from '../../support/network-peer.ts';

const POD_CIDR = '10.244.0.0/16';
const DNS_IP = '10.96.0.10';

let directory: string;
let network: TestNetwork;
let one: TestHost;
let two: TestHost;
let first: FlannelNetwork;
let second: FlannelNetwork;
const peers: NetworkPeer[] = [];

const overlayOn = (host: TestHost) =>
  new FlannelNetwork({
    instance: 'longshore',
    stateDir: join(directory, host.name),
    exec: host.exec,
    log: () => undefined,
  });

const settingsOf = (host: TestHost, nodeCIDR: string) => ({
  nodeCIDR,
  podCIDR: POD_CIDR,
  publicIP: host.ip,
  localAddresses: [DNS_IP],
});

const nodeOf = (host: TestHost, podCIDR: string, annotations: Record<string, string>): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: host.name, uid: host.name, resourceVersion: '1', creationTimestamp: '', annotations },
  spec: { podCIDR },
});

async function podOn(
  host: TestHost,
  overlay: FlannelNetwork,
  uid: string,
  hostPorts = [] as { hostPort: number; containerPort: number; protocol: 'TCP' }[],
) {
  const pid = await host.sandbox();
  const { ip } = await overlay.attach({ uid, pid, hostPorts });
  const peer = new NetworkPeer(`/proc/${pid}/ns/net`);
  peers.push(peer);
  return { uid, pid, ip, peer };
}

function peerOn(host: TestHost): NetworkPeer {
  const peer = new NetworkPeer(host.netns);
  peers.push(peer);
  return peer;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flannel-test-'));
  network = await createTestNetwork();
  one = await network.host('one');
  two = await network.host('two');
  first = overlayOn(one);
  second = overlayOn(two);
  await first.start(settingsOf(one, '10.244.1.0/24'));
  await second.start(settingsOf(two, '10.244.2.0/24'));
  const nodes = [nodeOf(one, '10.244.1.0/24', first.annotations()), nodeOf(two, '10.244.2.0/24', second.annotations())];
  await first.setPeers(nodes);
  await second.setPeers(nodes);
});

afterAll(async () => {
  for (const peer of peers) await peer.close();
  first?.close();
  second?.close();
  await network?.dispose();
  await rm(directory, { recursive: true, force: true });
});

describe('the pod network', () => {
  test('pods of one node reach each other, under their own addresses', async () => {
    const a = await podOn(one, first, 'same-a');
    const b = await podOn(one, first, 'same-b');
    await b.peer.listen('tcp', 8080, 'b');
    expect(await a.peer.tcp(b.ip, 8080)).toEqual({ server: 'b', client: a.ip });
  });

  test('pods of two nodes reach each other over VXLAN, under their own addresses', async () => {
    const a = await podOn(one, first, 'far-a');
    const b = await podOn(two, second, 'far-b');
    await b.peer.listen('tcp', 8080, 'b');
    await b.peer.listen('udp', 8081, 'b');
    expect(await a.peer.tcp(b.ip, 8080)).toEqual({ server: 'b', client: a.ip });
    expect(await a.peer.udp(b.ip, 8081)).toEqual({ server: 'b', client: a.ip });
  });

  test('a host reaches pods of its own node and of others', async () => {
    const near = await podOn(one, first, 'host-near');
    const far = await podOn(two, second, 'host-far');
    await near.peer.listen('tcp', 8080, 'near');
    await far.peer.listen('tcp', 8080, 'far');
    const host = peerOn(one);
    expect((await host.tcp(near.ip, 8080)).server).toBe('near');
    expect((await host.tcp(far.ip, 8080)).server).toBe('far');
  });

  test('a pod that leaves the cluster goes under its host’s address', async () => {
    const outside = await network.host('outside');
    const server = peerOn(outside);
    await server.listen('tcp', 9000, 'outside');
    const pod = await podOn(one, first, 'leaving');
    expect(await pod.peer.tcp(outside.ip, 9000)).toEqual({ server: 'outside', client: one.ip });
  });

  test('a host port leads to the pod, for others, for the host and for the pod itself, until the pod goes', async () => {
    const pod = await podOn(two, second, 'published', [{ hostPort: 8088, containerPort: 80, protocol: 'TCP' }]);
    await pod.peer.listen('tcp', 80, 'published');
    expect((await peerOn(one).tcp(two.ip, 8088)).server).toBe('published');
    expect((await peerOn(two).tcp(two.ip, 8088)).server).toBe('published');
    expect((await pod.peer.tcp(two.ip, 8088)).server).toBe('published');
    await second.detach(pod.uid);
    await expect(peerOn(one).tcp(two.ip, 8088)).rejects.toThrow('ECONNREFUSED');
  });

  test('the cluster DNS address is the node’s own', async () => {
    const pod = await podOn(one, first, 'asking');
    const host = peerOn(one);
    await host.listen('udp', 5353, 'dns', DNS_IP);
    expect(await pod.peer.udp(DNS_IP, 5353)).toEqual({ server: 'dns', client: pod.ip });
  });

  test('an agent that starts again finds its pods connected and leaves connections whole', async () => {
    const a = await podOn(one, first, 'adopted-a');
    const b = await podOn(two, second, 'adopted-b');
    await b.peer.listen('tcp', 8080, 'b');
    const connection = await a.peer.open(b.ip, 8080);

    first.close();
    first = overlayOn(one);
    await first.start(settingsOf(one, '10.244.1.0/24'));
    expect(first.attachments().get(a.uid)?.ip).toBe(a.ip);
    expect((await first.attach({ uid: a.uid, pid: a.pid, hostPorts: [] })).ip).toBe(a.ip);
    await first.setPeers([nodeOf(two, '10.244.2.0/24', second.annotations())]);
    expect(await connection.say('still there?')).toBe('still there?');
  });

  test('a pod whose sandbox was made anew keeps its address', async () => {
    const before = await podOn(one, first, 'again');
    const pid = await one.sandbox();
    const after = await first.attach({ uid: 'again', pid, hostPorts: [] });
    expect(after.ip).toBe(before.ip);
    const peer = new NetworkPeer(`/proc/${pid}/ns/net`);
    peers.push(peer);
    await peer.listen('tcp', 8080, 'again');
    expect((await peerOn(one).tcp(after.ip, 8080)).server).toBe('again');
  });

  test('what someone took away is put back by the next start', async () => {
    const pod = await podOn(one, first, 'mended');
    await pod.peer.listen('tcp', 8080, 'mended');
    await one.exec('ip', ['link', 'del', 'lsh0']);
    await one.exec('ip', ['link', 'del', 'flannel.1']);
    await one.exec('nft', ['flush', 'ruleset']);
    await first.start(settingsOf(one, '10.244.1.0/24'));
    await first.setPeers([nodeOf(two, '10.244.2.0/24', second.annotations())]);
    const far = await podOn(two, second, 'mended-far');
    expect((await far.peer.tcp(pod.ip, 8080)).server).toBe('mended');
  });

  test('a second start changes nothing in the kernel', async () => {
    const state = async () => [
      await one.exec('ip', ['-4', '-j', 'addr']),
      await one.exec('ip', ['-j', 'route']),
      await one.exec('ip', ['-j', 'neigh', 'show', 'dev', 'flannel.1']),
      await one.exec('bridge', ['-j', 'fdb', 'show', 'dev', 'flannel.1']),
    ];
    const before = await state();
    await first.start(settingsOf(one, '10.244.1.0/24'));
    await first.setPeers([nodeOf(two, '10.244.2.0/24', second.annotations())]);
    expect(await state()).toEqual(before);
  });

  test('two agents cannot share the overlay’s port, and are told so', async () => {
    const rival = new FlannelNetwork({
      instance: 'other',
      stateDir: join(directory, 'rival'),
      exec: one.exec,
      log: () => undefined,
    });
    await expect(rival.start(settingsOf(one, '10.244.3.0/24'))).rejects.toThrow('flannel.1 already uses VXLAN id 1');
    await rival.purge();
    rival.close();
  });

  test('purge leaves no interface, route or rule', async () => {
    const host = await network.host('purged');
    const before = [await host.exec('ip', ['-j', 'route']), await host.exec('nft', ['list', 'ruleset'])];
    const overlay = overlayOn(host);
    await overlay.start(settingsOf(host, '10.244.9.0/24'));
    await overlay.setPeers([nodeOf(two, '10.244.2.0/24', second.annotations())]);
    await podOn(host, overlay, 'purged');
    await overlay.purge();
    overlay.close();
    expect([await host.exec('ip', ['-j', 'route']), await host.exec('nft', ['list', 'ruleset'])]).toEqual(before);
    const links = JSON.parse(await host.exec('ip', ['-j', 'link'])) as { ifname: string }[];
    expect(links.map((link) => link.ifname).sort()).toEqual(['eth0', 'lo']);
  });

  test('where the FORWARD policy is DROP, pods still reach each other and the outside', async () => {
    const host = await network.host('docker');
    await host.exec('iptables', ['-P', 'FORWARD', 'DROP']);
    const overlay = overlayOn(host);
    await overlay.start(settingsOf(host, '10.244.8.0/24'));
    const a = await podOn(host, overlay, 'drop-a');
    const b = await podOn(host, overlay, 'drop-b');
    await b.peer.listen('tcp', 8080, 'b');
    expect((await a.peer.tcp(b.ip, 8080)).server).toBe('b');
    await overlay.start(settingsOf(host, '10.244.8.0/24'));
    expect((await host.exec('iptables', ['-S', 'FORWARD'])).match(/ACCEPT/g)).toHaveLength(2);
    await overlay.purge();
    overlay.close();
    expect((await host.exec('iptables', ['-S', 'FORWARD'])).trim()).toBe('-P FORWARD DROP');
  });
});
