/**
 * Kubernetes' conformance tests about workloads that need the API and its controllers alone, each named after its line. Where
 * a test needs pods that run, their status is written as a kubelet would.
 */
import { expect, test } from 'vitest';
import type { DaemonSet, StatefulSet } from '../../../shared/api/apps.ts';
import type { CronJob, Job } from '../../../shared/api/batch.ts';
import type { Pod, PodTemplate, ReplicationController } from '../../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import type { PodDisruptionBudget } from '../../../shared/api/policy.ts';
import { TestApi } from '../support/api.ts';

const MERGE = { 'content-type': 'application/merge-patch+json' };
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };

const template = (labels: Record<string, string> = { app: 'web' }, restartPolicy?: string) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'main', image: 'busybox' }], ...(restartPolicy ? { restartPolicy } : {}) },
});

interface Event {
  type: string;
  object: KubeObject;
}

/** The types of the events after a revision that a watch tells until it is cut off. */
async function eventsSince(api: TestApi, path: string, resourceVersion: string): Promise<string[]> {
  const response = await api.fetch('GET', `${path}?watch=true&timeoutSeconds=1&resourceVersion=${resourceVersion}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as Event).type);
}

async function runningPods(api: TestApi, path: string, ready = true): Promise<Pod[]> {
  const { items } = await api.json<KubeList<Pod>>('GET', path);
  for (const pod of items) {
    const conditions = [
      { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ];
    await api.json('PATCH', `${path}/${pod.metadata.name}/status`, {
      body: { status: { phase: 'Running', conditions } },
      headers: MERGE,
    });
  }
  return items;
}

const CRON = '/apis/batch/v1/namespaces/default/cronjobs';
const cronJob = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name, labels },
  spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: template(undefined, 'OnFailure') } } },
});

test('[sig-apps] CronJob should support CronJob API operations [Conformance]', async () => {
  const api = new TestApi('conformance-cronjob');
  const labels = { special: 'cronjob' };
  const groups = await api.json<{ groups: { name: string }[] }>('GET', '/apis');
  expect(groups.groups.map((each) => each.name)).toContain('batch');
  const group = await api.json<{ versions: { version: string }[] }>('GET', '/apis/batch');
  expect(group.versions.map((each) => each.version)).toContain('v1');
  const { resources } = await api.json<{ resources: { name: string }[] }>('GET', '/apis/batch/v1');
  expect(resources.map((each) => each.name)).toEqual(expect.arrayContaining(['cronjobs', 'cronjobs/status']));
  const created = await api.json<CronJob>('POST', CRON, { body: cronJob('one', labels) });
  for (const name of ['two', 'three']) await api.json('POST', CRON, { body: cronJob(name, labels) });
  expect(await api.json('GET', `${CRON}/one`)).toMatchObject({ metadata: { uid: created.metadata.uid } });
  const selector = `labelSelector=${encodeURIComponent('special=cronjob')}`;
  expect((await api.json<KubeList<CronJob>>('GET', `${CRON}?${selector}`)).items).toHaveLength(3);
  expect((await api.json<KubeList<CronJob>>('GET', `/apis/batch/v1/cronjobs?${selector}`)).items).toHaveLength(3);
  const patched = await api.json<CronJob>('PATCH', `${CRON}/one`, {
    body: { metadata: { annotations: { patched: 'true' } } },
    headers: MERGE,
  });
  expect(patched.metadata.annotations).toEqual({ patched: 'true' });
  const updated = await api.json<CronJob>('PUT', `${CRON}/one`, {
    body: { ...patched, metadata: { ...patched.metadata, annotations: { patched: 'true', updated: 'true' } } },
  });
  expect(updated.metadata.annotations).toEqual({ patched: 'true', updated: 'true' });
  const lastScheduleTime = '2026-01-01T00:00:00Z';
  const withStatus = await api.json<CronJob>('PATCH', `${CRON}/one/status`, {
    body: { metadata: { annotations: { patchedstatus: 'true' } }, status: { lastScheduleTime } },
    headers: MERGE,
  });
  expect(withStatus.status?.lastScheduleTime).toBe(lastScheduleTime);
  expect(withStatus.metadata.annotations?.patchedstatus).toBe('true');
  const later = '2026-01-01T01:00:00Z';
  const replaced = await api.json<CronJob>('PUT', `${CRON}/one/status`, {
    body: { ...withStatus, status: { ...withStatus.status, lastScheduleTime: later } },
  });
  expect(replaced.status?.lastScheduleTime).toBe(later);
  expect((await api.json<CronJob>('GET', `${CRON}/one/status`)).metadata.uid).toBe(created.metadata.uid);
  expect(await eventsSince(api, CRON, created.metadata.resourceVersion)).toEqual(
    expect.arrayContaining(['ADDED', 'MODIFIED']),
  );
  await api.json('DELETE', `${CRON}/one`);
  expect(await api.code('GET', `${CRON}/one`)).toBe(404);
  await api.json('DELETE', `${CRON}?${selector}`);
  expect((await api.json<KubeList<CronJob>>('GET', `${CRON}?${selector}`)).items).toEqual([]);
});

const TEMPLATES = '/api/v1/namespaces/default/podtemplates';
const podTemplate = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'PodTemplate',
  metadata: { name, labels },
  template: template(),
});

test('[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]', async () => {
  const api = new TestApi('conformance-podtemplates');
  const labels = { podtemplate: 'static' };
  const selector = `labelSelector=${encodeURIComponent('podtemplate=static')}`;
  const before = await api.json<KubeList<PodTemplate>>('GET', `/api/v1/podtemplates?${selector}`);
  expect(before.items).toEqual([]);
  const created = await api.json<PodTemplate>('POST', TEMPLATES, { body: podTemplate('nginx', labels) });
  expect((await api.json<PodTemplate>('GET', `${TEMPLATES}/nginx`)).metadata.uid).toBe(created.metadata.uid);
  await api.json('PATCH', `${TEMPLATES}/nginx`, {
    body: { metadata: { labels: { podtemplate: 'patched' } } },
    headers: STRATEGIC,
  });
  expect((await api.json<PodTemplate>('GET', `${TEMPLATES}/nginx`)).metadata.labels).toEqual({
    podtemplate: 'patched',
  });
  await api.json('DELETE', `${TEMPLATES}/nginx`);
  const after = await api.json<KubeList<PodTemplate>>('GET', '/api/v1/podtemplates');
  expect(after.items).toEqual([]);
});

test('[sig-node] PodTemplates should delete a collection of pod templates [Conformance]', async () => {
  const api = new TestApi('conformance-podtemplates-collection');
  const selector = `labelSelector=${encodeURIComponent('podtemplate-set=true')}`;
  for (const name of ['one', 'two', 'three']) {
    await api.json('POST', TEMPLATES, { body: podTemplate(name, { 'podtemplate-set': 'true' }) });
  }
  expect((await api.json<KubeList<PodTemplate>>('GET', `${TEMPLATES}?${selector}`)).items).toHaveLength(3);
  await api.json('DELETE', `${TEMPLATES}?${selector}`);
  expect((await api.json<KubeList<PodTemplate>>('GET', `${TEMPLATES}?${selector}`)).items).toEqual([]);
});

test('[sig-node] PodTemplates should replace a pod template [Conformance]', async () => {
  const api = new TestApi('conformance-podtemplates-replace');
  const created = await api.json<PodTemplate>('POST', TEMPLATES, { body: podTemplate('pt', {}) });
  const annotations = { updated: 'true' };
  const replaced = await api.json<PodTemplate>('PUT', `${TEMPLATES}/pt`, {
    body: { ...created, metadata: { ...created.metadata, annotations } },
  });
  expect(replaced.metadata.annotations).toEqual(annotations);
  expect((await api.json<PodTemplate>('GET', `${TEMPLATES}/pt`)).metadata.annotations).toEqual(annotations);
});

const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const budget = (name: string, spec: PodDisruptionBudget['spec'], labels: Record<string, string> = {}) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, labels },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});

test('[sig-apps] DisruptionController should create a PodDisruptionBudget [Conformance]', async () => {
  const api = new TestApi('conformance-pdb');
  const created = await api.json<PodDisruptionBudget>('POST', BUDGETS, { body: budget('foo', { minAvailable: '1%' }) });
  expect(created.spec.minAvailable).toBe('1%');
  const observed = await api.json<PodDisruptionBudget>('GET', `${BUDGETS}/foo`);
  expect(observed.status?.observedGeneration).toBe(1);
  const updated = await api.json<PodDisruptionBudget>('PUT', `${BUDGETS}/foo`, {
    body: { ...observed, spec: { ...observed.spec, minAvailable: '2%' } },
  });
  expect(updated.spec.minAvailable).toBe('2%');
  const patched = await api.json<PodDisruptionBudget>('PATCH', `${BUDGETS}/foo`, {
    body: { spec: { minAvailable: '3%' } },
    headers: STRATEGIC,
  });
  expect(patched.spec.minAvailable).toBe('3%');
  await api.json('DELETE', `${BUDGETS}/foo`);
  expect(await api.code('GET', `${BUDGETS}/foo`)).toBe(404);
});

test('[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets [Conformance]', async () => {
  const api = new TestApi('conformance-pdb-list');
  const labels = { set: 'pdbs' };
  for (const name of ['foo', 'foo2'])
    await api.json('POST', BUDGETS, { body: budget(name, { minAvailable: '1%' }, labels) });
  await api.json('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } },
  });
  await api.json('POST', BUDGETS.replace('default', 'other'), { body: budget('foo3', { minAvailable: '1%' }, labels) });
  const everywhere = '/apis/policy/v1/poddisruptionbudgets?labelSelector=set%3Dpdbs';
  expect((await api.json<KubeList<KubeObject>>('GET', everywhere)).items).toHaveLength(3);
  await api.json('DELETE', `${BUDGETS}?labelSelector=set%3Dpdbs`);
  const left = (await api.json<KubeList<KubeObject>>('GET', everywhere)).items;
  expect(left.map((each) => each.metadata.name)).toEqual(['foo3']);
});

const PODS = '/api/v1/namespaces/default/pods';
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' } },
  spec: template().spec,
});

const evict = (api: TestApi, name: string) =>
  api.fetch('POST', `${PODS}/${name}/eviction`, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } },
  });

test('[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]', async () => {
  const api = new TestApi('conformance-eviction');
  for (const name of ['a', 'b', 'c']) await api.json('POST', PODS, { body: pod(name) });
  await runningPods(api, PODS);
  await api.json('POST', BUDGETS, { body: budget('foo', { minAvailable: 3 }) });
  const refused = await api.refusal('POST', `${PODS}/a/eviction`, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a', namespace: 'default' } },
  });
  expect(refused).toMatchObject({
    http: 429,
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        { reason: 'DisruptionBudget', message: 'The disruption budget foo needs 3 healthy pods and has 3 currently' },
      ],
    },
  });
  expect(await api.code('GET', `${PODS}/a`)).toBe(200);
  await api.json('PATCH', `${BUDGETS}/foo`, { body: { spec: { minAvailable: 2 } }, headers: MERGE });
  const granted = await evict(api, 'a');
  expect(granted.status).toBe(201);
  expect(await granted.json()).toMatchObject({ kind: 'Status', status: 'Success' });
  expect(await api.code('GET', `${PODS}/a`)).toBe(404);
  const next = await evict(api, 'b');
  expect(next.status).toBe(429);
  await next.arrayBuffer();
  await api.json('PATCH', `${BUDGETS}/foo`, {
    body: { spec: { minAvailable: null, maxUnavailable: 1 } },
    headers: MERGE,
  });
  await api.json('DELETE', `${BUDGETS}/foo`);
  const free = await evict(api, 'b');
  expect(free.status).toBe(201);
  await free.arrayBuffer();
});

test('[sig-apps] DisruptionController should observe PodDisruptionBudget status updated [Conformance]', async () => {
  const api = new TestApi('conformance-pdb-status');
  await api.json('POST', BUDGETS, { body: budget('foo', { minAvailable: 1 }) });
  expect((await api.json<PodDisruptionBudget>('GET', `${BUDGETS}/foo`)).status).toMatchObject({
    disruptionsAllowed: 0,
  });
  for (const name of ['a', 'b', 'c']) await api.json('POST', PODS, { body: pod(name) });
  await runningPods(api, PODS);
  const { status } = await api.json<PodDisruptionBudget>('GET', `${BUDGETS}/foo`);
  expect(status).toMatchObject({ disruptionsAllowed: 2, currentHealthy: 3, desiredHealthy: 1, expectedPods: 3 });
  expect(status?.conditions).toMatchObject([{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }]);
});

test('[sig-apps] DisruptionController should update/patch PodDisruptionBudget status [Conformance]', async () => {
  const api = new TestApi('conformance-pdb-patch');
  await api.json('POST', BUDGETS, { body: budget('foo', { minAvailable: 1 }) });
  for (const name of ['a', 'b']) await api.json('POST', PODS, { body: pod(name) });
  await runningPods(api, PODS);
  const current = await api.json<PodDisruptionBudget>('GET', `${BUDGETS}/foo/status`);
  const granted = new Date().toISOString().replace(/\.\d+/, '');
  const updated = await api.json<PodDisruptionBudget>('PUT', `${BUDGETS}/foo/status`, {
    body: { ...current, status: { ...current.status, disruptedPods: { a: granted } } },
  });
  expect(updated.status?.disruptedPods).toEqual({ a: granted });
  const patched = await api.json<PodDisruptionBudget>('PATCH', `${BUDGETS}/foo/status`, {
    body: { status: { disruptedPods: null } },
    headers: MERGE,
  });
  expect(patched.status?.disruptedPods).toBeUndefined();
});

const CONTROLLERS = '/api/v1/namespaces/default/replicationcontrollers';
const replicationController = (name: string, replicas: number) => ({
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: { name, labels: { test: name } },
  spec: { replicas, selector: { app: 'web' }, template: template() },
});

interface Scale {
  metadata: { name: string; resourceVersion: string };
  spec: { replicas: number };
  status: { replicas: number; selector: string };
}

test('[sig-apps] ReplicationController should get and update a ReplicationController scale [Conformance]', async () => {
  const api = new TestApi('conformance-rc-scale');
  await api.json('POST', CONTROLLERS, { body: replicationController('web', 1) });
  const scale = await api.json<Scale>('GET', `${CONTROLLERS}/web/scale`);
  expect(scale).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1, selector: 'app=web' } });
  await api.json('PUT', `${CONTROLLERS}/web/scale`, { body: { ...scale, spec: { replicas: 2 } } });
  const after = await api.json<ReplicationController>('GET', `${CONTROLLERS}/web`);
  expect(after.spec.replicas).toBe(2);
  expect(after.status?.replicas).toBe(2);
});

test('[sig-apps] ReplicationController should test the lifecycle of a ReplicationController [Conformance]', async () => {
  const api = new TestApi('conformance-rc');
  const created = await api.json<ReplicationController>('POST', CONTROLLERS, { body: replicationController('web', 1) });
  await runningPods(api, PODS);
  await api.json('PATCH', `${CONTROLLERS}/web`, {
    body: { metadata: { labels: { test: 'patched' } } },
    headers: STRATEGIC,
  });
  await api.json('PATCH', `${CONTROLLERS}/web/status`, { body: { status: { readyReplicas: 0 } }, headers: MERGE });
  await api.json('PATCH', `${CONTROLLERS}/web/scale`, { body: { spec: { replicas: 2 } }, headers: STRATEGIC });
  await runningPods(api, PODS);
  const ready = await api.json<ReplicationController>('GET', `${CONTROLLERS}/web`);
  expect(ready.status).toMatchObject({ replicas: 2, readyReplicas: 2 });
  const list = await api.json<KubeList<KubeObject>>(
    'GET',
    '/api/v1/replicationcontrollers?labelSelector=test%3Dpatched',
  );
  expect(list.items.map((each) => each.metadata.uid)).toEqual([created.metadata.uid]);
  expect(await eventsSince(api, CONTROLLERS, created.metadata.resourceVersion)).toContain('MODIFIED');
  await api.json('DELETE', `${CONTROLLERS}?labelSelector=test%3Dpatched`, {
    body: { propagationPolicy: 'Background' },
  });
  expect((await api.json<KubeList<KubeObject>>('GET', CONTROLLERS)).items).toEqual([]);
});

const SETS = '/apis/apps/v1/namespaces/default/statefulsets';
const statefulSet = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name, labels: { set: 'all' } },
  spec: { replicas, serviceName: 'peers', selector: { matchLabels: { app: 'web' } }, template: template() },
});

test('[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource [Conformance]', async () => {
  const api = new TestApi('conformance-sts-scale');
  await api.json('POST', SETS, { body: statefulSet('ss', 1) });
  const scale = await api.json<Scale>('GET', `${SETS}/ss/scale`);
  expect(scale).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1 } });
  const updated = await api.json<Scale>('PUT', `${SETS}/ss/scale`, { body: { ...scale, spec: { replicas: 2 } } });
  expect(updated.spec.replicas).toBe(2);
  expect((await api.json<StatefulSet>('GET', `${SETS}/ss`)).spec.replicas).toBe(2);
  const patched = await api.json<Scale>('PATCH', `${SETS}/ss/scale`, {
    body: { spec: { replicas: 4 } },
    headers: STRATEGIC,
  });
  expect(patched.spec.replicas).toBe(4);
  expect((await api.json<StatefulSet>('GET', `${SETS}/ss`)).spec.replicas).toBe(4);
});

test('[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets [Conformance]', async () => {
  const api = new TestApi('conformance-sts');
  await api.json('POST', SETS, { body: statefulSet('ss', 1) });
  const everywhere = '/apis/apps/v1/statefulsets?labelSelector=set%3Dall';
  expect((await api.json<KubeList<KubeObject>>('GET', everywhere)).items).toHaveLength(1);
  const containers = [{ name: 'main', image: 'pause' }];
  const patched = await api.json<StatefulSet>('PATCH', `${SETS}/ss`, {
    body: { metadata: { labels: { patched: 'true' } }, spec: { replicas: 2, template: { spec: { containers } } } },
    headers: STRATEGIC,
  });
  expect(patched.metadata.labels).toEqual({ set: 'all', patched: 'true' });
  expect(patched.spec.template.spec.containers[0]?.image).toBe('pause');
  await api.json('DELETE', `${SETS}?labelSelector=patched%3Dtrue`);
  expect((await api.json<KubeList<KubeObject>>('GET', everywhere)).items).toEqual([]);
});

test('[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints [Conformance]', async () => {
  const api = new TestApi('conformance-sts-status');
  await api.json('POST', SETS, { body: statefulSet('ss', 1) });
  await runningPods(api, PODS);
  const current = await api.json<StatefulSet>('GET', `${SETS}/ss/status`);
  const condition = { type: 'StatusUpdate', status: 'True' as const, reason: 'E2E', message: 'Set from e2e test' };
  const updated = await api.json<StatefulSet>('PUT', `${SETS}/ss/status`, {
    body: { ...current, status: { ...current.status, conditions: [condition] } },
  });
  expect(updated.status?.conditions).toMatchObject([condition]);
  const patched = await api.json<StatefulSet>('PATCH', `${SETS}/ss/status`, {
    body: { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } },
    headers: MERGE,
  });
  expect(patched.status?.conditions).toMatchObject([{ type: 'StatusPatched', status: 'True' }]);
});

const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const job = (name: string, spec: Partial<Job['spec']> = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: { parallelism: 2, completions: 4, template: template(undefined, 'Never'), ...spec },
});

test('[sig-apps] Job should apply changes to a job status [Conformance]', async () => {
  const api = new TestApi('conformance-job-status');
  await api.json('POST', JOBS, { body: job('e2e', { backoffLimit: 3 }) });
  expect((await api.json<Job>('GET', `${JOBS}/e2e`)).status?.active).toBe(2);
  const startTime = '2026-01-01T00:00:00Z';
  const patched = await api.json<Job>('PATCH', `${JOBS}/e2e/status`, {
    body: { metadata: { annotations: { patchedstatus: 'true' } }, status: { startTime } },
    headers: MERGE,
  });
  expect(patched.status?.startTime).toBe(startTime);
  expect(patched.metadata.annotations?.patchedstatus).toBe('true');
  const later = '2026-01-01T01:00:00Z';
  const updated = await api.json<Job>('PUT', `${JOBS}/e2e/status`, {
    body: { ...patched, status: { ...patched.status, startTime: later } },
  });
  expect(updated.status?.startTime).toBe(later);
});

test('[sig-apps] Job should manage the lifecycle of a job [Conformance]', async () => {
  const api = new TestApi('conformance-job');
  const created = await api.json<Job>('POST', JOBS, { body: job('e2e', { suspend: true }) });
  expect((await api.json<Job>('GET', `${JOBS}/e2e`)).status?.conditions).toMatchObject([{ type: 'Suspended' }]);
  const patched = await api.json<Job>('PATCH', `${JOBS}/e2e`, {
    body: { metadata: { labels: { e2e: 'patched' } } },
    headers: STRATEGIC,
  });
  expect(patched.metadata.labels?.e2e).toBe('patched');
  const updated = await api.json<Job>('PUT', `${JOBS}/e2e`, {
    body: { ...(await api.json<Job>('GET', `${JOBS}/e2e`)), spec: { ...patched.spec, suspend: false } },
  });
  expect(updated.spec.suspend).toBe(false);
  expect((await api.json<Job>('GET', `${JOBS}/e2e`)).status?.active).toBe(2);
  const list = await api.json<KubeList<KubeObject>>('GET', '/apis/batch/v1/jobs?labelSelector=e2e%3Dpatched');
  expect(list.items.map((each) => each.metadata.uid)).toEqual([created.metadata.uid]);
  await api.json('DELETE', `${JOBS}?labelSelector=e2e%3Dpatched`, { body: { propagationPolicy: 'Background' } });
  expect((await api.json<KubeList<KubeObject>>('GET', JOBS)).items).toEqual([]);
});

const DAEMONS = '/apis/apps/v1/namespaces/default/daemonsets';

test('[sig-apps] Daemon set [Serial] should list and delete a collection of DaemonSets [Conformance]', async () => {
  const api = new TestApi('conformance-ds');
  await api.json('POST', DAEMONS, {
    body: {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'daemon-set', labels: { set: 'all' } },
      spec: { selector: { matchLabels: { app: 'web' } }, template: template() },
    },
  });
  const list = await api.json<KubeList<DaemonSet>>('GET', '/apis/apps/v1/daemonsets?labelSelector=set%3Dall');
  expect(list.items).toHaveLength(1);
  await api.json('DELETE', `${DAEMONS}?labelSelector=set%3Dall`);
  expect((await api.json<KubeList<DaemonSet>>('GET', DAEMONS)).items).toEqual([]);
});

test('[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota [Conformance]', async () => {
  const api = new TestApi('conformance-rc-quota');
  const quotas = '/api/v1/namespaces/default/resourcequotas';
  await api.json('POST', quotas, {
    body: {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'condition-test' },
      spec: { hard: { pods: '2' } },
    },
  });
  await api.json('POST', CONTROLLERS, { body: replicationController('condition-test', 3) });
  const failing = await api.json<ReplicationController>('GET', `${CONTROLLERS}/condition-test`);
  expect(failing.status?.conditions).toMatchObject([
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' },
  ]);
  await api.json('PATCH', `${CONTROLLERS}/condition-test`, { body: { spec: { replicas: 2 } }, headers: MERGE });
  const satisfied = await api.json<ReplicationController>('GET', `${CONTROLLERS}/condition-test`);
  expect(satisfied.status?.conditions).toBeUndefined();
  expect(satisfied.status?.replicas).toBe(2);
});

test('[sig-apps] ReplicationController should adopt matching pods on creation [Conformance]', async () => {
  const api = new TestApi('conformance-rc-adopt');
  await api.json('POST', PODS, { body: pod('adopted') });
  const created = await api.json<ReplicationController>('POST', CONTROLLERS, { body: replicationController('web', 1) });
  const adopted = await api.json<Pod>('GET', `${PODS}/adopted`);
  expect(adopted.metadata.ownerReferences).toMatchObject([{ uid: created.metadata.uid, controller: true }]);
  expect((await api.json<KubeList<Pod>>('GET', PODS)).items).toHaveLength(1);
});

test('[sig-apps] ReplicationController should release no longer matching pods [Conformance]', async () => {
  const api = new TestApi('conformance-rc-release');
  await api.json('POST', CONTROLLERS, { body: replicationController('web', 1) });
  const [first] = (await api.json<KubeList<Pod>>('GET', PODS)).items;
  const path = `${PODS}/${first?.metadata.name}`;
  await api.json('PATCH', path, { body: { metadata: { labels: { app: 'else' } } }, headers: MERGE });
  expect((await api.json<Pod>('GET', path)).metadata.ownerReferences).toBeUndefined();
  expect((await api.json<KubeList<Pod>>('GET', PODS)).items).toHaveLength(2);
});

test('[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname [Conformance]', async () => {
  const api = new TestApi('conformance-job-indexed');
  await api.json('POST', JOBS, { body: job('indexed', { completionMode: 'Indexed', parallelism: 2, completions: 4 }) });
  const seen = new Map<string | undefined, string | undefined>();
  for (let round = 0; round < 4; round += 1) {
    const { items } = await api.json<KubeList<Pod>>('GET', PODS);
    for (const each of items.filter((one) => one.status?.phase !== 'Succeeded')) {
      seen.set(each.metadata.annotations?.['batch.kubernetes.io/job-completion-index'], each.spec.hostname);
      const path = `${PODS}/${each.metadata.name}/status`;
      await api.json('PATCH', path, { body: { status: { phase: 'Succeeded' } }, headers: MERGE });
    }
  }
  const done = await api.json<Job>('GET', `${JOBS}/indexed`);
  expect(done.status).toMatchObject({ succeeded: 4, completedIndexes: '0-3' });
  expect(done.status?.conditions?.map((each) => each.type)).toContain('Complete');
  expect([...seen].sort()).toEqual([0, 1, 2, 3].map((index) => [String(index), `indexed-${index}`]));
});

test('[sig-apps] Job should delete a job [Conformance]', async () => {
  const api = new TestApi('conformance-job-delete');
  await api.json('POST', JOBS, { body: job('foo') });
  expect((await api.json<KubeList<Pod>>('GET', PODS)).items).toHaveLength(2);
  await api.json('DELETE', `${JOBS}/foo`, { body: { propagationPolicy: 'Background' } });
  expect(await api.code('GET', `${JOBS}/foo`)).toBe(404);
  expect((await api.json<KubeList<Pod>>('GET', PODS)).items).toEqual([]);
});

test('[sig-apps] Job should adopt matching orphans and release non-matching pods [Conformance]', async () => {
  const api = new TestApi('conformance-job-adopt');
  const created = await api.json<Job>('POST', JOBS, { body: job('adopt', { parallelism: 1 }) });
  const [first] = (await api.json<KubeList<Pod>>('GET', PODS)).items;
  const path = `${PODS}/${first?.metadata.name}`;
  await api.json('PATCH', path, { body: { metadata: { ownerReferences: null } }, headers: MERGE });
  const adopted = await api.json<Pod>('GET', path);
  expect(adopted.metadata.ownerReferences).toMatchObject([{ uid: created.metadata.uid, controller: true }]);
  const none = Object.fromEntries(Object.keys(adopted.metadata.labels ?? {}).map((key) => [key, null]));
  await api.json('PATCH', path, { body: { metadata: { labels: none } }, headers: MERGE });
  expect((await api.json<Pod>('GET', path)).metadata.ownerReferences).toBeUndefined();
});
