/** Routes as map elements, and the least change between two sets of them. */
import { describe, expect, test } from 'vitest';
import { affinityIn, restoreAffinity, staleAffinity } from '../../../agent/proxy/affinity.ts';
import type { ServiceRoute } from '../../../agent/proxy/proxy.ts';
import { assignSlots, contentsOf, difference, emptyContents, type TableContents } from '../../../agent/proxy/table.ts';
import { lostFlows } from '../../../agent/proxy/udp-flows.ts';

const route = (ips: string[], more: Partial<ServiceRoute> = {}): ServiceRoute => {
  const endpoints = ips.map((ip) => ({ ip, port: 8080, local: ip.startsWith('10.244.1.') }));
  return {
    name: 'default/web:http',
    protocol: 'TCP',
    addresses: ['10.96.1.1'],
    externalAddresses: [],
    port: 80,
    endpoints,
    localEndpoints: endpoints.filter((each) => each.local),
    internalLocalOnly: false,
    externalLocalOnly: false,
    ...more,
  };
};
const from = (routes: ServiceRoute[], previous: TableContents = emptyContents()) =>
  contentsOf(routes, '10.244.0.0/16', previous);
const shown = (contents: TableContents) =>
  Object.fromEntries([...contents.elements].map(([map, elements]) => [map, Object.fromEntries(elements)]));

const A = '10.244.1.2';
const B = '10.244.2.2';
const C = '10.244.3.2';

describe('the contents of the table', () => {
  test('of a Service are its verdict and one slot for each endpoint', () => {
    expect(shown(from([route([A, B])]))).toEqual({
      services: { '10.96.1.1 . tcp . 80': 'goto service_tcp_2' },
      endpoints_tcp: { '10.96.1.1 . 80 . 0': `${A} . 8080`, '10.96.1.1 . 80 . 1': `${B} . 8080` },
      hairpin: { [`${A} . ${A}`]: '' },
    });
  });

  test('share a chain among all Services with as many endpoints', () => {
    const many = Array.from({ length: 50 }, (_, index) =>
      route([A, B], { name: `${index}`, addresses: [`10.96.2.${index}`] }),
    );
    expect([...from(many).chains.keys()]).toEqual(['service_tcp_2']);
  });

  test.each<[string, ServiceRoute, Record<string, Record<string, string>>]>([
    ['nobody serves is refused', route([]), { services: { '10.96.1.1 . tcp . 80': 'goto refuse' } }],
    [
      'others serve, but not here, is dropped under an internal policy of Local',
      route([B], { internalLocalOnly: true }),
      { services: { '10.96.1.1 . tcp . 80': 'drop' } },
    ],
    [
      'has an external policy of Local leads outside traffic to slots of its own',
      route([A, B], { addresses: [], nodePort: 30080, externalLocalOnly: true }),
      {
        node_ports: { 'tcp . 30080': 'goto node_tcp_2' },
        node_local: { 'tcp . 30080': 'goto node_tcp_1_local' },
        node_endpoints_tcp: { '30080 . 0': `${A} . 8080`, '30080 . 1': `${B} . 8080`, '30080 . 65536': `${A} . 8080` },
        hairpin: { [`${A} . ${A}`]: '' },
      },
    ],
    [
      'is sticky has its clients remembered',
      route([A], { affinitySeconds: 60 }),
      {
        services: { '10.96.1.1 . tcp . 80': 'goto service_tcp_1_sticky' },
        sticky_tcp: { '10.96.1.1 . 80': 'goto remember_tcp_60' },
        endpoints_tcp: { '10.96.1.1 . 80 . 0': `${A} . 8080` },
        hairpin: { [`${A} . ${A}`]: '' },
      },
    ],
  ])('for what %s', (_name, each, expected) => {
    expect(shown(from([each]))).toEqual(expected);
  });

  test('give an address that two Services claim to the first', () => {
    const contents = from([
      route([A], { name: 'a', addresses: [], externalAddresses: ['192.0.2.1'] }),
      route([B, C], { name: 'b', addresses: [], externalAddresses: ['192.0.2.1'] }),
    ]);
    expect(shown(contents).endpoints_tcp).toEqual({ '192.0.2.1 . 80 . 0': `${A} . 8080` });
  });
});

