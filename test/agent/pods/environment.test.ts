import { describe, expect, test } from 'vitest';
import { environmentOf, expand, type Surroundings } from '../../../agent/pods/environment.ts';
import type { NodeFacts } from '../../../agent/pods/field-ref.ts';
import type { ConfigMap, Container, Secret, Service } from '../../../shared/api/core.ts';
import { metadata, pod } from '../../support/builders.ts';

const FACTS: NodeFacts = { nodeIP: '192.168.0.9', podIP: '10.244.0.5', cpuMilli: 4000, memoryBytes: 8 << 30 };

const CONFIG: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('cm'), data: { a: '1', b: '2' } };
const SECRET: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: metadata('s'), data: { key: btoa('hidden') } };

const surroundings = (services: Service[] = []): Surroundings => ({
  references: {
    configMap: (namespace, name) => (namespace === 'default' && name === 'cm' ? CONFIG : undefined),
    secret: (namespace, name) => (namespace === 'default' && name === 's' ? SECRET : undefined),
  },
  services,
  facts: FACTS,
});

function environment(container: Partial<Container>, services: Service[] = [], enableServiceLinks = true) {
  const spec = { name: 'main', image: 'nginx', ...container };
  const wanted = pod('web', {
    metadata: { labels: { app: 'web', tier: 'front' }, annotations: { note: 'a "b"' } },
    spec: { containers: [spec], nodeName: 'n1', serviceAccountName: 'default', enableServiceLinks },
  });
  return Object.fromEntries(
    environmentOf(wanted, spec, surroundings(services)).map(({ name, value }) => [name, value]),
  );
}

const service = (name: string, namespace: string, clusterIP: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(name, { namespace }),
  spec: {
    clusterIP,
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  },
});

describe('expansion', () => {
  const values: Record<string, string> = { NAME: 'value', EMPTY: '' };
  test.each([
    ['$(NAME)', 'value'],
    ['a$(NAME)b$(NAME)', 'avaluebvalue'],
    ['$(EMPTY)', ''],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$$(NAME)', '$(NAME)'],
    ['$$$(NAME)', '$value'],
    ['$NAME $ (NAME)', '$NAME $ (NAME)'],
    ['$(NAME', '$(NAME'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, (name) => values[name])).toBe(expected);
  });
});

describe('a container’s environment', () => {
  test('later variables see earlier ones, not the other way round', () => {
    const env = [
      { name: 'EARLY', value: '$(LATE)' },
      { name: 'LATE', value: 'late' },
      { name: 'BOTH', value: '$(EARLY)-$(LATE)' },
    ];
    expect(environment({ env })).toEqual({ EARLY: '$(LATE)', LATE: 'late', BOTH: '$(LATE)-late' });
  });

  test('env wins over envFrom, and a prefix is put before', () => {
    const envFrom = [{ configMapRef: { name: 'cm' } }, { prefix: 'S_', secretRef: { name: 's' } }];
    expect(environment({ envFrom, env: [{ name: 'a', value: 'own' }] })).toEqual({ a: 'own', b: '2', S_key: 'hidden' });
  });

  test('fields and resources of the pod', () => {
    const paths = {
      NAME: 'metadata.name',
      NAMESPACE: 'metadata.namespace',
      UID: 'metadata.uid',
      APP: "metadata.labels['app']",
      NOTE: "metadata.annotations['note']",
      NODE: 'spec.nodeName',
      ACCOUNT: 'spec.serviceAccountName',
      HOST: 'status.hostIP',
      IP: 'status.podIP',
    };
    const env = Object.entries(paths).map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
    expect(environment({ env })).toEqual({
      NAME: 'web',
      NAMESPACE: 'default',
      UID: 'uid-web',
      APP: 'web',
      NOTE: 'a "b"',
      NODE: 'n1',
      ACCOUNT: 'default',
      HOST: '192.168.0.9',
      IP: '10.244.0.5',
    });
  });

  test.each([
    ['limits.cpu', undefined, '1'],
    ['limits.cpu', '1m', '500'],
    ['requests.cpu', '1m', '250'],
    ['limits.memory', '1Mi', '64'],
    ['requests.memory', undefined, '67108864'],
    ['limits.ephemeral-storage', undefined, '0'],
  ])('resource %s divided by %s is %s', (resource, divisor, expected) => {
    const resources = { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m' } };
    const env = [{ name: 'R', valueFrom: { resourceFieldRef: { resource, divisor } } }];
    expect(environment({ resources, env }).R).toBe(expected);
  });

  test('a container without limits is told what the machine has', () => {
    const env = ['limits.cpu', 'limits.memory'].map((resource) => ({
      name: resource,
      valueFrom: { resourceFieldRef: { resource } },
    }));
    expect(environment({ env })).toEqual({ 'limits.cpu': '4', 'limits.memory': String(8 << 30) });
  });

  test.each([
    [{ configMapKeyRef: { name: 'none', key: 'a' } }, 'configmap "none" not found'],
    [{ configMapKeyRef: { name: 'cm', key: 'z' } }, "couldn't find key z in ConfigMap default/cm"],
    [{ secretKeyRef: { name: 'none', key: 'a' } }, 'secret "none" not found'],
    [{ secretKeyRef: { name: 's', key: 'z' } }, "couldn't find key z in Secret default/s"],
  ])('%o is refused with its reason, unless optional', (valueFrom, message) => {
    expect(() => environment({ env: [{ name: 'X', valueFrom }] })).toThrow(message);
    const [[kind, reference]] = Object.entries(valueFrom) as [[string, object]];
    const optional = { [kind]: { ...reference, optional: true } };
    expect(environment({ env: [{ name: 'X', valueFrom: optional }] })).toEqual({});
  });

  test('sources that are missing are refused, unless optional', () => {
    expect(() => environment({ envFrom: [{ secretRef: { name: 'none' } }] })).toThrow('secret "none" not found');
    expect(environment({ envFrom: [{ secretRef: { name: 'none', optional: true } }] })).toEqual({});
  });

  test('has the Services of its namespace, as links', () => {
    expect(
      environment({}, [service('my-db', 'default', '10.96.0.7'), service('db', 'elsewhere', '10.96.0.8')]),
    ).toEqual({
      MY_DB_SERVICE_HOST: '10.96.0.7',
      MY_DB_SERVICE_PORT: '80',
      MY_DB_SERVICE_PORT_HTTP: '80',
      MY_DB_SERVICE_PORT_DNS: '53',
      MY_DB_PORT: 'tcp://10.96.0.7:80',
      MY_DB_PORT_80_TCP: 'tcp://10.96.0.7:80',
      MY_DB_PORT_80_TCP_PROTO: 'tcp',
      MY_DB_PORT_80_TCP_PORT: '80',
      MY_DB_PORT_80_TCP_ADDR: '10.96.0.7',
      MY_DB_PORT_53_UDP: 'udp://10.96.0.7:53',
      MY_DB_PORT_53_UDP_PROTO: 'udp',
      MY_DB_PORT_53_UDP_PORT: '53',
      MY_DB_PORT_53_UDP_ADDR: '10.96.0.7',
    });
  });

  test('without links it still has the API server, and never a headless Service', () => {
    const services = [service('db', 'default', '10.96.0.7'), service('kubernetes', 'default', '10.96.0.1')];
    const names = Object.keys(environment({}, [...services, service('headless', 'default', 'None')], false));
    expect(names).toContain('KUBERNETES_SERVICE_HOST');
    expect(names.filter((name) => /^(DB|HEADLESS)/.test(name))).toEqual([]);
  });
});
