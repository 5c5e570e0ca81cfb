/**
 * Admission of what paths below an object take, and are not the object: a Scale, a Binding, an Eviction, a TokenRequest.
 * Over the whole Worker; what the webhooks say is played by the test. Connections are `connect-webhooks.test.ts`.
 */
import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../shared/api/apps.ts';
import type { Pod } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { API_AUDIENCE } from '../../worker/http/tokens.ts';
import type { Scale } from '../../worker/registry/scale.ts';
import { TestApi } from './support/api.ts';
import { configureWebhook, playWebhooks } from './support/webhooks.ts';

const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/web';
const PODS = '/api/v1/namespaces/default/pods';
const POLICIES = '/apis/admissionregistration.k8s.io/v1';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const { hooks, asked } = playWebhooks();

let clusters = 0;
const fresh = () => new TestApi(`part-webhooks-${clusters++}`);
const on = (resource: string, ...operations: string[]) => ({
  rules: [{ operations, apiGroups: ['*'], apiVersions: ['*'], resources: [resource] }],
});
const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } });

async function deployment(api: TestApi): Promise<void> {
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  await api.json('POST', '/apis/apps/v1/namespaces/default/deployments', { body: { metadata: { name: 'web' }, spec } });
}

async function policy(api: TestApi, resource: string, operation: string, expression: string): Promise<void> {
  const [group, version, path] = resource.split(' ');
  await api.json('POST', `${POLICIES}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: 'rule' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [group], apiVersions: [version], resources: [path], operations: [operation] }],
        },
        validations: [{ expression, message: 'not like this' }],
      },
    },
  });
  await api.json('POST', `${POLICIES}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'here' }, spec: { policyName: 'rule', validationActions: ['Deny'] } },
  });
}

