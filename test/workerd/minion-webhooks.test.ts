/**
 * Admission of what minions say over their sockets, against the whole Cluster object; what the webhooks say is played by the
 * test. To whoever judges it is the write of the node's kubelet.
 */
import { describe, expect, test } from 'vitest';
import type { Event, Node, Pod, PodStatus } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { eventually } from '../support/eventually.ts';
import { TestApi } from './support/api.ts';
import { NODE_STATUS, ScriptedMinion } from './support/scripted-minion.ts';
import { type Answer, configureWebhook, playWebhooks } from './support/webhooks.ts';

const PODS = '/api/v1/namespaces/default/pods';
const EVENTS = '/api/v1/namespaces/default/events';
const POLICIES = '/apis/admissionregistration.k8s.io/v1';

const { hooks, asked } = playWebhooks();

let clusters = 0;
const fresh = () => new TestApi(`minion-webhooks-${clusters++}`);
const on = (operations: string[], ...resources: string[]) => ({
  rules: [{ operations, apiGroups: ['*'], apiVersions: ['*'], resources }],
});
const running = (podIP: string): PodStatus => ({ phase: 'Running', podIP, conditions: [] });
const statusOf = async (api: TestApi, name: string) => (await api.json<Pod>('GET', `${PODS}/${name}`)).status;

async function withPods(...names: string[]) {
  const api = fresh();
  const minion = await ScriptedMinion.joined(api, 'm1');
  const reports = new Map<
    string,
    (podIP: string) => { namespace: string; name: string; uid: string; status: PodStatus }
  >();
  for (const name of names) {
    const spec = { nodeName: 'm1', containers: [{ name: 'main', image: 'nginx' }] };
    const { metadata } = await api.json<Pod>('POST', PODS, { body: { metadata: { name }, spec } });
    const { uid } = metadata;
    reports.set(name, (podIP) => ({ namespace: 'default', name, uid, status: running(podIP) }));
  }
  const of = (name: string, podIP: string) => {
    const report = reports.get(name);
    if (report === undefined) throw new Error(`there is no pod ${name}`);
    return report(podIP);
  };
  return { api, minion, of };
}

describe('statuses of pods', () => {
  test('are judged as the kubelet’s, and what is refused holds up nothing else', async () => {
    const { api, minion, of } = await withPods('a', 'b', 'c');
    await configureWebhook(api, 'validating', 'guard', on(['UPDATE'], 'pods/status'));
    hooks.set('guard', ({ name }) => (name === 'b' ? { allowed: false, status: { message: 'not b' } } : {}));
    const reply = await minion.report({ pods: ['a', 'b', 'c'].map((name) => of(name, '10.244.0.5')) });
    expect(reply.refused).toMatchObject([
      {
        namespace: 'default',
        name: 'b',
        status: { code: 400, message: 'admission webhook "guard.example.com" denied the request: not b' },
      },
    ]);
    expect((await statusOf(api, 'a'))?.podIP).toBe('10.244.0.5');
    expect((await statusOf(api, 'b'))?.podIP).toBeUndefined();
    expect((await statusOf(api, 'c'))?.podIP).toBe('10.244.0.5');
    expect(asked.map(({ request }) => request.name).sort()).toEqual(['a', 'b', 'c']);
    expect(asked[0]?.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'Pod' },
      subResource: 'status',
      operation: 'UPDATE',
      userInfo: { username: 'system:node:m1', groups: ['system:nodes', 'system:authenticated'] },
      object: { status: { podIP: '10.244.0.5' } },
      options: { kind: 'UpdateOptions', fieldManager: 'kubelet' },
    });
  });

  test('are changed by who may change them', async () => {
    const { api, minion, of } = await withPods('a');
    await configureWebhook(api, 'mutating', 'more', on(['UPDATE'], 'pods/status'));
    hooks.set('more', () => ({ patch: [{ op: 'add', path: '/status/message', value: 'seen' }] }));
    expect((await minion.report({ pods: [of('a', '10.244.0.5')] })).refused).toBeUndefined();
    expect(await statusOf(api, 'a')).toMatchObject({ podIP: '10.244.0.5', message: 'seen' });
  });

  test('keep their order while a webhook takes its time, and other minions wait for nothing', async () => {
    const { api, minion, of } = await withPods('a');
    const other = await ScriptedMinion.joined(api, 'm2');
    const { promise, resolve } = Promise.withResolvers<Answer>();
    await configureWebhook(api, 'validating', 'slow', on(['UPDATE'], 'pods/status'));
    hooks.set('slow', ({ object }) => ((object as unknown as Pod).status?.podIP === '10.244.0.5' ? promise : {}));
    const first = minion.report({ pods: [of('a', '10.244.0.5')] });
    await eventually('the question', () => asked.length === 1);
    const second = minion.report({ pods: [of('a', '10.244.0.6')] });
    expect((await other.report({ node: { annotations: { 'longshore.dev/x': '1' } } })).refused).toBeUndefined();
    expect(minion.replies).toEqual([]);
    expect((await statusOf(api, 'a'))?.podIP).toBeUndefined();
    resolve({});
    expect((await first).id).toBeLessThan((await second).id);
    expect((await statusOf(api, 'a'))?.podIP).toBe('10.244.0.6');
  });

  test('are as before where no webhook speaks of them', async () => {
    const { api, minion, of } = await withPods('a');
    await configureWebhook(api, 'validating', 'others', on(['*'], 'configmaps', 'pods/exec'));
    await minion.report({ pods: [of('a', '10.244.0.5')] });
    expect((await statusOf(api, 'a'))?.podIP).toBe('10.244.0.5');
    expect(asked).toEqual([]);
  });
});

