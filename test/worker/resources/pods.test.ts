import { describe, expect, test } from 'vitest';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../../shared/api/meta.ts';
import { pullPolicyOf } from '../../../worker/resources/pod-defaults.ts';
import { PODS_DEFINITION, usesOf } from '../../../worker/resources/pods.ts';
import { EPOCH, EPOCH_MS, pod } from '../../support/builders.ts';
import { cellsOf, lines } from './tables.ts';

const context = { nowMs: EPOCH_MS, random: () => 0.5 };

function draftOf(spec: unknown): Draft<Pod> {
  const draft = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: structuredClone(spec) } as Draft<Pod>;
  PODS_DEFINITION.default?.(draft);
  return draft;
}

const one = (more: Partial<Container> = {}): Partial<PodSpec> => ({
  containers: [{ name: 'c', image: 'nginx:1', ...more }],
});

describe('a new pod', () => {
  test('gets what its author left out', () => {
    const draft = draftOf({
      containers: [
        {
          name: 'c',
          image: 'nginx',
          ports: [{ containerPort: 80 }],
          livenessProbe: { httpGet: { port: 80 } },
          resources: { limits: { cpu: '1' }, requests: { memory: '1Gi' } },
          env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        },
      ],
      volumes: [{ name: 'e' }, { name: 'c', configMap: { name: 'x' } }, { name: 'h', hostPath: { path: '/x' } }],
    });
    expect(draft.spec).toEqual({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
      containers: [
        {
          name: 'c',
          image: 'nginx',
          imagePullPolicy: 'Always',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          livenessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          resources: { limits: { cpu: '1' }, requests: { cpu: '1', memory: '1Gi' } },
          env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
        },
      ],
      volumes: [
        { name: 'e', emptyDir: {} },
        { name: 'c', configMap: { name: 'x', defaultMode: 420 } },
        { name: 'h', hostPath: { path: '/x', type: '' } },
      ],
    });
    expect(PODS_DEFINITION.validate?.(draft)).toEqual([]);
    const again = structuredClone(draft);
    PODS_DEFINITION.default?.(again);
    expect(again).toEqual(draft);
  });

  test('starts Pending, with its quality of service, whatever status it brought', () => {
    const draft = { ...draftOf(one()), status: { phase: 'Running' as const } };
    PODS_DEFINITION.prepareCreate?.(draft, context);
    expect(draft.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
  });

  test('on its node’s network listens on the node’s ports', () => {
    const draft = draftOf({ ...one({ ports: [{ containerPort: 80 }] }), hostNetwork: true });
    expect(draft.spec.containers[0]?.ports).toEqual([{ containerPort: 80, hostPort: 80, protocol: 'TCP' }]);
  });

  test.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.25', 'IfNotPresent'],
    ['localhost:5000/nginx', 'Always'],
    ['localhost:5000/nginx:1', 'IfNotPresent'],
    ['nginx@sha256:abc', 'IfNotPresent'],
    ['nginx:latest@sha256:abc', 'Always'],
  ])('of image %s pulls it %s', (image, policy) => {
    expect(pullPolicyOf(image)).toBe(policy);
  });
});

const causes = (spec: unknown): StatusCause[] => PODS_DEFINITION.validate?.(draftOf(spec)) ?? [];

