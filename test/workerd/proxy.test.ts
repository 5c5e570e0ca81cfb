/** `pods/proxy`, `services/proxy` and `nodes/proxy` through the whole Worker, to a minion whose end a test plays. */
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import type { HttpHeader, StreamHeader } from '../../shared/tunnel/kinds.ts';
import { encodeMessage, MessageReader } from '../../shared/tunnel/messages.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import { TestApi } from './support/api.ts';
import { dataSocket } from './support/data-socket.ts';
import { ScriptedMinion } from './support/scripted-minion.ts';

let count = 0;
const PODS = '/api/v1/namespaces/default/pods';

/** Answers with what it was asked, as JSON; keeps the headers of streams. */
function echo(asked: HttpHeader[]): (stream: TunnelStream, header: StreamHeader) => StreamEvents {
  return (stream, header) => {
    const http = header as HttpHeader;
    asked.push(http);
    let body = '';
    const finish = () => {
      const { method, path, address, port } = http;
      const bytes = new TextEncoder().encode(JSON.stringify({ method, path, address, port, body }));
      stream.head({
        ok: true,
        http: { status: 200, statusText: 'OK', headers: [['content-type', 'application/json']] },
      });
      stream.write(0, bytes);
      stream.end(0);
      stream.close();
    };
    if (!http.body) queueMicrotask(finish);
    return {
      data: (_, bytes) => {
        body += new TextDecoder().decode(bytes);
        stream.consumed(bytes.length);
      },
      end: finish,
      close: () => undefined,
    };
  };
}

async function world(handler?: (stream: TunnelStream, header: StreamHeader) => StreamEvents) {
  const api = new TestApi(`proxy-${count++}`);
  const minion = await ScriptedMinion.joined(api, 'm1');
  const asked: HttpHeader[] = [];
  await dataSocket(api, 'm1', handler ?? echo(asked));
  const spec = { nodeName: 'm1', containers: [{ name: 'main', image: 'nginx', ports: [{ containerPort: 8080 }] }] };
  const metadata = { name: 'web', labels: { app: 'web' } };
  const pod = await api.json<Pod>('POST', PODS, { body: { apiVersion: 'v1', kind: 'Pod', metadata, spec } });
  const conditions = [{ type: 'Ready', status: 'True' as const }];
  const status = { phase: 'Running' as const, podIP: '10.244.0.7', podIPs: [{ ip: '10.244.0.7' }], conditions };
  const { name, namespace = '', uid } = pod.metadata;
  await minion.report({ pods: [{ name, namespace, uid, status }] });
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports },
  };
  await api.json('POST', '/api/v1/namespaces/default/services', { body: service });
  return { api, asked };
}

const errorOf = async (response: Response) => {
  const { reason, message } = (await response.json()) as { reason: string; message: string };
  return { code: response.status, reason, message };
};

