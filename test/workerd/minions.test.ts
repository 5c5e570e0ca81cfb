/** The control sockets of minions against the whole Cluster object, evicted between steps. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ConfigMap, Node, Pod, PodStatus } from '../../shared/api/core.ts';
import { FLANNEL_ANNOTATIONS, MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { LINK_PATH, PING, PONG } from '../../shared/link/protocol.ts';
import { eventually } from '../support/eventually.ts';
import { TestApi } from './support/api.ts';
import { NODE_STATUS, ScriptedMinion } from './support/scripted-minion.ts';

const PODS = '/api/v1/namespaces/default/pods';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
let count = 0;
const freshApi = () => new TestApi(`minions-${count++}`);

const podOf = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'nginx' }], ...more },
});
const configMap = (name: string, value = 'one') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { key: value },
});
const running = (podIP = '10.244.0.5'): PodStatus => ({
  phase: 'Running',
  podIP,
  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
});
const reportOf = (pod: Pod, status: PodStatus, gone?: boolean) => ({
  namespace: 'default',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
  status,
  ...(gone ? { gone } : {}),
});

describe('hello', () => {
  test('makes a Node with the minion’s labels, its share of the pod network and its status, and welcomes it', async () => {
    const api = freshApi();
    const annotations = { [FLANNEL_ANNOTATIONS.backendType]: 'vxlan' };
    const registration = { labels: { zone: 'a' }, annotations, status: NODE_STATUS };
    const minion = await ScriptedMinion.joined(api, 'm1', { registration });
    const node = await api.json<Node>('GET', '/api/v1/nodes/m1');
    expect(node.metadata.labels).toMatchObject({
      zone: 'a',
      'kubernetes.io/hostname': 'm1',
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
    });
    expect(node.metadata.annotations).toMatchObject(annotations);
    expect(node.spec.podCIDR).toMatch(/^10\.244\.\d+\.0\/24$/);
    expect(node.status?.conditions?.find((each) => each.type === 'Ready')).toMatchObject({ status: 'True' });
    expect(node.status?.nodeInfo?.machineID).toBe('machine-of-m1');
    expect(minion.welcome).toMatchObject({
      nodeCIDR: node.spec.podCIDR,
      cluster: { name: api.cluster, domain: 'cluster.local', dnsIP: '10.96.0.10' },
    });
    expect(minion.deltas[0]?.full).toBe(true);
    expect(minion.has('services', 'kube-system', 'kube-dns')).toBe(true);
    expect(minion.get<Node>('nodes', '', 'm1').status).toEqual({ addresses: NODE_STATUS.addresses });
  });

  test('gives each minion another share of the pod network, and the same one when it comes back', async () => {
    const api = freshApi();
    const first = await ScriptedMinion.joined(api, 'm1');
    const second = await ScriptedMinion.joined(api, 'm2');
    expect(first.welcome?.nodeCIDR).not.toBe(second.welcome?.nodeCIDR);
    await api.evict();
    const again = await ScriptedMinion.joined(api, 'm1');
    expect(again.welcome?.nodeCIDR).toBe(first.welcome?.nodeCIDR);
    await eventually('the old socket is closed', () => first.closes.length > 0);
    expect(first.closes).toEqual([{ code: 4001, reason: 'connected anew' }]);
  });

  test.each([
    ['a second machine that takes its name', 'm1', { machineId: 'other' }, 409, 'another machine'],
    ['another node’s name', 'm2', { node: 'm1' }, 403, "the token is of node 'm2'"],
    ['another version of the link', 'm2', { version: 99 }, 400, 'speaks version 99'],
    [
      'a label that is not the minion’s to set',
      'm2',
      { registration: { labels: { 'node-restriction.kubernetes.io/x': 'y' }, annotations: {}, status: NODE_STATUS } },
      403,
      'node-restriction.kubernetes.io/x',
    ],
  ])('is refused with a Status for %s', async (_what, name, more, code, text) => {
    const api = freshApi();
    await ScriptedMinion.joined(api, 'm1');
    const minion = await ScriptedMinion.connect(api, name, 'machineId' in more ? more.machineId : undefined);
    minion.hello(more);
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.refused?.status).toMatchObject({ kind: 'Status', code });
    expect(minion.refused?.status.message).toContain(text);
    expect(minion.closes[0]?.code).toBe(4003);
  });

  test('is not even heard from anybody but a minion', async () => {
    const api = freshApi();
    const refusal = await api.refusal('GET', LINK_PATH, { headers: { Upgrade: 'websocket' } });
    expect(refusal).toMatchObject({ http: 403, reason: 'Forbidden' });
  });

  test('must come first', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.connect(api, 'm1');
    minion.send({ type: 'report', id: 1 });
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.refused?.status.message).toContain('the first message must be hello');
  });

  test('registers the minion anew after its Node was deleted', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const before = await api.json<Node>('GET', '/api/v1/nodes/m1');
    await api.json('DELETE', '/api/v1/nodes/m1');
    await eventually('the socket is closed', () => minion.closes.length > 0);
    await api.evict();
    await ScriptedMinion.joined(api, 'm1', { machineId: 'a-new-machine' });
    const after = await api.json<Node>('GET', '/api/v1/nodes/m1');
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
  });
});

describe('a malformed message', () => {
  /** Lines that the Worker logged as trouble while this test ran. */
  function trouble(): string[] {
    const lines: string[] = [];
    for (const level of ['warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation((line: unknown) => void lines.push(String(line)));
    }
    return lines;
  }
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const report = (more: object) => JSON.stringify({ type: 'report', id: 1, ...more });
  const POD_REPORT = { namespace: 'default', name: 'p', uid: 'u', status: { phase: 'Running' } };

  test.each([
    ['that is cut short', '{"type":"report","id":1', /^not JSON: /],
    ['that is no object', '[1]', /^the message is no object$/],
    ['that is cut short in a foreign script', `{"${'й'.repeat(2000)}":`, /^not JSON: /],
    ['that is nothing', 'null', /^the message is no object$/],
    ['without a type', '{"id":1}', /^type is missing$/],
    ['whose type is no text', '{"type":1}', /^type is no string$/],
    ['without its number', '{"type":"report"}', /^id is missing$/],
    ['with a list that is none', report({ pods: 'all' }), /^pods is no list$/],
    ['about a pod that is nothing', report({ pods: [null] }), /^pods\[0\] is no object$/],
    [
      'about a pod without its status',
      report({ pods: [{ ...POD_REPORT, status: null }] }),
      /^pods\[0\]\.status is no object$/,
    ],
    [
      'with a status of other types',
      report({ pods: [{ ...POD_REPORT, status: { conditions: [{ type: 'Ready', status: 1 }] } }] }),
      /^pods\[0\]\.status\.conditions\[0\]\.status is no string$/,
    ],
    [
      'with an amount that is none',
      report({ node: { status: { capacity: { cpu: 'x' } } } }),
      /capacity\.cpu is no quantity$/,
    ],
    ['with a label of any length', report({ node: { labels: { ['й'.repeat(2000)]: 1 } } }), /^node\.labels\.\?{88}$/],
    ['with a label that is no text', report({ node: { labels: { a: 1 } } }), /^node\.labels\.a is no string$/],
    ['of an event about nothing', report({ events: [{ reason: 'x' }] }), /^events\[0\]\.involvedObject is missing$/],
    ['of a mirror pod without metadata', report({ mirrors: [{}] }), /^mirrors\[0\]\.metadata is missing$/],
    [
      'with an acknowledgement of a half',
      '{"type":"acknowledge","epoch":"x","revision":0.5}',
      /revision is no integer$/,
    ],
    [
      'with an acknowledgement longer than any',
      JSON.stringify({ type: 'acknowledge', epoch: 'x'.repeat(5000), revision: 1 }),
      /^epoch is too long$/,
    ],
    ['with a goodbye of no words', '{"type":"goodbye"}', /^reason is missing$/],
  ])('%s closes the socket with 1007 and a reason, in one line of the log', async (_what, text, reason) => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const lines = trouble();
    minion.raw(text);
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.closes).toEqual([{ code: 1007, reason: expect.stringMatching(reason) }]);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: 'warn', room: 'links', node: 'm1', malformed: expect.stringMatching(reason) },
    ]);
    const again = await ScriptedMinion.joined(api, 'm1');
    expect((await again.report({})).type).toBe('reported');
  });

  test('that is a hello makes no Node, nor does what comes behind it', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.connect(api, 'm1');
    const lines = trouble();
    minion.raw(
      JSON.stringify({ type: 'hello', version: 1, node: 'm1', agentVersion: '0', machineId: 'machine-of-m1' }),
    );
    minion.hello();
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.closes).toEqual([{ code: 1007, reason: 'registration is missing' }]);
    expect(lines).toHaveLength(1);
    expect(await api.code('GET', '/api/v1/nodes/m1')).toBe(404);
  });

  test('in bytes is what this socket does not carry: 1003', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const lines = trouble();
    minion.raw(Uint8Array.of(123, 125));
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.closes).toEqual([{ code: 1003, reason: 'the control socket carries text' }]);
    expect(lines).toHaveLength(1);
  });
});

