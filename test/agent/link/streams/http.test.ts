import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createAuthority, issueServerCertificate } from '../../../../agent/cli/control-plane/certificates.ts';
import type { HttpHeader } from '../../../../shared/tunnel/kinds.ts';
import { encodeMessage, MessageReader, type SocketMessage } from '../../../../shared/tunnel/messages.ts';
import { WINDOW_BYTES } from '../../../../shared/tunnel/stream.ts';
import { eventually } from '../../../support/eventually.ts';
import { streamWorld } from '../../../support/stream-world.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serving(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const headerOf = (port: number, more: Partial<HttpHeader> = {}): HttpHeader => ({
  kind: 'http',
  address: '127.0.0.1',
  port,
  method: 'GET',
  path: '/',
  headers: [['host', 'web.example']],
  body: false,
  ...more,
});

describe('an HTTP exchange', () => {
  test('passes method, path, headers and body on, and the answer back with every header', async () => {
    const port = await serving((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (chunk: Buffer) => pieces.push(chunk));
      request.on('end', () => {
        response.writeHead(
          201,
          'Made',
          [
            ['Set-Cookie', 'a=1'],
            ['Set-Cookie', 'b=2'],
            ['X-Path', request.url ?? ''],
          ].flat(),
        );
        response.end(`${request.method} ${request.headers.host} ${Buffer.concat(pieces)}`);
      });
    });
    const world = streamWorld();
    const opened = world.open(headerOf(port, { method: 'PATCH', path: '/a?b=c', body: true }));
    opened.stream.write(0, Buffer.from('first '));
    opened.stream.write(0, Buffer.from('second'));
    opened.stream.end(0);
    const head = await opened.head();
    expect(head).toMatchObject({ ok: true, http: { status: 201, statusText: 'Made' } });
    const headers = 'http' in head ? (head.http?.headers ?? []) : [];
    expect(headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2']);
    expect(headers).toContainEqual(['X-Path', '/a?b=c']);
    expect(headers.map(([name]) => name.toLowerCase())).not.toContain('transfer-encoding');
    expect(await opened.ended()).toEqual({});
    expect(opened.text()).toBe('PATCH web.example first second');
  });

  test('streams the answer while it is being made', async () => {
    let finish: () => void = () => undefined;
    const port = await serving((_request, response) => {
      response.write('begun ');
      finish = () => response.end('done');
    });
    const opened = streamWorld().open(headerOf(port));
    await eventually('the first part', () => opened.text() === 'begun ');
    finish();
    await opened.ended();
    expect(opened.text()).toBe('begun done');
  });

  test('holds a pod back that answers faster than the client reads', async () => {
    let written = 0;
    const total = 20 * WINDOW_BYTES;
    const port = await serving((_request, response) => {
      const more = () => {
        while (written < total) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536, 120))) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const opened = streamWorld().open(headerOf(port));
    opened.reading = false;
    await eventually('the window is used up', () => opened.bytes().length >= WINDOW_BYTES - 4096);
    expect(opened.bytes().length).toBeLessThanOrEqual(WINDOW_BYTES);
    opened.reading = true;
    opened.stream.consumed(opened.bytes().length);
    await opened.ended();
    expect(opened.bytes().length).toBe(total);
  });

  test('is refused with 503 when nobody listens, and with 502 when the pod breaks off', async () => {
    const port = await serving((request) => request.socket.destroy());
    const world = streamWorld();
    expect(await world.open(headerOf(port)).head()).toMatchObject({ ok: false, status: { code: 502 } });
    expect(await world.open(headerOf(1)).head()).toMatchObject({
      ok: false,
      status: { code: 503, message: 'cannot reach 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1' },
    });
  });

  test('that breaks off in the middle ends with an error', async () => {
    const port = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    const opened = streamWorld().open(headerOf(port));
    expect(await opened.ended()).toEqual({ error: 'aborted' });
    expect(opened.text()).toBe('half');
  });

  test('is given up at the pod when the client goes', async () => {
    let gone = false;
    const port = await serving((request, response) => {
      response.write('x');
      request.socket.on('close', () => {
        gone = true;
      });
    });
    const opened = streamWorld().open(headerOf(port));
    await eventually('it begins', () => opened.text() === 'x');
    opened.stream.reset('the client went away');
    await eventually('the pod sees it', () => gone);
  });
});

