/** Streams of pods and public requests through the whole Worker, to a minion whose end a test plays. */
import { runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import type { Status } from '../../shared/api/meta.ts';
import type { StreamEnd, StreamHeader } from '../../shared/tunnel/kinds.ts';
import { encodeMessage, MessageReader } from '../../shared/tunnel/messages.ts';
import type { TunnelStream } from '../../shared/tunnel/stream.ts';
import type { Env } from '../../worker/env.ts';
import { eventually } from '../support/eventually.ts';
import { TestApi } from './support/api.ts';
import { dataSocket, type StreamHandler } from './support/data-socket.ts';
import { ScriptedMinion } from './support/scripted-minion.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SUCCESS: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };

let count = 0;
async function clusterWithPod(handler: StreamHandler | undefined, containers = [{ name: 'main', image: 'nginx' }]) {
  const api = new TestApi(`streams-${count++}`);
  await ScriptedMinion.joined(api, 'm1');
  if (handler !== undefined) await dataSocket(api, 'm1', handler);
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { nodeName: 'm1', containers } };
  const pod = await api.json<Pod>('POST', '/api/v1/namespaces/default/pods', { body });
  return { api, pod };
}
const POD = '/api/v1/namespaces/default/pods/p';

/** A client's WebSocket and what came on it. */
async function upgraded(api: TestApi, path: string, protocol: string) {
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': protocol };
  const response = await api.fetch('GET', path, { headers });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  socket.binaryType = 'arraybuffer';
  const messages: (string | Uint8Array)[] = [];
  const closes: number[] = [];
  socket.addEventListener('message', ({ data }) => {
    messages.push(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
  });
  socket.addEventListener('close', ({ code }) => {
    closes.push(code);
  });
  socket.accept();
  const on = (channel: number) =>
    messages
      .filter((each): each is Uint8Array => typeof each !== 'string' && each[0] === channel)
      .map((each) => decoder.decode(each.subarray(1)))
      .join('');
  return { socket, messages, closes, on, protocol: response.headers.get('sec-websocket-protocol') };
}

/** Reads stdin to its end and says it in capitals; exits with 3. */
const shouting: StreamHandler = (stream) => {
  stream.head({ ok: true });
  return {
    data: (channel, bytes) => {
      stream.write(1, encoder.encode(decoder.decode(bytes).toUpperCase()));
      if (channel === 4) stream.write(2, bytes.slice());
      stream.consumed(bytes.length);
    },
    end: () => {
      const details = { causes: [{ reason: 'ExitCode', message: '3' }] };
      stream.close({ status: { ...SUCCESS, status: 'Failure', reason: 'NonZeroExitCode', details } });
    },
    close: () => undefined,
  };
};

describe('exec', () => {
  test('speaks v5: first an empty message, then channels, half-close, and a Status at the end', async () => {
    let asked: StreamHeader | undefined;
    const { api, pod } = await clusterWithPod((stream, header) => {
      asked = header;
      return shouting(stream, header);
    });
    const client = await upgraded(api, `${POD}/exec?command=cat&stdin=1&stdout=1&stderr=1`, 'v5.channel.k8s.io');
    expect(client.protocol).toBe('v5.channel.k8s.io');
    client.socket.send(Uint8Array.of(0, ...encoder.encode('hello')));
    await eventually('the answer', () => client.on(1) === 'HELLO');
    await api.evict();
    client.socket.send(Uint8Array.of(4, ...encoder.encode('{"Width":1,"Height":2}')));
    client.socket.send(Uint8Array.of(255, 0));
    await eventually('the end', () => client.closes.length > 0);
    expect(client.messages[0]).toEqual(Uint8Array.of(1));
    expect(client.on(2)).toBe('{"Width":1,"Height":2}');
    expect(JSON.parse(client.on(3))).toMatchObject({ reason: 'NonZeroExitCode' });
    expect(client.closes).toEqual([1000]);
    expect(asked).toEqual({
      kind: 'exec',
      namespace: 'default',
      pod: 'p',
      uid: pod.metadata.uid,
      container: 'main',
      command: ['cat'],
      stdin: true,
      stdout: true,
      stderr: true,
      tty: false,
    });
  });

  test('holds a client back that sends faster than the command reads, however much it has', async () => {
    const piece = new Uint8Array(256 * 1024 + 1);
    const pieces = 300;
    let received = 0;
    const { api } = await clusterWithPod((stream) => {
      stream.head({ ok: true });
      return {
        data: (_channel, bytes) => {
          received += bytes.length;
          stream.consumed(bytes.length);
        },
        end: () => stream.close({ status: SUCCESS }),
        close: () => undefined,
      };
    });
    const client = await upgraded(api, `${POD}/exec?command=cat&stdin=1&stdout=1`, 'v5.channel.k8s.io');
    for (let sent = 0; sent < pieces; sent++) client.socket.send(piece);
    client.socket.send(Uint8Array.of(255, 0));
    await eventually('the end', () => client.closes.length > 0, {
      describe: () => `${received} bytes, ${client.on(3)}`,
    });
    expect(JSON.parse(client.on(3))).toMatchObject({ status: 'Success' });
    expect(received).toBe(pieces * (piece.length - 1));
  }, 60_000);

  describe('whose client closes behind its last byte', () => {
    const INPUT = new Uint8Array(Array.from({ length: 1_000_000 }, (_, at) => (at * 31) % 256));
    const QUERY = 'command=cat&stdin=1&stdout=1';

    function sendAndClose(socket: WebSocket): void {
      for (let at = 0; at < INPUT.length; at += 50_000) {
        socket.send(Uint8Array.of(0, ...INPUT.subarray(at, at + 50_000)));
      }
      socket.close(1000, '');
    }

    /** What the minion was sent, taken only once `reading` is called. */
    function keeping() {
      const chunks: Uint8Array[] = [];
      const ends: StreamEnd[] = [];
      const owed: (() => void)[] = [];
      let isReading = false;
      let opened: TunnelStream | undefined;
      const handler: StreamHandler = (stream) => {
        opened = stream;
        stream.head({ ok: true });
        return {
          data: (_channel, bytes) => {
            chunks.push(bytes.slice());
            const taken = () => stream.consumed(bytes.length);
            if (isReading) taken();
            else owed.push(taken);
          },
          close: (end) => ends.push(end),
        };
      };
      return {
        handler,
        ends,
        bytes: () => chunks.reduce((sum, { length }) => sum + length, 0),
        content: async () => new Uint8Array(await new Blob(chunks).arrayBuffer()),
        reading: () => {
          isReading = true;
          for (const taken of owed.splice(0)) taken();
        },
        stream: () => opened,
      };
    }

    /** Sockets of clients' streams at the Relay of the minion. */
    function clientsOf(api: TestApi): Promise<number> {
      const { RELAY } = env as unknown as Env;
      const relay = RELAY.get(RELAY.idFromName(`${api.cluster}/m1`));
      return runInDurableObject(relay as never, (_, state) => state.getWebSockets('client').length);
    }

    test.each(['v5.channel.k8s.io', 'v4.channel.k8s.io'])('has sent all of it (%s)', async (protocol) => {
      const minion = keeping();
      minion.reading();
      const { api } = await clusterWithPod(minion.handler);
      const client = await upgraded(api, `${POD}/exec?${QUERY}`, protocol);
      sendAndClose(client.socket);
      await eventually('the close is answered', () => client.closes.length > 0);
      expect(client.closes).toEqual([1000]);
      await eventually('the end', () => minion.ends.length > 0, { describe: () => `${minion.bytes()} bytes` });
      expect(minion.ends).toEqual([{}]);
      expect(await minion.content()).toEqual(INPUT);
      await eventually('nothing is left at the Relay', async () => (await clientsOf(api)) === 0);
    });

    test('has sent all of it, however late the command reads', async () => {
      const minion = keeping();
      const { api } = await clusterWithPod(minion.handler);
      const client = await upgraded(api, `${POD}/exec?${QUERY}`, 'v5.channel.k8s.io');
      sendAndClose(client.socket);
      await eventually('the client has left', () => client.closes.length > 0);
      await eventually('the minion’s window is full', () => minion.bytes() > 200_000);
      await api.evict();
      expect(minion.ends).toEqual([]);
      minion.reading();
      await eventually('the end', () => minion.ends.length > 0, { describe: () => `${minion.bytes()} bytes` });
      expect(await minion.content()).toEqual(INPUT);
    });

    test('holds nothing any more once the command has ended, though it read nothing', async () => {
      const minion = keeping();
      const { api } = await clusterWithPod(minion.handler);
      const client = await upgraded(api, `${POD}/exec?${QUERY}`, 'v5.channel.k8s.io');
      sendAndClose(client.socket);
      await eventually('the client has left', () => client.closes.length > 0);
      await eventually('the minion’s window is full', () => minion.bytes() > 200_000);
      expect(await clientsOf(api)).toBe(1);
      minion.stream()?.close({ status: SUCCESS });
      await eventually('the stream is gone', async () => (await clientsOf(api)) === 0);
    });
  });

  test('speaks base64 to clients that ask for it', async () => {
    const { api } = await clusterWithPod(shouting);
    const client = await upgraded(api, `${POD}/exec?command=cat&stdin=1&stdout=1`, 'v4.base64.channel.k8s.io');
    client.socket.send(`0${btoa('hello')}`);
    await eventually('the answer', () => client.messages.includes(`1${btoa('HELLO')}`));
  });

  test('tells on channel 3 what the minion refused, and that a minion is not connected', async () => {
    const refusing: StreamHandler = (stream) => {
      stream.head({ ok: false, status: { ...SUCCESS, status: 'Failure', code: 400, message: 'no such container' } });
      stream.close();
      return { data: () => undefined, close: () => undefined };
    };
    for (const [handler, text] of [
      [refusing, 'no such container'],
      [undefined, 'minion m1 is not connected'],
    ] as const) {
      const { api } = await clusterWithPod(handler);
      const client = await upgraded(api, `${POD}/exec?command=ls&stdout=1`, 'v5.channel.k8s.io');
      await eventually('the end', () => client.closes.length > 0);
      expect(JSON.parse(client.on(3))).toMatchObject({ status: 'Failure', message: text });
    }
  });

  test('is refused before the upgrade, with a Status', async () => {
    const containers = ['a', 'b'].map((name) => ({ name, image: 'nginx' }));
    const { api } = await clusterWithPod(shouting, containers);
    const refusal = (query: string, method = 'GET', headers: Record<string, string> = { Upgrade: 'websocket' }) =>
      api.refusal(method, `${POD}/exec?${query}`, { headers });
    expect(await refusal('command=ls&stdout=1')).toMatchObject({
      http: 400,
      message: 'a container name must be specified for pod p, choose one of: [a b]',
    });
    expect(await refusal('command=ls&stdout=1&container=c')).toMatchObject({
      http: 400,
      message: 'container c is not valid for pod p',
    });
    expect(await refusal('stdout=1&container=a')).toMatchObject({ http: 400 });
    expect(await refusal('command=ls&stdout=1&container=a', 'POST', { Upgrade: 'SPDY/3.1' })).toMatchObject({
      http: 400,
      message: 'exec over SPDY is not supported here, only over WebSocket: use kubectl 1.30 or newer',
    });
    const missing = await api.refusal('GET', `${POD.replace('/p', '/q')}/exec?command=ls&stdout=1`);
    expect(missing).toMatchObject({ http: 404 });
    expect(await api.refusal('GET', `${POD}/exec?command=ls&stdout=1&container=a`, { token: undefined })).toMatchObject(
      {
        http: 403,
      },
    );
  });
});

describe('log', () => {
  test('is plain text, as long as it comes', async () => {
    let asked: StreamHeader | undefined;
    const { api } = await clusterWithPod((stream, header) => {
      asked = header;
      stream.head({ ok: true });
      stream.write(0, encoder.encode('one\n'));
      stream.write(0, encoder.encode('two\n'));
      stream.end(0);
      stream.close();
      return { data: () => undefined, close: () => undefined };
    });
    const response = await api.fetch('GET', `${POD}/log?tailLines=2&previous=true`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await response.text()).toBe('one\ntwo\n');
    expect(asked).toMatchObject({ kind: 'logs', container: 'main', tailLines: 2, previous: true, follow: false });
  });

  test('of a container that has none is the kubelet’s Status', async () => {
    const message = 'container "main" in pod "p" is waiting to start: ContainerCreating';
    const { api } = await clusterWithPod((stream) => {
      const status: Status = { ...SUCCESS, status: 'Failure', reason: 'BadRequest', code: 400, message };
      stream.head({ ok: false, status });
      stream.close();
      return { data: () => undefined, close: () => undefined };
    });
    expect(await api.refusal('GET', `${POD}/log`)).toMatchObject({ http: 400, reason: 'BadRequest', message });
  });

  test('of a pod on a minion that is away is 503', async () => {
    const { api } = await clusterWithPod(undefined);
    expect(await api.refusal('GET', `${POD}/log`)).toMatchObject({ http: 503, message: 'minion m1 is not connected' });
  });
});

test('port-forward carries kubectl’s bytes untouched, both ways', async () => {
  const { api } = await clusterWithPod((stream) => {
    stream.head({ ok: true });
    return {
      data: (_channel, bytes) => {
        stream.write(0, bytes.slice().reverse());
        stream.consumed(bytes.length);
      },
      close: () => undefined,
    };
  });
  const client = await upgraded(api, `${POD}/portforward`, 'SPDY/3.1+portforward.k8s.io');
  expect(client.protocol).toBe('SPDY/3.1+portforward.k8s.io');
  client.socket.send(Uint8Array.of(1, 2, 3));
  await eventually('the bytes', () => client.messages.length > 0);
  expect(client.messages).toEqual([Uint8Array.of(3, 2, 1)]);
});

test('port-forward ends when its client breaks the protocol, and the minion hears of it', async () => {
  const ends: string[] = [];
  const { api } = await clusterWithPod((stream) => {
    stream.head({ ok: true });
    return {
      data: (_channel, bytes) => stream.consumed(bytes.length),
      close: ({ error }) => ends.push(error ?? ''),
    };
  });
  const tooMany = `${POD}/portforward?${'ports=80&'.repeat(129)}`;
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'v4.channel.k8s.io' };
  expect((await api.refusal('GET', tooMany, { headers })).message).toContain('at most 128 ports');
  const client = await upgraded(api, `${POD}/portforward?ports=80`, 'v4.base64.channel.k8s.io');
  client.socket.send('0!!!');
  await eventually('the client is told', () => client.closes.length > 0);
  expect(client.closes).toEqual([1011]);
  await eventually('the minion is told', () => ends.length > 0);
  expect(ends).toEqual(['the client broke the protocol']);
});

