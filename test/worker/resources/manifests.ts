/** The least that each kind takes, without its kind and metadata; by resource and group. One line a kind that is served. */
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
const once = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
const selector = { matchLabels: { app: 'a' } };
const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }];
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const webhook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://example.com/hook' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};

export interface Manifest {
  body: object;
  /** The name where `a` will not do. */
  name?: string;
  /** A status that another may write, where there is one to write. */
  status?: object;
}

export const MANIFESTS: Record<string, Manifest> = {
  configmaps: { body: { data: { a: 'b' } } },
  endpoints: { body: {} },
  events: { body: { involvedObject: { namespace: 'default', kind: 'Pod', name: 'a' } } },
  limitranges: { body: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } } },
  namespaces: { body: {} },
  nodes: { body: {}, status: { phase: 'Running' } },
  persistentvolumeclaims: {
    body: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    status: { phase: 'Lost' },
  },
  persistentvolumes: {
    body: { spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/a' } } },
    status: { phase: 'Available' },
  },
  pods: { body: { spec: { containers: [{ name: 'a', image: 'a' }] } }, status: { phase: 'Running' } },
  podtemplates: { body: { template } },
  replicationcontrollers: { body: { spec: { replicas: 0, selector: { app: 'a' }, template } } },
  resourcequotas: { body: { spec: { hard: { 'count/secrets': '5' } } }, status: { used: { 'count/secrets': '1' } } },
  secrets: { body: { data: { a: 'YQ==' } } },
  serviceaccounts: { body: {} },
  services: { body: { spec: { ports: [{ port: 80 }] } } },
  'apiservices.apiregistration.k8s.io': {
    name: 'v1.remote.example.com',
    body: {
      spec: {
        group: 'remote.example.com',
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: { namespace: 'default', name: 'a' },
      },
    },
    status: { conditions: [{ type: 'Extra', status: 'True' }] },
  },
  'controllerrevisions.apps': { body: { revision: 1, data: {} } },
  'daemonsets.apps': { body: { spec: { selector, template } } },
  'deployments.apps': { body: { spec: { replicas: 0, selector, template } } },
  'replicasets.apps': { body: { spec: { replicas: 0, selector, template } } },
  'statefulsets.apps': { body: { spec: { replicas: 0, serviceName: 'a', selector, template } } },
  'horizontalpodautoscalers.autoscaling': {
    body: { spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } } },
  },
  'cronjobs.batch': { body: { spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: once } } } } },
  'jobs.batch': { body: { spec: { suspend: true, template: once } } },
  'certificatesigningrequests.certificates.k8s.io': {
    body: {
      spec: {
        signerName: 'example.com/a',
        usages: ['client auth'],
        request:
          'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISk1IRUNBUUF3RHpFTk1Bc0dBMVVFQXd3RWFtRnVaVEJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSApBMElBQk9ob3YzU0pDU1N6cTlwQ2k2b1IyMHNESE5tdy82MVJMdy9WOTgxSS9qL3pkY2xXMmZjcEtxbjhyektlCm9xZlZTRGhIWWZQdzdkU1ZDUEFXaDIzd2RXZWdBREFLQmdncWhrak9QUVFEQWdOSUFEQkZBaUJwZnJSbkFlbUcKVEpXWlFXZDJCTzlRZGh2RGt5UlNBQVRBcGtiK2NGTTNXQUloQU9EeklHYU5tcURQbzNVL0RkbFJkRVNMZGpWcQo5NlIwL1FVMWh6SVF4enlaCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=',
      },
    },
  },
  'leases.coordination.k8s.io': { body: { spec: { holderIdentity: 'a' } } },
  'endpointslices.discovery.k8s.io': { body: { addressType: 'IPv4', endpoints: [] } },
  'flowschemas.flowcontrol.apiserver.k8s.io': {
    body: { spec: { priorityLevelConfiguration: { name: 'exempt' } } },
    status: { conditions: [{ type: 'Dangling', status: 'False' }] },
  },
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': {
    body: { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
    status: { conditions: [{ type: 'Extra', status: 'False' }] },
  },
  'ingressclasses.networking.k8s.io': { body: { spec: { controller: 'example.com/a' } } },
  'ingresses.networking.k8s.io': {
    body: { spec: { defaultBackend: { service: { name: 'a', port: { number: 80 } } } } },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  },
  'ipaddresses.networking.k8s.io': {
    name: '10.96.0.77',
    body: { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'a' } } },
  },
  'networkpolicies.networking.k8s.io': { body: { spec: { podSelector: {} } } },
  'servicecidrs.networking.k8s.io': {
    body: { spec: { cidrs: ['10.200.0.0/16'] } },
    status: { conditions: [{ type: 'Ready', status: 'False', reason: 'Told', message: 'x' }] },
  },
  'runtimeclasses.node.k8s.io': { body: { handler: 'runc' } },
  'poddisruptionbudgets.policy': { body: { spec: { minAvailable: 1, selector } } },
  'clusterroles.rbac.authorization.k8s.io': { body: { rules: [] } },
  'clusterrolebindings.rbac.authorization.k8s.io': { body: { subjects, roleRef } },
  'roles.rbac.authorization.k8s.io': { body: { rules: [] } },
  'rolebindings.rbac.authorization.k8s.io': { body: { subjects, roleRef } },
  'deviceclasses.resource.k8s.io': { body: { spec: { selectors: [{ cel: { expression: 'true' } }] } } },
  'resourceclaims.resource.k8s.io': {
    body: { spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'gpu' } }] } } },
    status: { reservedFor: [{ resource: 'pods', name: 'a', uid: 'u' }] },
  },
  'resourceclaimtemplates.resource.k8s.io': {
    body: { spec: { spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'gpu' } }] } } } },
  },
  'resourceslices.resource.k8s.io': {
    body: {
      spec: { driver: 'gpu.example.com', nodeName: 'n', pool: { name: 'p', generation: 1, resourceSliceCount: 1 } },
    },
  },
  'priorityclasses.scheduling.k8s.io': { body: { value: 7 } },
  'csidrivers.storage.k8s.io': { body: { spec: {} } },
  'csinodes.storage.k8s.io': { body: { spec: { drivers: [] } } },
  'csistoragecapacities.storage.k8s.io': { body: { storageClassName: 'a' } },
  'storageclasses.storage.k8s.io': { body: { provisioner: 'example.com/a' } },
  'volumeattachments.storage.k8s.io': {
    body: { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'a' } } },
    status: { attached: true },
  },
  'volumeattributesclasses.storage.k8s.io': { body: { driverName: 'a', parameters: { iops: '1' } } },
  'hooks.longshore.dev': { body: { spec: { secretRef: { name: 'a' }, target: { deployment: 'a', container: 'a' } } } },
  'customresourcedefinitions.apiextensions.k8s.io': {
    name: 'things.example.com',
    body: {
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': { body: { webhooks: [webhook] } },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': { body: { webhooks: [webhook] } },
  'validatingadmissionpolicies.admissionregistration.k8s.io': {
    body: {
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] },
          ],
        },
        validations: [{ expression: 'true' }],
      },
    },
  },
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': {
    body: { spec: { policyName: 'a', validationActions: ['Deny'] } },
  },
};
