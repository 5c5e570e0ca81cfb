/** Admission webhooks over the whole Worker, with the webhook's side of `fetch` played by the test. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MutatingWebhook } from '../../shared/api/admissionregistration.ts';
import type { ConfigMap } from '../../shared/api/core.ts';
import type { AdmissionRequest } from '../../worker/admission/request.ts';
import { TestApi } from './support/api.ts';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = { 'content-type': 'application/merge-patch+json' };

interface Answer {
  allowed?: boolean;
  patch?: unknown[];
  status?: object;
  warnings?: string[];
  /** In place of a review. */
  raw?: string;
  code?: number;
}
type Hook = (request: AdmissionRequest) => Answer | Promise<Answer>;

/** By host. */
const hooks = new Map<string, Hook>();
const asked: { host: string; url: string; request: AdmissionRequest }[] = [];

beforeEach(() => {
  hooks.clear();
  asked.length = 0;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = new URL(String(input));
    const review = JSON.parse(String(init?.body)) as { apiVersion: string; kind: string; request: AdmissionRequest };
    expect(review).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
    const { request } = review;
    asked.push({ host: url.hostname, url: url.href, request });
    const hook = hooks.get(url.hostname);
    if (hook === undefined) throw new TypeError('connection refused');
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    });
    const { raw, code = 200, patch, allowed = true, ...rest } = await Promise.race([hook(request), aborted]);
    if (raw !== undefined) return new Response(raw, { status: code });
    const change = patch === undefined ? {} : { patchType: 'JSONPatch', patch: btoa(JSON.stringify(patch)) };
    const response = { uid: request.uid, allowed, ...rest, ...change };
    return Response.json({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
  });
});
afterEach(() => vi.restoreAllMocks());

const rule = (operations = ['CREATE', 'UPDATE'], resources = ['configmaps']) => ({
  operations,
  apiGroups: ['*'],
  apiVersions: ['*'],
  resources,
});

const webhook = (name: string, more: Partial<MutatingWebhook> = {}): MutatingWebhook => ({
  name: `${name}.example.com`,
  clientConfig: { url: `https://${name}.example.com/judge` },
  rules: [rule()],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});

async function configure(api: TestApi, type: 'mutating' | 'validating', ...webhooks: MutatingWebhook[]): Promise<void> {
  const body = { metadata: { name: `${type}-hooks` }, webhooks };
  await api.json('POST', `${CONFIGURATIONS}/${type}webhookconfigurations`, { body });
}

let clusters = 0;
const fresh = () => new TestApi(`webhooks-${clusters++}`);
const configMap = (name: string, data: Record<string, string> = {}) => ({ metadata: { name }, data });

