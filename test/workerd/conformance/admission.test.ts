/** Kubernetes' conformance tests about what admission does to pods and refuses, each named after its line. */
import { expect, test } from 'vitest';
import type { LimitRange, Pod, ResourceQuota } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { MERGE } from '../support/operations.ts';

const api = new TestApi('conformance-admission');

async function namespaceOf(name: string, labels: Record<string, string> = {}): Promise<string> {
  await api.json('POST', '/api/v1/namespaces', { body: { metadata: { name, labels } } });
  return `/api/v1/namespaces/${name}`;
}

const pod = (name: string, spec: object = {}, resources: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'pause', image: 'pause', resources }], ...spec },
});

test('[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. [Conformance]', async () => {
  const home = await namespaceOf('limitrange');
  const item = {
    type: 'Container',
    min: { cpu: '50m', memory: '100Mi', 'ephemeral-storage': '100Gi' },
    max: { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' },
    default: { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' },
    defaultRequest: { cpu: '100m', memory: '200Mi', 'ephemeral-storage': '200Gi' },
  };
  const range = await api.json<LimitRange>('POST', `${home}/limitranges`, {
    body: { metadata: { name: 'limits' }, spec: { limits: [item] } },
  });
  const plain = await api.json<Pod>('POST', `${home}/pods`, { body: pod('no-resources') });
  expect(plain.spec.containers[0]?.resources).toEqual({ requests: item.defaultRequest, limits: item.default });
  const partial = { requests: { cpu: '100m', memory: '100Mi' }, limits: { memory: '300Mi' } };
  const some = await api.json<Pod>('POST', `${home}/pods`, { body: pod('partial', {}, partial) });
  expect(some.spec.containers[0]?.resources).toEqual({
    requests: { cpu: '100m', memory: '100Mi', 'ephemeral-storage': '200Gi' },
    limits: { cpu: '500m', memory: '300Mi', 'ephemeral-storage': '500Gi' },
  });
  const less = await api.refusal('POST', `${home}/pods`, {
    body: pod('less', {}, { requests: { cpu: '10m', memory: '50Mi' }, limits: { cpu: '100m', memory: '500Mi' } }),
  });
  expect(less).toMatchObject({ http: 403, reason: 'Forbidden' });
  expect(less.message).toContain(
    'pods "less" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m',
  );
  const more = await api.refusal('POST', `${home}/pods`, {
    body: pod('more', {}, { requests: { cpu: '600m' }, limits: { cpu: '600m' } }),
  });
  expect(more.message).toContain('maximum cpu usage per Container is 500m, but limit is 600m');
  const lower = { ...item, min: { cpu: '9m', memory: '49Mi', 'ephemeral-storage': '49Gi' } };
  await api.json('PUT', `${home}/limitranges/limits`, { body: { ...range, spec: { limits: [lower] } } });
  await api.json('POST', `${home}/pods`, {
    body: pod('less', {}, { requests: { cpu: '10m', memory: '50Mi' }, limits: { cpu: '100m', memory: '500Mi' } }),
  });
  await api.json('DELETE', `${home}/limitranges/limits`);
  const free = await api.json<Pod>('POST', `${home}/pods`, { body: pod('more', {}, { limits: { cpu: '600m' } }) });
  expect(free.spec.containers[0]?.resources).toEqual({ requests: { cpu: '600m' }, limits: { cpu: '600m' } });
});

const CLASSES = '/apis/node.k8s.io/v1/runtimeclasses';

test('[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance] [Conformance]', async () => {
  const refusal = await api.refusal('POST', '/api/v1/namespaces/default/pods', {
    body: pod('ghost', { runtimeClassName: 'nonexistent' }),
  });
  expect(refusal).toMatchObject({
    http: 403,
    message: 'pods "ghost" is forbidden: pod rejected: RuntimeClass "nonexistent" not found',
  });
});

test('[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance] [Conformance]', async () => {
  const overhead = { podFixed: { cpu: '10m' } };
  await api.json('POST', CLASSES, { body: { metadata: { name: 'gone' }, handler: 'runc', overhead } });
  const kept = await api.json<Pod>('POST', '/api/v1/namespaces/default/pods', {
    body: pod('kept', { runtimeClassName: 'gone' }),
  });
  expect(kept.spec.overhead).toEqual({ cpu: '10m' });
  await api.json('DELETE', `${CLASSES}/gone`);
  const refusal = await api.refusal('POST', '/api/v1/namespaces/default/pods', {
    body: pod('late', { runtimeClassName: 'gone' }),
  });
  expect(refusal.message).toContain('pod rejected: RuntimeClass "gone" not found');
});

test('[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]', async () => {
  const resources = { requests: { cpu: '100m', memory: '100Mi' }, limits: { cpu: '100m', memory: '100Mi' } };
  const path = '/api/v1/namespaces/default/pods';
  await api.json('POST', path, { body: pod('qos', {}, resources) });
  expect((await api.json<Pod>('GET', `${path}/qos`)).status?.qosClass).toBe('Guaranteed');
});

test('[sig-node] Sysctls [LinuxOnly] [NodeConformance] should reject invalid sysctls [MinimumKubeletVersion:1.21] [Conformance]', async () => {
  const sysctls = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'].map((name) => ({ name, value: '100' }));
  const refusal = await api.refusal('POST', '/api/v1/namespaces/default/pods', {
    body: pod('sysctls', { securityContext: { sysctls } }),
  });
  expect(refusal.http).toBe(422);
  expect(refusal.message).toContain('Invalid value: "foo-"');
  expect(refusal.message).toContain('Invalid value: "bar.."');
  expect(refusal.message).not.toContain('safe-and-unsafe');
  expect(refusal.message).not.toContain('kernel.shmmax');
});

test('[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API [Conformance]', async () => {
  const path = '/api/v1/namespaces/default/pods';
  const volumes = [{ name: 'csi', csi: { driver: 'e2e.example.com', readOnly: true } }];
  const body = { ...pod('csi', { volumes }), metadata: { name: 'csi', labels: { csi: 'inline' } } };
  await api.json('POST', path, { body });
  const read = await api.json<Pod>('GET', `${path}/csi`);
  expect(read.spec.volumes).toContainEqual(volumes[0]);
  const patched = await api.json<Pod>('PATCH', `${path}/csi`, {
    body: { metadata: { labels: { csi: 'patched' } } },
    headers: MERGE,
  });
  expect(patched.metadata.labels).toEqual({ csi: 'patched' });
  const all = await api.json<KubeList<Pod>>('GET', '/api/v1/pods?labelSelector=csi%3Dpatched');
  expect(all.items.map((each) => each.metadata.name)).toEqual(['csi']);
  await api.json('DELETE', `${path}?labelSelector=csi%3Dpatched`);
  expect(await api.code('GET', `${path}/csi`)).toBe(404);
});

// ---- ResourceQuota ------------------------------------------------------------------------------------------------

const usedOf = async (home: string, name = 'quota') =>
  (await api.json<ResourceQuota>('GET', `${home}/resourcequotas/${name}`)).status?.used;

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated. [Conformance]', async () => {
  const home = await namespaceOf('quota-status');
  const hard = { pods: '5', services: '10', 'requests.memory': '500Mi', 'count/configmaps': '3' };
  await api.json('POST', `${home}/resourcequotas`, { body: { metadata: { name: 'quota' }, spec: { hard } } });
  const quota = await api.json<ResourceQuota>('GET', `${home}/resourcequotas/quota`);
  expect(quota.status?.hard).toEqual(hard);
  expect(quota.status?.used).toMatchObject({ pods: '0', services: '0', 'requests.memory': '0' });
});

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]', async () => {
  const home = await namespaceOf('quota-pod');
  const hard = { pods: '5', cpu: '1', memory: '500Mi' };
  await api.json('POST', `${home}/resourcequotas`, { body: { metadata: { name: 'quota' }, spec: { hard } } });
  await api.json('POST', `${home}/pods`, { body: pod('fits', {}, { requests: { cpu: '500m', memory: '252Mi' } }) });
  expect(await usedOf(home)).toEqual({ pods: '1', cpu: '500m', memory: '252Mi' });
  const refusal = await api.refusal('POST', `${home}/pods`, {
    body: pod('fails', {}, { requests: { cpu: '600m', memory: '100Mi' } }),
  });
  expect(refusal).toMatchObject({ http: 403, reason: 'Forbidden' });
  expect(refusal.message).toBe(
    'pods "fails" is forbidden: exceeded quota: quota, requested: cpu=600m, used: cpu=500m, limited: cpu=1',
  );
  const silent = await api.refusal('POST', `${home}/pods`, { body: pod('silent') });
  expect(silent.message).toContain('failed quota: quota: must specify cpu for: pause; memory for: pause');
  expect(await usedOf(home)).toEqual({ pods: '1', cpu: '500m', memory: '252Mi' });
  await api.json('DELETE', `${home}/pods/fits?gracePeriodSeconds=0`);
  expect(await usedOf(home)).toEqual({ pods: '0', cpu: '0', memory: '0' });
});

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service. [Conformance]', async () => {
  const home = await namespaceOf('quota-service');
  const hard = { services: '3', 'services.nodeports': '1', 'services.loadbalancers': '0' };
  await api.json('POST', `${home}/resourcequotas`, { body: { metadata: { name: 'quota' }, spec: { hard } } });
  const service = (name: string, type: string) => ({ metadata: { name }, spec: { type, ports: [{ port: 80 }] } });
  await api.json('POST', `${home}/services`, { body: service('plain', 'ClusterIP') });
  await api.json('POST', `${home}/services`, { body: service('node', 'NodePort') });
  expect(await usedOf(home)).toEqual({ services: '2', 'services.nodeports': '1', 'services.loadbalancers': '0' });
  const refusal = await api.refusal('POST', `${home}/services`, { body: service('public', 'LoadBalancer') });
  expect(refusal.message).toContain('exceeded quota: quota, requested: services.loadbalancers=1,services.nodeports=1');
  await api.json('DELETE', `${home}/services`);
  expect(await usedOf(home)).toEqual({ services: '0', 'services.nodeports': '0', 'services.loadbalancers': '0' });
});

