/** When the whole table is sent, when a change, and what happens when nft or conntrack fails; the kernel is pretended. */
import { beforeEach, describe, expect, test } from 'vitest';
import { NftablesProxy } from '../../../agent/proxy/nftables.ts';
import type { ServiceRoute } from '../../../agent/proxy/proxy.ts';

const SETTINGS = { podCIDR: '10.244.0.0/16', nodeAddresses: [] };

const route = (ips: string[], more: Partial<ServiceRoute> = {}): ServiceRoute => ({
  service: 'default/web',
  protocol: 'TCP',
  addresses: ['10.96.1.1'],
  externalAddresses: [],
  port: 80,
  endpoints: ips.map((ip) => ({ ip, port: 8080, local: false })),
  localEndpoints: [],
  internalLocalOnly: false,
  externalLocalOnly: false,
  ...more,
});

let scripts: string[];
let flows: string[];
let logged: string[];
let remembered: Record<string, string>;
let tables: string;
let failNext: string | undefined;
let hold: Promise<void> | undefined;
let conntrack: () => Promise<string>;
let proxy: NftablesProxy;

async function exec(file: string, args: readonly string[], input = ''): Promise<string> {
  if (file === 'conntrack') {
    flows.push(args.join(' '));
    return conntrack();
  }
  if (args[0] === '-j') return args[2] === 'tables' ? tables : (remembered[args[5] ?? ''] ?? '{"nftables":[]}');
  scripts.push(input);
  await hold;
  if (failNext === undefined) return '';
  const message = failNext;
  failNext = undefined;
  throw new Error(message);
}

const isWhole = (script: string | undefined) => script?.includes('chain prerouting') ?? false;

beforeEach(async () => {
  [scripts, flows, logged, remembered, tables, failNext, hold] = [[], [], [], {}, '{}', undefined, undefined];
  conntrack = () => Promise.resolve('');
  proxy = new NftablesProxy({ instance: 'longshore', exec, log: (message) => logged.push(message) });
  await proxy.start(SETTINGS);
});

