/**
 * The priority levels and flow schemas that every cluster starts with. Two of each are mandatory (`exempt`, `catch-all`),
 * the others upstream's suggestion. Source: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap
 */
import type { FlowRules, FlowSchema, FlowSubject, PriorityLevelConfiguration } from '../../shared/api/flowcontrol.ts';
import type { Draft } from '../../shared/api/meta.ts';

const API_VERSION = 'flowcontrol.apiserver.k8s.io/v1';
/** The server keeps these as they are here, as long as nobody sets it to false. */
const AUTO_UPDATE = { 'apf.kubernetes.io/autoupdate-spec': 'true' };

function level(
  name: string,
  shares: number,
  lendablePercent: number,
  queuing?: { queues: number; handSize: number; queueLengthLimit: number },
): Draft<PriorityLevelConfiguration> {
  return {
    apiVersion: API_VERSION,
    kind: 'PriorityLevelConfiguration',
    metadata: { name, annotations: AUTO_UPDATE },
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: shares,
        lendablePercent,
        limitResponse: queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing },
      },
    },
  };
}

const WIDE = { queues: 128, handSize: 6, queueLengthLimit: 50 };

export const PRIORITY_LEVELS: readonly Draft<PriorityLevelConfiguration>[] = [
  {
    apiVersion: API_VERSION,
    kind: 'PriorityLevelConfiguration',
    metadata: { name: 'exempt', annotations: AUTO_UPDATE },
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  level('catch-all', 5, 0),
  level('system', 30, 33, { queues: 64, handSize: 6, queueLengthLimit: 50 }),
  level('node-high', 40, 25, { queues: 64, handSize: 6, queueLengthLimit: 50 }),
  level('leader-election', 10, 0, { queues: 16, handSize: 4, queueLengthLimit: 50 }),
  level('workload-high', 40, 50, WIDE),
  level('workload-low', 100, 90, WIDE),
  level('global-default', 20, 50, WIDE),
];

const group = (name: string): FlowSubject => ({ kind: 'Group', group: { name } });
const user = (name: string): FlowSubject => ({ kind: 'User', user: { name } });
const account = (namespace: string, name: string): FlowSubject => ({
  kind: 'ServiceAccount',
  serviceAccount: { namespace, name },
});

const ANYTHING: Omit<FlowRules, 'subjects'> = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const EVERYBODY = [group('system:authenticated'), group('system:unauthenticated')];
const ON_LEASES: Omit<FlowRules, 'subjects'> = {
  resourceRules: [
    {
      verbs: ['get', 'create', 'update'],
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      namespaces: ['*'],
    },
  ],
};
const ON_NODE_LEASES: Omit<FlowRules, 'subjects'> = {
  resourceRules: [
    { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true },
    { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
  ],
};

function schema(
  name: string,
  priorityLevel: string,
  matchingPrecedence: number,
  distinguisher: 'ByUser' | 'ByNamespace' | undefined,
  ...rules: FlowRules[]
): Draft<FlowSchema> {
  return {
    apiVersion: API_VERSION,
    kind: 'FlowSchema',
    metadata: { name, annotations: AUTO_UPDATE },
    spec: {
      priorityLevelConfiguration: { name: priorityLevel },
      matchingPrecedence,
      ...(distinguisher === undefined ? {} : { distinguisherMethod: { type: distinguisher } }),
      rules,
    },
  };
}

export const FLOW_SCHEMAS_AT_START: readonly Draft<FlowSchema>[] = [
  schema('exempt', 'exempt', 1, undefined, { subjects: [group('system:masters')], ...ANYTHING }),
  schema('probes', 'exempt', 2, undefined, {
    subjects: EVERYBODY,
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  schema('system-leader-election', 'leader-election', 100, 'ByUser', {
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), account('kube-system', '*')],
    ...ON_LEASES,
  }),
  schema('endpoint-controller', 'workload-high', 150, 'ByUser', {
    subjects: [
      user('system:kube-controller-manager'),
      account('kube-system', 'endpoint-controller'),
      account('kube-system', 'endpointslicemirroring-controller'),
    ],
    resourceRules: [
      { verbs: ['get', 'create', 'update'], apiGroups: [''], resources: ['endpoints'], namespaces: ['*'] },
    ],
  }),
  schema('workload-leader-election', 'leader-election', 200, 'ByUser', {
    subjects: [account('kube-system', '*')],
    ...ON_LEASES,
  }),
  schema('system-node-high', 'node-high', 400, 'ByUser', { subjects: [group('system:nodes')], ...ON_NODE_LEASES }),
  schema('system-nodes', 'system', 500, 'ByUser', { subjects: [group('system:nodes')], ...ANYTHING }),
  schema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', {
    subjects: [user('system:kube-controller-manager')],
    ...ANYTHING,
  }),
  schema('kube-scheduler', 'workload-high', 800, 'ByNamespace', {
    subjects: [user('system:kube-scheduler')],
    ...ANYTHING,
  }),
  schema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', {
    subjects: [account('kube-system', '*')],
    ...ANYTHING,
  }),
  schema('service-accounts', 'workload-low', 9000, 'ByUser', {
    subjects: [group('system:serviceaccounts')],
    ...ANYTHING,
  }),
  schema('global-default', 'global-default', 9900, 'ByUser', { subjects: EVERYBODY, ...ANYTHING }),
  schema('catch-all', 'catch-all', 10_000, 'ByUser', { subjects: EVERYBODY, ...ANYTHING }),
];