describe('a Scale', () => {
  test('is what validating webhooks see, old and new, however it is changed', async () => {
    const api = fresh();
    await deployment(api);
    await configureWebhook(api, 'validating', 'small', on('deployments/scale', 'UPDATE'));
    hooks.set('small', ({ object }) =>
      (object as unknown as Scale).spec?.replicas === 9
        ? { allowed: false, status: { code: 403, message: 'too many' } }
        : {},
    );
    await api.json('PATCH', `${DEPLOYMENT}/scale`, { body: { spec: { replicas: 3 } }, headers: MERGE });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.request).toMatchObject({
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      subResource: 'scale',
      requestKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      requestSubResource: 'scale',
      name: 'web',
      namespace: 'default',
      operation: 'UPDATE',
      object: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 3 }, status: { selector: 'app=web' } },
      oldObject: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 1 } },
      options: { kind: 'UpdateOptions' },
    });
    const refused = { http: 403, message: 'admission webhook "small.example.com" denied the request: too many' };
    const scale = { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'web' }, spec: { replicas: 9 } };
    const put = await api.refusal('PUT', `${DEPLOYMENT}/scale`, { body: scale });
    expect(put).toMatchObject(refused);
    const apply = { headers: { 'content-type': 'application/apply-patch+yaml' }, body: scale };
    expect(await api.refusal('PATCH', `${DEPLOYMENT}/scale?fieldManager=me&force=true`, apply)).toMatchObject(refused);
    expect((await api.json<Deployment>('GET', DEPLOYMENT)).spec.replicas).toBe(3);
    // The object itself is another path.
    await api.json('PATCH', DEPLOYMENT, { body: { spec: { replicas: 9 } }, headers: MERGE });
  });

  test('is changed by mutating ones, and what they make of it is judged and validated', async () => {
    const api = fresh();
    await deployment(api);
    await configureWebhook(api, 'mutating', 'clamp', on('*/scale', 'UPDATE'));
    await configureWebhook(api, 'validating', 'see', on('deployments/scale', 'UPDATE'));
    hooks.set('clamp', ({ object }) => {
      const { replicas = 0 } = (object as unknown as Scale).spec ?? {};
      return { patch: [{ op: 'replace', path: '/spec/replicas', value: replicas > 20 ? -1 : 2 }] };
    });
    hooks.set('see', () => ({}));
    const scaled = await api.json<Scale>('PATCH', `${DEPLOYMENT}/scale`, {
      body: { spec: { replicas: 7 } },
      headers: MERGE,
    });
    expect(scaled.spec).toEqual({ replicas: 2 });
    expect(asked.map(({ hook, request }) => [hook, (request.object as unknown as Scale).spec?.replicas])).toEqual([
      ['clamp', 7],
      ['see', 2],
    ]);
    expect((await api.json<Deployment>('GET', DEPLOYMENT)).spec.replicas).toBe(2);
    const negative = await api.refusal('PATCH', `${DEPLOYMENT}/scale`, {
      body: { spec: { replicas: 21 } },
      headers: MERGE,
    });
    expect(negative).toMatchObject({
      http: 422,
      message:
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    });
  });

  test('of a custom resource is one, too, for webhooks and policies', async () => {
    const api = fresh();
    const replicas = { type: 'object', properties: { replicas: { type: 'integer' } } };
    await api.json('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      body: {
        metadata: { name: 'farms.example.com' },
        spec: {
          group: 'example.com',
          scope: 'Namespaced',
          names: { plural: 'farms', kind: 'Farm' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', properties: { spec: replicas, status: replicas } } },
              subresources: {
                scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
              },
            },
          ],
        },
      },
    });
    const farms = '/apis/example.com/v1/namespaces/default/farms';
    await api.json('POST', farms, {
      body: { apiVersion: 'example.com/v1', kind: 'Farm', metadata: { name: 'f' }, spec: { replicas: 1 } },
    });
    await configureWebhook(api, 'mutating', 'double', on('farms/scale', 'UPDATE'));
    hooks.set('double', ({ object, kind }) => {
      expect(kind).toEqual({ group: 'autoscaling', version: 'v1', kind: 'Scale' });
      const { replicas: asks = 0 } = (object as unknown as Scale).spec ?? {};
      return { patch: [{ op: 'replace', path: '/spec/replicas', value: 2 * asks }] };
    });
    await policy(api, 'example.com v1 farms/scale', 'UPDATE', 'object.spec.replicas <= oldObject.spec.replicas + 3');
    const to = (count: number) => ({ body: { spec: { replicas: count } }, headers: MERGE });
    expect((await api.json<Scale>('PATCH', `${farms}/f/scale`, to(2))).spec).toEqual({ replicas: 4 });
    expect(await api.refusal('PATCH', `${farms}/f/scale`, to(4))).toMatchObject({
      http: 422,
      message: `farms.example.com "f" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'here' denied request: not like this`,
    });
  });
});

