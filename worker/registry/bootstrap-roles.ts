/**
 * The roles and bindings that every cluster starts with: upstream's, without those of controllers that run inside the
 * control plane here, and a few of our own. When they are written is `bootstrap.ts`.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
 */
import type { Draft } from '../../shared/api/meta.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  RBAC_GROUP,
  type Role,
  type Subject,
} from '../../shared/api/rbac.ts';

const API_VERSION = `${RBAC_GROUP}/v1`;
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const ANNOTATIONS = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

// ---- Rules, shortly. Lists are written as words. -------------------------------------------------------------------

const READ = 'get list watch';
const WRITE = 'create delete deletecollection patch update';
const ALL = 'create delete deletecollection get list patch update watch';

const words = (text: string): string[] => (text === '' ? [''] : text.split(' '));
/** `'core'` is the group without a name. */
const on = (groups: string, resources: string, verbs: string, names = ''): PolicyRule => ({
  verbs: words(verbs),
  apiGroups: words(groups).map((each) => (each === 'core' ? '' : each)),
  resources: words(resources),
  ...(names === '' ? {} : { resourceNames: words(names) }),
});
const at = (urls: string, verbs = 'get'): PolicyRule => ({ verbs: words(verbs), nonResourceURLs: words(urls) });

const RECORD_EVENTS = on('core events.k8s.io', 'events', 'create patch update');
const DELEGATE = [
  on('authentication.k8s.io', 'tokenreviews', 'create'),
  on('authorization.k8s.io', 'subjectaccessreviews', 'create'),
];
const lease = (name: string) => [
  on('coordination.k8s.io', 'leases', 'create'),
  on('coordination.k8s.io', 'leases', 'get update', name),
];
const approve = (signer: string) => [on('certificates.k8s.io', 'signers', 'approve', `kubernetes.io/${signer}`)];

const HEALTH = '/healthz /livez /readyz';

// ---- What people are given --------------------------------------------------------------------------------------------

