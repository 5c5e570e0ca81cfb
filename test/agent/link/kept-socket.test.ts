import { expect, test } from 'vitest';
import { KeptSocket } from '../../../agent/link/kept-socket.ts';
import { HEARTBEAT_MS, PING, PONG } from '../../../shared/link/protocol.ts';
import { ManualTimers } from '../../support/manual-timers.ts';
import { keptLog, ScriptedCluster } from '../../support/scripted-cluster.ts';

function started(more: { random?: () => number; onText?: (text: string) => void } = {}) {
  const timers = new ManualTimers();
  const cluster = new ScriptedCluster();
  const log = keptLog();
  const downs: string[] = [];
  const kept = new KeptSocket({
    name: 'test',
    dial: cluster.dial,
    timers,
    random: more.random ?? (() => 1),
    log,
    onOpen: () => undefined,
    onDown: (reason) => downs.push(reason),
    ...(more.onText ? { onText: more.onText } : {}),
  });
  kept.start();
  return { timers, cluster, kept, log, downs };
}

test('it dials again after longer and longer delays, up to ten seconds', () => {
  const { timers, cluster } = started();
  const delays: (number | undefined)[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    cluster.socket.down('refused');
    delays.push(timers.nextMs());
    timers.advance(timers.nextMs() ?? 0);
  }
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  expect(cluster.sockets.length).toBe(10);
});

test('the delays of two minions differ by their randomness', () => {
  const { timers, cluster } = started({ random: () => 0 });
  cluster.socket.down('refused');
  expect(timers.nextMs()).toBe(125);
});

test('once the other side is well, the next failure starts from a short delay again', () => {
  const { timers, cluster, kept } = started();
  for (let attempt = 0; attempt < 5; attempt++) {
    cluster.socket.down('refused');
    timers.advance(timers.nextMs() ?? 0);
  }
  cluster.socket.open();
  kept.settled();
  cluster.socket.down('broke');
  expect(timers.nextMs()).toBe(250);
});

test('a heartbeat that is answered says that it is well', () => {
  const { timers, cluster } = started();
  for (let attempt = 0; attempt < 5; attempt++) {
    cluster.socket.down('refused');
    timers.advance(timers.nextMs() ?? 0);
  }
  cluster.socket.open();
  timers.advance(HEARTBEAT_MS);
  cluster.socket.text(PONG);
  cluster.socket.down('broke');
  expect(timers.nextMs()).toBe(250);
});

test('it sends a heartbeat each interval while it is answered', () => {
  const { timers, cluster } = started();
  cluster.socket.open();
  for (let beat = 0; beat < 5; beat++) {
    timers.advance(HEARTBEAT_MS);
    cluster.socket.text(PONG);
  }
  expect(cluster.socket.sent).toEqual([PING, PING, PING, PING, PING]);
  expect(cluster.sockets.length).toBe(1);
});

test('it gives up a socket that has fallen silent, and dials again', () => {
  const { timers, cluster, downs } = started();
  cluster.socket.open();
  timers.advance(4 * HEARTBEAT_MS);
  expect(downs).toEqual(['terminated']);
  expect(cluster.sockets.length).toBe(2);
});

test('answers to heartbeats are no messages', () => {
  const texts: string[] = [];
  const { cluster } = started({ onText: (text) => texts.push(text) });
  cluster.socket.open();
  cluster.socket.text(PONG);
  cluster.socket.text('{}');
  expect(texts).toEqual(['{}']);
});

test('an error in handling a message begins the socket anew and does not escape', () => {
  const { cluster, log, downs } = started({
    onText: () => {
      throw new Error('unreadable');
    },
  });
  cluster.socket.open();
  cluster.socket.text('{}');
  expect(downs).toEqual(['terminated']);
  expect(log.lines[0]).toBe('error: a message could not be handled');
});

test('stopping closes it, and it is not dialled again', async () => {
  const { timers, cluster, kept } = started();
  cluster.socket.open();
  await kept.stop('the agent stops');
  timers.advance(60_000);
  expect(cluster.socket.closes).toEqual(['the agent stops']);
  expect(cluster.sockets.length).toBe(1);
});

test('stopping between two attempts ends them', async () => {
  const { timers, cluster, kept } = started();
  cluster.socket.down('refused');
  await kept.stop('the agent stops');
  timers.advance(60_000);
  expect(cluster.sockets.length).toBe(1);
});
