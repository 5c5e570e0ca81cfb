/** Services on a real kernel: two hosts with pod networks, pods pretended by processes in namespaces of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type NftablesOptions, NftablesProxy } from '../../../agent/proxy/nftables.ts';
import type { ServiceRoute } from '../../../agent/proxy/proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestNetwork, type TestNetwork } from '../../support/hosts.ts';
import type { NetworkPeer } from '../../support/network-peer.ts';
import { DNS_IP, POD_CIDR, type PodHost, startPodHost, type TestPod } from '../../support/pod-host.ts';

const VIP = '10.96.1.1';
const SERVICE_CIDR = '10.96.0.0/12';

let directory: string;
let network: TestNetwork;
let one: PodHost;
let two: PodHost;
let proxy: NftablesProxy;
let client: TestPod;
let near: TestPod;
let far: TestPod;
let onOne: NetworkPeer;
let outside: NetworkPeer;
let logged: string[];

/** All that were made in a test. */
const proxies: NftablesProxy[] = [];

function proxyOn({ host }: PodHost, exec: NftablesOptions['exec'] = host.exec): NftablesProxy {
  const log = (message: string) => logged.push(message);
  const made = new NftablesProxy({ instance: 'longshore', exec, spawn: host.spawn, log });
  proxies.push(made);
  return made;
}

const route = (endpoints: TestPod[], more: Partial<ServiceRoute> = {}): ServiceRoute => {
  const all = endpoints.map(({ ip }) => ({ ip, port: 8080, local: ip.startsWith('10.244.1.') }));
  return {
    service: 'default/web',
    protocol: 'TCP',
    addresses: [VIP],
    externalAddresses: [],
    port: 80,
    endpoints: all,
    localEndpoints: all.filter((each) => each.local),
    internalLocalOnly: false,
    externalLocalOnly: false,
    ...more,
  };
};

/** Who answers, over so many connections. */
async function answers(peer: NetworkPeer, address: string, port: number, times = 24): Promise<string[]> {
  const seen = await Promise.all(Array.from({ length: times }, () => peer.tcp(address, port)));
  return [...new Set(seen.map((each) => each.server))].sort();
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'proxy-test-'));
  network = await createTestNetwork();
  one = await startPodHost(await network.host('one'), '10.244.1.0/24', directory);
  two = await startPodHost(await network.host('two'), '10.244.2.0/24', directory);
  for (const each of [one, two]) await each.overlay.setPeers([one.node(), two.node()]);
  client = await one.pod('client');
  near = await one.pod('near');
  far = await two.pod('far');
  for (const pod of [client, near, far]) {
    await pod.peer.listen('tcp', 8080, pod.uid);
    await pod.peer.listen('udp', 8080, pod.uid);
  }
  onOne = one.peer();
  outside = two.peer();
});

afterAll(async () => {
  await one?.close();
  await two?.close();
  await network?.dispose();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  logged = [];
  proxy = proxyOn(one);
  await proxy.purge();
  await proxy.start({ podCIDR: POD_CIDR, nodeAddresses: [one.host.ip], serviceCIDR: SERVICE_CIDR });
});

afterEach(async () => {
  for (const each of proxies.splice(0)) await each.close();
});

