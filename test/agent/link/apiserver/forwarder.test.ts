/** The API for pods against a real TLS server with a base path, as workers.dev has one. */
import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  createAuthority,
  issueServerCertificate,
  type KeyPair,
} from '../../../../agent/cli/control-plane/certificates.ts';
import { ApiForwarder } from '../../../../agent/link/apiserver/forwarder.ts';

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

let clusterAuthority: KeyPair;
let podAuthority: KeyPair;
let shown: KeyPair;
let server: Server;
let forwarder: ApiForwarder;
let port = 0;
let serverPort = 0;
let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;

beforeAll(async () => {
  const now = Date.now();
  clusterAuthority = await createAuthority(now);
  podAuthority = await createAuthority(now, 'pods');
  shown = await issueServerCertificate(podAuthority, ['kubernetes.default.svc', '127.0.0.1'], now);
  const own = await issueServerCertificate(clusterAuthority, ['localhost'], now);
  server = createServer({ cert: own.certificate, key: own.privateKey }, (incoming, response) =>
    handle(incoming, response),
  );
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'v5.channel.k8s.io' });
  sockets.on('connection', (socket, { url, headers }) => {
    socket.send(`${url} ${headers.authorization}`);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  serverPort = (server.address() as AddressInfo).port;
  forwarder = new ApiForwarder(
    {
      server: `https://localhost:${serverPort}/clusters/one`,
      ca: clusterAuthority.certificate,
      certificate: shown.certificate,
      privateKey: shown.privateKey,
    },
    SILENT,
  );
  port = await forwarder.listen('127.0.0.1');
});
beforeEach(() => {
  handle = (_, response) => void response.writeHead(500).end('the test has no handler');
});
afterAll(async () => {
  await forwarder?.close();
  server?.closeAllConnections();
  server?.close();
});

const options = (more: RequestOptions = {}): RequestOptions => ({
  host: '127.0.0.1',
  port,
  servername: 'kubernetes.default.svc',
  ca: podAuthority.certificate,
  agent: false,
  ...more,
});

function ask(more: RequestOptions, body?: string): Promise<{ response: IncomingMessage; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(options(more), (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => resolve({ response, text }));
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

describe('the API for pods', () => {
  test('passes a request on below the base path, with the pod’s own token and the server’s own name', async () => {
    handle = (incoming, response) => {
      const { method, url, headers } = incoming;
      response.writeHead(201, { 'content-type': 'application/json', 'audit-id': 'a' });
      incoming.setEncoding('utf8').on('data', (body: string) => {
        response.end(JSON.stringify({ method, url, host: headers.host, authorization: headers.authorization, body }));
      });
    };
    const { response, text } = await ask(
      { method: 'POST', path: '/api/v1/pods?watch=0', headers: { authorization: 'Bearer of-the-pod' } },
      '{"kind":"Pod"}',
    );
    expect(response.statusCode).toBe(201);
    expect(response.headers['audit-id']).toBe('a');
    expect(JSON.parse(text)).toEqual({
      method: 'POST',
      url: '/clusters/one/api/v1/pods?watch=0',
      host: `localhost:${serverPort}`,
      authorization: 'Bearer of-the-pod',
      body: '{"kind":"Pod"}',
    });
  });

  test('a pod without a token has none upstream', async () => {
    handle = (incoming, response) => void response.end(String(incoming.headers.authorization));
    expect((await ask({ path: '/version' })).text).toBe('undefined');
  });

  test('the head of a watch comes before its first event, and each event at once', async () => {
    let emit: (text: string) => void = () => undefined;
    handle = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      emit = (text) => response.write(text);
    };
    const sent = request(options({ path: '/api/v1/pods?watch=1' }));
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    for (const event of ['{"type":"ADDED"}\n', '{"type":"DELETED"}\n']) {
      const next = once(response.setEncoding('utf8'), 'data');
      emit(event);
      expect(await next).toEqual([event]);
    }
    sent.destroy();
  });

  test('a pod that leaves ends its watch upstream', async () => {
    const gone = Promise.withResolvers<void>();
    handle = (_, response) => {
      response.on('close', () => gone.resolve());
      response.writeHead(200).flushHeaders();
    };
    const sent = request(options({ path: '/api/v1/pods?watch=1' }));
    sent.on('error', () => undefined).end();
    await once(sent, 'response');
    sent.destroy();
    await gone.promise;
  });

  test('carries WebSockets', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/exec?command=ls`, ['v5.channel.k8s.io'], {
      ca: podAuthority.certificate,
      headers: { authorization: 'Bearer of-the-pod' },
    });
    const [greeting] = (await once(socket, 'message')) as [Buffer];
    expect(greeting.toString()).toBe('/clusters/one/exec?command=ls Bearer of-the-pod');
    expect(socket.protocol).toBe('v5.channel.k8s.io');
    const echoed = once(socket, 'message');
    socket.send(Buffer.from([0, 1, 2]));
    expect((await echoed)[0]).toEqual(Buffer.from([0, 1, 2]));
    socket.close();
    await once(socket, 'close');
  });

  test('is no proxy to other hosts', async () => {
    const { response, text } = await ask({ path: 'https://elsewhere.test/' });
    expect(response.statusCode).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ kind: 'Status', reason: 'BadRequest' });
  });

  test('is believed through the minion’s authority only', async () => {
    await expect(ask({ path: '/', ca: clusterAuthority.certificate })).rejects.toThrow(/certificate/);
  });

  test('says 503 as a Status when the cluster cannot be reached', async () => {
    const closed = createHttp().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: nobody } = closed.address() as AddressInfo;
    closed.close();
    const cut = new ApiForwarder(
      { server: `https://127.0.0.1:${nobody}`, certificate: shown.certificate, privateKey: shown.privateKey },
      SILENT,
    );
    const { response, text } = await ask({ path: '/api', port: await cut.listen('127.0.0.1') });
    expect(response.statusCode).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable' });
    await cut.close();
  });
});