describe('a WebSocket', () => {
  async function echoing(): Promise<{ port: number; closes: [number, string][]; urls: string[] }> {
    const closes: [number, string][] = [];
    const urls: string[] = [];
    const port = await serving((_request, response) => response.writeHead(426).end('only WebSockets here'));
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
    servers.at(-1)?.on('upgrade', (request, socket, rest) => {
      if (request.url === '/no') {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nX-Why: rules\r\n\r\nnever');
        return;
      }
      urls.push(`${request.headers.host} ${request.url}`);
      sockets.handleUpgrade(request, socket, rest, (client) => {
        client.on('message', (data: Buffer, isBinary) => client.send(data, { binary: isBinary }));
        client.on('close', (code, reason) => closes.push([code, reason.toString()]));
        if (request.url === '/bye') client.close(4123, 'bye');
      });
    });
    return { port, closes, urls };
  }
  const upgrade = (port: number, path = '/chat') =>
    headerOf(port, {
      path,
      upgrade: 'websocket',
      headers: [
        ['host', 'web.example'],
        ['sec-websocket-protocol', 'chat, talk'],
      ],
    });

  test('carries text, binary and long messages as they are, and the close code', async () => {
    const { port, closes, urls } = await echoing();
    const opened = streamWorld().open(upgrade(port));
    const messages: SocketMessage[] = [
      { type: 'text', text: 'grüße' },
      { type: 'binary', bytes: new Uint8Array(3 * WINDOW_BYTES).fill(9) },
      { type: 'text', text: '' },
    ];
    for (const message of messages) opened.stream.write(0, encodeMessage(message));
    const head = await opened.head();
    expect(head).toMatchObject({ ok: true, http: { status: 101 } });
    expect(JSON.stringify(head)).toContain('"chat"');
    const size = messages.reduce((sum, each) => sum + encodeMessage(each).length, 0);
    await eventually('the echo', () => opened.bytes().length === size);
    expect(new MessageReader().push(opened.bytes())).toEqual(messages);
    opened.stream.write(0, encodeMessage({ type: 'close', code: 4001, reason: 'enough' }));
    await opened.ended();
    expect(closes).toEqual([[4001, 'enough']]);
    expect(urls).toEqual(['web.example /chat']);
  });

  test('tells the client how the pod closed it', async () => {
    const { port } = await echoing();
    const opened = streamWorld().open(upgrade(port, '/bye'));
    await opened.ended();
    expect(new MessageReader().push(opened.bytes())).toEqual([{ type: 'close', code: 4123, reason: 'bye' }]);
  });

  test('that the pod does not want is answered as the pod answers', async () => {
    const { port } = await echoing();
    const opened = streamWorld().open(upgrade(port, '/no'));
    const head = await opened.head();
    expect(head).toMatchObject({ ok: true, http: { status: 403 } });
    expect(JSON.stringify(head)).toContain('rules');
    await opened.ended();
    expect(opened.text()).toBe('never');
  });

  test('to a port where nobody listens is refused', async () => {
    expect(await streamWorld().open(upgrade(1)).head()).toMatchObject({ ok: false, status: { code: 503 } });
  });
});

describe('the other ends of an exchange', () => {
  test('an address that speaks TLS is taken at its word, whoever signed for it', async () => {
    const authority = await createAuthority(Date.now());
    const { certificate, privateKey } = await issueServerCertificate(authority, ['elsewhere.test'], Date.now());
    const server = createTlsServer({ cert: certificate, key: privateKey }, (_, response) => void response.end('safe'));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const opened = streamWorld().open(headerOf(port, { tls: true }));
    expect(await opened.head()).toMatchObject({ ok: true, http: { status: 200 } });
    await opened.ended();
    expect(opened.text()).toBe('safe');
  });

  test('with authorities and a name to trust, nobody else is sent a byte', async () => {
    const authority = await createAuthority(Date.now());
    const stranger = await createAuthority(Date.now());
    const names = ['hook.default.svc'];
    const { certificate, privateKey } = await issueServerCertificate(authority, names, Date.now());
    const asked: (string | undefined)[] = [];
    const server = createTlsServer({ cert: certificate, key: privateKey }, (request, response) => {
      asked.push(request.url);
      response.end('safe');
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = (serverName: string, caBundle: string, path: string) =>
      streamWorld()
        .open(headerOf(port, { tls: true, path, trust: { serverName, caBundle } }))
        .head();
    expect(await ask('hook.default.svc', authority.certificate, '/right')).toMatchObject({ ok: true });
    expect(await ask('hook.default.svc', stranger.certificate, '/stranger')).toMatchObject({
      ok: false,
      status: { message: expect.stringMatching(/certificate|self-signed|signature/) },
    });
    expect(await ask('other.default.svc', authority.certificate, '/name')).toMatchObject({
      ok: false,
      status: { message: expect.stringContaining('other.default.svc') },
    });
    expect(asked).toEqual(['/right']);
  });

  test('the kubelet is the minion itself', async () => {
    const world = streamWorld({}, async (method, path) => ({
      status: 200,
      contentType: 'text/plain',
      body: `${method} ${path}`,
    }));
    const opened = world.open(headerOf(0, { to: 'kubelet', address: '', path: '/healthz?verbose' }));
    expect(await opened.head()).toEqual({
      ok: true,
      http: {
        status: 200,
        statusText: '',
        headers: [
          ['Content-Type', 'text/plain'],
          ['Content-Length', '20'],
        ],
      },
    });
    await opened.ended();
    expect(opened.text()).toBe('GET /healthz?verbose');
  });
});
