/** metrics.k8s.io through the whole Worker, from minions whose end a test plays. */
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import type { HttpHeader } from '../../shared/tunnel/kinds.ts';
import { USAGE_PATH, type UsageReport } from '../../shared/usage.ts';
import { TestApi } from './support/api.ts';
import { dataSocket } from './support/data-socket.ts';
import { ScriptedMinion } from './support/scripted-minion.ts';

const METRICS = '/apis/metrics.k8s.io/v1beta1';
const TIME = Date.parse('2026-11-22T10:00:00Z');
let count = 0;

/** Says on each stream what the report is. */
const reporting = (api: TestApi, node: string, report: UsageReport) =>
  dataSocket(api, node, (stream, header) => {
    expect(header).toMatchObject({ kind: 'http', to: 'kubelet', path: USAGE_PATH } satisfies Partial<HttpHeader>);
    queueMicrotask(() => {
      stream.head({ ok: true, http: { status: 200, statusText: '', headers: [] } });
      stream.write(0, new TextEncoder().encode(JSON.stringify(report)));
      stream.end(0);
      stream.close();
    });
    return { data: () => undefined, close: () => undefined };
  });

/** Pod `web` runs on m1; m2 has joined, and has no data socket. */
async function world() {
  const api = new TestApi(`usage-${count++}`);
  const minion = await ScriptedMinion.joined(api, 'm1');
  await ScriptedMinion.joined(api, 'm2');
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: { nodeName: 'm1', containers: [{ name: 'main', image: 'nginx' }] },
  };
  const pod = await api.json<Pod>('POST', '/api/v1/namespaces/default/pods', { body });
  const { name, namespace = '', uid } = pod.metadata;
  await minion.report({ pods: [{ name, namespace, uid, status: { phase: 'Running' } }] });
  const startedAt = '2026-11-22T09:00:00Z';
  await reporting(api, 'm1', {
    timeMs: TIME,
    windowMs: 1500,
    node: { cpuNanoCores: 250_000_000, cpuNanoSeconds: 1, memoryBytes: 2048, memoryAvailableBytes: 1 },
    pods: [
      {
        ...{ namespace, name, uid },
        containers: [{ name: 'main', startedAt, cpuNanoCores: 1_500_000, cpuNanoSeconds: 1, memoryBytes: 1025 }],
      },
    ],
  });
  return api;
}

const POD_METRICS = {
  kind: 'PodMetrics',
  apiVersion: 'metrics.k8s.io/v1beta1',
  metadata: {
    name: 'web',
    namespace: 'default',
    creationTimestamp: '2026-11-22T10:00:00Z',
    labels: { app: 'web' },
  },
  timestamp: '2026-11-22T10:00:00Z',
  window: '1.5s',
  containers: [{ name: 'main', usage: { cpu: '1500000n', memory: '2Ki' } }],
};

describe('metrics.k8s.io', () => {
  test('says what nodes use, and leaves out those that are away', async () => {
    const api = await world();
    expect(await api.json('GET', `${METRICS}/nodes`)).toMatchObject({
      kind: 'NodeMetricsList',
      items: [{ metadata: { name: 'm1' }, window: '1.5s', usage: { cpu: '250000000n', memory: '2Ki' } }],
    });
    const away = await api.fetch('GET', `${METRICS}/nodes/m2`);
    expect(away.status).toBe(404);
    expect(await away.json()).toMatchObject({ reason: 'NotFound', message: 'nodes.metrics.k8s.io "m2" not found' });
  });

  test('says what pods use: one, those of a namespace, all', async () => {
    const api = await world();
    expect(await api.json('GET', `${METRICS}/namespaces/default/pods/web`)).toEqual(POD_METRICS);
    for (const path of ['namespaces/default/pods', 'pods']) {
      expect(await api.json('GET', `${METRICS}/${path}`)).toMatchObject({
        kind: 'PodMetricsList',
        items: [POD_METRICS],
      });
    }
    expect(await api.json('GET', `${METRICS}/namespaces/kube-system/pods`)).toMatchObject({ items: [] });
  });

  test('selects by labels and by name', async () => {
    const api = await world();
    const names = async (query: string) =>
      (await api.json<{ items: Pod[] }>('GET', `${METRICS}/pods?${query}`)).items.map((each) => each.metadata.name);
    expect(await names('labelSelector=app%3Dweb')).toEqual(['web']);
    expect(await names('labelSelector=app%3Dother')).toEqual([]);
    expect(await names('fieldSelector=metadata.name%3Dweb')).toEqual(['web']);
  });

  test('can only be read, by whom it is allowed', async () => {
    const api = await world();
    expect((await api.fetch('DELETE', `${METRICS}/nodes/m1`)).status).toBe(405);
    const refused = await api.fetch('GET', `${METRICS}/nodes`, { headers: { 'Impersonate-User': 'ann' } });
    expect(await refused.json()).toMatchObject({
      code: 403,
      message:
        'nodes.metrics.k8s.io is forbidden: User "ann" cannot list resource "nodes" in API group "metrics.k8s.io" at the cluster scope',
    });
  });

  test('is in discovery', async () => {
    const api = await world();
    expect(await api.json('GET', METRICS)).toMatchObject({
      resources: [
        { name: 'nodes', namespaced: false, kind: 'NodeMetrics', verbs: ['get', 'list'] },
        { name: 'pods', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
      ],
    });
  });
});
