/** Routes as map elements, and the least change between two sets of them. */
import { describe, expect, test } from 'vitest';
import { affinityIn, restoreAffinity, staleAffinity } from '../../../agent/proxy/affinity.ts';
import type { ServiceRoute } from '../../../agent/proxy/proxy.ts';
import { assignSlots, ServiceTable } from '../../../agent/proxy/table.ts';
import { lostFlows } from '../../../agent/proxy/udp-flows.ts';
import { newSeed, seededRandom } from '../../support/seeded-random.ts';

const route = (ips: string[], more: Partial<ServiceRoute> = {}): ServiceRoute => {
  const endpoints = ips.map((ip) => ({ ip, port: 8080, local: ip.startsWith('10.244.1.') }));
  return {
    service: 'default/web',
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
/** Brings a table to these routes and no others. */
function bring(table: ServiceTable, routes: ServiceRoute[]): ServiceTable {
  const byService = Map.groupBy(routes, ({ service }) => service);
  for (const service of [...table.services]) if (!byService.has(service)) table.set(service, []);
  for (const [service, own] of byService) table.set(service, own);
  return table;
}
const from = (routes: ServiceRoute[]) => bring(new ServiceTable('10.244.0.0/16'), routes);
const shown = ({ elements }: ServiceTable) =>
  Object.fromEntries([...elements].map(([map, entries]) => [map, Object.fromEntries(entries)]));

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
      route([A, B], { service: `${index}`, addresses: [`10.96.2.${index}`] }),
    );
    expect(
      from(many)
        .takeWhole('t')
        .match(/^add chain .*$/gm),
    ).toEqual(['add chain ip t service_tcp_2']);
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
      route([A], { service: 'a', addresses: [], externalAddresses: ['192.0.2.1'] }),
      route([B, C], { service: 'b', addresses: [], externalAddresses: ['192.0.2.1'] }),
    ]);
    expect(shown(contents).endpoints_tcp).toEqual({ '192.0.2.1 . 80 . 0': `${A} . 8080` });
  });
});

describe('an address that two Services claim', () => {
  const shared = (service: string, ips: string[], more: Partial<ServiceRoute> = {}) =>
    route(ips, { service, addresses: [], externalAddresses: ['192.0.2.1'], ...more });
  const endpointsIn = (table: ServiceTable) => Object.values(shown(table).endpoints_tcp ?? {});

  test('goes to the other when the first lets go of it, and back', () => {
    const table = from([shared('a', [A]), shared('b', [B, C])]);
    table.set('a', []);
    expect(endpointsIn(table)).toEqual([`${B} . 8080`, `${C} . 8080`]);
    table.set('a', [shared('a', [A])]);
    expect(endpointsIn(table)).toEqual([`${A} . 8080`]);
  });

  test('stays as it is when the other changes', () => {
    const table = from([shared('a', [A]), shared('b', [B])]);
    table.take('t');
    table.set('b', [shared('b', [B, C], { affinitySeconds: 60, externalLocalOnly: true })]);
    expect(table.take('t').script).toBe('');
  });
});

