/** Which pod has which address, over restarts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AddressPool } from '../../../agent/network/address-pool.ts';
import { contains, formatIPv4, parseCidr, parseIPv4 } from '../../../agent/network/addresses.ts';
import { networkTableOf } from '../../../agent/network/firewall.ts';
import { networkNamesOf } from '../../../agent/network/names.ts';

let directory: string;
let pool: AddressPool;

const reopen = (nodeCIDR: string) => {
  pool.close();
  pool = new AddressPool(directory);
  pool.setSubnet(nodeCIDR);
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pool-'));
  pool = new AddressPool(directory);
  pool.setSubnet('10.244.3.0/29');
});

afterEach(async () => {
  pool.close();
  await rm(directory, { recursive: true });
});

describe('an address pool', () => {
  test('gives every pod its own, not the network’s, the gateway’s or the broadcast address, until it is full', () => {
    const given = ['a', 'b', 'c', 'd', 'e'].map((uid) => pool.acquire(uid, []).ip);
    expect(given).toEqual(['10.244.3.2', '10.244.3.3', '10.244.3.4', '10.244.3.5', '10.244.3.6']);
    expect(() => pool.acquire('f', [])).toThrow('no free pod address');
    pool.release('c');
    expect(pool.acquire('f', []).ip).toBe('10.244.3.4');
  });

  test('gives a pod the address that it has', () => {
    const first = pool.acquire('a', []).ip;
    pool.acquire('b', []);
    expect(pool.acquire('a', []).ip).toBe(first);
  });

  test('goes round before it uses an address again', () => {
    pool.acquire('a', []);
    pool.release('a');
    expect(pool.acquire('b', []).ip).toBe('10.244.3.3');
  });

  test('remembers over a restart, host ports and what was connected included', () => {
    const ports = [{ hostPort: 80, containerPort: 8080, protocol: 'TCP' as const }];
    pool.acquire('a', ports);
    pool.acquire('b', []);
    pool.connected('a');
    reopen('10.244.3.0/29');
    expect([...pool.leases()]).toEqual([
      ['a', { ip: '10.244.3.2', hostPorts: ports, connected: true }],
      ['b', { ip: '10.244.3.3', hostPorts: [], connected: false }],
    ]);
    expect(pool.acquire('c', []).ip).toBe('10.244.3.4');
  });

  test('keeps the address of a pod whose host ports change', () => {
    pool.acquire('a', []);
    const lease = pool.acquire('a', [{ hostPort: 1, containerPort: 2, protocol: 'UDP' }]);
    expect(lease).toMatchObject({ ip: '10.244.3.2', hostPorts: [{ hostPort: 1 }] });
  });

  test('forgets the addresses of a subnet that is no longer the node’s', () => {
    pool.acquire('a', []);
    reopen('10.244.4.0/29');
    expect(pool.leases().size).toBe(0);
    expect(pool.acquire('a', []).ip).toBe('10.244.4.2');
  });

  test('refuses a subnet without room', () => {
    expect(() => pool.setSubnet('10.244.3.0/31')).toThrow('no room for pods');
  });
});

describe('IPv4', () => {
  test.each(['10.244.3.0', '0.0.0.0', '255.255.255.255', '192.168.1.200'])('%s survives there and back', (text) => {
    expect(formatIPv4(parseIPv4(text))).toBe(text);
  });

  test.each(['10.244.3', '10.244.3.256', '10.244.3.0 ', 'a.b.c.d', '', '1.2.3.4.5', '-1.2.3.4'])(
    '“%s” is refused',
    (text) => {
      expect(() => parseIPv4(text)).toThrow('not an IPv4 address');
    },
  );

  test('a network drops host bits and knows its members', () => {
    const cidr = parseCidr('200.244.3.77/24');
    expect([formatIPv4(cidr.base), cidr.size]).toEqual(['200.244.3.0', 256]);
    expect([contains(cidr, parseIPv4('200.244.3.255')), contains(cidr, parseIPv4('200.244.4.0'))]).toEqual([
      true,
      false,
    ]);
    expect(() => parseCidr('10.0.0.0/33')).toThrow('not an IPv4 network');
    expect(() => parseCidr('10.0.0.0')).toThrow('not an IPv4 network');
  });
});

test('host ports go into the map for any address or for one; the same port twice is one entry', () => {
  const table = networkTableOf({
    names: networkNamesOf('longshore'),
    nodeCIDR: '10.244.3.0/24',
    podCIDR: '10.244.0.0/16',
    leases: [
      {
        ip: '10.244.3.2',
        connected: true,
        hostPorts: [
          { hostPort: 80, containerPort: 8080, protocol: 'TCP' },
          { hostPort: 53, containerPort: 5353, protocol: 'UDP', hostIP: '192.168.1.3' },
          { hostPort: 81, containerPort: 8081, protocol: 'TCP', hostIP: '0.0.0.0' },
        ],
      },
      { ip: '10.244.3.3', connected: true, hostPorts: [{ hostPort: 80, containerPort: 9090, protocol: 'TCP' }] },
      { ip: '10.244.3.4', connected: true, hostPorts: [] },
    ],
  });
  expect(table.match(/elements = .*/g)).toEqual([
    'elements = { tcp . 80 : 10.244.3.3 . 9090, tcp . 81 : 10.244.3.2 . 8081 }',
    'elements = { 192.168.1.3 . udp . 53 : 10.244.3.2 . 5353 }',
    'elements = { 10.244.3.2 . 10.244.3.2, 10.244.3.3 . 10.244.3.3 }',
  ]);
});
