/**
 * Admission webhooks and what the cluster's own controllers write, over the whole Worker, with the webhook's side of `fetch`
 * played by the test. What clients write is `webhooks.test.ts`.
 */
import { describe, expect, test } from 'vitest';
import type { ReplicaSet } from '../../shared/api/apps.ts';
import type { Event, Pod } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { eventually } from '../support/eventually.ts';
import { TestApi } from './support/api.ts';
import { type Answer, configureWebhook as configure, playWebhooks } from './support/webhooks.ts';

const PODS = '/api/v1/namespaces/default/pods';
const EVENTS = '/api/v1/namespaces/default/events';
const REPLICA_SETS = '/apis/apps/v1/namespaces/default/replicasets';

const { hooks, asked } = playWebhooks();

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }] },
};
const replicaSet = (name: string, replicas: number, labels: Record<string, string> = {}) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { set: name } },
    template: { ...template, metadata: { labels: { set: name, ...labels } } },
  },
});

let clusters = 0;
const fresh = () => new TestApi(`controller-webhooks-${clusters++}`);
const podsOf = async (api: TestApi, set: string) =>
  (await api.json<KubeList<Pod>>('GET', `${PODS}?labelSelector=set%3D${set}`)).items;
const failuresOf = async (api: TestApi) =>
  (await api.json<KubeList<Event>>('GET', EVENTS)).items.filter((event) => event.reason === 'FailedCreate');
const pods = (api: TestApi, set: string, count: number) =>
  eventually(`${count} pods of ${set}`, async () => {
    const found = await podsOf(api, set);
    return found.length === count ? found : undefined;
  });
const failure = (api: TestApi) => eventually('the event', async () => (await failuresOf(api))[0]);

describe('a mutating webhook', () => {
  test('sees and changes the pods that a replica set’s controller makes, each once', async () => {
    hooks.set('inject', () => ({ patch: [{ op: 'add', path: '/metadata/annotations', value: { injected: 'yes' } }] }));
    const api = fresh();
    await configure(api, 'mutating', 'inject');
    await api.json('POST', REPLICA_SETS, { body: replicaSet('web', 5) });
    const made = await pods(api, 'web', 5);
    expect(made.map((pod) => pod.metadata.annotations)).toEqual(Array(5).fill({ injected: 'yes' }));
    expect(asked).toHaveLength(5);
    const { request } = asked[0] ?? {};
    expect(request).toMatchObject({
      operation: 'CREATE',
      namespace: 'default',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
      },
      object: { metadata: { generateName: 'web-', ownerReferences: [{ kind: 'ReplicaSet', name: 'web' }] } },
    });
    const uids = asked.map((each) => (each.request.object as unknown as Pod).metadata.uid);
    expect(new Set(uids)).toEqual(new Set(made.map((pod) => pod.metadata.uid)));
    const { status } = await api.json<ReplicaSet>('GET', `${REPLICA_SETS}/web`);
    expect(status).toMatchObject({ replicas: 5 });
    expect(await failuresOf(api)).toEqual([]);
  });

  test('judges each step of a deployment in the name of whose step it is', async () => {
    hooks.set('all', ({ kind }) => ({
      patch: [{ op: 'add', path: '/metadata/annotations', value: { seen: kind.kind } }],
    }));
    const api = fresh();
    await configure(api, 'mutating', 'all', {}, ['deployments', 'replicasets', 'pods']);
    await api.json('POST', '/apis/apps/v1/namespaces/default/deployments', {
      body: {
        metadata: { name: 'site' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { set: 'site' } },
          template: replicaSet('site', 2).spec.template,
        },
      },
    });
    const made = await pods(api, 'site', 2);
    expect(made.map((pod) => pod.metadata.annotations)).toEqual([{ seen: 'Pod' }, { seen: 'Pod' }]);
    const by = asked.map(({ request }) => [request.kind.kind, request.userInfo.username.split(':').at(-1)]);
    expect(by.slice(1)).toEqual([
      ['ReplicaSet', 'deployment-controller'],
      ['Pod', 'replicaset-controller'],
      ['Pod', 'replicaset-controller'],
    ]);
  });
});

