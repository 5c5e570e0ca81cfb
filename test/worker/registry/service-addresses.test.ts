import { expect, test } from 'vitest';
import { SERVICES, type Service } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { testCluster } from '../../support/cluster.ts';

const service = (name: string, spec: Service['spec']): Draft<Service> => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ name: 'http', port: 80 }], ...spec },
});

test('every Service gets an address of its own, out of the upper part of the range', () => {
  const cluster = testCluster();
  const addresses = Array.from({ length: 40 }, (_, index) =>
    cluster.do((objects) => objects.create(SERVICES, service(`s${index}`, {})).spec.clusterIP ?? ''),
  );
  expect(new Set(addresses).size).toBe(40);
  for (const address of addresses) expect(address).toMatch(/^10\.(9[6-9]|10\d|11[01])\.\d{1,3}\.\d{1,3}$/);
  expect(addresses.some((address) => /^10\.96\.0\./.test(address))).toBe(false);
});

test('node ports are whole numbers of the range, each taken once', () => {
  const cluster = testCluster();
  const ports = Array.from({ length: 40 }, (_, index) =>
    cluster.do(
      (objects) => objects.create(SERVICES, service(`s${index}`, { type: 'NodePort' })).spec.ports?.[0]?.nodePort ?? 0,
    ),
  );
  expect(new Set(ports).size).toBe(40);
  for (const port of ports) expect(Number.isInteger(port) && port >= 30000 && port <= 32767, String(port)).toBe(true);
});

test.each<[string, Service['spec'], string]>([
  [
    'an address that is taken',
    { clusterIP: '10.96.0.10' },
    'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
  ],
  [
    'an address outside the range',
    { clusterIP: '192.168.0.1' },
    'failed to allocate IP 192.168.0.1: the provided IP (192.168.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12',
  ],
  [
    'a node port that is taken',
    { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30100 }] },
    'spec.ports[0].nodePort: Invalid value: 30100: provided port is already allocated',
  ],
  [
    'a node port outside the range',
    { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 80 }] },
    'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
])('refuses %s', (_what, spec, message) => {
  const cluster = testCluster();
  const holder = service('holder', { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30100 }] });
  cluster.do((objects) => objects.create(SERVICES, holder));
  expect(() => cluster.do((objects) => objects.create(SERVICES, service('late', spec)))).toThrow(message);
});

test('an address is free again when its Service is gone', () => {
  const cluster = testCluster();
  const fixed = service('a', { clusterIP: '10.100.0.7' });
  cluster.do((objects) => objects.create(SERVICES, fixed));
  cluster.do((objects) => objects.delete(SERVICES, 'default', 'a'));
  expect(
    cluster.do((objects) => objects.create(SERVICES, { ...fixed, metadata: { name: 'b', namespace: 'default' } })).spec
      .clusterIP,
  ).toBe('10.100.0.7');
});

test('an update that names no address keeps it, and a headless Service has none', () => {
  const cluster = testCluster();
  const created = cluster.do((objects) => objects.create(SERVICES, service('a', { type: 'NodePort' })));
  const { clusterIP: _ip, clusterIPs: _ips, ...spec } = created.spec;
  const draft = { ...created, spec: { ...spec, ports: [{ name: 'http', port: 80 }] } };
  const updated = cluster.do((objects) => objects.update(SERVICES, draft));
  expect(updated.spec.clusterIP).toBe(created.spec.clusterIP);
  expect(updated.spec.ports?.[0]?.nodePort).toBe(created.spec.ports?.[0]?.nodePort);
  const headless = cluster.do((objects) => objects.create(SERVICES, service('h', { clusterIP: 'None' })));
  expect([headless.spec.clusterIP, headless.spec.clusterIPs]).toEqual(['None', ['None']]);
});

test('one number may serve two protocols of one Service', () => {
  const cluster = testCluster();
  const ports = [
    { name: 'udp', port: 53, protocol: 'UDP' as const },
    { name: 'tcp', port: 53, protocol: 'TCP' as const },
  ];
  const created = cluster.do((objects) => objects.create(SERVICES, service('dns', { type: 'NodePort', ports })));
  expect(created.spec.ports?.[0]?.nodePort).toBe(created.spec.ports?.[1]?.nodePort);
});
