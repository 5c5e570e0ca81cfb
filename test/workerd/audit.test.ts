/** The audit trail of requests, as the Worker writes it to its console. */
import { createExecutionContext } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AuditEvent } from '../../shared/api/audit.ts';
import { adminClaims } from '../../worker/http/tokens.ts';
import worker from '../../worker/index.ts';
import { eventually } from '../support/eventually.ts';
import { bindings, HOST, tokenOf } from './support/api.ts';

const CLUSTER = 'audited';
const PATH = '/api/v1/namespaces/default/configmaps';
const rules = (...given: object[]) => JSON.stringify({ kind: 'Policy', apiVersion: 'audit.k8s.io/v1', rules: given });

const events: AuditEvent[] = [];
const written: string[] = [];
beforeEach(() => {
  events.length = 0;
  written.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => {
    written.push(line);
    if (line.startsWith('{"kind":"Event","apiVersion":"audit.k8s.io/v1",')) events.push(JSON.parse(line) as AuditEvent);
  });
});
afterEach(() => vi.restoreAllMocks());

interface Ask {
  policy?: string;
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
  /** As workerd says it. */
  clientIp?: string;
}

async function fetchWorker(method: string, path: string, ask: Ask = {}): Promise<Response> {
  const token = ask.token ?? (await tokenOf(adminClaims(CLUSTER)));
  const request = new Request(`${HOST}/clusters/${CLUSTER}${path}`, {
    method,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
      'user-agent': 'probe/1.0',
      ...ask.headers,
    },
    ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
    ...(ask.clientIp === undefined ? {} : { cf: { clientIp: ask.clientIp } }),
  });
  const env = ask.policy === undefined ? bindings : { ...bindings, AUDIT_POLICY: ask.policy };
  return worker.fetch(request as Parameters<typeof worker.fetch>[0], env, createExecutionContext());
}

/** The answer read to its end, as a client would. */
async function call(method: string, path: string, ask: Ask = {}): Promise<{ response: Response; text: string }> {
  const response = await fetchWorker(method, path, ask);
  return { response, text: await response.text() };
}

const stages = () => events.map(({ stage }) => stage);
const map = (name: string) => ({ metadata: { name }, data: { key: 'value' } });

