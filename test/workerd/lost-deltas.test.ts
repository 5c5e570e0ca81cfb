/**
 * What the cluster told a minion and the minion never got: lost by itself, with more after it, with everything after it, or
 * because sending failed. The minion comes back by delta and has its pods; the Cluster object is evicted between steps.
 */
import { afterEach, expect, test, vi } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import { HEARTBEAT_MS, PONG } from '../../shared/link/protocol.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeMinion } from '../support/fake-minion.ts';
import { TestApi } from './support/api.ts';
import { fakeMinion } from './support/fake-minions.ts';
import { SimulatedCluster } from './support/simulated-time.ts';

const PODS = '/api/v1/namespaces/default/pods';
/** Longer than it takes until somebody looks. */
const MINUTES = 3;

let cluster: SimulatedCluster | undefined;
const minions: FakeMinion[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(minions.splice(0).map((minion) => minion.stop()));
  cluster?.dispose();
  cluster = undefined;
});

const isHeartbeat = (text: string | undefined) => text === PONG || text?.startsWith('{"type":"recall"') === true;

interface Watched {
  minion: FakeMinion;
  /** Welcomes: how often it has dialled. */
  welcomes(): number;
  /** What gets through to it from now on. */
  let(carries: (text: string | undefined) => boolean): void;
  beat(): Promise<void>;
}

async function joined(api: TestApi, node: string): Promise<Watched> {
  let carries: (text: string | undefined) => boolean = () => true;
  let welcomes = 0;
  let answered: () => void = () => undefined;
  const minion = fakeMinion(api, node, {
    carries: (text) => carries(text),
    onText: (text) => {
      if (text.startsWith('{"type":"welcome"')) welcomes++;
      if (isHeartbeat(text)) answered();
    },
  });
  minions.push(minion);
  await eventually(`${node} has its first delta`, () => minion.applied > 0);
  return {
    minion,
    welcomes: () => welcomes,
    let: (those) => {
      carries = those;
    },
    async beat() {
      const { promise, resolve } = Promise.withResolvers<void>();
      answered = resolve;
      minion.heartbeat();
      await promise;
      cluster?.heardFrom(node);
    },
  };
}

const makePod = (api: TestApi, name: string, nodeName = 'm1') =>
  api.json<Pod>('POST', PODS, {
    body: { metadata: { name }, spec: { nodeName, containers: [{ name: 'main', image: 'nginx' }] } },
  });

const runs = (api: TestApi, name: string) =>
  eventually(`${name} runs`, async () => (await api.json<Pod>('GET', `${PODS}/${name}`)).status?.phase === 'Running');

/** Time passes, heartbeats are answered, and the object is dropped from memory after each alarm. */
async function pass(all: readonly Watched[], isOver: () => boolean): Promise<void> {
  for (let passedMs = 0; passedMs < MINUTES * 60_000 && !isOver(); passedMs += HEARTBEAT_MS) {
    for (const each of all) if (each.minion.connected) await each.beat();
    await cluster?.pass(HEARTBEAT_MS);
  }
}

test('a pod that is lost on its way is missed with the next one, and comes by delta', async () => {
  const api = new TestApi('lost-before-another');
  const one = await joined(api, 'm1');
  const another = await joined(api, 'm2');
  one.let((text) => text?.includes('"name":"lost"') !== true);
  await makePod(api, 'lost');
  await api.evict();
  one.let(() => true);
  await makePod(api, 'next');
  await runs(api, 'lost');
  await runs(api, 'next');
  expect([one.welcomes(), one.minion.resynced]).toEqual([2, 1]);
  expect(another.welcomes()).toBe(1);
});

test('a pod that is lost on its way, with nothing after it, is missed by the cluster', async () => {
  const api = new TestApi('lost-alone');
  cluster = await SimulatedCluster.start(api);
  const one = await joined(api, 'm1');
  const another = await joined(api, 'm2');
  one.let((text) => text?.includes('"name":"lost"') !== true);
  await makePod(api, 'lost');
  await api.evict();
  one.let(() => true);
  await pass([one, another], () => one.welcomes() > 1);
  await runs(api, 'lost');
  expect([one.welcomes(), one.minion.resynced]).toEqual([2, 1]);
  expect(another.welcomes()).toBe(1);
  // And then there is peace.
  await pass([one, another], () => false);
  expect([one.welcomes(), another.welcomes()]).toEqual([2, 1]);
});

test('a minion that nothing reaches but the answers to its heartbeats is called back by these', async () => {
  const api = new TestApi('half-dead');
  cluster = await SimulatedCluster.start(api);
  const one = await joined(api, 'm1');
  const another = await joined(api, 'm2');
  one.let(isHeartbeat);
  // What the object sends does not get out, its own end of the socket included.
  const { close } = WebSocket.prototype;
  const ofObject = vi.spyOn(WebSocket.prototype, 'close').mockImplementation(function (this: WebSocket, code) {
    if (code === undefined) close.call(this);
  });
  await makePod(api, 'lost');
  await makePod(api, 'lost-too');
  await api.evict();
  await pass([one, another], () => !one.minion.connected);
  expect(ofObject).toHaveBeenCalledWith(1012, expect.any(String));
  ofObject.mockRestore();
  one.let(() => true);
  await runs(api, 'lost');
  await runs(api, 'lost-too');
  expect([one.welcomes(), one.minion.resynced]).toEqual([2, 1]);
  await api.evict();
  await pass([one, another], () => false);
  expect([one.welcomes(), another.welcomes()]).toEqual([2, 1]);
});

test.each([
  ['and its socket ends', true],
  ['and its socket does not end', false],
])('a minion to which sending fails, %s, comes back by delta, and the others are told', async (_, ends) => {
  const api = new TestApi(`send-fails-${ends}`);
  const one = await joined(api, 'm1');
  const another = await joined(api, 'm2');
  const { close } = WebSocket.prototype;
  vi.spyOn(WebSocket.prototype, 'close').mockImplementation(function (this: WebSocket, code, reason) {
    if (code === undefined || ends) close.call(this, code, reason);
  });
  const send = vi.spyOn(WebSocket.prototype, 'send');
  send.mockImplementationOnce(() => {
    throw new Error('internal error');
  });
  await api.json('POST', '/api/v1/namespaces/default/services', {
    body: { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } },
  });
  await makePod(api, 'p1', 'm1');
  await makePod(api, 'p2', 'm2');
  if (!ends) for (const each of [one, another]) await each.beat();
  await runs(api, 'p1');
  await runs(api, 'p2');
  expect(one.welcomes() + another.welcomes()).toBe(3);
  expect([one.minion.resynced, another.minion.resynced]).toEqual([1, 1]);
});