describe('slots', () => {
  test.each<[string[], string[], string[]]>([
    [[], ['a', 'b'], ['a', 'b']],
    [
      ['a', 'b', 'c'],
      ['a', 'c'],
      ['a', 'c'],
    ],
    [
      ['a', 'b', 'c'],
      ['b', 'c'],
      ['c', 'b'],
    ],
    [
      ['b', 'a'],
      ['a', 'b', 'c'],
      ['b', 'a', 'c'],
    ],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
  ])('of %j for %j are %j', (previous, desired, expected) => {
    expect(assignSlots(previous, desired)).toEqual(expected);
  });

  test('always hold exactly the endpoints that are wanted (seed printed)', () => {
    let seed = Math.floor(Math.random() * 2 ** 31);
    console.log(`seed ${seed}`);
    const next = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    let slots: string[] = [];
    for (let round = 0; round < 500; round += 1) {
      const desired = [...new Set(Array.from({ length: next(12) }, () => `e${next(15)}`))].sort();
      slots = assignSlots(slots, desired);
      expect([...slots].sort()).toEqual(desired);
    }
  });
});

describe('the difference between two contents', () => {
  const before = from([route([A, B]), route([A], { name: 'other', addresses: ['10.96.1.2'] })]);
  const change = (routes: ServiceRoute[]) => difference('t', before, from(routes, before)).trim().split('\n');
  const other = route([A], { name: 'other', addresses: ['10.96.1.2'] });

  test('is nothing when nothing changed', () => {
    expect(change([route([A, B]), other])).toEqual(['']);
  });

  test('touches only the endpoint that changed', () => {
    expect(change([route([C, B]), other])).toEqual([
      'delete element ip t endpoints_tcp { 10.96.1.1 . 80 . 0 }',
      `add element ip t endpoints_tcp { 10.96.1.1 . 80 . 0 : ${C} . 8080 }`,
    ]);
  });

  test('deletes before it adds, and makes a chain before it is used', () => {
    const lines = change([route([A, B, C]), other]);
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'add chain',
      'add rule',
      'add rule',
      'delete element',
      'add element',
      'add element',
    ]);
  });

  test('of a Service that goes is its elements', () => {
    expect(change([route([A, B])])).toEqual([
      'delete element ip t services { 10.96.1.2 . tcp . 80 }',
      'delete element ip t endpoints_tcp { 10.96.1.2 . 80 . 0 }',
    ]);
  });
});

describe('remembered clients', () => {
  const listing = JSON.stringify({
    nftables: [
      { metainfo: {} },
      {
        map: {
          elem: [
            [
              { elem: { val: { concat: ['10.244.1.9', '10.96.1.1', 80] }, timeout: 600, expires: 412 } },
              { concat: [A, 8080] },
            ],
            [
              { elem: { val: { concat: ['10.244.1.8', '10.96.1.1', 80] }, timeout: 600, expires: 9 } },
              { concat: [B, 8080] },
            ],
          ],
        },
      },
    ],
  });
  const entries = affinityIn(listing, 'tcp');
  const now = from([route([A], { affinitySeconds: 600 })]);

  test('are carried over while their endpoint serves, with the time they have left', () => {
    expect(restoreAffinity('t', now, entries)).toBe(
      `add element ip t affinity_tcp { 10.244.1.9 . 10.96.1.1 . 80 timeout 600s expires 412s : ${A} . 8080 }\n`,
    );
  });

  test('are forgotten when it does not', () => {
    expect(staleAffinity('t', now, entries)).toEqual([
      'delete element ip t affinity_tcp { 10.244.1.8 . 10.96.1.1 . 80 }\n',
    ]);
  });

  test('an empty listing holds none', () => {
    expect(affinityIn('{"nftables":[{"map":{"name":"affinity_tcp"}}]}', 'tcp')).toEqual([]);
  });
});

describe('UDP flows', () => {
  const udp = (ips: string[]) => route(ips, { protocol: 'UDP', port: 53, nodePort: 30053 });

  test('to an endpoint that went are ended, under every address of the Service; TCP ones end by themselves', () => {
    const before = from([udp([A, B]), route([A, B])]);
    expect(lostFlows(before, from([udp([B]), route([B])], before))).toEqual([
      ['--orig-dst', '10.96.1.1', '--orig-port-dst', '53', '--dst-nat', A],
      ['--orig-port-dst', '30053', '--dst-nat', A],
    ]);
  });

  test('of a Service that went are ended', () => {
    expect(lostFlows(from([udp([A])]), from([]))).toHaveLength(2);
  });

  test('to an endpoint that stays are left alone', () => {
    const before = from([udp([A])]);
    expect(lostFlows(before, from([udp([A, B])], before))).toEqual([]);
  });
});
