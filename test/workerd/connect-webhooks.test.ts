/**
 * Admission of connections (`exec`, `attach`, `portforward`, `…/proxy`) over the whole Worker, to a minion whose end the test
 * plays, as it plays the webhooks.
 */
import { describe, expect, test } from 'vitest';
import type { StreamHeader } from '../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import { eventually } from '../support/eventually.ts';
import { TestApi } from './support/api.ts';
import { dataSocket } from './support/data-socket.ts';
import { ScriptedMinion } from './support/scripted-minion.ts';
import { configureWebhook, playWebhooks } from './support/webhooks.ts';

const PODS = '/api/v1/namespaces/default/pods';
const POLICIES = '/apis/admissionregistration.k8s.io/v1';

const { hooks, asked } = playWebhooks();

/** Takes every stream, and answers HTTP with the path that it was asked for. */
const taking =
  (opened: StreamHeader[]) =>
  (stream: TunnelStream, header: StreamHeader): StreamEvents => {
    opened.push(header);
    stream.head({
      ok: true,
      ...(header.kind === 'http' ? { http: { status: 200, statusText: 'OK', headers: [] } } : {}),
    });
    if (header.kind === 'http') {
      queueMicrotask(() => {
        stream.write(0, new TextEncoder().encode(header.path));
        stream.end(0);
        stream.close();
      });
    }
    return { data: (_, bytes) => stream.consumed(bytes.length), end: () => undefined, close: () => undefined };
  };

let clusters = 0;
async function world() {
  const api = new TestApi(`connect-webhooks-${clusters++}`);
  const minion = await ScriptedMinion.joined(api, 'm1');
  const opened: StreamHeader[] = [];
  await dataSocket(api, 'm1', taking(opened));
  const containers = [
    { name: 'main', image: 'nginx' },
    { name: 'side', image: 'nginx' },
  ];
  const made = await api.json<{ metadata: { uid: string } }>('POST', PODS, {
    body: { metadata: { name: 'p' }, spec: { nodeName: 'm1', containers } },
  });
  const status = { phase: 'Running' as const, podIP: '10.244.0.7', podIPs: [{ ip: '10.244.0.7' }] };
  await minion.report({ pods: [{ name: 'p', namespace: 'default', uid: made.metadata.uid, status }] });
  return { api, opened };
}

const on = (...resources: string[]) => ({
  rules: [{ operations: ['CONNECT'], apiGroups: ['*'], apiVersions: ['*'], resources }],
});

async function connects(api: TestApi, path: string): Promise<WebSocket> {
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' };
  const response = await api.fetch('GET', path, { headers });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  socket.accept();
  return socket;
}