describe('a public Service', () => {
  /** A Service of the default cluster, with one endpoint by hand on this minion. */
  async function published(name: string, address: string, handler: StreamHandler) {
    const api = new TestApi('default');
    const node = `pub-${name}`;
    await ScriptedMinion.joined(api, node);
    await dataSocket(api, node, handler);
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    await api.json('POST', '/api/v1/namespaces/default/services', {
      body: { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { type: 'LoadBalancer', ports } },
    });
    await api.json('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      body: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true }, nodeName: node }],
        ports: [{ name: 'http', port: 8080 }],
      },
    });
    return (path: string, init: RequestInit = {}) =>
      (exports as { default: Fetcher }).default.fetch(`http://${name}.default.localhost:8080${path}`, init);
  }

  test('is reached over the minion’s own socket, bodies streaming both ways', async () => {
    let asked: StreamHeader | undefined;
    const visit = await published('web', '10.244.0.9', (stream, header) => {
      asked = header;
      let body = '';
      return {
        data: (_channel, bytes) => {
          body += decoder.decode(bytes);
          stream.consumed(bytes.length);
        },
        end: () => {
          stream.head({
            ok: true,
            http: {
              status: 201,
              statusText: 'Made',
              headers: [
                ['x-pod', 'p'],
                ['set-cookie', 'a=1'],
                ['set-cookie', 'b=2'],
              ],
            },
          });
          stream.write(0, encoder.encode(`got ${body}`));
          stream.end(0);
          stream.close();
        },
        close: () => undefined,
      };
    });
    const response = await visit('/a/b?c=d', { method: 'POST', body: 'a body', headers: { 'x-mine': '1' } });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-pod')).toBe('p');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await response.text()).toBe('got a body');
    expect(asked).toMatchObject({
      kind: 'http',
      address: '10.244.0.9',
      port: 8080,
      method: 'POST',
      path: '/a/b?c=d',
      body: true,
    });
    const headers = new Map(asked?.kind === 'http' ? asked.headers : []);
    expect(headers.get('x-mine')).toBe('1');
    expect(headers.get('x-forwarded-host')).toBe('web.default.localhost:8080');
  });

  test('carries WebSockets, messages and close codes as they are', async () => {
    const visit = await published('chat', '10.244.0.10', (stream, header) => {
      const reader = new MessageReader();
      expect(header).toMatchObject({ kind: 'http', upgrade: 'websocket', path: '/room' });
      stream.head({ ok: true, http: { status: 101, statusText: '', headers: [['sec-websocket-protocol', 'chat']] } });
      return {
        data: (_channel, bytes) => {
          for (const message of reader.push(bytes)) stream.write(0, encodeMessage(message));
          stream.consumed(bytes.length);
        },
        close: () => undefined,
      };
    });
    const response = await visit('/room', { headers: { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'chat' } });
    expect(response.status).toBe(101);
    expect(response.headers.get('sec-websocket-protocol')).toBe('chat');
    const socket = response.webSocket;
    if (socket === null) throw new Error('no socket');
    const got: string[] = [];
    const closes: number[] = [];
    socket.addEventListener('message', ({ data }) => {
      got.push(data as string);
    });
    socket.addEventListener('close', ({ code }) => {
      closes.push(code);
    });
    socket.accept();
    socket.send('hello');
    await eventually('the echo', () => got.length > 0);
    expect(got).toEqual(['hello']);
    socket.close(4001, 'enough');
    await eventually('the close', () => closes.length > 0);
    expect(closes).toEqual([4001]);
  });

  test.each([
    ['that nobody made', 'ghost', 404, 'there is no public service "ghost"'],
    ['that is not public', 'kubernetes', 404, 'there is no public service "kubernetes"'],
  ])('%s is a plain page', async (_what, name, status, text) => {
    const response = await (exports as { default: Fetcher }).default.fetch(`http://${name}.default.localhost:8080/`);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(text);
  });

  test('whose pod refuses is 502, with the reason', async () => {
    const visit = await published('dead', '10.244.0.11', (stream) => {
      const status: Status = { ...SUCCESS, status: 'Failure', code: 503, message: 'connect ECONNREFUSED' };
      stream.head({ ok: false, status });
      stream.close();
      return { data: () => undefined, close: () => undefined };
    });
    const response = await visit('/');
    expect(response.status).toBe(502);
    expect(await response.text()).toContain('connect ECONNREFUSED');
  });
});
