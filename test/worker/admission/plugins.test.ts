/** What the built-in admission plugins do to pods, claims and Ingresses, and how they refuse; texts are upstream's. */
import { describe, expect, test } from 'vitest';
import { NAMESPACES, NODES, PERSISTENT_VOLUME_CLAIMS, PODS, type Pod } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { INGRESS_CLASSES, INGRESSES } from '../../../shared/api/networking.ts';
import { RUNTIME_CLASSES } from '../../../shared/api/node.ts';
import { PRIORITY_CLASSES } from '../../../shared/api/scheduling.ts';
import { STORAGE_CLASSES } from '../../../shared/api/storage.ts';
import { type SecuredPod, violationsOf } from '../../../worker/admission/pod-security-checks.ts';
import { create } from '../../../worker/registry/create.ts';
import { SYSTEM, testCluster } from '../../support/cluster.ts';

const pod = (spec: object = {}, namespace = 'default'): Draft<Pod> =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace },
    spec: { containers: [{ name: 'a', image: 'a' }], schedulerName: 'nobody', ...spec },
  }) as Draft<Pod>;

describe('Priority', () => {
  const classOf = (name: string, value: number, globalDefault = false) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    globalDefault,
    preemptionPolicy: 'Never',
  });

  test('comes from the class that a pod names', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PRIORITY_CLASSES, classOf('high', 1000)));
    const { spec } = cluster.do((objects) => objects.create(PODS, pod({ priorityClassName: 'high' })));
    expect(spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
  });

  test('comes from the default class otherwise, of which there is one', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PRIORITY_CLASSES, classOf('usual', 7, true)));
    const { spec } = cluster.do((objects) => objects.create(PODS, pod()));
    expect(spec).toMatchObject({ priorityClassName: 'usual', priority: 7 });
    expect(() => cluster.do((objects) => objects.create(PRIORITY_CLASSES, classOf('other', 8, true)))).toThrow(
      'PriorityClass usual is already marked as default. Only one default can exist',
    );
  });

  test('of the system is there from the first moment, and nobody else may take its prefix', () => {
    const cluster = testCluster();
    const { spec } = cluster.do((objects) =>
      objects.create(PODS, pod({ priorityClassName: 'system-node-critical' }, 'kube-system')),
    );
    expect(spec.priority).toBe(2_000_001_000);
    expect(() => cluster.do((objects) => objects.create(PRIORITY_CLASSES, classOf('system-mine', 1)))).toThrow(
      'system-mine is not a known system priority class',
    );
  });

  test('may not be a number of the author’s', () => {
    const cluster = testCluster();
    expect(() => cluster.do((objects) => objects.create(PODS, pod({ priority: 5 })))).toThrow(
      'the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0',
    );
  });
});

describe('RuntimeClass', () => {
  test('gives its overhead, its nodes and its tolerations', () => {
    const cluster = testCluster();
    const toleration = { key: 'k', operator: 'Exists' as const, effect: 'NoSchedule' as const };
    cluster.do((objects) =>
      objects.create(RUNTIME_CLASSES, {
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        metadata: { name: 'vm' },
        handler: 'vm',
        overhead: { podFixed: { cpu: '250m' } },
        scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [toleration] },
      }),
    );
    const { spec } = cluster.do((objects) => objects.create(PODS, pod({ runtimeClassName: 'vm' })));
    expect(spec).toMatchObject({ overhead: { cpu: '250m' }, nodeSelector: { vm: 'yes' } });
    expect(spec.tolerations).toContainEqual(toleration);
    const other = pod({ runtimeClassName: 'vm', nodeSelector: { vm: 'no' } });
    other.metadata.name = 'q';
    expect(() => cluster.do((objects) => objects.create(PODS, other))).toThrow(
      'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
    );
  });

  test('is the only one that may set an overhead', () => {
    const cluster = testCluster();
    expect(() => cluster.do((objects) => objects.create(PODS, pod({ overhead: { cpu: '1' } })))).toThrow(
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
  });
});