test('events that are refused are lost, and nothing else is', async () => {
  const { api, minion, of } = await withPods('a');
  await configureWebhook(api, 'validating', 'quiet', on(['CREATE'], 'events'));
  hooks.set('quiet', ({ object }) => ({ allowed: (object as unknown as Event).reason === 'Started' }));
  const { uid } = of('a', '');
  const event = (reason: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {},
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'a', uid },
    reason,
    message: reason,
    source: { component: 'kubelet' },
  });
  await minion.report({ pods: [of('a', '10.244.0.5')], events: [event('Pulled'), event('Started')] });
  const { items } = await api.json<KubeList<Event>>('GET', `${EVENTS}?fieldSelector=involvedObject.name%3Da`);
  expect(items.map((each) => each.reason)).toEqual(['Started']);
  expect((await statusOf(api, 'a'))?.podIP).toBe('10.244.0.5');
});

describe('a hello', () => {
  test('waits for who judges new nodes, and is refused in their words', async () => {
    const api = fresh();
    await configureWebhook(api, 'validating', 'gate', on(['CREATE'], 'nodes'));
    hooks.set('gate', ({ name }) => (name === 'm2' ? { allowed: false, status: { message: 'not you' } } : {}));
    const minion = await ScriptedMinion.joined(api, 'm1');
    expect(minion.welcome?.nodeCIDR).toBe((await api.json<Node>('GET', '/api/v1/nodes/m1')).spec.podCIDR);
    expect(asked[0]?.request).toMatchObject({
      kind: { kind: 'Node' },
      operation: 'CREATE',
      name: 'm1',
      userInfo: { username: 'system:node:m1' },
    });
    const refused = await ScriptedMinion.connect(api, 'm2');
    refused.hello();
    await eventually('the refusal', () => refused.refused !== undefined);
    expect(refused.refused?.status.message).toBe('admission webhook "gate.example.com" denied the request: not you');
    expect(await api.code('GET', '/api/v1/nodes/m2')).toBe(404);
  });

  test('of a minion that leaves meanwhile leaves a node that is looked for', async () => {
    const api = fresh();
    const { promise, resolve } = Promise.withResolvers<Answer>();
    await configureWebhook(api, 'validating', 'slow', on(['CREATE'], 'nodes'));
    hooks.set('slow', () => promise);
    const minion = await ScriptedMinion.connect(api, 'm1');
    minion.hello();
    await eventually('the question', () => asked.length === 1);
    minion.close();
    await eventually('the socket is closed', () => minion.closes.length > 0);
    resolve({});
    await eventually('the node', async () => (await api.code('GET', '/api/v1/nodes/m1')) === 200);
    expect(minion.welcome).toBeUndefined();
    const again = await ScriptedMinion.joined(api, 'm1');
    expect(again.welcome?.nodeCIDR).toBe((await api.json<Node>('GET', '/api/v1/nodes/m1')).spec.podCIDR);
  });
});

test('a policy judges minions as what they are', async () => {
  const { api, minion, of } = await withPods('a');
  await api.json('POST', `${POLICIES}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: 'no-minions' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['*/status'], operations: ['UPDATE'] }],
        },
        validations: [
          { expression: "!request.userInfo.username.startsWith('system:node:')", message: 'minions say nothing' },
        ],
      },
    },
  });
  await api.json('POST', `${POLICIES}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'here' }, spec: { policyName: 'no-minions', validationActions: ['Deny'] } },
  });
  const conditions = [{ type: 'Ready', status: 'False' as const, reason: 'Tired', message: 'tired' }];
  const reply = await minion.report({
    pods: [of('a', '10.244.0.5')],
    node: { status: { ...NODE_STATUS, conditions } },
  });
  const why = `ValidatingAdmissionPolicy 'no-minions' with binding 'here' denied request: minions say nothing`;
  expect(reply.refused?.map(({ status }) => status.message)).toEqual([
    `nodes "m1" is forbidden: ${why}`,
    `pods "a" is forbidden: ${why}`,
  ]);
  expect((await statusOf(api, 'a'))?.podIP).toBeUndefined();
});