describe('a Service', () => {
  test('leads a pod to every endpoint, on its own node and on others, with its address kept', async () => {
    await proxy.apply([route([near, far])]);
    expect(await answers(client.peer, VIP, 80)).toEqual(['far', 'near']);
    await proxy.apply([route([near])]);
    expect(await client.peer.tcp(VIP, 80)).toEqual({ server: 'near', client: client.ip });
    await proxy.apply([route([far])]);
    expect(await client.peer.tcp(VIP, 80)).toEqual({ server: 'far', client: client.ip });
  });

  test('works whether or not the kernel filters bridged traffic', async () => {
    await proxy.apply([route([near, client])]);
    for (const value of [0, 1]) {
      await one.host.exec('sh', ['-c', `echo ${value} > /proc/sys/net/bridge/bridge-nf-call-iptables`]);
      expect(await answers(client.peer, VIP, 80)).toEqual(['client', 'near']);
    }
  });

  test('leads the host itself to every endpoint', async () => {
    await proxy.apply([route([near, far])]);
    expect(await answers(onOne, VIP, 80)).toEqual(['far', 'near']);
  });

  test('leads a pod back to itself, masqueraded', async () => {
    await proxy.apply([route([client])]);
    expect(await client.peer.tcp(VIP, 80)).toEqual({ server: 'client', client: '10.244.1.1' });
  });

  test('carries UDP', async () => {
    await proxy.apply([route([far], { protocol: 'UDP' })]);
    expect(await client.peer.udp(VIP, 80)).toEqual({ server: 'far', client: client.ip });
  });

  test('of one address may have a TCP and a UDP port of the same number', async () => {
    await proxy.apply([route([near]), route([far], { protocol: 'UDP', service: 'default/web' })]);
    expect((await client.peer.tcp(VIP, 80)).server).toBe('near');
    expect((await client.peer.udp(VIP, 80)).server).toBe('far');
  });

  test('without endpoints refuses at once: TCP, UDP, from pods and from the host', async () => {
    await proxy.apply([route([]), route([], { protocol: 'UDP', service: 'default/web' })]);
    await expect(client.peer.tcp(VIP, 80)).rejects.toThrow('ECONNREFUSED');
    await expect(client.peer.udp(VIP, 80)).rejects.toThrow('ECONNREFUSED');
    await expect(onOne.tcp(VIP, 80)).rejects.toThrow('ECONNREFUSED');
    await expect(onOne.udp(VIP, 80)).rejects.toThrow('ECONNREFUSED');
    await proxy.apply([route([near])]);
    expect((await client.peer.tcp(VIP, 80)).server).toBe('near');
  });

  test('refuses a port that it does not have, and an address that no Service has, but not the node’s own', async () => {
    await proxy.apply([route([near])]);
    await expect(client.peer.tcp(VIP, 81)).rejects.toThrow('ECONNREFUSED');
    await expect(client.peer.tcp('10.97.0.1', 80)).rejects.toThrow('ECONNREFUSED');
    await onOne.listen('tcp', 5300, 'dns', DNS_IP);
    expect((await client.peer.tcp(DNS_IP, 5300)).server).toBe('dns');
  });

  test('with an internal policy of Local never leaves the node, and is silent where it has no endpoint', async () => {
    await proxy.apply([route([near, far], { internalLocalOnly: true })]);
    expect(await answers(client.peer, VIP, 80)).toEqual(['near']);
    await proxy.apply([route([far], { internalLocalOnly: true })]);
    await expect(client.peer.tcp(VIP, 80, { timeoutMs: 500 })).rejects.toThrow('timed out');
  });

  test('with ClientIP affinity keeps a client at its endpoint while others come and go', async () => {
    const sticky = { affinitySeconds: 600 };
    await proxy.apply([route([near, far], sticky)]);
    const [chosen = ''] = await answers(client.peer, VIP, 80, 1);
    expect(await answers(client.peer, VIP, 80)).toEqual([chosen]);
    await proxy.apply([route([near, far, client], sticky)]);
    expect(await answers(client.peer, VIP, 80)).toEqual([chosen]);
    const left = [near, far, client].filter((pod) => pod.uid !== chosen);
    await proxy.apply([route(left, sticky)]);
    const [next = ''] = await answers(client.peer, VIP, 80, 1);
    expect(left.map((pod) => pod.uid)).toContain(next);
    expect(await answers(client.peer, VIP, 80)).toEqual([next]);
  });

  test('keeps affinity over a restart of the agent', async () => {
    const routes = [route([near, far, client], { affinitySeconds: 600 })];
    await proxy.apply(routes);
    const [chosen = ''] = await answers(client.peer, VIP, 80, 1);
    const next = proxyOn(one);
    await next.start({ podCIDR: POD_CIDR, nodeAddresses: [] });
    await next.apply(routes);
    expect(await answers(client.peer, VIP, 80)).toEqual([chosen]);
  });
});

