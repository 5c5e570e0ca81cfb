/** Hand-made Endpoints as EndpointSlices: what a mirror holds (pure), and when there is one. */
import { describe, expect, test } from 'vitest';
import { ENDPOINTS, type Endpoints, EVENTS, NAMESPACES, SERVICES, type Service } from '../../../shared/api/core.ts';
import { ENDPOINT_SLICES } from '../../../shared/api/discovery.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { mirrorEndpoints } from '../../../worker/controllers/mirrored-endpoints.ts';
import { controlPlane, type TestPlane } from './control-plane.ts';

type Subsets = NonNullable<Endpoints['subsets']>;
const HTTP = { name: 'http', port: 80, protocol: 'TCP' as const };
const HTTPS = { name: 'https', port: 443, protocol: 'TCP' as const };
const ipOf = (index: number) => `10.9.${Math.floor(index / 250)}.${(index % 250) + 1}`;
const addresses = (...ips: string[]) => ips.map((ip) => ({ ip }));

const endpoints = (subsets: Subsets, more: object = {}): Draft<Endpoints> => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'db', namespace: 'default', ...more },
  subsets,
});

/** `family ports: address, !address that is not ready …`, one line a group. */
const told = (subsets: Subsets) =>
  mirrorEndpoints(endpoints(subsets)).groups.map(({ addressType, ports, endpoints: all }) => {
    const shown = all.map((each) => `${each.conditions?.ready ? '' : '!'}${each.addresses[0]}`);
    return `${addressType} ${ports.map((port) => port.port).join('+')}: ${shown.join(' ')}`;
  });

describe('a mirror', () => {
  test.each<[string, Subsets, string[]]>([
    [
      'has the addresses of a subset',
      [{ addresses: addresses('10.0.0.2', '10.0.0.1'), ports: [HTTP] }],
      ['IPv4 80: 10.0.0.1 10.0.0.2'],
    ],
    [
      'says who is not ready',
      [{ addresses: addresses('10.0.0.2'), notReadyAddresses: addresses('10.0.0.1'), ports: [HTTP] }],
      ['IPv4 80: 10.0.0.2 !10.0.0.1'],
    ],
    [
      'is one for each family',
      [{ addresses: addresses('10.0.0.1', 'fd00::1'), ports: [HTTP] }],
      ['IPv4 80: 10.0.0.1', 'IPv6 80: fd00::1'],
    ],
    [
      'joins ports that lead to the same addresses',
      [
        { addresses: addresses('10.0.0.1'), ports: [HTTP] },
        { addresses: addresses('10.0.0.1'), ports: [HTTPS] },
      ],
      ['IPv4 80+443: 10.0.0.1'],
    ],
    [
      'joins addresses of the same ports',
      [
        { addresses: addresses('10.0.0.1'), ports: [HTTP] },
        { addresses: addresses('10.0.0.2'), ports: [HTTP] },
      ],
      ['IPv4 80: 10.0.0.1 10.0.0.2'],
    ],
    [
      'keeps ports apart that lead elsewhere',
      [
        { addresses: addresses('10.0.0.1', '10.0.0.2'), ports: [HTTP] },
        { addresses: addresses('10.0.0.2'), ports: [HTTPS] },
      ],
      ['IPv4 80: 10.0.0.1 10.0.0.2', 'IPv4 443: 10.0.0.2'],
    ],
    [
      'takes an address that is listed as both for not ready',
      [
        { addresses: addresses('10.0.0.1'), ports: [HTTP] },
        { notReadyAddresses: addresses('10.0.0.1'), ports: [HTTP] },
      ],
      ['IPv4 80: !10.0.0.1'],
    ],
    ['may have no ports', [{ addresses: addresses('10.0.0.1') }], ['IPv4 : 10.0.0.1']],
    ['is none where there is no address', [], []],
  ])('%s', (_, subsets, expected) => {
    expect(told(subsets)).toEqual(expected);
  });

  test('does not depend on the order of subsets', () => {
    const one = { addresses: addresses('10.0.0.1'), ports: [HTTP] };
    const two = { addresses: addresses('10.0.0.2'), ports: [HTTPS] };
    expect(told([two, one])).toEqual(told([one, two]));
  });

  test('holds a thousand addresses of a subset, ready ones first, and counts the others', () => {
    const ready = Array.from({ length: 990 }, (_, index) => ({ ip: ipOf(index) }));
    const notReady = Array.from({ length: 20 }, (_, index) => ({ ip: ipOf(2000 + index) }));
    const { groups, skipped } = mirrorEndpoints(
      endpoints([{ addresses: ready, notReadyAddresses: notReady, ports: [HTTP] }]),
    );
    const all = groups.flatMap((group) => group.endpoints);
    expect([all.length, skipped]).toEqual([1000, 10]);
    expect(all.filter((each) => each.conditions?.ready)).toHaveLength(990);
  });

  test('tells what an address says about itself', () => {
    const targetRef = { kind: 'Pod', namespace: 'default', name: 'db-0', uid: 'u' };
    const address = { ip: '10.0.0.1', hostname: 'db-0', nodeName: 'm1', targetRef };
    const [group] = mirrorEndpoints(
      endpoints([{ addresses: [address], ports: [{ ...HTTP, appProtocol: 'h2c' }] }]),
    ).groups;
    expect(group).toEqual({
      addressType: 'IPv4',
      ports: [{ ...HTTP, appProtocol: 'h2c' }],
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true }, hostname: 'db-0', nodeName: 'm1', targetRef },
      ],
    });
  });
});