test('[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]', async () => {
  const home = await namespaceOf('quota-update');
  const made = await api.json<ResourceQuota>('POST', `${home}/resourcequotas`, {
    body: { metadata: { name: 'quota' }, spec: { hard: { cpu: '1', memory: '500Mi' } } },
  });
  const hard = { cpu: '2', memory: '1Gi' };
  const current = await api.json<ResourceQuota>('GET', `${home}/resourcequotas/quota`);
  const changed = await api.json<ResourceQuota>('PUT', `${home}/resourcequotas/quota`, {
    body: { ...current, spec: { hard } },
  });
  expect(changed.spec.hard).toEqual(hard);
  expect(made.metadata.uid).toBe(changed.metadata.uid);
  expect((await api.json<ResourceQuota>('GET', `${home}/resourcequotas/quota`)).status?.hard).toEqual(hard);
  await api.json('DELETE', `${home}/resourcequotas/quota`);
  expect(await api.code('GET', `${home}/resourcequotas/quota`)).toBe(404);
});

test('[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes. [Conformance]', async () => {
  const home = await namespaceOf('quota-terminating');
  for (const scope of ['Terminating', 'NotTerminating']) {
    const body = { metadata: { name: scope.toLowerCase() }, spec: { hard: { pods: '5' }, scopes: [scope] } };
    await api.json('POST', `${home}/resourcequotas`, { body });
  }
  await api.json('POST', `${home}/pods`, { body: pod('long') });
  expect([await usedOf(home, 'terminating'), await usedOf(home, 'notterminating')]).toEqual([
    { pods: '0' },
    { pods: '1' },
  ]);
  await api.json('POST', `${home}/pods`, { body: pod('short', { activeDeadlineSeconds: 3600 }) });
  expect([await usedOf(home, 'terminating'), await usedOf(home, 'notterminating')]).toEqual([
    { pods: '1' },
    { pods: '1' },
  ]);
});