describe('the kernel is sent', () => {
  test('the whole table first, in one transaction that removes what was there', async () => {
    await proxy.apply([route(['10.244.1.2'])]);
    expect(scripts).toHaveLength(1);
    expect(isWhole(scripts[0])).toBe(true);
    expect(scripts[0]).toMatch(/^\s*add table ip longshore_proxy\ndelete table ip longshore_proxy\n/);
    expect(scripts[0]).toContain(
      'add element ip longshore_proxy services { 10.96.1.1 . tcp . 80 : goto service_tcp_1 }',
    );
  });

  test('then only changes, and nothing where there is none', async () => {
    await proxy.apply([route(['10.244.1.2'])]);
    await proxy.apply([route(['10.244.1.2'])]);
    expect(scripts).toHaveLength(1);
    await proxy.apply([route(['10.244.1.3'])]);
    expect(scripts[1]).toBe(
      'delete element ip longshore_proxy endpoints_tcp { 10.96.1.1 . 80 . 0 }\n' +
        'add element ip longshore_proxy endpoints_tcp { 10.96.1.1 . 80 . 0 : 10.244.1.3 . 8080 }\n',
    );
  });

  test('what one Service’s change is, the others left alone', async () => {
    await proxy.apply([
      route(['10.244.1.2']),
      route(['10.244.1.2'], { service: 'default/db', addresses: ['10.96.1.2'] }),
    ]);
    await proxy.change(new Map([['default/db', []]]));
    expect(scripts[1]).toBe(
      'delete element ip longshore_proxy services { 10.96.1.2 . tcp . 80 }\n' +
        'delete element ip longshore_proxy endpoints_tcp { 10.96.1.2 . 80 . 0 }\n',
    );
  });

  test('the whole table again after a change failed', async () => {
    await proxy.apply([route(['10.244.1.2'])]);
    failNext = 'No such file or directory';
    await proxy.apply([route(['10.244.1.3'])]);
    expect(isWhole(scripts[2])).toBe(true);
    expect(scripts[2]).toContain('10.244.1.3');
    expect(logged).toEqual([expect.stringContaining('No such file or directory')]);
  });

  test('the whole table again after even that failed, when it is next asked to', async () => {
    failNext = 'Operation not permitted';
    await expect(proxy.apply([route(['10.244.1.2'])])).rejects.toThrow('Operation not permitted');
    await proxy.apply([route(['10.244.1.2'])]);
    expect(isWhole(scripts[1])).toBe(true);
  });

  test('the whole table again when the settings have changed', async () => {
    await proxy.apply([route(['10.244.1.2'])]);
    await proxy.start({ ...SETTINGS, serviceCIDR: '10.96.0.0/12' });
    await proxy.apply([route(['10.244.1.2'])]);
    expect(scripts[1]).toContain('ip daddr 10.96.0.0/12 fib daddr type != local goto refuse');
  });

  test('the newest of what came while it was busy, and nothing of what lay between', async () => {
    await proxy.apply([]);
    scripts = [];
    const gate = Promise.withResolvers<void>();
    hold = gate.promise;
    const all = ['2', '3', '4'].map((last) => proxy.apply([route([`10.244.1.${last}`])]));
    gate.resolve();
    await Promise.all(all);
    expect(scripts.map((script) => /10\.244\.1\.\d/.exec(script)?.[0])).toEqual(['10.244.1.2', '10.244.1.4']);
  });

  test('clients’ affinity with a whole table, as far as their endpoints still serve', async () => {
    tables = '{"nftables":[{"table":{"family":"ip","name":"longshore_proxy","handle":1}}]}';
    const entry = (client: string, ip: string) => [
      { elem: { val: { concat: [client, '10.96.1.1', 80] }, timeout: 60, expires: 30 } },
      { concat: [ip, 8080] },
    ];
    const elem = [entry('10.244.9.1', '10.244.1.2'), entry('10.244.9.2', '10.244.1.7')];
    remembered = { affinity_tcp: JSON.stringify({ nftables: [{ map: { elem } }] }) };
    await proxy.apply([route(['10.244.1.2'], { affinitySeconds: 60 })]);
    expect(scripts[0]).toContain('{ 10.244.9.1 . 10.96.1.1 . 80 timeout 60s expires 30s : 10.244.1.2 . 8080 }');
    expect(scripts[0]).not.toContain('10.244.9.2');
  });
});

describe('UDP flows to an endpoint that went', () => {
  const udp = (ip: string) => route([ip], { protocol: 'UDP', port: 53 });

  test('are ended', async () => {
    await proxy.apply([udp('10.244.1.2')]);
    await proxy.apply([udp('10.244.1.3')]);
    expect(flows).toEqual(['-D -p udp --orig-dst 10.96.1.1 --orig-port-dst 53 --dst-nat 10.244.1.2']);
  });

  test('where there are none, nothing is said about it', async () => {
    conntrack = () => Promise.reject(new Error('conntrack: 0 flow entries have been deleted.'));
    await proxy.apply([udp('10.244.1.2')]);
    await proxy.apply([udp('10.244.1.3')]);
    await proxy.apply([udp('10.244.1.4')]);
    expect(flows).toHaveLength(2);
    expect(logged).toEqual([]);
  });

  test('where there is no conntrack program, it is said once and not tried again', async () => {
    conntrack = () => Promise.reject(new Error('conntrack is not installed'));
    await proxy.apply([udp('10.244.1.2')]);
    await proxy.apply([udp('10.244.1.3')]);
    await proxy.apply([udp('10.244.1.4')]);
    expect(flows).toHaveLength(1);
    expect(logged).toEqual([expect.stringContaining('no conntrack program')]);
  });
});

test('two instances have tables of their own', async () => {
  const other = new NftablesProxy({ instance: 'other', exec, log: () => undefined });
  await other.purge();
  expect(scripts[0]).toMatch(/^add table ip longshore_proxy_[0-9a-f]{6}\ndelete table/);
});

test('nothing can be applied before the start', async () => {
  const fresh = new NftablesProxy({ instance: 'longshore', exec, log: () => undefined });
  await expect(fresh.apply([])).rejects.toThrow('has not been started');
  await expect(proxy.change(new Map())).rejects.toThrow('does not know its Services yet');
});