const db = (namespace = 'default'): Draft<Service> => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'db', namespace },
  spec: { ports: [{ name: 'http', port: 80 }] },
});
const SUBSETS = [{ addresses: addresses('10.0.0.1'), ports: [HTTP] }];
const mirrorsOf = (plane: TestPlane) =>
  plane
    .do((objects) => objects.list(ENDPOINT_SLICES, { namespace: 'default' }))
    .filter((each) => each.metadata.name !== 'kubernetes');
const shown = (plane: TestPlane) =>
  mirrorsOf(plane).map((each) => (each.endpoints ?? []).flatMap((one) => one.addresses).join(' '));

function withService(more: object = {}): TestPlane {
  const plane = controlPlane();
  plane.do((objects) => {
    objects.create(SERVICES, db());
    objects.create(ENDPOINTS, endpoints(SUBSETS, more));
  });
  return plane;
}

describe('Endpoints of a Service without a selector', () => {
  test('are mirrored, with their labels and annotations, and own the mirror', () => {
    const plane = withService({
      labels: { app: 'db' },
      annotations: { note: 'ours', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    });
    const [mirror] = mirrorsOf(plane);
    const owner = plane.do((objects) => objects.get(ENDPOINTS, 'default', 'db'));
    expect(mirror).toMatchObject({ addressType: 'IPv4', ports: [HTTP] });
    expect(mirror?.metadata.name).toMatch(/^db-/);
    expect(mirror?.metadata.annotations).toEqual({ note: 'ours' });
    expect(mirror?.metadata.labels).toEqual({
      app: 'db',
      'kubernetes.io/service-name': 'db',
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    });
    expect(mirror?.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        name: 'db',
        uid: owner?.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
  });

  test('are followed: changed, undone by hand, and gone', () => {
    const plane = withService();
    const [first] = mirrorsOf(plane);
    const change = (subsets: Subsets) =>
      plane.do((objects) => {
        const current = objects.get(ENDPOINTS, 'default', 'db');
        if (current !== undefined) objects.update(ENDPOINTS, { ...current, subsets });
      });
    change([{ addresses: addresses('10.0.0.2'), ports: [HTTP] }]);
    expect(shown(plane)).toEqual(['10.0.0.2']);
    expect(mirrorsOf(plane)[0]?.metadata.uid).toBe(first?.metadata.uid);
    plane.do((objects) => objects.delete(ENDPOINT_SLICES, 'default', first?.metadata.name ?? ''));
    expect(shown(plane)).toEqual(['10.0.0.2']);
    change([{ addresses: addresses('10.0.0.2'), ports: [HTTPS] }]);
    expect(mirrorsOf(plane).map((each) => each.ports)).toEqual([[HTTPS]]);
    plane.do((objects) => objects.delete(ENDPOINTS, 'default', 'db'));
    expect(shown(plane)).toEqual([]);
    expect(plane.log).toEqual([]);
  });

  test.each([
    ['say that they are not to be', { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }],
    ['are a lock', { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }],
  ])('are not mirrored when they %s', (_, more) => {
    expect(shown(withService(more))).toEqual([]);
  });

  test('are mirrored as long as the Service has no selector, and is there', () => {
    const plane = controlPlane();
    plane.do((objects) => objects.create(ENDPOINTS, endpoints(SUBSETS)));
    expect(shown(plane)).toEqual([]);
    plane.do((objects) => objects.create(SERVICES, db()));
    expect(shown(plane)).toEqual(['10.0.0.1']);
    plane.do((objects) => {
      const current = objects.get(SERVICES, 'default', 'db');
      if (current !== undefined)
        objects.update(SERVICES, { ...current, spec: { ...current.spec, selector: { app: 'db' } } });
    });
    expect(shown(plane)).toEqual(['']);
    expect(mirrorsOf(plane)[0]?.metadata.labels).toMatchObject({
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
  });

  test('over the limit get an event, once a change', () => {
    const plane = controlPlane();
    const all = Array.from({ length: 1005 }, (_, index) => ({ ip: ipOf(index) }));
    plane.do((objects) => {
      objects.create(SERVICES, db());
      objects.create(ENDPOINTS, endpoints([{ addresses: all, ports: [HTTP] }]));
    });
    const events = plane.do((objects) => objects.list(EVENTS, { namespace: 'default' }));
    expect(events.filter((each) => each.reason === 'TooManyAddressesToMirror')).toMatchObject([
      {
        type: 'Warning',
        count: 1,
        message:
          'A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 5 addresses were skipped',
        involvedObject: { kind: 'Endpoints', name: 'db' },
      },
    ]);
  });

  test('end with their namespace, and nothing is tried in vain', () => {
    const plane = controlPlane();
    plane.do((objects) => {
      objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'home' } });
      objects.create(SERVICES, db('home'));
      objects.create(ENDPOINTS, endpoints(SUBSETS, { namespace: 'home' }));
    });
    plane.do((objects) => objects.delete(NAMESPACES, '', 'home'));
    plane.runDue();
    expect(plane.do((objects) => objects.get(NAMESPACES, '', 'home'))).toBeUndefined();
    expect(plane.log).toEqual([]);
  });
});