describe('a webhook of exec', () => {
  test('sees what is asked for, and its refusal comes before anything is looked for', async () => {
    const { api, opened } = await world();
    await configureWebhook(api, 'validating', 'deny-exec', on('pods/exec'));
    hooks.set('deny-exec', () => ({ allowed: false, status: { message: 'nobody enters' } }));
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' };
    const path = `${PODS}/p/exec?command=sh&command=-c&command=id&container=side&stdin=true&stdout=true&tty=true`;
    expect(await api.refusal('GET', path, { headers })).toMatchObject({
      http: 400,
      message: 'admission webhook "deny-exec.example.com" denied the request: nobody enters',
    });
    expect(asked.map(({ request }) => request)).toMatchObject([
      {
        kind: { group: '', version: 'v1', kind: 'PodExecOptions' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        subResource: 'exec',
        requestKind: { group: '', version: 'v1', kind: 'PodExecOptions' },
        name: 'p',
        namespace: 'default',
        operation: 'CONNECT',
        userInfo: { username: 'kubernetes-admin' },
        oldObject: null,
        dryRun: false,
      },
    ]);
    expect(asked[0]?.request.object).toEqual({
      kind: 'PodExecOptions',
      apiVersion: 'v1',
      stdin: true,
      stdout: true,
      tty: true,
      container: 'side',
      command: ['sh', '-c', 'id'],
    });
    expect(asked[0]?.request.options).toBeNull();
    expect((await api.refusal('GET', `${PODS}/nobody/exec?command=sh&stdout=1`, { headers })).message).toContain(
      'nobody enters',
    );
    // What falls back to SPDY is told the same.
    expect((await api.refusal('POST', path, { headers: { Upgrade: 'SPDY/3.1' } })).message).toContain('nobody enters');
    expect(opened).toEqual([]);
  });

  test('that cannot be reached keeps the door shut, but for those who let it be so', async () => {
    const { api, opened } = await world();
    await configureWebhook(api, 'validating', 'away', on('pods/exec'));
    const path = `${PODS}/p/exec?command=ls&container=main&stdout=true`;
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' };
    expect((await api.refusal('GET', path, { headers })).message).toContain(
      'failed calling webhook "away.example.com"',
    );
    await api.json('DELETE', `${POLICIES}/validatingwebhookconfigurations/away`);
    await configureWebhook(api, 'validating', 'away', { ...on('pods/exec'), failurePolicy: 'Ignore' });
    const socket = await connects(api, path);
    await eventually('the stream', () => opened.length === 1);
    socket.close(1000);
  });

  test('that changes the options changes what is run, and where', async () => {
    const { api, opened } = await world();
    await configureWebhook(api, 'mutating', 'wrap', on('pods/exec', 'pods/attach'));
    hooks.set('wrap', ({ subResource }) => ({
      patch: [
        { op: 'replace', path: '/container', value: 'side' },
        ...(subResource === 'exec' ? [{ op: 'replace', path: '/command', value: ['audited', 'ls'] }] : []),
      ],
    }));
    const first = await connects(api, `${PODS}/p/exec?command=ls&container=main&stdout=true`);
    await eventually('the stream', () => opened.length === 1);
    expect(opened[0]).toMatchObject({
      kind: 'exec',
      container: 'side',
      command: ['audited', 'ls'],
      stdout: true,
      tty: false,
    });
    const second = await connects(api, `${PODS}/p/attach?container=main&stdout=true`);
    await eventually('the other one', () => opened.length === 2);
    expect(opened[1]).toMatchObject({ kind: 'attach', container: 'side' });
    for (const socket of [first, second]) socket.close(1000);
    hooks.set('wrap', () => ({ patch: [{ op: 'replace', path: '/command', value: 7 }] }));
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' };
    expect(await api.refusal('GET', `${PODS}/p/exec?command=ls&container=main&stdout=true`, { headers })).toMatchObject(
      {
        http: 500,
      },
    );
    expect(opened).toHaveLength(2);
  });
});

test('attach, port-forward and proxies have options of their own', async () => {
  const { api, opened } = await world();
  await configureWebhook(
    api,
    'validating',
    'see',
    on('pods/attach', 'pods/portforward', 'pods/proxy', 'services/proxy', 'nodes/proxy'),
  );
  hooks.set('see', ({ resource, name }) =>
    resource.resource === 'pods' && name !== 'p:8080' ? { allowed: false } : {},
  );
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v4.channel.k8s.io' };
  for (const path of ['attach?container=main&stdout=1&stderr=1&tty=0', 'portforward?ports=80,443']) {
    expect(await api.refusal('GET', `${PODS}/p/${path}`, { headers })).toMatchObject({ http: 400 });
  }
  const proxied = await api.fetch('GET', `${PODS}/p:8080/proxy/a%20b/c/?q=1`);
  expect(await proxied.text()).toBe('/a%20b/c/?q=1');
  expect(await api.code('GET', '/api/v1/namespaces/default/services/https:none:/proxy/')).toBe(404);
  expect(await api.code('GET', '/api/v1/nodes/m1/proxy/healthz')).toBe(200);
  expect(
    asked.map(({ request }) => [request.resource.resource, request.subResource, request.name, request.object]),
  ).toEqual([
    [
      'pods',
      'attach',
      'p',
      { kind: 'PodAttachOptions', apiVersion: 'v1', stdout: true, stderr: true, container: 'main' },
    ],
    ['pods', 'portforward', 'p', { kind: 'PodPortForwardOptions', apiVersion: 'v1', ports: [80, 443] }],
    ['pods', 'proxy', 'p:8080', { kind: 'PodProxyOptions', apiVersion: 'v1', path: '/a b/c/' }],
    ['services', 'proxy', 'https:none:', { kind: 'ServiceProxyOptions', apiVersion: 'v1', path: '/' }],
    ['nodes', 'proxy', 'm1', { kind: 'NodeProxyOptions', apiVersion: 'v1', path: '/healthz' }],
  ]);
  expect(opened.map((each) => each.kind)).toEqual(['http', 'http']);
});

test('a policy judges connections by their options, and logs are none', async () => {
  const { api, opened } = await world();
  await api.json('POST', `${POLICIES}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: 'no-shells' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods/*'], operations: ['CONNECT'] }],
        },
        validations: [
          {
            expression: "request.subResource != 'exec' || !(object.command[0] in ['sh', 'bash'])",
            messageExpression: "'no ' + object.command[0] + ' in ' + request.name",
          },
        ],
      },
    },
  });
  await api.json('POST', `${POLICIES}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'here' }, spec: { policyName: 'no-shells', validationActions: ['Deny'] } },
  });
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' };
  const refused = await api.refusal('GET', `${PODS}/p/exec?command=sh&container=main&stdout=1`, { headers });
  expect(refused).toMatchObject({
    http: 422,
    message: `pods "p" is forbidden: ValidatingAdmissionPolicy 'no-shells' with binding 'here' denied request: no sh in p`,
  });
  const socket = await connects(api, `${PODS}/p/exec?command=ls&container=main&stdout=1`);
  await eventually('the stream', () => opened.length === 1);
  socket.close(1000);
  expect(await api.refusal('GET', `${PODS}/p/exec?command=ls&dryRun=All&stdout=1`, { headers })).toMatchObject({
    http: 400,
    message: 'dryRun is not supported',
  });
});

test('labels are not looked for where there is no metadata', async () => {
  const { api, opened } = await world();
  await configureWebhook(api, 'validating', 'labelled', {
    ...on('pods/exec'),
    objectSelector: { matchExpressions: [{ key: 'any', operator: 'DoesNotExist' }] },
  });
  const socket = await connects(api, `${PODS}/p/exec?command=ls&container=main&stdout=1`);
  await eventually('the stream', () => opened.length === 1);
  socket.close(1000);
  expect(asked).toEqual([]);
});