test('[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope. [Conformance]', async () => {
  const home = await namespaceOf('quota-best-effort');
  for (const scope of ['BestEffort', 'NotBestEffort']) {
    const body = { metadata: { name: scope.toLowerCase() }, spec: { hard: { pods: '5' }, scopes: [scope] } };
    await api.json('POST', `${home}/resourcequotas`, { body });
  }
  await api.json('POST', `${home}/pods`, { body: pod('best-effort') });
  expect([await usedOf(home, 'besteffort'), await usedOf(home, 'notbesteffort')]).toEqual([
    { pods: '1' },
    { pods: '0' },
  ]);
  await api.json('POST', `${home}/pods`, { body: pod('burstable', {}, { requests: { cpu: '1' } }) });
  expect([await usedOf(home, 'besteffort'), await usedOf(home, 'notbesteffort')]).toEqual([
    { pods: '1' },
    { pods: '1' },
  ]);
});

const config = (name: string) => ({ metadata: { name }, data: { a: 'YQ==' } });
const selector = { matchLabels: { app: 'a' } };
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };

/** Made, refused when there are too many, deleted: what the quota says each time. */
async function capturesLife(
  name: string,
  version: string,
  body: { metadata: { name: string }; spec?: object },
): Promise<void> {
  const resource = name.replace('count/', '').split('.')[0] ?? '';
  const namespace = `quota-${resource}`;
  const home = await namespaceOf(namespace);
  // What a namespace has of its own counts too.
  const before = await api.json<KubeList<Pod>>('GET', `${version}/namespaces/${namespace}/${resource}`);
  const hard = { [name]: String(before.items.length + 1) };
  await api.json('POST', `${home}/resourcequotas`, { body: { metadata: { name: 'quota' }, spec: { hard } } });
  expect(await usedOf(home)).toEqual({ [name]: String(before.items.length) });
  const path = `${version}/namespaces/${namespace}/${resource}`;
  await api.json('POST', path, { body });
  expect(await usedOf(home)).toEqual(hard);
  const refusal = await api.refusal('POST', path, { body: { ...body, metadata: { name: 'beyond' } } });
  expect(refusal.message).toContain(`exceeded quota: quota, requested: ${name}=1`);
  await api.json('DELETE', `${path}/counted`, { body: { propagationPolicy: 'Background' } });
  expect(await usedOf(home)).toEqual({ [name]: String(before.items.length) });
}

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap. [Conformance]', async () => {
  await capturesLife('configmaps', '/api/v1', config('counted'));
});

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]', async () => {
  await capturesLife('secrets', '/api/v1', config('counted'));
});

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set. [Conformance]', async () => {
  const spec = { replicas: 0, selector, template };
  await capturesLife('count/replicasets.apps', '/apis/apps/v1', { metadata: { name: 'counted' }, spec });
});

