/** Lists and watches in the corners: revisions, pages, long starts, slow readers, WebSockets, compression. */
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { adminClaims } from '../../worker/http/tokens.ts';
import { decodeBody } from '../../worker/resources/decode.ts';
import { TestApi, tokenOf } from './support/api.ts';
import { eventsOf, protobufEventsOf, type WatchEvent } from './support/events.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const map = (name: string, data: Record<string, string> = {}) => ({
  metadata: { name, labels: { mine: 'yes' } },
  data,
});

describe('a list', () => {
  const api = new TestApi('lists');
  const list = (query: string) => api.json<KubeList<ConfigMap>>('GET', `${MAPS}?labelSelector=mine&${query}`);
  const namesOf = ({ items }: KubeList<ConfigMap>) => items.map((each) => each.metadata.name);

  test('shows the revision that it is asked for, as resourceVersionMatch says', async () => {
    await api.json('POST', MAPS, { body: map('a') });
    const { resourceVersion } = (await list('')).metadata;
    await api.json('POST', MAPS, { body: map('b') });
    expect(namesOf(await list(''))).toEqual(['a', 'b']);
    expect(namesOf(await list('resourceVersion=0'))).toEqual(['a', 'b']);
    expect(namesOf(await list(`resourceVersion=${resourceVersion}`))).toEqual(['a', 'b']);
    const newer = await list(`resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan&limit=5`);
    expect(namesOf(newer)).toEqual(['a', 'b']);
    const exact = await list(`resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
    expect([namesOf(exact), exact.metadata.resourceVersion]).toEqual([['a'], resourceVersion]);
    // Kubernetes: a limit makes it exact, as it always did.
    expect(namesOf(await list(`resourceVersion=${resourceVersion}&limit=5`))).toEqual(['a']);
  });

  test.each([
    ['resourceVersionMatch=Exact', 422, 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      422,
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    ['resourceVersionMatch=Newest&resourceVersion=1', 422, 'Unsupported value: "Newest"'],
    ['sendInitialEvents=true', 422, 'sendInitialEvents is forbidden for list'],
    ['resourceVersion=x', 400, 'invalid syntax'],
    ['resourceVersion=99999999', 504, 'Too large resource version'],
    ['continue=nonsense', 400, 'continue key is not valid'],
  ])('refuses %s', async (query, code, message) => {
    expect(await api.refusal('GET', `${MAPS}?${query}`)).toMatchObject({
      http: code,
      message: expect.stringContaining(message),
    });
  });

  test('does not take a revision with a continue token', async () => {
    const token = (await list('limit=1')).metadata.continue;
    const refusal = await api.refusal('GET', `${MAPS}?limit=1&continue=${token}&resourceVersion=1`);
    expect(refusal).toMatchObject({
      http: 400,
      message: 'specifying resource version is not allowed when using continue',
    });
  });

  test('is compressed when it is long and the client takes it', async () => {
    await api.json('POST', MAPS, { body: map('long', { text: 'x'.repeat(150_000) }) });
    const headers = { 'accept-encoding': 'gzip' };
    const encoding = async (path: string) => {
      const answer = await api.fetch('GET', path, { headers });
      await answer.arrayBuffer();
      return answer.headers.get('content-encoding');
    };
    expect(await encoding(`${MAPS}/long`)).toBe('gzip');
    expect(await encoding(`${MAPS}/a`)).toBeNull();
    expect(await encoding('/openapi/v2')).toBe('gzip');
  });
});

describe('protobuf', () => {
  const api = new TestApi('protobuf');
  const headers = { accept: 'application/vnd.kubernetes.protobuf' };
  const ask = async (path: string, accept = headers.accept) => {
    const answer = await api.fetch('GET', path, { headers: { accept } });
    const type = answer.headers.get('content-type') ?? '';
    return { status: answer.status, type, body: new Uint8Array(await answer.arrayBuffer()) };
  };

  test('answers who accepts nothing else: objects, lists, errors', async () => {
    const namespace = await ask('/api/v1/namespaces/default');
    expect([namespace.status, namespace.type]).toEqual([200, headers.accept]);
    const { object } = decodeBody(namespace.body, namespace.type);
    expect(object).toMatchObject({ kind: 'Namespace', metadata: { name: 'default' }, status: { phase: 'Active' } });
    const list = await ask('/api/v1/namespaces?limit=2');
    expect(decodeBody(list.body, list.type).object).toMatchObject({
      kind: 'NamespaceList',
      items: [{ metadata: { name: 'default' } }, {}],
    });
    const missing = await ask('/api/v1/namespaces/none');
    expect([missing.status, missing.type]).toEqual([404, headers.accept]);
    expect(new TextDecoder().decode(missing.body)).toContain('namespaces "none" not found');
  });

  test('tells a watcher who accepts nothing else, event by event', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    const { resourceVersion } = (await api.json<KubeList<ConfigMap>>('GET', path)).metadata;
    const query = `watch=1&labelSelector=mine&resourceVersion=${resourceVersion}`;
    const answer = await api.fetch('GET', `${path}?${query}`, { headers });
    expect(answer.headers.get('content-type')).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    const events = protobufEventsOf(answer);
    await api.json('POST', path, { body: map('watched', { key: 'value' }) });
    await api.json('DELETE', `${path}/watched`);
    const added = await events.next();
    expect(added).toMatchObject({
      type: 'ADDED',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'watched' }, data: { key: 'value' } },
    });
    expect(await events.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'watched' } } });
    await events.cancel();
    await api.compact();
    const late = protobufEventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=1`, { headers }));
    expect(await late.next()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
    await late.cancel();
  });

  test('ends the initial events of an informer with a bookmark of the watched kind', async () => {
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const events = protobufEventsOf(await api.fetch('GET', `/api/v1/namespaces?${query}`, { headers }));
    let event = await events.next();
    while (event.type === 'ADDED') event = await events.next();
    expect(event).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'Namespace', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    await events.cancel();
  });

  test('goes to who ranks it above JSON, where the kind has it', async () => {
    const rather = `${headers.accept},application/json;q=0.5`;
    expect((await ask('/api/v1/namespaces/default', rather)).type).toBe(headers.accept);
    expect((await ask('/apis/longshore.dev/v1/namespaces/default/hooks', rather)).type).toBe('application/json');
    expect((await ask('/api/v1/namespaces/default', `${headers.accept};q=0.5,application/json;q=0.9`)).type).toBe(
      'application/json',
    );
  });

  test('is not for who accepts JSON as well, nor for tables and kinds without it', async () => {
    const both = await ask('/api/v1/namespaces/default', `${headers.accept},application/json`);
    expect([both.status, both.type]).toEqual([200, 'application/json']);
    expect((await ask('/api/v1/namespaces', `${headers.accept};as=Table;g=meta.k8s.io;v=v1`)).status).toBe(406);
    expect((await ask('/apis/longshore.dev/v1/namespaces/default/hooks')).status).toBe(406);
    expect((await ask('/apis/longshore.dev/v1/namespaces/default/hooks?watch=1')).status).toBe(406);
  });
});