describe('a pod is refused', () => {
  test.each<[string, unknown, string[]]>([
    ['without containers', {}, ['spec.containers: Required value']],
    ['with a container without name', one({ name: '' }), ['spec.containers[0].name: Required value']],
    ['with a container without image', one({ image: '' }), ['spec.containers[0].image: Required value']],
    [
      'with a name that is no label',
      one({ name: 'A_b' }),
      [
        `spec.containers[0].name: Invalid value: "A_b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
    [
      'with two containers of one name',
      { containers: [{ name: 'c', image: 'x' }], initContainers: [{ name: 'c', image: 'x' }] },
      ['spec.initContainers[0].name: Duplicate value: "c"'],
    ],
    [
      'with a restart policy of its own',
      { ...one(), restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'with a mount of no volume',
      one({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'with two sources in one volume',
      { ...one(), volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'with a request over its limit',
      one({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'with a port beyond all',
      one({ ports: [{ containerPort: 70_000 }] }),
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'with a probe that probes nothing',
      one({ readinessProbe: {} }),
      ['spec.containers[0].readinessProbe: Required value: must specify a handler type'],
    ],
    [
      'with a liveness probe that must succeed twice',
      one({ livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } }),
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'with a variable from two places',
      one({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'with a path out of its volume',
      { ...one(), volumes: [{ name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: '../x' }] } }] },
      [`spec.volumes[0].configMap.items[0].path: Invalid value: "../x": must not contain '..'`],
    ],
    [
      'with a toleration without key that is no Exists',
      { ...one(), tolerations: [{ operator: 'Equal', value: 'x' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'with dnsPolicy None and no server',
      { ...one(), dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'],
    ],
    [
      'with a probe on an init container',
      { ...one(), initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['x'] } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
  ])('%s', (_, spec, expected) => {
    expect(lines(causes(spec))).toEqual(expected);
  });
});

describe('a pod that exists', () => {
  const current = {
    ...pod('web'),
    spec: draftOf({ ...one(), nodeName: 'm1', tolerations: [{ key: 'a', operator: 'Exists' }] }).spec,
  };
  const change = (edit: (spec: PodSpec) => void): string[] => {
    const draft = structuredClone(current);
    edit(draft.spec);
    return lines(PODS_DEFINITION.validateUpdate?.(draft, current) ?? []);
  };

  test('may get another image, a deadline, more tolerations', () => {
    const allowed = change((spec) => {
      (spec.containers[0] as Container).image = 'nginx:2';
      spec.activeDeadlineSeconds = 5;
      spec.tolerations = [...(spec.tolerations ?? []), { key: 'b', operator: 'Exists' }];
    });
    expect(allowed).toEqual([]);
  });

  test('may change nothing else, and is told what it tried', () => {
    expect(change((spec) => Object.assign(spec, { dnsPolicy: 'Default' }))).toEqual([
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n- spec.dnsPolicy: "ClusterFirst"\n+ spec.dnsPolicy: "Default"',
    ]);
    expect(change((spec) => spec.containers.push({ name: 'd', image: 'x' }))).toEqual([
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ]);
    expect(change((spec) => Object.assign(spec, { tolerations: [] }))).toEqual([
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ]);
  });

  test('goes at once when no minion has it, and after its grace period when one does', () => {
    expect(PODS_DEFINITION.gracePeriodSeconds?.(pod('p'))).toBe(0);
    expect(PODS_DEFINITION.gracePeriodSeconds?.(current)).toBe(30);
    expect(PODS_DEFINITION.gracePeriodSeconds?.({ ...current, status: { phase: 'Succeeded' } })).toBe(0);
  });
});

test('a pod’s index names every ConfigMap, Secret and ServiceAccount that it needs, once', () => {
  const spec: PodSpec = {
    containers: [
      {
        name: 'c',
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's1', key: 'k' } } }],
        envFrom: [{ configMapRef: { name: 'c1' } }, { secretRef: { name: 's1' } }],
      },
    ],
    initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'c2' } }] }],
    volumes: [
      { name: 'a', configMap: { name: 'c1' } },
      { name: 'b', secret: { secretName: 's2' } },
      { name: 'p', projected: { sources: [{ configMap: { name: 'c3' } }, { secret: { name: 's3' } }] } },
    ],
    imagePullSecrets: [{ name: 's4' }],
    serviceAccountName: 'robot',
  };
  const expected = [
    'configmaps/c1',
    'configmaps/c2',
    'configmaps/c3',
    'secrets/s1',
    'secrets/s2',
    'secrets/s3',
    'secrets/s4',
    'serviceaccounts/robot',
  ];
  expect(usesOf(spec).sort()).toEqual(expected);
});

describe('a pod’s row', () => {
  const nowMs = EPOCH_MS + 300_000;
  const status = (more: Partial<ContainerStatus>): ContainerStatus => ({
    name: 'main',
    state: {},
    lastState: {},
    ready: false,
    restartCount: 0,
    image: '',
    imageID: '',
    ...more,
  });
  const runs = status({ ready: true, state: { running: { startedAt: EPOCH } } });
  const ended = (exitCode: number, reason = '') => ({
    terminated: { exitCode, reason, finishedAt: '2026-01-01T00:02:00Z' },
  });
  const init = { name: 'init', image: 'x' };
  const side = { name: 'side', image: 'x', restartPolicy: 'Always' as const };

  test.each<[string, Parameters<typeof pod>[1], string[]]>([
    ['waits for a minion', { status: { phase: 'Pending' } }, ['0/1', 'Pending', '0']],
    ['runs', { status: { phase: 'Running', containerStatuses: [runs] } }, ['1/1', 'Running', '0']],
    [
      'is being made',
      {
        status: {
          phase: 'Pending',
          containerStatuses: [status({ state: { waiting: { reason: 'ContainerCreating' } } })],
        },
      },
      ['0/1', 'ContainerCreating', '0'],
    ],
    [
      'keeps crashing',
      {
        status: {
          phase: 'Running',
          containerStatuses: [
            status({
              restartCount: 3,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: ended(1, 'Error'),
            }),
          ],
        },
      },
      ['0/1', 'CrashLoopBackOff', '3 (3m ago)'],
    ],
    [
      'is done',
      { status: { phase: 'Succeeded', containerStatuses: [status({ state: ended(0, 'Completed') })] } },
      ['0/1', 'Completed', '0'],
    ],
    [
      'failed without a reason',
      { status: { phase: 'Failed', containerStatuses: [status({ state: ended(3) })] } },
      ['0/1', 'ExitCode:3', '0'],
    ],
    [
      'has its second init container running',
      {
        spec: { initContainers: [{ ...init, name: 'i0' }, init] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            status({ name: 'i0', state: ended(0, 'Completed') }),
            status({ name: 'init', state: { running: {} } }),
          ],
        },
      },
      ['0/1', 'Init:1/2', '0'],
    ],
    [
      'has an init container that crashes',
      {
        spec: { initContainers: [init] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            status({ name: 'init', restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } }),
          ],
        },
      },
      ['0/1', 'Init:CrashLoopBackOff', '2'],
    ],
    [
      'has a sidecar beside its container',
      {
        spec: { initContainers: [side] },
        status: {
          phase: 'Running',
          initContainerStatuses: [status({ name: 'side', started: true, ready: true, state: { running: {} } })],
          containerStatuses: [runs],
        },
      },
      ['2/2', 'Running', '0'],
    ],
    [
      'is being deleted',
      { metadata: { deletionTimestamp: EPOCH }, status: { phase: 'Running', containerStatuses: [runs] } },
      ['1/1', 'Terminating', '0'],
    ],
    [
      'is being deleted on a minion that is gone',
      { metadata: { deletionTimestamp: EPOCH }, status: { phase: 'Running', reason: 'NodeLost' } },
      ['0/1', 'Unknown', '0'],
    ],
    ['was evicted', { status: { phase: 'Failed', reason: 'Evicted' } }, ['0/1', 'Evicted', '0']],
    [
      'is held by a gate',
      {
        status: {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      },
      ['0/1', 'SchedulingGated', '0'],
    ],
  ])('when it %s', (_, parts, expected) => {
    expect(cellsOf(PODS_DEFINITION, pod('web', parts), nowMs).slice(1, 4)).toEqual(expected);
  });

  test('is as wide as upstream’s', () => {
    const shown = pod('web', {
      spec: { nodeName: 'm1' },
      status: { phase: 'Running', podIPs: [{ ip: '10.244.1.2' }] },
    });
    expect(cellsOf(PODS_DEFINITION, shown, nowMs)).toEqual([
      'web',
      '0/1',
      'Running',
      '0',
      '5m',
      '10.244.1.2',
      'm1',
      '<none>',
      '<none>',
    ]);
    expect(PODS_DEFINITION.columns.map((column) => `${column.name}${column.priority === 1 ? ' (wide)' : ''}`)).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
      'IP (wide)',
      'Node (wide)',
      'Nominated Node (wide)',
      'Readiness Gates (wide)',
    ]);
  });
});