describe('the audit log', () => {
  test('is not there without a policy', async () => {
    const { response } = await call('GET', PATH, { headers: { 'x-longshore-audit': 'wanted' } });
    expect(written).toEqual([]);
    expect(response.headers.get('x-longshore-audit')).toBeNull();
  });

  test('tells who did what to which object, and what came of it', async () => {
    const { response } = await call('POST', PATH, {
      policy: rules({ level: 'Metadata' }),
      body: map('made'),
      headers: { 'audit-id': 'chosen-by-client', 'x-forwarded-for': '192.0.2.1, 192.0.2.2' },
    });
    expect([response.status, response.headers.get('audit-id')]).toEqual([201, 'chosen-by-client']);
    expect(response.headers.get('x-longshore-audit')).toBeNull();
    expect(stages()).toEqual(['RequestReceived', 'ResponseComplete']);
    expect(events[1]).toMatchObject({
      level: 'Metadata',
      auditID: 'chosen-by-client',
      requestURI: `/clusters/${CLUSTER}${PATH}`,
      verb: 'create',
      user: { username: 'kubernetes-admin', groups: expect.arrayContaining(['system:masters']) },
      sourceIPs: ['192.0.2.1', '192.0.2.2'],
      userAgent: 'probe/1.0',
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'made', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      annotations: {
        'authorization.k8s.io/decision': 'allow',
        'authorization.k8s.io/reason': '',
        'longshore.dev/cluster': CLUSTER,
      },
    });
    expect(events[1]).not.toHaveProperty('requestObject');
    expect(events[1]?.stageTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test.each([
    ['192.0.2.1:50416', '192.0.2.1'],
    ['[2001:db8::1]:50416', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
  ])('has the address of %s', async (clientIp, expected) => {
    await call('GET', '/version', { policy: rules({ level: 'Metadata' }), clientIp });
    expect(events[0]?.sourceIPs).toEqual([expected]);
  });

  test('has the bodies that the level says, without managedFields where the policy says so', async () => {
    const policy = rules(
      { level: 'Request', verbs: ['update'] },
      { level: 'RequestResponse', omitManagedFields: true, omitStages: ['RequestReceived'] },
    );
    await call('POST', PATH, { policy, body: map('bodies') });
    expect(stages()).toEqual(['ResponseComplete']);
    expect(events[0]?.requestObject).toEqual(map('bodies'));
    expect(events[0]?.responseObject).toMatchObject({ kind: 'ConfigMap', data: { key: 'value' } });
    expect(events[0]?.responseObject).not.toHaveProperty('metadata.managedFields');
    await call('GET', PATH, { policy });
    expect(events[1]?.responseObject).toMatchObject({ kind: 'ConfigMapList' });
    expect(JSON.stringify(events[1])).not.toContain('managedFields');
    await call('PUT', `${PATH}/bodies`, { policy, body: map('bodies') });
    const updated = events.at(-1);
    expect(updated?.requestObject).toEqual(map('bodies'));
    expect(updated).not.toHaveProperty('responseObject');
    await call('PATCH', `${PATH}/bodies`, {
      policy,
      body: { data: { a: 'b' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(events.at(-1)?.requestObject).toEqual({ data: { a: 'b' } });
  });

  test('leaves bodies out of an event that would be too long for a line, and says so', async () => {
    const policy = rules({ level: 'RequestResponse' });
    const body = { metadata: { name: 'long' }, data: { text: 'x'.repeat(150_000) } };
    const { text } = await call('POST', PATH, { policy, body });
    expect(text.length).toBeGreaterThan(150_000);
    expect(events[1]?.annotations).toMatchObject({ 'audit.k8s.io/truncated': 'true' });
    expect(JSON.stringify(events[1]).length).toBeLessThan(10_000);
  });

  test('has what was refused: by the authorizer with its reason, before it, and by the object', async () => {
    const policy = rules({ level: 'Metadata', omitStages: ['RequestReceived'] });
    const headers = { 'impersonate-user': 'bob' };
    expect((await call('GET', PATH, { policy, headers })).response.status).toBe(403);
    expect(events[0]).toMatchObject({
      user: { username: 'kubernetes-admin' },
      impersonatedUser: { username: 'bob', groups: ['system:authenticated'] },
      responseStatus: { status: 'Failure', reason: 'Forbidden', code: 403, message: expect.stringContaining('bob') },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
    await call('GET', PATH, { policy, token: '' });
    expect(events[1]).toMatchObject({
      user: { username: 'system:anonymous' },
      responseStatus: { code: 403 },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
    await call('GET', `${PATH}/none`, { policy });
    expect(events[2]).toMatchObject({
      responseStatus: { reason: 'NotFound', message: 'configmaps "none" not found', code: 404 },
      annotations: { 'authorization.k8s.io/decision': 'allow' },
    });
  });

  test('has who could not say who he is', async () => {
    await call('GET', PATH, { policy: rules({ level: 'Metadata' }), token: 'nonsense' });
    expect(stages()).toEqual(['ResponseStarted']);
    expect(events[0]).toMatchObject({
      user: {},
      verb: 'list',
      responseStatus: { message: 'Authentication failed, attempted: bearer', code: 401 },
    });
  });

  test('has a watch when it begins and when it ends', async () => {
    const policy = rules({ level: 'RequestResponse', omitStages: ['RequestReceived'] });
    const response = await fetchWorker('GET', `${PATH}?watch=1`, { policy });
    expect(stages()).toEqual(['ResponseStarted']);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await eventually('the end', () => events.length === 2);
    expect(stages()).toEqual(['ResponseStarted', 'ResponseComplete']);
    expect(events[1]).toMatchObject({ verb: 'watch', responseStatus: { code: 200 } });
    expect(events[1]).not.toHaveProperty('responseObject');
  });

  test('shows objects that came in protobuf', async () => {
    const policy = rules({ level: 'RequestResponse' });
    const accept = 'application/vnd.kubernetes.protobuf';
    await call('GET', '/api/v1/namespaces/default', { policy, headers: { accept } });
    expect(events.at(-1)?.responseObject).toMatchObject({ kind: 'Namespace', metadata: { name: 'default' } });
    await call('GET', '/api/v1/namespaces/none', { policy, headers: { accept } });
    expect(events.at(-1)?.responseStatus).toMatchObject({ reason: 'NotFound', code: 404 });
  });

  test('has nothing of what no rule matches', async () => {
    const policy = rules({ level: 'None', nonResourceURLs: ['/version', '/livez*'] }, { level: 'Metadata' });
    await call('GET', '/version', { policy });
    await call('GET', '/livez/ping', { policy });
    expect(written).toEqual([]);
    await call('GET', '/api', { policy });
    expect(events.at(-1)).toMatchObject({ verb: 'get', responseStatus: { code: 200 } });
    expect(events.at(-1)).not.toHaveProperty('objectRef');
  });

  test('serves nothing under a policy that cannot be read', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    for (const policy of ['rules: [', rules({ level: 'Everything' })]) {
      const { response, text } = await call('GET', '/version', { policy });
      expect([response.status, text]).toEqual([500, expect.stringContaining('AUDIT_POLICY is invalid: ')]);
    }
  });
});

test('an audit event says what policies and webhooks had to say, of what is refused as well', async () => {
  const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
  const matchConstraints = {
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
  };
  const spec = {
    matchConstraints,
    validations: [{ expression: "object.data.key == 'value'" }, { expression: "object.data.other != 'bad'" }],
    auditAnnotations: [{ key: 'who', valueExpression: "'made by ' + request.userInfo.username" }],
  };
  await call('POST', policies, { body: { metadata: { name: 'look' }, spec } });
  const bind = (name: string, validationActions: string[]) =>
    call('POST', `${policies.replace('policies', 'policybindings')}`, {
      body: { metadata: { name }, spec: { policyName: 'look', validationActions } },
    });
  await bind('audits', ['Audit']);
  const ask = (name: string, other: string) =>
    call('POST', PATH, {
      policy: rules({ level: 'Metadata', omitStages: ['RequestReceived'] }),
      body: { ...map(name), data: { key: 'value', other } },
    });
  const failure = {
    message: "failed expression: object.data.other != 'bad'",
    policy: 'look',
    binding: 'audits',
    expressionIndex: 1,
    validationActions: ['Audit'],
  };
  expect((await ask('seen', 'bad')).response.status).toBe(201);
  await bind('denies', ['Deny']);
  expect((await ask('refused', 'bad')).response.status).toBe(422);
  expect((await ask('fine', 'good')).response.status).toBe(201);
  expect(events.map(({ annotations }) => annotations?.['look/who'])).toEqual(Array(3).fill('made by kubernetes-admin'));
  const failures = events.map(
    ({ annotations }) => annotations?.['validation.policy.admission.k8s.io/validation_failure'],
  );
  expect(failures).toEqual([JSON.stringify([failure]), JSON.stringify([failure]), undefined]);
});
