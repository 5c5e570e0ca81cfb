/** Kubernetes' conformance tests that ask for every verb of a resource, each named after its line. */
import { expect, test } from 'vitest';
import type { FlowSchema } from '../../../shared/api/flowcontrol.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import type { PriorityClass } from '../../../shared/api/scheduling.ts';
import type { StorageClass } from '../../../shared/api/storage.ts';
import { TestApi } from '../support/api.ts';
import { MERGE, supportsOperations } from '../support/operations.ts';

const api = new TestApi('conformance-operations');
const FLOW = '/apis/flowcontrol.apiserver.k8s.io/v1';
const NETWORKING = '/apis/networking.k8s.io/v1';
const STORAGE = '/apis/storage.k8s.io/v1';
const CONDITION = { type: 'Dangling', status: 'Unknown', reason: 'E2E', message: 'set from a test' };
const FOUND = {
  type: 'Dangling',
  status: 'False',
  reason: 'Found',
  message: 'This FlowSchema references the PriorityLevelConfiguration object named "global-default" and it exists',
};

test('[sig-api-machinery] API priority and fairness should support FlowSchema API operations [Conformance]', async () => {
  const rules = [
    {
      subjects: [{ kind: 'User', user: { name: 'example-e2e-non-existent-user' } }],
      resourceRules: [
        {
          verbs: ['list'],
          apiGroups: ['example.com'],
          resources: ['foos'],
          namespaces: ['*'],
        },
      ],
    },
  ];
  await supportsOperations(api, {
    version: FLOW,
    resource: 'flowschemas',
    kind: 'FlowSchema',
    body: {
      spec: {
        matchingPrecedence: 10_000,
        priorityLevelConfiguration: { name: 'global-default' },
        distinguisherMethod: { type: 'ByUser' },
        rules,
      },
    },
    controlled: true,
    status: { conditions: [FOUND, { ...CONDITION, type: 'E2E' }] },
  });
  const all = await api.json<KubeList<FlowSchema>>('GET', `${FLOW}/flowschemas`);
  expect(all.items.map((each) => each.metadata.name)).toEqual(
    expect.arrayContaining(['catch-all', 'exempt', 'probes']),
  );
});

test('[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: FLOW,
    resource: 'prioritylevelconfigurations',
    kind: 'PriorityLevelConfiguration',
    body: {
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
    },
    status: { conditions: [CONDITION] },
  });
  const all = await api.json<KubeList<KubeObject>>('GET', `${FLOW}/prioritylevelconfigurations`);
  const names = all.items.map((each) => each.metadata.name);
  expect(names).toEqual(expect.arrayContaining(['catch-all', 'exempt', 'global-default', 'workload-low']));
});

test('[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: NETWORKING,
    resource: 'ingressclasses',
    kind: 'IngressClass',
    body: { spec: { controller: 'example.com/controller' } },
  });
});

test('[sig-network] Ingress API should support creating Ingress API operations [Conformance]', async () => {
  const backend = { service: { name: 'test', port: { number: 8080 } } };
  await supportsOperations(api, {
    version: NETWORKING,
    resource: 'ingresses',
    kind: 'Ingress',
    namespaced: true,
    body: {
      spec: {
        defaultBackend: backend,
        rules: [{ host: 'foo.bar.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      },
    },
    status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
  });
});

test('[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: '/apis/discovery.k8s.io/v1',
    resource: 'endpointslices',
    kind: 'EndpointSlice',
    namespaced: true,
    body: { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3.4'], conditions: { ready: true } }] },
  });
});

test('[sig-node] RuntimeClass should support RuntimeClasses API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: '/apis/node.k8s.io/v1',
    resource: 'runtimeclasses',
    kind: 'RuntimeClass',
    body: { handler: 'conformance-runtime-class' },
  });
});

test('[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: STORAGE,
    resource: 'csistoragecapacities',
    kind: 'CSIStorageCapacity',
    namespaced: true,
    body: { storageClassName: 'example', capacity: '100Gi', nodeTopology: { matchLabels: { zone: 'a' } } },
  });
});

test('[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver [Conformance]', async () => {
  await supportsOperations(api, {
    version: STORAGE,
    resource: 'csidrivers',
    kind: 'CSIDriver',
    body: { spec: { volumeLifecycleModes: ['Ephemeral'], attachRequired: false } },
  });
});