describe('a validating webhook', () => {
  test('sees what will be stored, and its refusal is the answer', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('deny'));
    hooks.set('deny.example.com', ({ object }) =>
      (object as unknown as ConfigMap).data?.bad
        ? { allowed: false, status: { code: 418, message: 'bad data', reason: 'Teapot' }, warnings: ['mind this'] }
        : {},
    );
    const made = await api.json<ConfigMap>('POST', CONFIG_MAPS, { body: configMap('fine', { good: '1' }) });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      url: 'https://deny.example.com/judge?timeout=10s',
      request: {
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        name: 'fine',
        namespace: 'default',
        operation: 'CREATE',
        userInfo: { username: 'kubernetes-admin' },
        object: { metadata: { name: 'fine', uid: made.metadata.uid }, data: { good: '1' } },
        oldObject: null,
        dryRun: false,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      },
    });
    const refused = await api.refusal('POST', CONFIG_MAPS, { body: configMap('foul', { bad: '1' }) });
    expect(refused).toMatchObject({
      http: 418,
      reason: 'Teapot',
      message: 'admission webhook "deny.example.com" denied the request: bad data',
    });
    expect(await api.code('GET', `${CONFIG_MAPS}/foul`)).toBe(404);
  });

  test('that does not explain itself is 400, and its warnings reach the client of a write that passes', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('terse'));
    hooks.set('terse.example.com', ({ name }) => (name === 'no' ? { allowed: false } : { warnings: ['mind this'] }));
    const refused = await api.refusal('POST', CONFIG_MAPS, { body: configMap('no') });
    expect(refused).toMatchObject({
      http: 400,
      message: 'admission webhook "terse.example.com" denied the request without explanation',
    });
    const passed = await api.fetch('POST', CONFIG_MAPS, { body: configMap('yes') });
    expect(passed.status).toBe(201);
    expect(passed.headers.get('warning')).toBe('299 - "mind this"');
    await passed.arrayBuffer();
  });

  test('guards updates, patches, applies and deletions, one at a time or many', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('guard', { rules: [rule(['UPDATE', 'DELETE'])] }));
    hooks.set('guard.example.com', ({ oldObject }) =>
      (oldObject as unknown as ConfigMap).data?.kept === 'yes' ? { allowed: false } : {},
    );
    await api.json('POST', CONFIG_MAPS, { body: configMap('kept', { kept: 'yes' }) });
    await api.json('POST', CONFIG_MAPS, { body: configMap('loose') });
    expect(asked).toHaveLength(0);
    const change = { data: { more: 'x' } };
    const apply = { ...change, apiVersion: 'v1', kind: 'ConfigMap' };
    expect(await api.code('PATCH', `${CONFIG_MAPS}/kept`, { body: change, headers: MERGE })).toBe(400);
    expect(
      await api.code('PATCH', `${CONFIG_MAPS}/kept?fieldManager=me&force=true`, {
        body: apply,
        headers: { 'content-type': 'application/apply-patch+yaml' },
      }),
    ).toBe(400);
    expect(await api.code('PUT', `${CONFIG_MAPS}/kept`, { body: configMap('kept') })).toBe(400);
    expect(await api.code('DELETE', `${CONFIG_MAPS}/kept`)).toBe(400);
    expect(await api.code('DELETE', CONFIG_MAPS)).toBe(400);
    expect(await api.code('GET', `${CONFIG_MAPS}/loose`)).toBe(200);
    expect(asked.map(({ request }) => request.operation)).toEqual(
      expect.arrayContaining(['UPDATE', 'UPDATE', 'UPDATE', 'DELETE']),
    );
    await api.json('PUT', `${CONFIG_MAPS}/loose`, { body: configMap('loose', { a: 'b' }) });
    expect(await api.code('DELETE', `${CONFIG_MAPS}/loose`)).toBe(200);
  });

  test('that cannot be reached fails the write, or is passed over where that is its policy', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('absent', { objectSelector: { matchLabels: { strict: 'yes' } } }));
    const refused = await api.refusal('POST', CONFIG_MAPS, {
      body: { metadata: { name: 'a', labels: { strict: 'yes' } } },
    });
    expect(refused).toMatchObject({
      http: 500,
      reason: 'InternalError',
      message:
        'Internal error occurred: failed calling webhook "absent.example.com": failed to call webhook: Post "https://absent.example.com/judge?timeout=10s": connection refused',
    });
    await api.json('POST', CONFIG_MAPS, { body: { metadata: { name: 'b' } } });
    const other = fresh();
    await configure(other, 'validating', webhook('absent', { failurePolicy: 'Ignore' }));
    await other.json('POST', CONFIG_MAPS, { body: configMap('c') });
    expect(asked).toHaveLength(2);
  });

  test('has as long as it says', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('slow', { timeoutSeconds: 1 }));
    hooks.set('slow.example.com', () => new Promise(() => {}));
    const { message } = await api.refusal('POST', CONFIG_MAPS, { body: configMap('a') });
    expect(message).toContain('failed calling webhook "slow.example.com"');
    expect(message).toContain('judge?timeout=1s": context deadline exceeded');
  });

  test.each<[string, Answer, string]>([
    ['that is no JSON', { raw: 'Hello' }, "couldn't get version/kind; json parse error"],
    ['without a response', { raw: '{}' }, 'received invalid webhook response: webhook response was absent'],
    [
      'to something else',
      { raw: '{"response":{"uid":"x"}}' },
      'received invalid webhook response: expected response.uid=',
    ],
    [
      'that is an error',
      { raw: 'boom', code: 500 },
      'an error on the server ("boom") has prevented the request from succeeding',
    ],
  ])('with an answer %s has failed', async (_, answer, text) => {
    const api = fresh();
    await configure(api, 'validating', webhook('odd'));
    hooks.set('odd.example.com', () => answer);
    expect((await api.refusal('POST', CONFIG_MAPS, { body: configMap('a') })).message).toContain(text);
  });

  test('is asked anew when what it judged has changed meanwhile', async () => {
    const api = fresh();
    await api.json('POST', CONFIG_MAPS, { body: configMap('a', { count: '1' }) });
    await configure(
      api,
      'validating',
      webhook('late', { matchConditions: [{ name: 'no-aside', expression: '!has(object.data.aside)' }] }),
    );
    hooks.set('late.example.com', async () => {
      if (asked.length === 1)
        await api.json('PATCH', `${CONFIG_MAPS}/a`, { body: { data: { aside: 'x' } }, headers: MERGE });
      return {};
    });
    const patched = await api.json<ConfigMap>('PATCH', `${CONFIG_MAPS}/a`, {
      body: { data: { aside: null, mine: 'y' } },
      headers: MERGE,
    });
    expect(patched.data).toEqual({ count: '1', mine: 'y' });
    expect(asked).toHaveLength(2);
    expect(asked.map(({ request }) => (request.oldObject as unknown as ConfigMap).data)).toEqual([
      { count: '1' },
      { count: '1', aside: 'x' },
    ]);
  });

  test('is told of a dry run, and matches by its conditions', async () => {
    const api = fresh();
    const matchConditions = [{ name: 'not-left-out', expression: "!object.metadata.name.startsWith('skip')" }];
    await configure(api, 'validating', webhook('dry', { matchConditions }));
    hooks.set('dry.example.com', () => ({}));
    await api.json('POST', `${CONFIG_MAPS}?dryRun=All`, { body: configMap('a') });
    expect(asked.map(({ request }) => request.dryRun)).toEqual([true]);
    await api.json('POST', CONFIG_MAPS, { body: configMap('skip-me') });
    expect(asked).toHaveLength(1);
  });

  test('never stands in the way of its own configuration', async () => {
    const api = fresh();
    await configure(api, 'validating', webhook('all', { rules: [rule(['*'], ['*'])] }));
    hooks.set('all.example.com', () => ({ allowed: false }));
    expect(await api.code('POST', CONFIG_MAPS, { body: configMap('a') })).toBe(400);
    expect(await api.code('DELETE', `${CONFIGURATIONS}/validatingwebhookconfigurations/validating-hooks`)).toBe(200);
    expect(await api.code('POST', CONFIG_MAPS, { body: configMap('a') })).toBe(201);
  });
});