describe('a table that followed many changes (seed printed)', () => {
  test('is the one that these Services give at once, and so is what it told the kernel', () => {
    const random = seededRandom(newSeed(process.env));
    console.log(`seed ${random.seed}`);
    const some = (all: readonly string[]) => all.filter(() => random.chance(0.4));
    const routesOf = (service: string): ServiceRoute[] =>
      random.chance(0.2)
        ? []
        : ([80, 443] as const).map((port) =>
            route(some([A, B, C, '10.244.1.3']), {
              service,
              port,
              protocol: random.pick(['TCP', 'UDP']),
              addresses: [`10.96.1.${service}`],
              externalAddresses: some(['192.0.2.1', '192.0.2.2']),
              ...(random.chance(0.3) ? { nodePort: 30_000 + port } : {}),
              ...(random.chance(0.3) ? { affinitySeconds: random.pick([60, 600]) } : {}),
              internalLocalOnly: random.chance(0.3),
              externalLocalOnly: random.chance(0.3),
            }),
          );
    const table = from([]);
    const kernel = new Map<string, string>();
    const wanted = new Map<string, ServiceRoute[]>();
    for (let round = 0; round < 300; round++) {
      for (let change = 0; change < 1 + (round % 3); change++) {
        const service = random.pick(['1', '2', '3', '4', '5']);
        wanted.set(service, routesOf(service));
        table.set(service, wanted.get(service) ?? []);
      }
      perform(kernel, table.take('t').script);
      const fresh = from([...wanted.values()].flat());
      // Slots keep their endpoints where they can, so they may hold the same ones in another order.
      expect(unordered(shown(table))).toEqual(unordered(shown(fresh)));
      expect(kernel).toEqual(flat(shown(table)));
    }
  });

  type Shown = ReturnType<typeof shown>;
  const flat = (all: Shown) =>
    new Map(Object.entries(all).flatMap(([map, own]) => Object.entries(own).map(([key, to]) => [`${map} ${key}`, to])));
  const unordered = (all: Shown) =>
    Object.fromEntries(
      Object.entries(all).map(([map, own]) => [
        map,
        map.includes('endpoints_') ? [Object.keys(own).sort(), Object.values(own).sort()] : own,
      ]),
    );
  /** As nft does: what is deleted must be there, what is added must not. */
  function perform(kernel: Map<string, string>, script: string): void {
    for (const [, verb, map, list = ''] of script.matchAll(/^(delete|add) element ip t (\w+) \{ (.*) \}$/gm)) {
      for (const element of list.split(', ')) {
        const [key = '', value = ''] = element.split(' : ');
        expect(kernel.has(`${map} ${key}`)).toBe(verb === 'delete');
        if (verb === 'delete') kernel.delete(`${map} ${key}`);
        else kernel.set(`${map} ${key}`, value);
      }
    }
  }
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
  const change = (routes: ServiceRoute[]) => {
    const table = from([route([A, B]), other]);
    table.take('t');
    return bring(table, routes).take('t').script.trim().split('\n');
  };
  const other = route([A], { service: 'other', addresses: ['10.96.1.2'] });

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
    expect(restoreAffinity('t', now.slots, entries)).toBe(
      `add element ip t affinity_tcp { 10.244.1.9 . 10.96.1.1 . 80 timeout 600s expires 412s : ${A} . 8080 }\n`,
    );
  });

  test('are forgotten when it does not', () => {
    expect(staleAffinity('t', now.slots, entries)).toEqual([
      'delete element ip t affinity_tcp { 10.244.1.8 . 10.96.1.1 . 80 }\n',
    ]);
  });

  test('an empty listing holds none', () => {
    expect(affinityIn('{"nftables":[{"map":{"name":"affinity_tcp"}}]}', 'tcp')).toEqual([]);
  });
});

describe('UDP flows', () => {
  const udp = (ips: string[]) => route(ips, { protocol: 'UDP', port: 53, nodePort: 30053 });

  const lost = (before: ServiceRoute[], after: ServiceRoute[]) => {
    const table = from(before);
    table.take('t');
    return lostFlows(bring(table, after).take('t').moved);
  };

  test('to an endpoint that went are ended, under every address of the Service; TCP ones end by themselves', () => {
    expect(lost([udp([A, B]), route([A, B])], [udp([B]), route([B])])).toEqual([
      ['--orig-dst', '10.96.1.1', '--orig-port-dst', '53', '--dst-nat', A],
      ['--orig-port-dst', '30053', '--dst-nat', A],
    ]);
  });

  test('of a Service that went are ended', () => {
    expect(lost([udp([A])], [])).toHaveLength(2);
  });

  test('to an endpoint that stays are left alone', () => {
    expect(lost([udp([A])], [udp([A, B])])).toEqual([]);
  });
});