const EDIT: PolicyRule[] = [
  on('core', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', READ),
  on('core', 'serviceaccounts', 'impersonate'),
  on('core', 'pods pods/attach pods/exec pods/portforward pods/proxy', WRITE),
  on('core', 'pods/eviction', 'create'),
  on('core', 'pods/resize', 'patch update'),
  on(
    'core',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    WRITE,
  ),
  on('core', 'serviceaccounts/token', 'create'),
  on(
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
    WRITE,
  ),
  on('autoscaling', 'horizontalpodautoscalers', WRITE),
  on('batch', 'cronjobs jobs', WRITE),
  on('policy', 'poddisruptionbudgets', WRITE),
  on('networking.k8s.io', 'ingresses networkpolicies', WRITE),
  on('coordination.k8s.io', 'leases', ALL),
];

const VIEW: PolicyRule[] = [
  on(
    'core',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    READ,
  ),
  on(
    'core',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    READ,
  ),
  on('core', 'namespaces', READ),
  on('discovery.k8s.io', 'endpointslices', READ),
  on(
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
    READ,
  ),
  on('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', READ),
  on('batch', 'cronjobs cronjobs/status jobs jobs/status', READ),
  on('policy', 'poddisruptionbudgets poddisruptionbudgets/status', READ),
  on('networking.k8s.io', 'ingresses ingresses/status networkpolicies', READ),
];

// ---- What machinery is given ----------------------------------------------------------------------------------------

const NODE: PolicyRule[] = [
  on('authentication.k8s.io', 'tokenreviews', 'create'),
  on('authorization.k8s.io', 'localsubjectaccessreviews subjectaccessreviews', 'create'),
  on('core', 'services', READ),
  on('core', 'nodes', 'create get list watch'),
  on('core', 'nodes/status', 'patch update'),
  on('core', 'nodes', 'patch update'),
  on('core', 'events', 'create patch update'),
  on('core', 'pods', READ),
  on('core', 'pods', 'create delete'),
  on('core', 'pods/status', 'patch update'),
  on('core', 'pods/eviction', 'create'),
  on('core', 'configmaps secrets', READ),
  on('core', 'persistentvolumeclaims persistentvolumes', 'get'),
  on('core', 'endpoints', 'get'),
  on('certificates.k8s.io', 'certificatesigningrequests', 'create get list watch'),
  on('coordination.k8s.io', 'leases', 'create delete get patch update'),
  on('storage.k8s.io', 'volumeattachments', 'get'),
  on('core', 'serviceaccounts/token', 'create'),
  on('core', 'persistentvolumeclaims/status', 'get patch update'),
  on('storage.k8s.io', 'csidrivers', READ),
  on('storage.k8s.io', 'csinodes', 'create delete get patch update'),
  on('node.k8s.io', 'runtimeclasses', READ),
];

const SCHEDULER: PolicyRule[] = [
  RECORD_EVENTS,
  ...lease('kube-scheduler'),
  on('core', 'nodes', READ),
  on('core', 'pods', 'delete get list watch'),
  on('core', 'bindings pods/binding', 'create'),
  on('core', 'pods/status', 'patch update'),
  on('core', 'replicationcontrollers services', READ),
  on('apps', 'replicasets', READ),
  on('apps', 'statefulsets', READ),
  on('policy', 'poddisruptionbudgets', READ),
  on('core', 'persistentvolumeclaims persistentvolumes', READ),
  ...DELEGATE,
  on('storage.k8s.io', 'csinodes', READ),
  on('core', 'namespaces', READ),
  on('storage.k8s.io', 'csidrivers', READ),
  on('storage.k8s.io', 'csistoragecapacities', READ),
];

const CONTROLLER_MANAGER: PolicyRule[] = [
  RECORD_EVENTS,
  ...lease('kube-controller-manager'),
  on('core', 'secrets serviceaccounts', 'create'),
  on('core', 'secrets', 'delete'),
  on('core', 'configmaps namespaces secrets serviceaccounts', 'get'),
  on('core', 'secrets serviceaccounts', 'update'),
  ...DELEGATE,
  on('*', '*', 'list watch'),
  on('core', 'serviceaccounts/token', 'create'),
];

const CERTIFICATES = 'system:certificates.k8s.io:';
const METRICS = 'system:aggregated-metrics-reader';

const RULES: Record<string, readonly PolicyRule[]> = {
  'cluster-admin': [on('*', '*', '*'), at('*', '*')],
  'system:aggregate-to-admin': [
    on('authorization.k8s.io', 'localsubjectaccessreviews', 'create'),
    on(RBAC_GROUP, 'rolebindings roles', ALL),
  ],
  'system:aggregate-to-edit': EDIT,
  'system:aggregate-to-view': VIEW,
  'system:auth-delegator': DELEGATE,
  'system:basic-user': [
    on('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', 'create'),
    on('authentication.k8s.io', 'selfsubjectreviews', 'create'),
  ],
  [`${CERTIFICATES}certificatesigningrequests:nodeclient`]: [
    on('certificates.k8s.io', 'certificatesigningrequests/nodeclient', 'create'),
  ],
  [`${CERTIFICATES}certificatesigningrequests:selfnodeclient`]: [
    on('certificates.k8s.io', 'certificatesigningrequests/selfnodeclient', 'create'),
  ],
  [`${CERTIFICATES}kube-apiserver-client-approver`]: approve('kube-apiserver-client'),
  [`${CERTIFICATES}kube-apiserver-client-kubelet-approver`]: approve('kube-apiserver-client-kubelet'),
  [`${CERTIFICATES}kubelet-serving-approver`]: approve('kubelet-serving'),
  [`${CERTIFICATES}legacy-unknown-approver`]: approve('legacy-unknown'),
  'system:discovery': [at(`/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/`)],
  'system:kube-aggregator': [on('core', 'endpoints services', READ)],
  'system:kube-controller-manager': CONTROLLER_MANAGER,
  'system:kube-dns': [on('core', 'endpoints services', 'list watch')],
  'system:kube-scheduler': SCHEDULER,
  'system:kubelet-api-admin': [
    on('core', 'nodes', READ),
    on('core', 'nodes', 'proxy'),
    on('core', 'nodes/log nodes/metrics nodes/proxy nodes/stats', '*'),
  ],
  'system:monitoring': [at(`${HEALTH} /healthz/* /livez/* /readyz/* /metrics /metrics/slis`)],
  'system:node': NODE,
  'system:node-bootstrapper': [on('certificates.k8s.io', 'certificatesigningrequests', 'create get list watch')],
  'system:node-problem-detector': [on('core', 'nodes', 'get'), on('core', 'nodes/status', 'patch'), RECORD_EVENTS],
  'system:node-proxier': [
    on('core', 'endpoints services', 'list watch'),
    on('core', 'nodes', READ),
    RECORD_EVENTS,
    on('discovery.k8s.io', 'endpointslices', 'list watch'),
  ],
  'system:persistent-volume-provisioner': [
    on('core', 'persistentvolumes', 'create delete get list watch'),
    on('core', 'persistentvolumeclaims', 'get list update watch'),
    on('storage.k8s.io', 'storageclasses', READ),
    on('core', 'events', 'watch'),
    RECORD_EVENTS,
  ],
  'system:public-info-viewer': [at(`${HEALTH} /version /version/`)],
  'system:service-account-issuer-discovery': [at('/.well-known/openid-configuration /openid/v1/jwks')],
  'system:volume-scheduler': [
    on('core', 'persistentvolumes', 'get list patch update watch'),
    on('storage.k8s.io', 'storageclasses', READ),
    on('core', 'persistentvolumeclaims', 'get list patch update watch'),
  ],
  // As the metrics server's own manifest: metrics are served here without one.
  [METRICS]: [on('metrics.k8s.io', 'pods nodes', READ)],
  'longshore:aggregate-to-edit': [on('longshore.dev', 'hooks', WRITE)],
  'longshore:aggregate-to-view': [on('longshore.dev', 'hooks hooks/status', READ)],
  // Applications share configuration through the etcd surface.
  'longshore:etcd': [at('/v3/*', 'post')],
};

/** Made of others' rules by the aggregation controller. */
const AGGREGATED = ['admin', 'edit', 'view'];
/** Which roles become part of which aggregated ones. */
const PARTS: Record<string, readonly string[]> = {
  'system:aggregate-to-admin': ['admin'],
  'system:aggregate-to-edit': ['edit'],
  'system:aggregate-to-view': ['view'],
  'longshore:aggregate-to-edit': ['edit'],
  'longshore:aggregate-to-view': ['view'],
  [METRICS]: ['admin', 'edit', 'view'],
  edit: ['admin'],
  view: ['edit'],
};

const metadataOf = (name: string) => ({
  name,
  annotations: ANNOTATIONS,
  labels: { ...LABELS, ...Object.fromEntries((PARTS[name] ?? []).map((each) => [`${AGGREGATE}${each}`, 'true'])) },
});

export const DEFAULT_CLUSTER_ROLES: readonly Draft<ClusterRole>[] = [
  ...Object.entries(RULES).map(([name, rules]) => ({
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: metadataOf(name),
    rules: [...rules],
  })),
  ...AGGREGATED.map((name) => ({
    apiVersion: API_VERSION,
    kind: 'ClusterRole',
    metadata: metadataOf(name),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE}${name}`]: 'true' } }] },
  })),
];

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC_GROUP, name });
const user = (name: string): Subject => ({ kind: 'User', apiGroup: RBAC_GROUP, name });

/** Each binding is named as its role. */
const SUBJECTS: Record<string, readonly Subject[]> = {
  'cluster-admin': [group('system:masters')],
  'system:monitoring': [group('system:monitoring')],
  'system:discovery': [group('system:authenticated')],
  'system:basic-user': [group('system:authenticated')],
  'system:public-info-viewer': [group('system:authenticated'), group('system:unauthenticated')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-dns': [{ kind: 'ServiceAccount', name: 'kube-dns', namespace: 'kube-system' }],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  // Kubernetes: nobody, for minions have the Node authorizer.
  'system:node': [],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
  'longshore:etcd': [group('system:serviceaccounts')],
};

export const DEFAULT_CLUSTER_ROLE_BINDINGS: readonly Draft<ClusterRoleBinding>[] = Object.entries(SUBJECTS).map(
  ([name, subjects]) => ({
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: metadataOf(name),
    ...(subjects.length === 0 ? {} : { subjects: [...subjects] }),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
  }),
);

/** Charts of extension servers bind their accounts to it. */
export const DEFAULT_ROLES: readonly Draft<Role>[] = [
  {
    apiVersion: API_VERSION,
    kind: 'Role',
    metadata: { ...metadataOf('extension-apiserver-authentication-reader'), namespace: 'kube-system' },
    rules: [on('core', 'configmaps', READ, 'extension-apiserver-authentication')],
  },
];