describe('a node port', () => {
  test('leads traffic from outside to every endpoint', async () => {
    await proxy.apply([route([near, far], { nodePort: 30080 })]);
    expect(await answers(outside, one.host.ip, 30080)).toEqual(['far', 'near']);
    expect(await answers(onOne, one.host.ip, 30080)).toEqual(['far', 'near']);
    expect(await answers(client.peer, one.host.ip, 30080)).toEqual(['far', 'near']);
  });

  test('with an external policy of Local keeps the source and the node', async () => {
    await proxy.apply([route([near, far], { nodePort: 30080, externalLocalOnly: true })]);
    expect(await answers(outside, one.host.ip, 30080)).toEqual(['near']);
    expect((await outside.tcp(one.host.ip, 30080)).client).toBe(two.host.ip);
    // From inside the cluster the policy does not narrow the choice.
    expect(await answers(client.peer, one.host.ip, 30080)).toEqual(['far', 'near']);
  });

  test('without endpoints refuses', async () => {
    await proxy.apply([route([], { nodePort: 30080 })]);
    await expect(outside.tcp(one.host.ip, 30080)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('a change', () => {
  test('leaves open connections and other Services alone', async () => {
    const other = route([far], { service: 'default/other', addresses: ['10.96.1.2'] });
    await proxy.apply([route([near]), other]);
    const connection = await client.peer.open(VIP, 80);
    const beside = await client.peer.open('10.96.1.2', 80);
    await proxy.apply([route([far]), other]);
    expect(await connection.say('still here')).toBe('still here');
    expect(await beside.say('me too')).toBe('me too');
    expect((await client.peer.tcp(VIP, 80)).server).toBe('far');
    await proxy.apply([other]);
    await expect(client.peer.tcp(VIP, 80)).rejects.toThrow('ECONNREFUSED');
    expect(await beside.say('yes')).toBe('yes');
    expect(logged).toEqual([]);
  });

  test('survives that someone flushed every rule', async () => {
    await proxy.apply([route([near])]);
    await one.host.exec('nft', ['delete', 'table', 'ip', 'longshore_proxy']);
    await proxy.apply([route([far])]);
    expect((await client.peer.tcp(VIP, 80)).server).toBe('far');
  });

  test('goes through an nft that is kept running; when that fails, the whole table is sent', async () => {
    const scripts: string[] = [];
    const watched = proxyOn(one, (file, args, input = '') => {
      scripts.push(input);
      return one.host.exec(file, args, input);
    });
    await watched.start({ podCIDR: POD_CIDR, nodeAddresses: [] });
    await watched.apply([]);
    let pods = [near];
    await eventually('a change without a process of its own', async () => {
      scripts.length = 0;
      pods = pods.includes(near) ? [far] : [near];
      await watched.apply([route(pods)]);
      return scripts.length === 0;
    });
    expect(await answers(client.peer, VIP, 80)).toEqual(pods.map(({ uid }) => uid));
    await one.host.exec('nft', ['delete', 'table', 'ip', 'longshore_proxy']);
    await watched.apply([route([client])]);
    expect(scripts.at(-1)).toContain('chain prerouting');
    expect(logged).toEqual([expect.stringContaining('No such file or directory')]);
    expect(await answers(client.peer, VIP, 80)).toEqual(['client']);
    scripts.length = 0;
    await watched.apply([route([near])]);
    expect(scripts).toEqual([]);
    expect(await answers(client.peer, VIP, 80)).toEqual(['near']);
  });

  test('that comes while another is under way wins', async () => {
    const applied = [[near], [far], [client], [near], [far]].map((pods) => proxy.apply([route(pods)]));
    await Promise.all(applied);
    expect(await answers(client.peer, VIP, 80)).toEqual(['far']);
  });

  test('replaces what an earlier agent left', async () => {
    await proxy.apply([route([near]), route([near], { service: 'default/old', addresses: ['10.96.1.9'] })]);
    const next = proxyOn(one);
    await next.start({ podCIDR: POD_CIDR, nodeAddresses: [], serviceCIDR: SERVICE_CIDR });
    await next.apply([route([far])]);
    expect((await client.peer.tcp(VIP, 80)).server).toBe('far');
    await expect(client.peer.tcp('10.96.1.9', 80)).rejects.toThrow('ECONNREFUSED');
  });

  test('to nothing leaves nothing after purge', async () => {
    await proxy.apply([route([near])]);
    await proxy.purge();
    expect(await one.host.exec('nft', ['list', 'tables'])).not.toContain('longshore_proxy');
  });
});

test('ten thousand Services load, and one more is a few commands', async () => {
  const many = Array.from({ length: 10_000 }, (_, index) =>
    route([near, far, client], {
      service: `default/s${index}`,
      addresses: [`10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`],
    }),
  );
  await proxy.apply(many);
  const scripts: string[] = [];
  const watched = new NftablesProxy({
    instance: 'longshore',
    exec: (file, args, input = '') => {
      scripts.push(input);
      return one.host.exec(file, args, input);
    },
    log: (message) => logged.push(message),
  });
  await watched.start({ podCIDR: POD_CIDR, nodeAddresses: [] });
  await watched.apply(many);
  scripts.length = 0;
  await watched.apply([...many, route([near, far, client])]);
  // Its endpoints, and its verdict.
  expect(scripts.join('').trim().split('\n')).toHaveLength(2);
  expect(await answers(client.peer, VIP, 80)).toEqual(['client', 'far', 'near']);
  expect(await answers(client.peer, '10.100.39.15', 80)).toEqual(['client', 'far', 'near']);
});
