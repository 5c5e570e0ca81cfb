/** Records and answers, by table. */
import { describe, expect, test } from 'vitest';
import { lookup } from '../../../agent/dns/lookup.ts';
import { ServiceZone } from '../../../agent/dns/records.ts';
import { endpoint, partsByName, service, slice } from '../../support/service-objects.ts';

const ready = (ready: boolean) => ({ conditions: { ready } });

const zone = new ServiceZone('cluster.local');
const known = partsByName(
  [
    service('web', {
      clusterIP: '10.96.1.1',
      ports: [{ name: 'http', port: 80 }, { name: 'dns', protocol: 'UDP', port: 53 }, { port: 9000 }],
    }),
    service('dual', { clusterIP: '10.96.1.2', clusterIPs: ['10.96.1.2', 'fd00::2'] }, 'team'),
    service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
    service('shy', { clusterIP: 'None', publishNotReadyAddresses: true }),
    service('empty', { clusterIP: 'None' }),
    service('bare', { clusterIP: 'None' }),
    service('out', { type: 'ExternalName', externalName: 'www.example.com.' }),
    service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
    service('ring', { type: 'ExternalName', externalName: 'ring.default.svc.cluster.local' }),
    service('pending', {}, 'waiting'),
  ],
  [
    slice(
      'db',
      [
        endpoint('10.244.1.3', { hostname: 'db-0' }),
        endpoint('10.244.1.4'),
        endpoint('10.244.1.5', { hostname: 'db-2', ...ready(false) }),
      ],
      [{ name: 'sql', protocol: 'TCP', port: 5432 }],
    ),
    slice('shy', [endpoint('10.244.1.6', ready(false))]),
    slice('empty', [endpoint('10.244.1.7', ready(false))]),
    { ...slice('bare', []), endpoints: undefined },
    { ...slice('bare', [], [], { suffix: 'b' }), endpoints: null },
    slice('web', [endpoint('10.244.1.8', { hostname: 'not-headless' })]),
  ],
);
for (const [name, parts] of known) zone.set(name, parts);

/** What a client is told, in one line each. */
function asked(name: string, type: string): string[] | string | undefined {
  const found = lookup(zone, name, type);
  if (found === undefined) return undefined;
  if (found.answers.length === 0) return found.rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'NODATA';
  return found.answers.map(({ type: of, data }) => {
    if (typeof data === 'string') return `${of} ${data}`;
    return 'target' in data ? `SRV ${data.priority} ${data.weight} ${data.port} ${data.target}` : `SOA ${data.mname}`;
  });
}