describe('deltas', () => {
  test('bring a minion its pods with what they use, follow changes, and take both away again', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    await api.json('POST', CONFIG_MAPS, { body: configMap('used') });
    await api.json('POST', CONFIG_MAPS, { body: configMap('unused') });
    await api.evict();
    const envFrom = [{ configMapRef: { name: 'used' } }];
    const created = podOf('p', { nodeName: 'm1', containers: [{ name: 'main', image: 'nginx', envFrom }] });
    await api.json('POST', PODS, { body: created });
    await eventually('the pod arrives', () => minion.has('pods', 'default', 'p'));
    expect(minion.get<ConfigMap>('configmaps', 'default', 'used').data).toEqual({ key: 'one' });
    expect(minion.has('configmaps', 'default', 'unused')).toBe(false);
    await api.evict();
    await api.json('PUT', `${CONFIG_MAPS}/used`, { body: configMap('used', 'two') });
    await api.json('PUT', `${CONFIG_MAPS}/unused`, { body: configMap('unused', 'two') });
    await eventually('the change arrives', () => JSON.stringify([...minion.objects.values()]).includes('two'));
    expect(minion.has('configmaps', 'default', 'unused')).toBe(false);
    const pod = minion.get<Pod>('pods', 'default', 'p');
    await api.json('DELETE', `${PODS}/p`);
    await eventually(
      'the deletion is asked for',
      () => minion.get<Pod>('pods', 'default', 'p').metadata.deletionTimestamp !== undefined,
    );
    await api.evict();
    await minion.report({ pods: [reportOf(pod, { phase: 'Succeeded' }, true)] });
    await eventually('both are gone', () => !minion.has('pods', 'default', 'p'));
    expect(minion.has('configmaps', 'default', 'used')).toBe(false);
    expect((await api.fetch('GET', `${PODS}/p`)).status).toBe(404);
  });

  test('carry pods to their own minion only, and Services to all', async () => {
    const api = freshApi();
    const first = await ScriptedMinion.joined(api, 'm1');
    const second = await ScriptedMinion.joined(api, 'm2');
    await api.json('POST', PODS, { body: podOf('p', { nodeName: 'm2' }) });
    const spec = { selector: { app: 'web' }, ports: [{ port: 80 }] };
    const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec };
    await api.json('POST', '/api/v1/namespaces/default/services', { body });
    const isThere = (minion: ScriptedMinion) => minion.has('services', 'default', 'web');
    await eventually('the Service arrives at both', () => isThere(first) && isThere(second));
    await eventually('its slice too', () =>
      [...first.objects.keys()].some((key) => key.startsWith('endpointslices.discovery.k8s.io default/web')),
    );
    expect(second.has('pods', 'default', 'p')).toBe(true);
    expect(first.has('pods', 'default', 'p')).toBe(false);
  });

  test('resume where the minion was, with what happened meanwhile and nothing else', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    await api.json('POST', PODS, { body: podOf('stays', { nodeName: 'm1' }) });
    await api.json('POST', PODS, { body: podOf('goes', { nodeName: 'm1' }) });
    await eventually('both arrive', () => minion.has('pods', 'default', 'goes'));
    const revision = minion.deltas.at(-1)?.revision ?? 0;
    const epoch = minion.welcome?.epoch ?? '';
    minion.close();
    await api.json('DELETE', `${PODS}/goes?gracePeriodSeconds=0`);
    await api.json('POST', PODS, { body: podOf('comes', { nodeName: 'm1' }) });
    await api.evict();
    const again = await ScriptedMinion.joined(api, 'm1', { resume: { epoch, revision } });
    const [delta] = again.deltas;
    expect(delta?.full).toBeUndefined();
    const pods = (delta?.puts ?? []).filter((put) => put.resource === 'pods').map((put) => put.object.metadata.name);
    expect(pods).toEqual(['comes']);
    expect(delta?.removals.filter((each) => each.resource === 'pods')).toMatchObject([{ name: 'goes' }]);
  });

  test('begin anew for a minion of another epoch', async () => {
    const api = freshApi();
    const first = await ScriptedMinion.joined(api, 'm1');
    const revision = first.deltas.at(-1)?.revision ?? 0;
    const again = await ScriptedMinion.joined(api, 'm1', { resume: { epoch: 'of a snapshot', revision } });
    expect(again.deltas[0]?.full).toBe(true);
  });

  test('are not sent for what a minion itself reported, nor for a node’s status', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const other = await ScriptedMinion.joined(api, 'm2');
    await api.json('POST', PODS, { body: podOf('p', { nodeName: 'm1' }) });
    const pod = await eventually('the pod', () => minion.objects.get('pods default/p') as Pod | undefined);
    const told = () =>
      [minion.deltas, other.deltas].map((deltas) => JSON.stringify(deltas.flatMap((each) => each.puts)));
    await minion.report({ pods: [reportOf(pod, running())] });
    const pressure = [{ type: 'DiskPressure' as const, status: 'True' as const, reason: 'KubeletHasDiskPressure' }];
    await minion.report({ node: { status: { conditions: pressure } } });
    // Something that both are told, so that all that came before has come.
    await api.json('POST', '/api/v1/namespaces/default/services', {
      body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'mark' }, spec: { ports: [{ port: 80 }] } },
    });
    await eventually(
      'the mark',
      () => minion.has('services', 'default', 'mark') && other.has('services', 'default', 'mark'),
    );
    expect(told().join()).not.toContain('"phase":"Running"');
    expect(told().join()).not.toContain('DiskPressure');
  });
});

