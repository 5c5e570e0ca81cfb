/** One object of each kind that a user may make, named `one`: small, valid, and running nothing. */

export interface Plain {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

const labels = { app: 'one' };
const template = {
  metadata: { labels },
  spec: { nodeSelector: { nowhere: 'yes' }, containers: [{ name: 'main', image: 'one:1' }] },
};
const workload = { replicas: 0, selector: { matchLabels: labels }, template };
const jobTemplate = { parallelism: 0, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } };
const RBAC = 'rbac.authorization.k8s.io';
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
const webhook = {
  name: 'one.longshore.test',
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  failurePolicy: 'Ignore',
  // Of a group that does not exist: it is never called.
  rules: [{ apiGroups: ['longshore.test'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] }],
  clientConfig: { url: 'https://webhook.longshore.test/' },
};

/** Without namespaces: made in the caller's own. */
const NAMESPACED: [apiVersion: string, kind: string, rest: object][] = [
  ['v1', 'ConfigMap', { data: { colour: 'red' } }],
  ['v1', 'Secret', { stringData: { password: 'hunter2' } }],
  ['v1', 'ServiceAccount', {}],
  ['v1', 'Service', { spec: { selector: labels, ports: [{ port: 80 }] } }],
  ['v1', 'Pod', { spec: template.spec }],
  ['v1', 'PodTemplate', { template }],
  ['v1', 'ReplicationController', { spec: { replicas: 0, selector: labels, template } }],
  [
    'v1',
    'LimitRange',
    { spec: { limits: [{ type: 'Container', default: { memory: '128Mi' }, defaultRequest: { memory: '64Mi' } }] } },
  ],
  ['v1', 'ResourceQuota', { spec: { hard: { pods: '10' } } }],
  [
    'v1',
    'PersistentVolumeClaim',
    { spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'one', resources: { requests: { storage: '1Gi' } } } },
  ],
  ['apps/v1', 'Deployment', { spec: workload }],
  ['apps/v1', 'ReplicaSet', { spec: workload }],
  ['apps/v1', 'StatefulSet', { spec: { ...workload, serviceName: 'one' } }],
  ['apps/v1', 'DaemonSet', { spec: { selector: workload.selector, template } }],
  ['apps/v1', 'ControllerRevision', { revision: 1, data: {} }],
  ['batch/v1', 'Job', { spec: jobTemplate }],
  ['batch/v1', 'CronJob', { spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: jobTemplate } } }],
  [
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    {
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'one' },
      },
    },
  ],
  ['policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: 1, selector: workload.selector } }],
  [
    'networking.k8s.io/v1',
    'Ingress',
    {
      spec: {
        ingressClassName: 'edge',
        rules: [
          {
            host: 'site.test',
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'one', port: { number: 80 } } } }],
            },
          },
        ],
      },
    },
  ],
  [
    'networking.k8s.io/v1',
    'NetworkPolicy',
    { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: workload.selector }] }] } },
  ],
  [
    'discovery.k8s.io/v1',
    'EndpointSlice',
    { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ port: 80 }] },
  ],
  ['coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'one' } }],
  [`${RBAC}/v1`, 'Role', { rules }],
  [
    `${RBAC}/v1`,
    'RoleBinding',
    {
      roleRef: { apiGroup: RBAC, kind: 'Role', name: 'one' },
      subjects: [{ kind: 'User', apiGroup: RBAC, name: 'ann' }],
    },
  ],
  [
    'longshore.dev/v1',
    'Hook',
    { spec: { signature: 'hmac', secretRef: { name: 'one' }, target: { deployment: 'one', container: 'main' } } },
  ],
  ['resource.k8s.io/v1', 'ResourceClaim', { spec: {} }],
  ['resource.k8s.io/v1', 'ResourceClaimTemplate', { spec: { spec: {} } }],
  ['storage.k8s.io/v1', 'CSIStorageCapacity', { storageClassName: 'one', capacity: '1Gi' }],
];

const CLUSTER: [apiVersion: string, kind: string, rest: object][] = [
  [
    'v1',
    'PersistentVolume',
    {
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        hostPath: { path: '/data' },
        storageClassName: 'none',
      },
    },
  ],
  ['storage.k8s.io/v1', 'StorageClass', { provisioner: 'longshore.test/disks' }],
  ['storage.k8s.io/v1', 'VolumeAttributesClass', { driverName: 'longshore.test', parameters: { speed: 'high' } }],
  ['storage.k8s.io/v1', 'CSIDriver', { spec: { attachRequired: false } }],
  ['storage.k8s.io/v1', 'CSINode', { spec: { drivers: [] } }],
  [
    'storage.k8s.io/v1',
    'VolumeAttachment',
    { spec: { attacher: 'longshore.test', nodeName: 'none', source: { persistentVolumeName: 'none' } } },
  ],
  ['scheduling.k8s.io/v1', 'PriorityClass', { value: 7 }],
  ['networking.k8s.io/v1', 'IngressClass', { spec: { controller: 'longshore.test/controller' } }],
  ['node.k8s.io/v1', 'RuntimeClass', { handler: 'runc' }],
  [`${RBAC}/v1`, 'ClusterRole', { rules }],
  [`${RBAC}/v1`, 'ClusterRoleBinding', { roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' } }],
  ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', { webhooks: [webhook] }],
  ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [webhook] }],
  [
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicy',
    { spec: { matchConstraints: { resourceRules: webhook.rules }, validations: [{ expression: 'true' }] } },
  ],
  [
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicyBinding',
    { spec: { policyName: 'none', validationActions: ['Audit'] } },
  ],
  [
    'networking.k8s.io/v1',
    'IPAddress',
    { metadata: { name: '192.0.2.7' }, spec: { parentRef: { resource: 'services', namespace: 'none', name: 'none' } } },
  ],
  [
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    {
      metadata: { name: 'ones.longshore.test' },
      spec: {
        group: 'longshore.test',
        names: { plural: 'ones', singular: 'one', kind: 'One' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  ],
  ['resource.k8s.io/v1', 'DeviceClass', { spec: {} }],
  [
    'resource.k8s.io/v1',
    'ResourceSlice',
    {
      spec: {
        driver: 'longshore.test',
        nodeName: 'none',
        pool: { name: 'none', generation: 1, resourceSliceCount: 1 },
      },
    },
  ],
];

/** @param prefix for the names of those that have no namespace, which others may make too */
export function one(prefix: string): Plain[] {
  const made =
    (name: string, namespace: string | undefined) =>
    ([apiVersion, kind, rest]: [string, string, object]): Plain => ({
      apiVersion,
      kind,
      ...rest,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...('metadata' in rest ? (rest.metadata as object) : {}),
      },
    });
  return [...NAMESPACED.map(made('one', prefix)), ...CLUSTER.map(made(`${prefix}-one`, undefined))];
}
