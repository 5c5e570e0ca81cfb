/** Devices and addresses: what `ip` is told, given what is there. */
import { describe, expect, test } from 'vitest';
import { type LinksInput, type ObservedLink, planLinks } from '../../../agent/network/links.ts';
import { networkNamesOf, vethNameOf, vtepMacOf } from '../../../agent/network/names.ts';

const names = networkNamesOf('longshore');
const input = (links: ObservedLink[], more: Partial<LinksInput> = {}): LinksInput => ({
  names,
  settings: {
    nodeCIDR: '10.244.3.0/24',
    podCIDR: '10.244.0.0/16',
    publicIP: '192.168.1.3',
    localAddresses: ['10.96.0.10'],
  },
  underlay: { device: 'eth0', local: '192.168.1.3', mtu: 1500 },
  vtepMac: '02:00:00:00:00:03',
  links,
  pods: [],
  ...more,
});

const bridge: ObservedLink = {
  ifname: 'lsh0',
  mtu: 1450,
  address: '0a:58:0a:f4:03:01',
  flags: ['BROADCAST', 'UP'],
  addr_info: [
    { family: 'inet', local: '10.244.3.1', prefixlen: 24 },
    { family: 'inet', local: '10.96.0.10', prefixlen: 32 },
    { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
  ],
};
const vxlan: ObservedLink = {
  ifname: 'flannel.1',
  mtu: 1450,
  address: '02:00:00:00:00:03',
  flags: ['UP'],
  linkinfo: { info_kind: 'vxlan', info_data: { id: 1, port: 8472, local: '192.168.1.3' } },
  addr_info: [{ family: 'inet', local: '10.244.3.0', prefixlen: 32 }],
};

describe('the node’s devices', () => {
  test('are made where there are none', () => {
    expect(planLinks(input([]))).toEqual([
      'link add lsh0 address 0a:58:0a:f4:03:01 type bridge',
      'link set lsh0 mtu 1450',
      'link set lsh0 up',
      'addr add 10.244.3.1/24 dev lsh0',
      'addr add 10.96.0.10/32 dev lsh0',
      'link add flannel.1 address 02:00:00:00:00:03 type vxlan id 1 local 192.168.1.3 dev eth0 dstport 8472 nolearning',
      'link set flannel.1 mtu 1450',
      'link set flannel.1 up',
      'addr add 10.244.3.0/32 dev flannel.1',
    ]);
  });

  test('are left alone where they are right', () => {
    expect(planLinks(input([bridge, vxlan]))).toEqual([]);
  });

  test.each<[string, ObservedLink[], Partial<LinksInput>, string[]]>([
    [
      'an address too many',
      [
        { ...bridge, addr_info: [...(bridge.addr_info ?? []), { family: 'inet', local: '10.96.0.11', prefixlen: 32 }] },
        vxlan,
      ],
      {},
      ['addr del 10.96.0.11/32 dev lsh0'],
    ],
    [
      'another MTU below',
      [bridge, vxlan],
      { underlay: { device: 'eth0', local: '192.168.1.3', mtu: 1400 } },
      ['link set lsh0 mtu 1350', 'link set flannel.1 mtu 1350'],
    ],
    ['a bridge that is down', [{ ...bridge, flags: [] }, vxlan], {}, ['link set lsh0 up']],
    [
      'a pod that lost its bridge',
      [
        bridge,
        vxlan,
        { ifname: 'veth1', mtu: 1450 },
        { ifname: 'veth2', mtu: 1450, master: 'lsh0' },
        { ifname: 'veth3', mtu: 1450 },
      ],
      { pods: ['veth1', 'veth2'] },
      ['link set veth1 master lsh0 up', 'link set veth1 type bridge_slave hairpin on'],
    ],
  ])('are mended: %s', (_name, links, more, lines) => {
    expect(planLinks(input(links, more))).toEqual(lines);
  });

  test('are made anew where the machine’s address has changed', () => {
    const moved = {
      ...vxlan,
      linkinfo: { info_kind: 'vxlan', info_data: { id: 1, port: 8472, local: '192.168.1.9' } },
    };
    expect(planLinks(input([bridge, moved])).slice(0, 2)).toEqual([
      'link del flannel.1',
      'link add flannel.1 address 02:00:00:00:00:03 type vxlan id 1 local 192.168.1.3 dev eth0 dstport 8472 nolearning',
    ]);
  });

  test('behind an address that is not the machine’s own leave the source to the kernel', () => {
    expect(planLinks(input([], { underlay: { device: 'eth0', mtu: 1500 } }))[5]).toBe(
      'link add flannel.1 address 02:00:00:00:00:03 type vxlan id 1 dev eth0 dstport 8472 nolearning',
    );
  });

  test('cannot be beside another overlay with the same id and port', () => {
    const rival = { ...vxlan, ifname: 'vxlan9' };
    expect(() => planLinks(input([rival]))).toThrow('vxlan9 already uses VXLAN id 1 on port 8472');
    const unlike = { ...rival, linkinfo: { info_kind: 'vxlan', info_data: { id: 2, port: 8472 } } };
    expect(() => planLinks(input([unlike]))).not.toThrow();
  });
});

describe('a name', () => {
  test('fits the kernel and tells instances apart', () => {
    const other = networkNamesOf('a-very-long-name-of-an-instance');
    for (const each of [names.bridge, names.vxlan, other.bridge, other.vxlan, vethNameOf('uid')]) {
      expect(each.length).toBeLessThanOrEqual(15);
    }
    expect(new Set([...Object.values(names), ...Object.values(other)]).size).toBe(6);
  });

  test('the VXLAN device’s MAC is stable, unicast and locally administered', () => {
    const mac = vtepMacOf('192.168.1.3', '10.244.3.0/24');
    expect(mac).toBe(vtepMacOf('192.168.1.3', '10.244.3.0/24'));
    expect(mac).not.toBe(vtepMacOf('192.168.1.4', '10.244.3.0/24'));
    expect(Number.parseInt(mac.slice(0, 2), 16) & 0x03).toBe(0x02);
  });
});