describe('an Eviction', () => {
  test('is what webhooks see and change, and no deletion of the pod', async () => {
    const api = fresh();
    for (const name of ['kept', 'p']) await api.json('POST', PODS, { body: pod(name) });
    await configureWebhook(api, 'mutating', 'patient', on('pods/eviction', 'CREATE'));
    await configureWebhook(api, 'validating', 'guard', on('pods/eviction', '*'));
    await configureWebhook(api, 'validating', 'deletions', on('pods', 'DELETE'));
    await configureWebhook(api, 'validating', 'statuses', on('pods/status', '*'));
    hooks.set('patient', () => ({
      patch: [{ op: 'add', path: '/deleteOptions', value: { preconditions: { uid: 'another' } } }],
    }));
    hooks.set('guard', ({ name }) => (name === 'kept' ? { allowed: false, status: { message: 'stays' } } : {}));
    const eviction = (name: string) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });
    expect(await api.refusal('POST', `${PODS}/kept/eviction`, { body: eviction('kept') })).toMatchObject({
      http: 400,
      message: 'admission webhook "guard.example.com" denied the request: stays',
    });
    expect(asked.map(({ hook }) => hook)).toEqual(['patient', 'guard']);
    expect(asked[1]?.request).toMatchObject({
      kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: 'eviction',
      name: 'kept',
      namespace: 'default',
      operation: 'CREATE',
      object: { ...eviction('kept'), deleteOptions: { preconditions: { uid: 'another' } } },
      oldObject: null,
      options: { kind: 'CreateOptions' },
    });
    // What a webhook makes of the options counts.
    expect(await api.code('POST', `${PODS}/p/eviction`, { body: eviction('p') })).toBe(409);
    await api.json('DELETE', `${POLICIES}/mutatingwebhookconfigurations/patient`);
    asked.length = 0;
    await api.json('POST', `${PODS}/p/eviction`, { body: eviction('p') });
    expect(await api.code('GET', `${PODS}/p`)).toBe(404);
    expect(asked.map(({ hook }) => hook)).toEqual(['guard']);
  });

  test('is denied by a policy, and in a namespace that ends, in upstream’s words', async () => {
    const api = fresh();
    await api.json('POST', PODS, { body: pod('p') });
    await policy(
      api,
      ' v1 pods/eviction',
      'CREATE',
      "object.kind == 'Eviction' && request.userInfo.username == 'nobody'",
    );
    const body = { metadata: { name: 'p' } };
    expect(await api.refusal('POST', `${PODS}/p/eviction`, { body })).toMatchObject({
      http: 422,
      message: `pods "p" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'here' denied request: not like this`,
    });
    await api.json('DELETE', `${POLICIES}/validatingadmissionpolicies/rule`);
    await api.json('POST', '/api/v1/namespaces', { body: { metadata: { name: 'over' }, spec: {} } });
    const there = '/api/v1/namespaces/over/pods';
    const held = pod('held');
    await api.json('POST', there, { body: { ...held, metadata: { name: 'held', finalizers: ['example.com/hold'] } } });
    await api.json('DELETE', '/api/v1/namespaces/over');
    expect(await api.refusal('POST', `${there}/held/eviction`, { body: { metadata: { name: 'held' } } })).toMatchObject(
      {
        http: 403,
        message:
          'pods "held" is forbidden: unable to create new content in namespace over because it is being terminated',
        details: { causes: [{ reason: 'NamespaceTerminating' }] },
      },
    );
  });
});

describe('a Binding', () => {
  const binding = (node: string) => ({ metadata: { name: 'p' }, target: { kind: 'Node', name: node } });

  test('is what webhooks see, and where they send the pod it goes', async () => {
    const api = fresh();
    await api.json('POST', PODS, { body: pod('p') });
    await configureWebhook(api, 'mutating', 'send', on('pods/binding', 'CREATE'));
    hooks.set('send', () => ({
      patch: [
        { op: 'replace', path: '/target/name', value: 'n2' },
        { op: 'add', path: '/metadata/annotations', value: { sent: 'there' } },
      ],
    }));
    await api.json('POST', `${PODS}/p/binding`, { body: binding('n1') });
    expect(asked[0]?.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'Binding' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: 'binding',
      operation: 'CREATE',
      object: { apiVersion: 'v1', kind: 'Binding', ...binding('n1') },
      oldObject: null,
    });
    const bound = await api.json<Pod>('GET', `${PODS}/p`);
    expect(bound.spec.nodeName).toBe('n2');
    expect(bound.metadata.annotations).toMatchObject({ sent: 'there' });
  });

  test('by the old path is a resource of its own', async () => {
    const api = fresh();
    await api.json('POST', PODS, { body: pod('p') });
    await configureWebhook(api, 'validating', 'old', on('bindings', 'CREATE'));
    hooks.set('old', () => ({ allowed: false, status: { message: 'by name only' } }));
    expect(await api.refusal('POST', '/api/v1/namespaces/default/bindings', { body: binding('n1') })).toMatchObject({
      message: 'admission webhook "old.example.com" denied the request: by name only',
    });
    expect(asked[0]?.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'Binding' },
      resource: { group: '', version: 'v1', resource: 'bindings' },
      name: 'p',
    });
    expect(asked[0]?.request.subResource).toBeUndefined();
    await api.json('POST', `${PODS}/p/binding`, { body: binding('n1') });
  });
});