describe('reports', () => {
  test('write the statuses of own pods in one transaction and keep what others wrote', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const pods = await Promise.all(
      ['a', 'b'].map((name) => api.json<Pod>('POST', PODS, { body: podOf(name, { nodeName: 'm1' }) })),
    );
    await api.evict();
    const reply = await minion.report({ pods: pods.map((pod) => reportOf(pod, running())) });
    expect(reply.refused).toBeUndefined();
    const list = await api.json<KubeList<Pod>>('GET', PODS);
    expect(list.items.map((pod) => pod.status?.phase)).toEqual(['Running', 'Running']);
    expect(list.items.map((pod) => pod.status?.qosClass)).toEqual(['BestEffort', 'BestEffort']);
  });

  test('that say the same again write nothing', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const pod = await api.json<Pod>('POST', PODS, { body: podOf('p', { nodeName: 'm1' }) });
    await minion.report({ pods: [reportOf(pod, running())], node: { status: NODE_STATUS } });
    const before = await api.json<KubeList<Pod>>('GET', PODS);
    await minion.report({ pods: [reportOf(pod, running())], node: { status: NODE_STATUS } });
    const after = await api.json<KubeList<Pod>>('GET', PODS);
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });

  test('are refused in parts, and the rest is written', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    await ScriptedMinion.joined(api, 'm2');
    const own = await api.json<Pod>('POST', PODS, { body: podOf('own', { nodeName: 'm1' }) });
    const foreign = await api.json<Pod>('POST', PODS, { body: podOf('foreign', { nodeName: 'm2' }) });
    const reply = await minion.report({
      pods: [
        reportOf(foreign, running()),
        reportOf({ ...own, metadata: { ...own.metadata, uid: 'older' } }, running()),
        reportOf({ ...own, metadata: { ...own.metadata, name: 'missing' } }, running()),
        reportOf(own, running()),
      ],
      events: [
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { namespace: 'default' },
          involvedObject: { kind: 'Pod', namespace: 'default', name: 'foreign', uid: foreign.metadata.uid },
          reason: 'Started',
          message: 'not mine to say',
        },
      ],
    });
    expect(reply.refused?.map(({ name, status }) => [name, status.code])).toEqual([
      ['foreign', 403],
      ['own', 409],
      ['missing', 404],
      ['foreign', 403],
    ]);
    expect((await api.json<Pod>('GET', `${PODS}/own`)).status?.phase).toBe('Running');
    expect((await api.json<Pod>('GET', `${PODS}/foreign`)).status?.phase).toBe('Pending');
  });

  test('record events, joined when they repeat', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const pod = await api.json<Pod>('POST', PODS, { body: podOf('p', { nodeName: 'm1' }) });
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: 'default' },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'p', uid: pod.metadata.uid },
      type: 'Warning' as const,
      reason: 'BackOff',
      message: 'Back-off restarting failed container',
      source: { component: 'kubelet', host: 'm1' },
    };
    await minion.report({ events: [event] });
    await api.evict();
    await minion.report({ events: [event] });
    const list = await api.json<KubeList<KubeObject & { reason: string; count: number }>>(
      'GET',
      '/api/v1/namespaces/default/events',
    );
    expect(list.items.filter((each) => each.reason === 'BackOff').map((each) => each.count)).toEqual([2]);
  });

  test('of a mirror pod whose manifest has a wrong type are refused alone', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const mirror = (name: string, more: object) => ({
      ...podOf(name, more),
      metadata: { name, namespace: 'default', annotations: { [MIRROR_ANNOTATION]: 'one' } },
    });
    const ports = [{ containerPort: '80' }];
    const wrong = mirror('wrong', { containers: [{ name: 'main', image: 'nginx', ports }] });
    const { refused } = await minion.report({ mirrors: [wrong, mirror('right', {})] });
    const message = 'spec.containers[0].ports[0].containerPort is no integer';
    expect(refused).toMatchObject([{ name: 'wrong', status: { code: 400, message } }]);
    expect(await api.code('GET', `${PODS}/right`)).toBe(200);
  });

  test('may say null for a time that is not set, as the kubelet does', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const pod = await api.json<Pod>('POST', PODS, { body: podOf('p', { nodeName: 'm1' }) });
    const conditions = [{ type: 'Ready', status: 'True' as const, lastProbeTime: null }];
    const { refused } = await minion.report({ pods: [reportOf(pod, { ...running(), conditions })] });
    expect(refused).toBeUndefined();
    const written = await api.json<Pod>('GET', `${PODS}/p`);
    expect(written.status?.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
  });

  test('make, replace and remove mirror pods of static pods, owned by the Node', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    const mirror = (hash: string) => ({
      ...podOf('web-m1'),
      metadata: { name: 'web-m1', namespace: 'default', annotations: { [MIRROR_ANNOTATION]: hash } },
    });
    expect((await minion.report({ mirrors: [mirror('one')] })).refused).toBeUndefined();
    const node = await api.json<Node>('GET', '/api/v1/nodes/m1');
    const first = await api.json<Pod>('GET', `${PODS}/web-m1`);
    expect(first.spec.nodeName).toBe('m1');
    expect(first.metadata.ownerReferences).toMatchObject([{ kind: 'Node', name: 'm1', uid: node.metadata.uid }]);
    await api.evict();
    await minion.report({ mirrors: [mirror('one')], pods: [{ ...reportOf(first, running()), uid: 'one' }] });
    const same = await api.json<Pod>('GET', `${PODS}/web-m1`);
    expect([same.metadata.uid, same.status?.phase]).toEqual([first.metadata.uid, 'Running']);
    await minion.report({ mirrors: [mirror('two')] });
    const second = await api.json<Pod>('GET', `${PODS}/web-m1`);
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    await minion.report({ mirrors: [] });
    expect((await api.fetch('GET', `${PODS}/web-m1`)).status).toBe(404);
  });
});

describe('the end of a socket', () => {
  const ready = async (api: TestApi) =>
    (await api.json<Node>('GET', '/api/v1/nodes/m1')).status?.conditions?.find((each) => each.type === 'Ready')?.status;

  test('after a goodbye makes the node not ready at once', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    expect(await ready(api)).toBe('True');
    await api.evict();
    minion.send({ type: 'goodbye', reason: 'shutting down' });
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(minion.closes[0]?.code).toBe(1000);
    expect(await ready(api)).not.toBe('True');
    await ScriptedMinion.joined(api, 'm1');
    expect(await ready(api)).toBe('True');
  });

  test('without one leaves the node ready for a while', async () => {
    const api = freshApi();
    const minion = await ScriptedMinion.joined(api, 'm1');
    await api.evict();
    minion.close();
    await eventually('the socket is closed', () => minion.closes.length > 0);
    expect(await ready(api)).toBe('True');
  });
});

test('a heartbeat is answered without waking the object', async () => {
  const api = freshApi();
  const minion = await ScriptedMinion.joined(api, 'm1');
  const answered = new Promise((resolve) => minion.onText((text) => text === PONG && resolve(text)));
  await api.evict();
  minion.raw(PING);
  expect(await answered).toBe(PONG);
});