describe('a default class', () => {
  test('of storage is what a claim without one gets, and an empty one is a choice', () => {
    const cluster = testCluster();
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    const claim = (name: string, spec: object = {}) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: 'default' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    });
    cluster.do((objects) => {
      const metadata = { name: 'fast', annotations };
      objects.create(STORAGE_CLASSES, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata,
        provisioner: 'a',
      });
    });
    cluster.do((objects) => {
      expect(objects.create(PERSISTENT_VOLUME_CLAIMS, claim('a')).spec.storageClassName).toBe('fast');
      expect(objects.create(PERSISTENT_VOLUME_CLAIMS, claim('b', { storageClassName: '' })).spec.storageClassName).toBe(
        '',
      );
    });
  });

  test('of Ingresses is the newest', () => {
    const cluster = testCluster();
    const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
    for (const name of ['old', 'new']) {
      cluster.do((objects) =>
        objects.create(INGRESS_CLASSES, {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'IngressClass',
          metadata: { name, annotations },
          spec: { controller: 'example.com/a' },
        }),
      );
      cluster.clock.nowMs += 5_000;
    }
    const { spec } = cluster.do((objects) =>
      objects.create(INGRESSES, {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: { name: 'a', namespace: 'default' },
        spec: { defaultBackend: { service: { name: 'a', port: { number: 80 } } } },
      }),
    );
    expect(spec.ingressClassName).toBe('new');
  });
});

test('a pod that asks for an extended resource bears the taint of the nodes that are kept for it', () => {
  const cluster = testCluster();
  const resources = { limits: { 'example.com/gpu': '1', cpu: '1' } };
  const { spec } = cluster.do((objects) =>
    objects.create(PODS, pod({ containers: [{ name: 'a', image: 'a', resources }] })),
  );
  expect(spec.tolerations).toContainEqual({ key: 'example.com/gpu', operator: 'Exists', effect: 'NoSchedule' });
  expect(spec.tolerations).toHaveLength(3);
});

test('a new node takes no pods until it is ready', () => {
  const cluster = testCluster();
  const { spec } = cluster.do((objects) =>
    objects.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'm1' }, spec: {} }),
  );
  expect(spec.taints).toMatchObject([{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
});

const secured = (spec: object): SecuredPod =>
  ({ spec: { containers: [{ name: 'a', image: 'a' }], ...spec } }) as SecuredPod;
const RESTRICTED = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    { name: 'a', image: 'a', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
  ],
};

describe('the Pod Security Standards', () => {
  test.each([
    ['a plain pod', {}, undefined],
    ['host namespaces', { hostNetwork: true, hostPID: true }, 'host namespaces (hostNetwork=true, hostPID=true)'],
    ['a volume of the host', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
    [
      'a privileged container',
      { containers: [{ name: 'a', securityContext: { privileged: true } }] },
      'privileged (container "a" must not set securityContext.privileged=true)',
    ],
    [
      'a port of the host',
      { containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 80 }] }] },
      'hostPort (container "a" uses hostPort 80)',
    ],
    [
      'more capabilities',
      { containers: [{ name: 'a', securityContext: { capabilities: { add: ['NET_ADMIN', 'CHOWN'] } } }] },
      'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      'an unsafe sysctl',
      { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
      'forbidden sysctls (kernel.msgmax)',
    ],
  ])('baseline, of %s', (_what, spec, expected) => {
    expect(violationsOf('baseline', secured(spec))).toBe(expected);
  });

  test('restricted says everything that a plain pod lacks, as upstream does', () => {
    expect(violationsOf('restricted', secured({}))).toBe(
      [
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])',
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
      ].join(', '),
    );
    expect(violationsOf('restricted', secured(RESTRICTED))).toBeUndefined();
    expect(violationsOf('restricted', secured({ ...RESTRICTED, volumes: [{ name: 'n', nfs: {} }] }))).toBe(
      'restricted volume types (volume "n" uses restricted volume type "nfs")',
    );
  });

  test('are enforced by a label of the namespace, and warned of by another', () => {
    const cluster = testCluster();
    const labels = {
      'pod-security.kubernetes.io/enforce': 'baseline',
      'pod-security.kubernetes.io/warn': 'restricted',
    };
    cluster.do((objects) =>
      objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'safe', labels } }),
    );
    expect(() => cluster.do((objects) => objects.create(PODS, pod({ hostPID: true }, 'safe')))).toThrow(
      'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    );
    const warnings: string[] = [];
    cluster.plane.registry.transact({ user: SYSTEM, warn: (text) => warnings.push(text) }, (session) => {
      create(session, cluster.definition('pods'), 'safe', pod({}, 'safe'));
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false/);
    const wrong = { 'pod-security.kubernetes.io/enforce': 'severe' };
    expect(() =>
      cluster.do((objects) =>
        objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'odd', labels: wrong } }),
      ),
    ).toThrow('must be one of privileged, baseline, restricted');
  });
});