describe('a validating webhook', () => {
  test('that refuses the pods of a controller is its failure, in upstream’s words, and it tries again', async () => {
    let allowed = false;
    hooks.set('deny', () => ({ allowed, status: { message: 'not today' } }));
    const api = fresh();
    await configure(api, 'validating', 'deny');
    await api.json('POST', REPLICA_SETS, { body: replicaSet('web', 100) });
    const event = await failure(api);
    expect(event).toMatchObject({
      type: 'Warning',
      message: 'Error creating: admission webhook "deny.example.com" denied the request: not today',
      involvedObject: { kind: 'ReplicaSet', name: 'web' },
      source: { component: 'replicaset-controller' },
    });
    const { status } = await api.json<ReplicaSet>('GET', `${REPLICA_SETS}/web`);
    expect(status?.conditions).toMatchObject([{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' }]);
    // What is refused once is not asked a hundred times.
    expect(asked).toHaveLength(1);
    allowed = true;
    await pods(api, 'web', 100);
  });

  test('that cannot be reached fails the write, or is passed over where that is its policy', async () => {
    const strict = fresh();
    await configure(strict, 'validating', 'away');
    await strict.json('POST', REPLICA_SETS, { body: replicaSet('web', 1) });
    expect((await failure(strict)).message).toBe(
      'Error creating: Internal error occurred: failed calling webhook "away.example.com": failed to call webhook: Post "https://away.example.com/judge?timeout=10s": connection refused',
    );
    expect(await podsOf(strict, 'web')).toEqual([]);
    const lenient = fresh();
    await configure(lenient, 'validating', 'away', { failurePolicy: 'Ignore' });
    await lenient.json('POST', REPLICA_SETS, { body: replicaSet('web', 1) });
    await pods(lenient, 'web', 1);
    expect(await failuresOf(lenient)).toEqual([]);
  });

  test('that takes its time holds up nothing but what it judges', async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    hooks.set('slow', () => promise);
    const api = fresh();
    await configure(api, 'validating', 'slow', { objectSelector: { matchLabels: { judged: 'yes' } } });
    await api.json('POST', REPLICA_SETS, { body: replicaSet('slow', 3, { judged: 'yes' }) });
    await eventually('the question', () => asked.length > 0);
    await api.json('POST', REPLICA_SETS, { body: replicaSet('quick', 3) });
    await pods(api, 'quick', 3);
    // What happens to its object meanwhile counts.
    await api.json('PATCH', `${REPLICA_SETS}/slow`, {
      body: { spec: { replicas: 2 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(await podsOf(api, 'slow')).toEqual([]);
    resolve({});
    await pods(api, 'slow', 2);
  });

  test('of deletions is asked by the garbage collector, and of bindings by the scheduler', async () => {
    hooks.set('watch', () => ({}));
    const api = fresh();
    await configure(api, 'validating', 'watch', {
      rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['*'], resources: ['pods', 'pods/binding'] }],
    });
    await api.json('POST', '/api/v1/nodes', { body: { metadata: { name: 'n1' } } });
    await api.json('PATCH', '/api/v1/nodes/n1/status', {
      body: {
        status: {
          allocatable: { cpu: '4', memory: '8Gi', pods: '10' },
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await api.json('POST', REPLICA_SETS, { body: replicaSet('web', 1) });
    const asks = (operation: string, resource: string, who: string) =>
      eventually(`${operation} ${resource} by ${who}`, () =>
        asked.some(
          ({ request }) =>
            request.operation === operation &&
            [request.resource.resource, request.subResource].filter(Boolean).join('/') === resource &&
            request.userInfo.username === who,
        ),
      );
    await asks('CREATE', 'pods/binding', 'system:kube-scheduler');
    await eventually('the pod is bound', async () => (await podsOf(api, 'web'))[0]?.spec.nodeName === 'n1');
    await api.json('DELETE', `${REPLICA_SETS}/web`);
    await asks('DELETE', 'pods', 'system:serviceaccount:kube-system:generic-garbage-collector');
  });

  test('of events loses an event and nothing else', async () => {
    hooks.set('quiet', () => ({ allowed: false }));
    const api = fresh();
    await configure(api, 'validating', 'quiet', {}, ['events']);
    await api.json('POST', REPLICA_SETS, { body: replicaSet('web', 2) });
    await pods(api, 'web', 2);
    const reasons = () => new Set(asked.map(({ request }) => (request.object as unknown as Event).reason));
    await eventually('both events', () => reasons().size === 2);
    expect(reasons()).toEqual(new Set(['SuccessfulCreate', 'FailedScheduling']));
    expect((await api.json<KubeList<Event>>('GET', EVENTS)).items).toEqual([]);
  });
});

test('without webhooks, and for what the API itself writes, nobody is asked', async () => {
  const plain = fresh();
  await plain.json('POST', REPLICA_SETS, { body: replicaSet('web', 2) });
  await pods(plain, 'web', 2);
  const api = fresh();
  await configure(api, 'validating', 'crd', {
    rules: [{ operations: ['*'], apiGroups: ['apiextensions.k8s.io'], apiVersions: ['*'], resources: ['*/status'] }],
  });
  await api.json('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      metadata: { name: 'things.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  });
  expect((await api.json<KubeList<Pod>>('GET', '/apis/example.com/v1/things')).items).toEqual([]);
  expect(asked).toEqual([]);
});
