/** Which endpoints a Service has, by table. */
import { describe, expect, test } from 'vitest';
import { translate } from '../../../agent/proxy/translate.ts';
import type { Service } from '../../../shared/api/core.ts';
import type { Endpoint } from '../../../shared/api/discovery.ts';
import { endpoint, partsByName, service, slice } from '../../support/service-objects.ts';

const web = (spec: Partial<Service['spec']> = {}): Service =>
  service('web', { clusterIP: '10.96.1.1', ports: [{ port: 80 }], ...spec });
const on = (nodeName: string) => ({ nodeName });
const terminating = { conditions: { ready: false, serving: true, terminating: true } };
const ending = { conditions: { ready: false, serving: false, terminating: true } };
const unready = { conditions: { ready: false, serving: false, terminating: false } };

const routes = (services: Service[], slices = [slice('web', [endpoint('10.244.1.2')])]) =>
  [...partsByName(services, slices).values()].flatMap((parts) =>
    parts.service === undefined
      ? []
      : translate(parts.service, parts.slices, { nodeName: 'here', dnsIP: '10.96.0.10' }),
  );

describe('the endpoints of a Service', () => {
  test.each<[string, Endpoint[], string[], string[]]>([
    ['are the ready ones', [endpoint('10.244.1.2'), endpoint('10.244.1.3', unready)], ['10.244.1.2'], []],
    ['that say nothing are ready', [{ addresses: ['10.244.1.2'] }], ['10.244.1.2'], []],
    [
      'that end are left out while others are ready',
      [endpoint('10.244.1.2'), endpoint('10.244.1.3', terminating)],
      ['10.244.1.2'],
      [],
    ],
    [
      'that end but serve are the last resort',
      [endpoint('10.244.1.2', unready), endpoint('10.244.1.3', terminating), endpoint('10.244.1.4', ending)],
      ['10.244.1.3'],
      [],
    ],
    [
      'of this minion are chosen among themselves',
      [endpoint('10.244.1.2', on('there')), endpoint('10.244.2.2', { ...terminating, ...on('here') })],
      ['10.244.1.2'],
      ['10.244.2.2'],
    ],
    [
      'come in one order and once',
      [endpoint('10.244.1.9', on('here')), endpoint('10.244.1.10', on('here')), endpoint('10.244.1.9', on('here'))],
      ['10.244.1.10', '10.244.1.9'],
      ['10.244.1.10', '10.244.1.9'],
    ],
  ])('%s', (_name, endpoints, all, local) => {
    const [route] = routes([web()], [slice('web', endpoints)]);
    expect(route?.endpoints.map((each) => each.ip)).toEqual(all);
    expect(route?.localEndpoints.map((each) => each.ip)).toEqual(local);
  });

  test('are none where a slice says nothing of them', () => {
    const bare = [
      { ...slice('web', []), endpoints: undefined },
      { ...slice('web', [], undefined, { suffix: 'b' }), endpoints: null },
    ];
    expect(routes([web()], bare)[0]?.endpoints).toEqual([]);
  });

  test('are matched by the port’s name and protocol, over all slices of that Service and namespace', () => {
    const ports = [
      { name: 'http', protocol: 'TCP' as const, port: 8080 },
      { name: 'dns', protocol: 'UDP' as const, port: 5353 },
    ];
    const spec = {
      clusterIP: '10.96.1.1',
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', protocol: 'UDP' as const, port: 53 },
        { name: 'none', port: 1 },
      ],
    };
    const slices = [
      slice('web', [endpoint('10.244.1.2')], ports),
      slice('web', [endpoint('10.244.1.3')], [{ name: 'http', protocol: 'TCP', port: 9090 }], { suffix: 'b' }),
      slice('web', [endpoint('10.244.1.4')], ports, { namespace: 'other' }),
      slice('web', [endpoint('fd00::1')], ports, { addressType: 'IPv6', suffix: 'c' }),
      slice('else', [endpoint('10.244.1.5')], ports),
    ];
    const seen = routes([service('web', spec)], slices).map((route) => [
      route.service,
      route.port,
      route.protocol,
      route.endpoints.map(({ ip, port }) => `${ip}:${port}`),
    ]);
    expect(seen).toEqual([
      ['default/web', 80, 'TCP', ['10.244.1.2:8080', '10.244.1.3:9090']],
      ['default/web', 53, 'UDP', ['10.244.1.2:5353']],
      ['default/web', 1, 'TCP', []],
    ]);
  });
});

describe('a Service', () => {
  test.each<[string, Service]>([
    ['that is headless', web({ clusterIP: 'None' })],
    ['that is an external name', web({ type: 'ExternalName', externalName: 'example.com' })],
    ['that has no address yet', web({ clusterIP: '' })],
    ['that is cluster DNS', web({ clusterIP: '10.96.0.10' })],
    ['with an IPv6 address only', web({ clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] })],
    ['without ports', web({ ports: [] })],
  ])('%s is not routed', (_name, each) => {
    expect(routes([each])).toEqual([]);
  });

  test('of one IP family keeps its IPv4 address', () => {
    expect(routes([web({ clusterIPs: ['10.96.1.1', 'fd00::1'] })])[0]?.addresses).toEqual(['10.96.1.1']);
  });

  test.each<[string, Partial<Service['spec']>, object]>([
    ['affinity with its default', { sessionAffinity: 'ClientIP' }, { affinitySeconds: 10_800 }],
    [
      'affinity with a time of its own',
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } },
      { affinitySeconds: 60 },
    ],
    ['an internal policy', { internalTrafficPolicy: 'Local' }, { internalLocalOnly: true, externalLocalOnly: false }],
    ['an external policy', { externalTrafficPolicy: 'Local' }, { internalLocalOnly: false, externalLocalOnly: true }],
    ['a node port', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }, { nodePort: 30080 }],
    ['external addresses', { externalIPs: ['192.0.2.1', 'fd00::1'] }, { externalAddresses: ['192.0.2.1'] }],
  ])('carries %s', (_name, spec, expected) => {
    expect(routes([web(spec)])[0]).toMatchObject(expected);
  });

  test('no longer of type NodePort has no node port', () => {
    expect(routes([web({ type: 'ClusterIP', ports: [{ port: 80, nodePort: 30080 }] })])[0]?.nodePort).toBeUndefined();
  });

  test('behind a load balancer with an address is reached under it; one with a name is not', () => {
    const balanced = {
      ...web({ type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }, { hostname: 'web.example.com' }] } },
    };
    expect(routes([balanced])[0]?.externalAddresses).toEqual(['192.0.2.9']);
  });
});

describe('the Service default/kubernetes', () => {
  const api = () => {
    const made = service('kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] });
    return { ...made, metadata: { ...made.metadata, namespace: 'default' } };
  };

  test('leads to the minion itself, whatever its slices say', () => {
    const apiServer = { ip: '10.96.0.1', port: 40123 };
    const slices = [slice('kubernetes', [endpoint('192.0.2.1')])];
    const [route] = translate(api(), slices, { nodeName: 'here', apiServer });
    expect(route).toMatchObject({ addresses: ['10.96.0.1'], port: 443, endpoints: [{ ...apiServer, local: true }] });
  });

  test('of another namespace is like any other', () => {
    const other = { ...api(), metadata: { ...api().metadata, namespace: 'elsewhere' } };
    const [route] = translate(other, [], { nodeName: 'here', apiServer: { ip: '10.96.0.1', port: 40123 } });
    expect(route?.endpoints).toEqual([]);
  });
});