test('[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller. [Conformance]', async () => {
  const spec = { replicas: 0, selector: { app: 'a' }, template };
  await capturesLife('replicationcontrollers', '/api/v1', { metadata: { name: 'counted' }, spec });
});

test('[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota [Conformance]', async () => {
  const home = await namespaceOf('quota-lifecycle');
  const path = `${home}/resourcequotas`;
  const selected = 'labelSelector=e2e%3Dquota';
  const body = { metadata: { name: 'quota', labels: { e2e: 'quota' } }, spec: { hard: { cpu: '1', memory: '500Mi' } } };
  await api.json('POST', path, { body });
  const all = await api.json<KubeList<ResourceQuota>>('GET', `/api/v1/resourcequotas?${selected}`);
  expect(all.items.map((each) => each.metadata.name)).toEqual(['quota']);
  const patched = await api.json<ResourceQuota>('PATCH', `${path}/quota`, {
    body: { metadata: { labels: { quota: 'patched' } }, spec: { hard: { memory: '750Mi' } } },
    headers: MERGE,
  });
  expect(patched).toMatchObject({ metadata: { labels: { quota: 'patched' } }, spec: { hard: { memory: '750Mi' } } });
  await api.json('DELETE', `${path}?${selected}`);
  expect((await api.json<KubeList<ResourceQuota>>('GET', `${path}?${selected}`)).items).toEqual([]);
});

test('[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status [Conformance]', async () => {
  const home = await namespaceOf('quota-status-writes');
  const hard = { cpu: '500m', memory: '500Mi' };
  await api.json('POST', `${home}/resourcequotas`, { body: { metadata: { name: 'quota' }, spec: { hard } } });
  const path = `${home}/resourcequotas/quota/status`;
  const read = await api.json<ResourceQuota>('GET', path);
  expect(read.status?.hard).toEqual(hard);
  const put = await api.json<ResourceQuota>('PUT', path, {
    body: { ...read, status: { hard: { cpu: '600m', memory: '600Mi' } } },
  });
  expect(put.status?.hard).toEqual({ cpu: '600m', memory: '600Mi' });
  expect(put.spec.hard).toEqual(hard);
  const patched = await api.json<ResourceQuota>('PATCH', path, {
    body: { status: { hard: { cpu: '700m', memory: '700Mi' } } },
    headers: MERGE,
  });
  expect(patched.status?.hard).toEqual({ cpu: '700m', memory: '700Mi' });
});
