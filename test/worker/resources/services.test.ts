import { describe, expect, test } from 'vitest';
import type { Service } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { SERVICES_DEFINITION } from '../../../worker/resources/services.ts';
import { EPOCH_MS, service } from '../../support/builders.ts';
import { cellsOf, lines } from './tables.ts';

type Spec = Service['spec'];
const context = { nowMs: EPOCH_MS, random: () => 0.5 };

function draftOf(spec: Spec): Draft<Service> {
  const draft: Draft<Service> = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: structuredClone(spec),
  };
  SERVICES_DEFINITION.default?.(draft);
  return draft;
}
const problems = (spec: unknown): string[] => lines(SERVICES_DEFINITION.validate?.(draftOf(spec as Spec)) ?? []);

describe('a new Service', () => {
  test.each<[string, Spec, Spec]>([
    [
      'is of type ClusterIP, and its port leads to itself',
      { ports: [{ port: 80 }] },
      {
        type: 'ClusterIP',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      },
    ],
    [
      'to the outside keeps its port’s name, and gets node ports',
      { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 'http' }] },
      {
        type: 'LoadBalancer',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 'http' }],
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        externalTrafficPolicy: 'Cluster',
        allocateLoadBalancerNodePorts: true,
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      },
    ],
    [
      'with affinity gets three hours of it',
      { clusterIP: 'None', ports: [], sessionAffinity: 'ClientIP' },
      {
        type: 'ClusterIP',
        clusterIP: 'None',
        clusterIPs: ['None'],
        ports: [],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      },
    ],
    [
      'that is a name elsewhere gets nothing of the cluster’s',
      { type: 'ExternalName', externalName: 'db.example.com' },
      { type: 'ExternalName', externalName: 'db.example.com', sessionAffinity: 'None' },
    ],
  ])('%s', (_, spec, expected) => {
    const draft = draftOf(spec);
    expect(draft.spec).toEqual(expected);
    expect(SERVICES_DEFINITION.validate?.(draft)).toEqual([]);
    SERVICES_DEFINITION.default?.(draft);
    expect(draft.spec).toEqual(expected);
  });
});

describe('a Service is refused', () => {
  test.each<[string, unknown, string[]]>([
    ['without ports', {}, ['spec.ports: Required value']],
    [
      'of a type that is none',
      { type: 'Public', ports: [{ port: 80 }] },
      [
        'spec.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      'with two ports and no names',
      { ports: [{ port: 80 }, { port: 81 }] },
      ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
    ],
    [
      'with a port and protocol twice',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      ['spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
    ],
    [
      'with port 0',
      { ports: [{ port: 0, targetPort: 1 }] },
      ['spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive'],
    ],
    [
      'with a node port out of range',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      [
        'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
      ],
    ],
    [
      'with a node port inside the cluster',
      { ports: [{ port: 80, nodePort: 30_000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'headless to the outside',
      { type: 'NodePort', clusterIP: 'None', ports: [{ port: 80 }] },
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
    ],
    ['that is a name elsewhere without one', { type: 'ExternalName' }, ['spec.externalName: Required value']],
    [
      'with an address that is none',
      { clusterIP: '10.0.0', ports: [{ port: 80 }] },
      ['spec.clusterIPs[0]: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      'with a selector that no pod has',
      { ports: [{ port: 80 }], selector: { app: 'a b' } },
      [
        `spec.selector: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
      ],
    ],
  ])('%s', (_, spec, expected) => {
    expect(problems(spec)).toEqual(expected);
  });
});

test('a Service’s name is a DNS label that starts with a letter', () => {
  expect(SERVICES_DEFINITION.validateName?.('web-1')).toEqual([]);
  expect(SERVICES_DEFINITION.validateName?.('1web')).toEqual([
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  ]);
});

describe('an update of a Service', () => {
  const nodePort = service('web', {
    ...draftOf({ type: 'NodePort', ports: [{ port: 80 }] }).spec,
    clusterIP: '10.96.0.20',
    clusterIPs: ['10.96.0.20'],
  });
  for (const port of nodePort.spec.ports ?? []) port.nodePort = 31_000;

  const updated = (spec: Spec): Service => {
    const draft = service('web', draftOf(spec).spec);
    SERVICES_DEFINITION.prepareUpdate?.(draft, nodePort, context);
    return draft;
  };

  test('that leaves addresses and node ports out keeps them', () => {
    const { spec } = updated({ type: 'NodePort', ports: [{ port: 80 }] });
    expect(spec).toMatchObject({ clusterIP: '10.96.0.20', ports: [{ port: 80, nodePort: 31_000 }] });
  });

  test('to ClusterIP gives the node ports back', () => {
    const { spec } = updated({ ports: [{ port: 80, nodePort: 31_000 }], externalTrafficPolicy: 'Cluster' });
    expect(spec.ports).toEqual([{ port: 80, protocol: 'TCP', targetPort: 80 }]);
    expect(spec.externalTrafficPolicy).toBeUndefined();
  });

  test('may not move its address', () => {
    const draft = updated({ type: 'NodePort', clusterIP: '10.96.0.21', ports: [{ port: 80 }] });
    expect(lines(SERVICES_DEFINITION.validateUpdate?.(draft, nodePort) ?? [])).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.21"]: may not change once set',
    ]);
  });
});

describe('a Service’s row', () => {
  const row = (spec: Spec, status?: Service['status']) =>
    cellsOf(
      SERVICES_DEFINITION,
      { ...service('web', draftOf(spec).spec), ...(status ? { status } : {}) },
      EPOCH_MS + 60_000,
    );

  test.each<[Spec, Service['status'], unknown[]]>([
    [{ ports: [{ port: 80 }], clusterIP: '10.96.0.2' }, undefined, ['ClusterIP', '10.96.0.2', '<none>', '80/TCP']],
    [{ clusterIP: 'None', selector: { a: 'b' } }, undefined, ['ClusterIP', 'None', '<none>', '<none>']],
    [
      { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] },
      undefined,
      ['NodePort', '<none>', '<none>', '53:30053/UDP'],
    ],
    [{ type: 'LoadBalancer', ports: [{ port: 80 }] }, {}, ['LoadBalancer', '<none>', '<pending>', '80/TCP']],
    [
      { type: 'LoadBalancer', ports: [{ port: 80 }] },
      { loadBalancer: { ingress: [{ hostname: 'web.default.localhost' }] } },
      ['LoadBalancer', '<none>', 'web.default.localhost', '80/TCP'],
    ],
    [
      { type: 'ExternalName', externalName: 'x.example.com' },
      undefined,
      ['ExternalName', '<none>', 'x.example.com', '<none>'],
    ],
  ])('of %j', (spec, status, expected) => {
    expect(row(spec, status).slice(1, 5)).toEqual(expected);
  });
});
