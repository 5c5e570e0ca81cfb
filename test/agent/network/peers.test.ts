/** Nodes as kernel entries, and the difference to what is there, by table. */
import { describe, expect, test } from 'vitest';
import {
  annotationsOf,
  type ObservedPeers,
  type Peer,
  peerOf,
  peersOf,
  planPeers,
} from '../../../agent/network/peers.ts';
import type { Node } from '../../../shared/api/core.ts';

const node = (podCIDR: string | undefined, annotations: Record<string, string> | undefined): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'n',
    uid: 'n',
    resourceVersion: '1',
    creationTimestamp: '',
    ...(annotations ? { annotations } : {}),
  },
  spec: podCIDR === undefined ? {} : { podCIDR },
});

const flannel = (changes: Record<string, string> = {}) => ({
  'flannel.alpha.coreos.com/backend-type': 'vxlan',
  'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"AA:bb:cc:00:00:02"}',
  'flannel.alpha.coreos.com/public-ip': '192.168.1.2',
  ...changes,
});

const two: Peer = {
  podCIDR: '10.244.2.0/24',
  vtepIP: '10.244.2.0',
  vtepMac: 'aa:bb:cc:00:00:02',
  publicIP: '192.168.1.2',
};

describe('a node', () => {
  test('that flanneld has annotated is a peer', () => {
    expect(peerOf(node('10.244.2.0/24', flannel()))).toEqual(two);
  });

  test('that this agent has annotated is a peer', () => {
    expect(peerOf(node('10.244.2.0/24', annotationsOf('192.168.1.2', 'aa:bb:cc:00:00:02')))).toEqual(two);
  });

  test.each<[string, Node]>([
    ['no annotations', node('10.244.2.0/24', undefined)],
    ['no subnet', node(undefined, flannel())],
    ['a subnet that is none', node('10.244.2.0', flannel())],
    ['an IPv6 subnet', node('fd00::/64', flannel())],
    ['another backend', node('10.244.2.0/24', flannel({ 'flannel.alpha.coreos.com/backend-type': 'host-gw' }))],
    [
      'another network id',
      node(
        '10.244.2.0/24',
        flannel({ 'flannel.alpha.coreos.com/backend-data': '{"VNI":7,"VtepMAC":"aa:bb:cc:00:00:02"}' }),
      ),
    ],
    [
      'a MAC with something behind it',
      node(
        '10.244.2.0/24',
        flannel({ 'flannel.alpha.coreos.com/backend-data': '{"VtepMAC":"aa:bb:cc:00:00:02\\n link"}' }),
      ),
    ],
    [
      'an address that is none',
      node('10.244.2.0/24', flannel({ 'flannel.alpha.coreos.com/public-ip': '1.2.3.4 dev' })),
    ],
  ])('with %s is none', (_name, each) => {
    expect(peerOf(each)).toBeUndefined();
  });

  test('is no peer of itself', () => {
    const nodes = [node('10.244.2.0/24', flannel()), node('10.244.1.0/24', flannel())];
    expect(peersOf(nodes, { nodeCIDR: '10.244.1.0/24', publicIP: '192.168.1.1' })).toEqual([two]);
    expect(peersOf(nodes, { nodeCIDR: '10.244.3.0/24', publicIP: '192.168.1.2' })).toEqual([]);
  });
});

describe('the kernel', () => {
  const empty: ObservedPeers = { routes: [], neighbours: [], forwarding: [] };
  const whole: ObservedPeers = {
    routes: [{ dst: '10.244.2.0/24', gateway: '10.244.2.0' }],
    neighbours: [{ dst: '10.244.2.0', lladdr: 'aa:bb:cc:00:00:02', state: ['PERMANENT'] }],
    forwarding: [{ mac: 'aa:bb:cc:00:00:02', dst: '192.168.1.2' }],
  };
  const forward = 'fdb append aa:bb:cc:00:00:02 dev flannel.1 dst 192.168.1.2 self permanent';
  const neighbour = 'neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:02 dev flannel.1 nud permanent';
  const route = 'route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink';

  test.each<[string, Peer[], ObservedPeers, { ip: string[]; bridge: string[] }]>([
    ['that has nothing gets the entries before the route', [two], empty, { bridge: [forward], ip: [neighbour, route] }],
    ['that is right is left alone', [two], whole, { bridge: [], ip: [] }],
    [
      'that has a peer too many loses it, route first',
      [],
      whole,
      {
        bridge: ['fdb del aa:bb:cc:00:00:02 dev flannel.1 dst 192.168.1.2 self'],
        ip: ['route del 10.244.2.0/24 dev flannel.1', 'neigh del 10.244.2.0 dev flannel.1'],
      },
    ],
    [
      'follows a peer that moved, and leaves its route alone',
      [two],
      { ...whole, forwarding: [{ mac: 'aa:bb:cc:00:00:02', dst: '192.168.1.9' }] },
      { bridge: ['fdb del aa:bb:cc:00:00:02 dev flannel.1 dst 192.168.1.9 self', forward], ip: [] },
    ],
    [
      'replaces an entry that was learnt, not set',
      [two],
      { ...whole, neighbours: [{ dst: '10.244.2.0', lladdr: 'aa:bb:cc:00:00:02', state: ['STALE'] }] },
      { bridge: [], ip: [neighbour] },
    ],
    [
      'follows a peer with a new MAC',
      [{ ...two, vtepMac: 'aa:bb:cc:00:00:03' }],
      whole,
      {
        bridge: [
          'fdb del aa:bb:cc:00:00:02 dev flannel.1 dst 192.168.1.2 self',
          'fdb append aa:bb:cc:00:00:03 dev flannel.1 dst 192.168.1.2 self permanent',
        ],
        ip: ['neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03 dev flannel.1 nud permanent'],
      },
    ],
  ])('%s', (_name, desired, observed, plan) => {
    expect(planPeers(desired, observed, 'flannel.1')).toEqual(plan);
  });
});
