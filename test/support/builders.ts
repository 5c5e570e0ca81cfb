/** Objects for tests of the pure parts: as small as they may be, with what the test is about on top. */
import type { Deployment, ReplicaSet } from '../../shared/api/apps.ts';
import type { Node, Pod, PodSpec, PodStatus, Service } from '../../shared/api/core.ts';
import type { ObjectMeta } from '../../shared/api/meta.ts';

export const EPOCH = '2026-01-01T00:00:00Z';
export const EPOCH_MS = Date.parse(EPOCH);

export const metadata = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace: 'default',
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: EPOCH,
  ...more,
});

export interface PodParts {
  metadata?: Partial<ObjectMeta>;
  spec?: Partial<PodSpec>;
  status?: PodStatus;
}

export const pod = (name: string, parts: PodParts = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: metadata(name, parts.metadata),
  spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...parts.spec },
  ...(parts.status ? { status: parts.status } : {}),
});

/** The status of a pod that runs, with an address, ready since then or not ready. */
export const running = (podIP: string, ready: string | false = EPOCH): PodStatus => ({
  phase: 'Running',
  podIP,
  podIPs: [{ ip: podIP }],
  conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ready || EPOCH }],
});

export interface NodeParts {
  labels?: Record<string, string>;
  spec?: Node['spec'];
  status?: Node['status'];
}

export const node = (name: string, parts: NodeParts = {}): Node => {
  const { namespace: _none, ...rest } = metadata(name, { labels: { 'kubernetes.io/hostname': name, ...parts.labels } });
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: rest,
    spec: parts.spec ?? {},
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '100Gi' },
      conditions: [{ type: 'Ready', status: 'True' }],
      ...parts.status,
    },
  };
};

export const service = (name: string, spec: Service['spec'], more: Partial<ObjectMeta> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(name, more),
  spec,
});

const TEMPLATE = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } };

export const deployment = (
  name: string,
  spec: Partial<Deployment['spec']> = {},
  status?: Deployment['status'],
): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: metadata(name, { generation: 1 }),
  spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template: structuredClone(TEMPLATE), ...spec },
  ...(status ? { status } : {}),
});

/** A replica set of that size, of whose pods so many are there and available. */
export const replicaSet = (
  name: string,
  replicas: number,
  available = replicas,
  more: Partial<ObjectMeta> = {},
): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: metadata(name, { generation: 1, ...more }),
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: structuredClone(TEMPLATE) },
  status: { replicas, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
});