test('[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode [Conformance]', async () => {
  await supportsOperations(api, {
    version: STORAGE,
    resource: 'csinodes',
    kind: 'CSINode',
    body: { spec: { drivers: [{ name: 'driver.example.com', nodeID: 'n1', topologyKeys: ['zone'] }] } },
  });
});

test('[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass [Conformance]', async () => {
  await supportsOperations(api, {
    version: STORAGE,
    resource: 'storageclasses',
    kind: 'StorageClass',
    body: { provisioner: 'e2e-fake-provisioner', parameters: { type: 'fast' } },
  });
  const path = `${STORAGE}/storageclasses`;
  const body = { metadata: { name: 'fixed' }, provisioner: 'e2e-fake-provisioner' };
  expect(await api.json<StorageClass>('POST', path, { body })).toMatchObject({
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  });
  const refusal = await api.refusal('PATCH', `${path}/fixed`, { body: { provisioner: 'other' }, headers: MERGE });
  expect(refusal.message).toContain('provisioner: Forbidden: updates to provisioner are forbidden.');
});

const ATTACHMENT = {
  version: STORAGE,
  resource: 'volumeattachments',
  kind: 'VolumeAttachment',
  body: { spec: { attacher: 'e2e-test.storage.k8s.io', nodeName: 'n1', source: { persistentVolumeName: 'pv' } } },
};

test('[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment [Conformance]', async () => {
  await supportsOperations(api, ATTACHMENT);
});

test('[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status [Conformance]', async () => {
  await supportsOperations(api, { ...ATTACHMENT, status: { attached: true } });
});

test('[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status [Conformance]', async () => {
  await supportsOperations(api, {
    version: '/api/v1',
    resource: 'persistentvolumes',
    kind: 'PersistentVolume',
    body: {
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        storageClassName: 'none',
        csi: { driver: 'e2e.example.com', volumeHandle: 'h' },
      },
    },
    status: { message: 'StatusPatched', reason: 'E2E patchedStatus' },
  });
  await supportsOperations(api, {
    version: '/api/v1',
    resource: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
    namespaced: true,
    body: {
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: 'none',
      },
    },
    status: { conditions: [{ type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'set' }] },
  });
});

test('[sig-node] Lease lease API should be available [Conformance]', async () => {
  const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const spec = {
    holderIdentity: 'holder',
    leaseDurationSeconds: 30,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    renewTime: '2026-01-01T00:00:05.123456Z',
    leaseTransitions: 0,
  };
  await supportsOperations(api, {
    version: '/apis/coordination.k8s.io/v1',
    resource: 'leases',
    kind: 'Lease',
    namespaced: true,
    body: { spec },
  });
  await api.json('POST', path, { body: { metadata: { name: 'lease' }, spec } });
  const read = await api.json<KubeObject & { spec: object }>('GET', `${path}/lease`);
  expect(read.spec).toEqual(spec);
  const held = { ...spec, holderIdentity: 'holder2', leaseTransitions: 1 };
  const updated = await api.json<typeof read>('PUT', `${path}/lease`, { body: { ...read, spec: held } });
  expect(updated.spec).toEqual(held);
});

test('[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance]', async () => {
  await supportsOperations(api, {
    version: '/apis/scheduling.k8s.io/v1',
    resource: 'priorityclasses',
    kind: 'PriorityClass',
    body: { value: 1, preemptionPolicy: 'Never' },
  });
  const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
  const named = await api.json<PriorityClass>('POST', path, { body: { metadata: { name: 'p1' }, value: 1 } });
  const refusal = await api.refusal('PUT', `${path}/p1`, { body: { ...named, value: 2 } });
  expect(refusal.details?.causes).toEqual([
    { reason: 'FieldValueForbidden', message: 'Forbidden: may not be changed in an update.', field: 'value' },
  ]);
});

test('[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]', async () => {
  const limits = [{ type: 'Container', default: { cpu: '500m', memory: '500Mi' }, defaultRequest: { cpu: '50m' } }];
  await supportsOperations(api, {
    version: '/api/v1',
    resource: 'limitranges',
    kind: 'LimitRange',
    namespaced: true,
    body: { spec: { limits } },
  });
});