test('a TokenRequest is seen as it was sent by who may change it, and as it is granted by who may only refuse', async () => {
  const api = fresh();
  const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
  await configureWebhook(api, 'mutating', 'short', on('serviceaccounts/token', 'CREATE'));
  await configureWebhook(api, 'validating', 'see', on('serviceaccounts/token', 'CREATE'));
  hooks.set('short', ({ object }) =>
    (object as { spec?: { expirationSeconds?: number } }).spec?.expirationSeconds === undefined
      ? { patch: [{ op: 'add', path: '/spec/expirationSeconds', value: 700 }] }
      : {},
  );
  hooks.set('see', ({ object }) =>
    (object as { spec?: { expirationSeconds?: number } }).spec?.expirationSeconds === 9000
      ? { allowed: false, status: { message: 'too long' } }
      : {},
  );
  const granted = await api.json<KubeObject & { spec: object; status: { token: string } }>('POST', path, {
    body: { spec: {} },
  });
  expect(granted.spec).toEqual({ audiences: [API_AUDIENCE], expirationSeconds: 700 });
  expect(asked.map(({ hook, request }) => [hook, (request.object as { spec?: object }).spec])).toEqual([
    ['short', {}],
    ['see', { audiences: [API_AUDIENCE], expirationSeconds: 700 }],
  ]);
  expect(asked[1]?.request).toMatchObject({
    kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
    resource: { group: '', version: 'v1', resource: 'serviceaccounts' },
    subResource: 'token',
    name: 'default',
    namespace: 'default',
    operation: 'CREATE',
  });
  expect(await api.code('GET', PODS, { token: granted.status.token })).toBe(403);
  expect(await api.refusal('POST', path, { body: { spec: { expirationSeconds: 9000 } } })).toMatchObject({
    http: 400,
    message: 'admission webhook "see.example.com" denied the request: too long',
  });
});

describe('a review', () => {
  const REVIEWS = '/apis/authorization.k8s.io/v1';
  const question = { resourceAttributes: { namespace: 'nowhere', verb: 'get', resource: 'pods' } };

  test('is shown to webhooks and policies before it is answered, and stored nowhere', async () => {
    const api = fresh();
    await configureWebhook(api, 'mutating', 'asks', on('selfsubjectaccessreviews', 'CREATE'));
    hooks.set('asks', () => ({ patch: [{ op: 'replace', path: '/spec/resourceAttributes/verb', value: 'list' }] }));
    const revision = async () => (await api.json<KubeObject>('GET', '/api/v1/pods')).metadata.resourceVersion;
    const before = await revision();
    const path = `${REVIEWS}/selfsubjectaccessreviews`;
    const review = await api.json<KubeObject>('POST', path, { body: { spec: question } });
    expect(review).toMatchObject({ spec: { resourceAttributes: { verb: 'list' } }, status: { allowed: true } });
    expect(asked[0]?.request).toMatchObject({
      kind: { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectAccessReview' },
      operation: 'CREATE',
      object: { spec: { resourceAttributes: { verb: 'get' } } },
    });
    expect(await revision()).toBe(before);
    await policy(api, 'authorization.k8s.io v1 selfsubjectaccessreviews', 'CREATE', 'false');
    expect(await api.refusal('POST', path, { body: { spec: question } })).toMatchObject({ http: 422 });
  });

  test('of a namespace that is not there is answered', async () => {
    const path = `${REVIEWS}/namespaces/nowhere/localsubjectaccessreviews`;
    const spec = { ...question, user: 'somebody' };
    expect(await fresh().json('POST', path, { body: { spec } })).toMatchObject({ status: { allowed: false } });
  });
});