describe('a mutating webhook', () => {
  test('changes what is stored, before it is judged by others, but not its name', async () => {
    const api = fresh();
    await configure(api, 'mutating', webhook('add'));
    await configure(api, 'validating', webhook('look'));
    hooks.set('add.example.com', () => ({
      patch: [
        { op: 'add', path: '/data/added', value: 'yes' },
        { op: 'replace', path: '/metadata/name', value: 'other' },
        { op: 'add', path: '/nonsense', value: 1 },
      ],
    }));
    hooks.set('look.example.com', () => ({}));
    const made = await api.json<ConfigMap>('POST', CONFIG_MAPS, { body: configMap('a', { own: '1' }) });
    expect(made).toMatchObject({ metadata: { name: 'a' }, data: { own: '1', added: 'yes' } });
    expect(made).not.toHaveProperty('nonsense');
    expect(asked.map(({ host }) => host)).toEqual(['add.example.com', 'look.example.com']);
    expect(asked[1]?.request.object).toMatchObject({ data: { added: 'yes' } });
    expect(await api.json('GET', `${CONFIG_MAPS}/a`)).toEqual(made);
  });

  test('comes after those before it, and again after others have changed something, if it asks for that', async () => {
    const api = fresh();
    await configure(api, 'mutating', webhook('first', { reinvocationPolicy: 'IfNeeded' }), webhook('second'));
    hooks.set('first.example.com', ({ object }) => ({
      patch: [
        {
          op: 'add',
          path: '/data/first',
          value: Object.keys((object as unknown as ConfigMap).data ?? {})
            .sort()
            .join(),
        },
      ],
    }));
    hooks.set('second.example.com', () => ({ patch: [{ op: 'add', path: '/data/second', value: 'yes' }] }));
    const made = await api.json<ConfigMap>('POST', CONFIG_MAPS, { body: configMap('a', { own: '1' }) });
    expect(asked.map(({ host }) => host.split('.')[0])).toEqual(['first', 'second', 'first']);
    expect(made.data).toEqual({ own: '1', first: 'first,own,second', second: 'yes' });
  });

  test('whose patch does not apply has failed; one without a type is no patch', async () => {
    const api = fresh();
    await configure(api, 'mutating', webhook('wrong'));
    hooks.set('wrong.example.com', () => ({ patch: [{ op: 'remove', path: '/data/absent' }] }));
    expect(await api.code('POST', CONFIG_MAPS, { body: configMap('a') })).toBe(500);
    hooks.set('wrong.example.com', ({ uid }) => ({
      raw: JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid, allowed: true, patch: btoa('[]') },
      }),
    }));
    expect((await api.refusal('POST', CONFIG_MAPS, { body: configMap('a') })).message).toContain(
      'webhook returned response.patch but not response.patchType',
    );
  });

  test('changes what an update makes of an object, and what one of its status says', async () => {
    const api = fresh();
    await configure(
      api,
      'mutating',
      webhook('mark', { rules: [rule(['UPDATE'], ['configmaps', 'namespaces/status'])] }),
    );
    hooks.set('mark.example.com', ({ subResource }) => ({
      patch: [
        subResource === 'status'
          ? { op: 'add', path: '/status/conditions', value: [{ type: 'Seen', status: 'True' }] }
          : { op: 'add', path: '/data/added', value: 'yes' },
      ],
    }));
    await api.json('POST', CONFIG_MAPS, { body: configMap('a', { own: '1' }) });
    const put = await api.json<ConfigMap>('PUT', `${CONFIG_MAPS}/a`, { body: configMap('a', { own: '2' }) });
    expect(put.data).toEqual({ own: '2', added: 'yes' });
    const path = '/api/v1/namespaces/default/status';
    const status = await api.json('PATCH', path, { body: { status: { phase: 'Active' } }, headers: MERGE });
    expect(status).toMatchObject({ status: { phase: 'Active', conditions: [{ type: 'Seen' }] } });
  });

  test('changes pods before they get their defaults', async () => {
    const api = fresh();
    await configure(api, 'mutating', webhook('sidecar', { rules: [rule(['CREATE'], ['pods'])] }));
    hooks.set('sidecar.example.com', () => ({
      patch: [{ op: 'add', path: '/spec/initContainers', value: [{ name: 'side', image: 'side' }] }],
    }));
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'main', image: 'main' }] } };
    const made = await api.json<object>('POST', '/api/v1/namespaces/default/pods', { body: pod });
    expect(made).toMatchObject({
      spec: { initContainers: [{ name: 'side', terminationMessagePolicy: 'File', imagePullPolicy: 'Always' }] },
    });
  });
});

test('a webhook in a Service, or with authorities of its own, needs a minion, and says so', async () => {
  const api = fresh();
  const service = { namespace: 'default', name: 'hook', path: '/judge' };
  await configure(api, 'validating', webhook('inside', { clientConfig: { service } }));
  const { message } = await api.refusal('POST', CONFIG_MAPS, { body: configMap('a') });
  expect(message).toContain(
    'failed calling webhook "inside.example.com": failed to call webhook: Post "https://hook.default.svc:443/judge?timeout=10s": services "hook" not found',
  );
  const other = fresh();
  const clientConfig = { url: 'https://own.example.com/', caBundle: btoa('-----BEGIN CERTIFICATE-----') };
  await configure(other, 'validating', webhook('own', { clientConfig }));
  expect((await other.refusal('POST', CONFIG_MAPS, { body: configMap('a') })).message).toContain(
    'a caBundle is judged by a minion, and none is connected',
  );
  expect(asked).toHaveLength(0);
});
