/** From a pod's resolv.conf to the answer of another node's pod: DNS, Services and overlay together, on two hosts. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NftablesProxy } from '../../../agent/proxy/nftables.ts';
import { translate } from '../../../agent/proxy/translate.ts';
import type { DnsProcessInput } from '../../support/dns-process.ts';
import { createTestNetwork, type TestNetwork } from '../../support/hosts.ts';
import { DNS_IP, POD_CIDR, type PodHost, startPodHost, type TestPod } from '../../support/pod-host.ts';
import { endpoint, partsByName, service, slice } from '../../support/service-objects.ts';

let directory: string;
let network: TestNetwork;
let hosts: PodHost[];
let client: TestPod;
let server: TestPod;
let update: (input: Pick<DnsProcessInput, 'services' | 'slices'>) => Promise<void>;

/** A resolver somewhere outside that knows one name. */
const OUTSIDE = `
  const { createSocket } = require('node:dgram');
  const { decode, encode } = require('dns-packet');
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { id, questions } = decode(query);
    const answers = [{ type: 'A', name: questions[0].name, ttl: 60, data: '192.0.2.7' }];
    socket.send(encode({ type: 'response', id, questions, answers }), from.port, from.address);
  });
  socket.bind(53, () => console.log('ready'));`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dns-test-'));
  network = await createTestNetwork();
  const one = await startPodHost(await network.host('one'), '10.244.1.0/24', directory);
  const two = await startPodHost(await network.host('two'), '10.244.2.0/24', directory);
  hosts = [one, two];
  for (const each of hosts) await each.overlay.setPeers(hosts.map((other) => other.node()));
  client = await one.pod('client');
  server = await two.pod('server');
  await server.peer.listen('tcp', 8080, 'server');

  const outside = await network.host('outside');
  const resolver = outside.spawn(process.execPath, ['-e', OUTSIDE], { cwd: new URL('../../..', import.meta.url) });
  if (resolver.stdout !== null) await once(resolver.stdout, 'data');

  const script = new URL('../../support/dns-process.ts', import.meta.url).pathname;
  const dns = one.host.spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const proxy = new NftablesProxy({ instance: 'longshore', exec: one.host.exec, log: () => undefined });
  await proxy.start({ podCIDR: POD_CIDR, nodeAddresses: [], serviceCIDR: '10.96.0.0/12' });
  const settings = { domain: 'cluster.local', addresses: [DNS_IP], port: 53, upstreams: [outside.ip] };
  update = async ({ services, slices }) => {
    dns.stdin?.write(`${JSON.stringify({ settings, services, slices } satisfies DnsProcessInput)}\n`);
    if (dns.stdout !== null) await once(dns.stdout, 'data');
    const routes = [...partsByName(services, slices).values()].flatMap((parts) =>
      parts.service === undefined ? [] : translate(parts.service, parts.slices, { nodeName: 'one', dnsIP: DNS_IP }),
    );
    await proxy.apply(routes);
  };
  const services = [
    service('kube-dns', { clusterIP: DNS_IP, ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] }, 'kube-system'),
    service('web', { clusterIP: '10.96.1.1', ports: [{ name: 'http', port: 80 }] }),
    service('db', { clusterIP: 'None' }),
  ];
  const ports = [{ name: 'http', protocol: 'TCP' as const, port: 8080 }];
  await update({
    services,
    slices: [slice('web', [endpoint(server.ip)], ports), slice('db', [endpoint(server.ip, { hostname: 'db-0' })])],
  });
});

afterAll(async () => {
  for (const host of hosts ?? []) await host.close();
  await network?.dispose();
  await rm(directory, { recursive: true, force: true });
});

describe('a pod', () => {
  test('finds a Service by name and is answered by a pod of another node', async () => {
    const [address] = (await client.peer.resolve(DNS_IP, 'web.default.svc.cluster.local')) as string[];
    expect(address).toBe('10.96.1.1');
    expect(await client.peer.tcp(address ?? '', 80)).toEqual({ server: 'server', client: client.ip });
  });

  test('finds the pods of a headless Service', async () => {
    expect(await client.peer.resolve(DNS_IP, 'db.default.svc.cluster.local')).toEqual([server.ip]);
    expect(await client.peer.resolve(DNS_IP, 'db-0.db.default.svc.cluster.local')).toEqual([server.ip]);
  });

  test('finds names of the outside through the host’s upstream', async () => {
    expect(await client.peer.resolve(DNS_IP, 'www.example.com')).toEqual(['192.0.2.7']);
  });

  test('is told that a name does not exist', async () => {
    await expect(client.peer.resolve(DNS_IP, 'none.default.svc.cluster.local')).rejects.toThrow('ENOTFOUND');
  });

  test('sees a Service that is new', async () => {
    await update({ services: [service('new', { clusterIP: '10.96.1.7' })], slices: [] });
    expect(await client.peer.resolve(DNS_IP, 'new.default.svc.cluster.local')).toEqual(['10.96.1.7']);
  });
});