describe('the cluster’s zone', () => {
  test.each<[string, string, string[] | string | undefined]>([
    ['web.default.svc.cluster.local', 'A', ['A 10.96.1.1']],
    ['WEB.Default.svc.Cluster.LOCAL', 'A', ['A 10.96.1.1']],
    ['web.default.svc.cluster.local.', 'A', ['A 10.96.1.1']],
    ['web.default.svc.cluster.local', 'AAAA', 'NODATA'],
    ['web.default.svc.cluster.local', 'MX', 'NODATA'],
    ['web.default.svc.cluster.local', 'UNKNOWN_65', 'NODATA'],
    ['dual.team.svc.cluster.local', 'A', ['A 10.96.1.2']],
    ['dual.team.svc.cluster.local', 'AAAA', ['AAAA fd00::2']],
    ['dual.team.svc.cluster.local', 'ANY', ['A 10.96.1.2', 'AAAA fd00::2']],
    ['_http._tcp.web.default.svc.cluster.local', 'SRV', ['SRV 0 100 80 web.default.svc.cluster.local']],
    ['_dns._udp.web.default.svc.cluster.local', 'SRV', ['SRV 0 100 53 web.default.svc.cluster.local']],
    ['_dns._tcp.web.default.svc.cluster.local', 'SRV', 'NXDOMAIN'],
    ['_tcp.web.default.svc.cluster.local', 'SRV', 'NODATA'],
    ['1.1.96.10.in-addr.arpa', 'PTR', ['PTR web.default.svc.cluster.local']],
    ['not-headless.web.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['none.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['web.other.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['default.svc.cluster.local', 'A', 'NODATA'],
    ['waiting.svc.cluster.local', 'A', 'NODATA'],
    ['pending.waiting.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['svc.cluster.local', 'A', 'NODATA'],
    ['cluster.local', 'A', 'NODATA'],
    ['cluster.local', 'SOA', ['SOA ns.dns.cluster.local']],
    ['cluster.local', 'NS', ['NS ns.dns.cluster.local']],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    ['www.example.com.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ])('%s %s', (name, type, expected) => {
    expect(asked(name, type)).toEqual(expected);
  });
});

describe('a headless Service', () => {
  test.each<[string, string, string[] | string]>([
    ['db.default.svc.cluster.local', 'A', ['A 10.244.1.3', 'A 10.244.1.4']],
    ['db-0.db.default.svc.cluster.local', 'A', ['A 10.244.1.3']],
    ['10-244-1-4.db.default.svc.cluster.local', 'A', ['A 10.244.1.4']],
    ['db-2.db.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    [
      '_sql._tcp.db.default.svc.cluster.local',
      'SRV',
      ['SRV 0 100 5432 db-0.db.default.svc.cluster.local', 'SRV 0 100 5432 10-244-1-4.db.default.svc.cluster.local'],
    ],
    ['3.1.244.10.in-addr.arpa', 'PTR', ['PTR db-0.db.default.svc.cluster.local']],
    ['shy.default.svc.cluster.local', 'A', ['A 10.244.1.6']],
    ['empty.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['bare.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ])('%s %s', (name, type, expected) => {
    expect(asked(name, type)).toEqual(expected);
  });

  test('gives the addresses of SRV targets along', () => {
    const found = lookup(zone, '_sql._tcp.db.default.svc.cluster.local', 'SRV');
    expect(found?.additionals.map(({ name, data }) => [name, data])).toEqual([
      ['db-0.db.default.svc.cluster.local', '10.244.1.3'],
      ['10-244-1-4.db.default.svc.cluster.local', '10.244.1.4'],
    ]);
  });
});

describe('an external name', () => {
  test('is an alias whose target is still to be looked up', () => {
    const found = lookup(zone, 'out.default.svc.cluster.local', 'A');
    expect(found?.answers).toEqual([
      { name: 'out.default.svc.cluster.local', ttl: 5, type: 'CNAME', data: 'www.example.com' },
    ]);
    expect(found?.chase).toBe('www.example.com');
  });

  test('of a Service in the cluster is answered whole', () => {
    expect(asked('alias.default.svc.cluster.local', 'A')).toEqual([
      'CNAME web.default.svc.cluster.local',
      'A 10.96.1.1',
    ]);
  });

  test('that leads to itself ends', () => {
    expect(asked('ring.default.svc.cluster.local', 'A')).toHaveLength(8);
  });
});

describe('a pod’s own name', () => {
  test.each<[string, string[] | string]>([
    ['10-244-1-3.default.pod.cluster.local', ['A 10.244.1.3']],
    ['10-244-1-300.default.pod.cluster.local', 'NXDOMAIN'],
    ['web-0.default.pod.cluster.local', 'NXDOMAIN'],
    ['default.pod.cluster.local', 'NODATA'],
    ['a.10-244-1-3.default.pod.cluster.local', 'NXDOMAIN'],
  ])('%s', (name, expected) => {
    expect(asked(name, 'A')).toEqual(expected);
  });
});

test.each(['example.com', 'cluster.local.example.com', 'mycluster.local', '8.8.8.8.in-addr.arpa', 'local'])(
  '%s is not the cluster’s to answer',
  (name) => {
    expect(lookup(zone, name, 'A')).toBeUndefined();
  },
);

test('an answer that says “none” carries the SOA, whose minimum is the TTL', () => {
  const found = lookup(zone, 'none.default.svc.cluster.local', 'A');
  expect(found?.authorities).toMatchObject([{ type: 'SOA', ttl: 5, data: { minimum: 5 } }]);
});