describe('pods/proxy', () => {
  test('carries method, path, query and body, to the first port that the pod declares', async () => {
    const { api, asked } = await world();
    const response = await api.fetch('POST', `${PODS}/web/proxy/a/b%20c?x=1&x=2`, {
      headers: { 'x-own': 'kept' },
      body: { hello: 1 },
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      method: 'POST',
      path: '/a/b%20c?x=1&x=2',
      address: '10.244.0.7',
      port: 8080,
      body: '{"hello":1}',
    });
    const names = asked[0]?.headers.map(([name]) => name) ?? [];
    expect(names).toContain('x-own');
    // The client's token is for the API alone.
    expect(names).not.toContain('authorization');
  });

  test.each([
    ['web:9090', { port: 9090 }, undefined],
    ['http:web:9090', { port: 9090 }, undefined],
    ['https:web:8443', { port: 8443 }, true],
    ['http:web:', { port: 8080 }, undefined],
  ])('reads %s', async (name, port, tls) => {
    const { api, asked } = await world();
    expect(await api.json('GET', `${PODS}/${name}/proxy/`)).toMatchObject(port);
    expect(asked[0]?.tls).toBe(tls);
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS'])('carries %s', async (method) => {
    const { api } = await world();
    expect(await (await api.fetch(method, `${PODS}/web/proxy/some/path`)).json()).toMatchObject({ method });
  });

  test('sends a browser to the path with a slash', async () => {
    const { api } = await world();
    const response = await api.fetch('GET', `${PODS}/web/proxy?q=1`);
    expect(response.status).toBe(301);
    expect(response.headers.get('location')).toMatch(/\/api\/v1\/namespaces\/default\/pods\/web\/proxy\/\?q=1$/);
  });

  test('refuses names that are none, pods that are not there, and pods without an address', async () => {
    const { api } = await world();
    expect(await errorOf(await api.fetch('GET', `${PODS}/ftp:web:80/proxy/`))).toEqual({
      code: 400,
      reason: 'BadRequest',
      message: 'invalid pod request "ftp:web:80"',
    });
    expect(await errorOf(await api.fetch('GET', `${PODS}/nobody/proxy/`))).toMatchObject({
      code: 404,
      message: 'pods "nobody" not found',
    });
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'new' },
      spec: { containers: [{ name: 'c', image: 'i' }], nodeSelector: { no: 'where' } },
    };
    await api.json('POST', PODS, { body });
    expect(await errorOf(await api.fetch('GET', `${PODS}/new/proxy/`))).toMatchObject({
      code: 400,
      message: 'address not allowed',
    });
  });

  test('says as upstream that nobody answers', async () => {
    const { api } = await world((stream) => {
      queueMicrotask(() => {
        const message = 'cannot reach 10.244.0.7:8080: connect ECONNREFUSED';
        stream.head({
          ok: false,
          status: {
            kind: 'Status',
            apiVersion: 'v1',
            metadata: {},
            status: 'Failure',
            reason: 'ServiceUnavailable',
            message,
            code: 503,
          },
        });
        stream.close();
      });
      return { data: () => undefined, close: () => undefined };
    });
    expect(await errorOf(await api.fetch('GET', `${PODS}/web/proxy/`))).toEqual({
      code: 503,
      reason: 'ServiceUnavailable',
      message: 'error trying to reach service: cannot reach 10.244.0.7:8080: connect ECONNREFUSED',
    });
  });

  test('leads redirects of the pod below the proxy', async () => {
    const { api } = await world((stream) => {
      queueMicrotask(() => {
        stream.head({ ok: true, http: { status: 302, statusText: 'Found', headers: [['location', '/login?next=1']] } });
        stream.end(0);
        stream.close();
      });
      return { data: () => undefined, close: () => undefined };
    });
    const response = await api.fetch('GET', `${PODS}/web/proxy/private`);
    expect(response.headers.get('location')).toMatch(/\/pods\/web\/proxy\/login\?next=1$/);
  });

  test('carries WebSockets', async () => {
    const { api } = await world((stream) => {
      const reader = new MessageReader();
      const headers: [string, string][] = [['sec-websocket-protocol', 'chat']];
      queueMicrotask(() =>
        stream.head({ ok: true, http: { status: 101, statusText: 'Switching Protocols', headers } }),
      );
      return {
        data: (_, bytes) => {
          for (const message of reader.push(bytes)) {
            if (message.type === 'text')
              stream.write(0, encodeMessage({ type: 'text', text: `you said ${message.text}` }));
          }
          stream.consumed(bytes.length);
        },
        close: () => undefined,
      };
    });
    const response = await api.fetch('GET', `${PODS}/web/proxy/socket`, {
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'chat' },
    });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`no socket: ${response.status}`);
    const answer = new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)));
    socket.accept();
    socket.send('hello');
    expect(await answer).toBe('you said hello');
    expect(response.headers.get('sec-websocket-protocol')).toBe('chat');
    socket.close();
  });

  test('needs the verb on pods/proxy', async () => {
    const { api } = await world();
    const rules = [{ apiGroups: [''], resources: ['pods/proxy'], verbs: ['get'] }];
    const meta = { name: 'reader', namespace: 'default' };
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await api.json('POST', `${rbac}/roles`, { body: { apiVersion, kind: 'Role', metadata: meta, rules } });
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' };
    await api.json('POST', `${rbac}/rolebindings`, {
      body: { apiVersion, kind: 'RoleBinding', metadata: meta, subjects, roleRef },
    });
    const headers = { 'Impersonate-User': 'ann' };
    expect((await api.fetch('GET', `${PODS}/web/proxy/`, { headers })).status).toBe(200);
    expect(await errorOf(await api.fetch('POST', `${PODS}/web/proxy/`, { headers }))).toMatchObject({
      code: 403,
      message:
        'pods "web" is forbidden: User "ann" cannot create resource "pods/proxy" in API group "" in the namespace "default"',
    });
  });
});

describe('services/proxy', () => {
  const SERVICES = '/api/v1/namespaces/default/services';

  test.each(['web:http', 'web:80', 'http:web:http'])('%s leads to a ready endpoint', async (name) => {
    const { api } = await world();
    expect(await api.json('GET', `${SERVICES}/${name}/proxy/x`)).toMatchObject({
      address: '10.244.0.7',
      port: 8080,
      path: '/x',
    });
  });

  test.each([
    ['web:81', 'no service port 81 found for service "web"'],
    ['web:other', 'no endpoints available for service "web:other"'],
  ])('%s is refused', async (name, message) => {
    const { api } = await world();
    expect(await errorOf(await api.fetch('GET', `${SERVICES}/${name}/proxy/`))).toEqual({
      code: 503,
      reason: 'ServiceUnavailable',
      message,
    });
  });
});

describe('nodes/proxy', () => {
  test('leads to the minion itself, and to no other port of its machine', async () => {
    const { api, asked } = await world();
    await api.json('GET', '/api/v1/nodes/m1/proxy/stats/summary');
    await api.json('GET', '/api/v1/nodes/m1:10250/proxy/healthz');
    expect(asked.map(({ to, path }) => ({ to, path }))).toEqual([
      { to: 'kubelet', path: '/stats/summary' },
      { to: 'kubelet', path: '/healthz' },
    ]);
    expect(await errorOf(await api.fetch('GET', '/api/v1/nodes/m1:22/proxy/'))).toMatchObject({ code: 400 });
    expect(await errorOf(await api.fetch('GET', '/api/v1/nodes/nobody/proxy/healthz'))).toMatchObject({ code: 404 });
  });
});