describe('a watch', () => {
  const api = new TestApi('watch-corners');

  test('starts with very many objects page by page, and misses nothing of what happens meanwhile', async () => {
    const names = Array.from({ length: 700 }, (_, index) => `m${String(index).padStart(4, '0')}`);
    await Promise.all(names.map((name) => api.json('POST', MAPS, { body: map(name) })));
    const query = 'watch=1&labelSelector=mine&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
    const watching = api.fetch('GET', `${MAPS}?${query}&allowWatchBookmarks=true`);
    const events = eventsOf(await watching);
    await api.json('DELETE', `${MAPS}/m0600`);
    await api.json('POST', MAPS, { body: map('new') });
    const told: WatchEvent[] = [];
    while (told.at(-1)?.type !== 'BOOKMARK') told.push(await events.next());
    const state = new Set<string>();
    for (const { type, object } of told.slice(0, -1)) {
      if (type === 'DELETED') state.delete(object.metadata.name);
      else state.add(object.metadata.name);
    }
    while (!state.has('new') || state.has('m0600')) {
      const { type, object } = await events.next();
      if (type === 'DELETED') state.delete(object.metadata.name);
      else state.add(object.metadata.name);
    }
    expect([...state].sort()).toEqual([...names.filter((name) => name !== 'm0600'), 'new']);
    await events.cancel();
  }, 60_000);

  test('from the future is 504, from what is forgotten 410 as an event', async () => {
    expect(await api.refusal('GET', `${MAPS}?watch=1&resourceVersion=99999999`)).toMatchObject({
      http: 504,
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    });
    await api.compact();
    const events = eventsOf(await api.fetch('GET', `${MAPS}?watch=1&resourceVersion=1`));
    expect(await events.next()).toMatchObject({
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: expect.stringMatching(/^too old resource version: 1 /),
      },
    });
    await expect(events.next()).rejects.toThrow('the watch ended');
  });

  test('over a WebSocket has one event a message', async () => {
    const token = await tokenOf(adminClaims('watch-corners'));
    const answer = await api.fetch('GET', `${MAPS}?watch=1&fieldSelector=metadata.name%3Dsocket`, {
      headers: { upgrade: 'websocket', authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(101);
    const socket = answer.webSocket;
    if (socket === null) throw new Error('no socket came with the 101');
    const messages: WatchEvent[] = [];
    const { promise: two, resolve } = Promise.withResolvers<void>();
    socket.addEventListener('message', (event) => {
      messages.push(JSON.parse(String(event.data)) as WatchEvent);
      if (messages.length === 2) resolve();
    });
    socket.accept();
    await api.json('POST', MAPS, { body: map('socket') });
    await api.json('DELETE', `${MAPS}/socket`);
    await two;
    expect(messages.map((each) => each.type)).toEqual(['ADDED', 'DELETED']);
    socket.close();
  });
});
