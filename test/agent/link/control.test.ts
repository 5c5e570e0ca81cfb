import { expect, test } from 'vitest';
import { Control } from '../../../agent/link/control.ts';
import type { ReplicaPart } from '../../../agent/link/link.ts';
import { SqliteReplica } from '../../../agent/link/replica.ts';
import { ReportBox } from '../../../agent/link/reports.ts';
import type { Delta, Welcome } from '../../../shared/link/protocol.ts';
import { pod } from '../../support/builders.ts';
import { ManualTimers } from '../../support/manual-timers.ts';
import { keptLog, ScriptedCluster } from '../../support/scripted-cluster.ts';

const WELCOME: Welcome = {
  type: 'welcome',
  version: 1,
  epoch: 'e1',
  cluster: {
    name: 'c',
    domain: 'cluster.local',
    dnsIP: '10.96.0.10',
    serviceCIDR: '10.96.0.0/12',
    podCIDR: '10.244.0.0/16',
  },
  nodeCIDR: '10.244.1.0/24',
};
const delta = (revision: number, names: string[], more: Partial<Delta> = {}): Delta => ({
  type: 'delta',
  revision,
  puts: names.map((name) => ({ resource: 'pods', object: pod(name) })),
  removals: [],
  ...more,
});

function started() {
  const cluster = new ScriptedCluster();
  const timers = new ManualTimers();
  const replica = new SqliteReplica(':memory:');
  const reports = new ReportBox();
  const log = keptLog();
  const touched: ReplicaPart[] = [];
  const verdicts: (string | undefined)[] = [];
  const control = new Control({
    settings: {
      nodeName: 'm1',
      agentVersion: '0.1.0',
      machineId: 'id',
      registration: () => ({ labels: {}, annotations: {}, status: {} }),
    },
    dial: cluster.dial,
    timers,
    random: () => 1,
    log,
    replica,
    reports,
    onTouched: ({ parts }) => touched.push(...parts),
    onVerdict: (error) => verdicts.push(error?.message),
    onHttpStatus: () => undefined,
  });
  control.start();
  const status = (name: string) => {
    reports.podStatus({ namespace: 'default', name, uid: name }, { phase: 'Running' }, false);
    control.wake();
  };
  return { cluster, timers, replica, reports, control, log, touched, verdicts, status };
}

async function welcomed() {
  const world = started();
  world.cluster.socket.open();
  await world.cluster.socket.say(WELCOME);
  return world;
}

test('one that is cut off at each of its reports comes back more and more slowly, until it is heard', async () => {
  const { cluster, timers, status } = await welcomed();
  const cutOff = async () => {
    // The report goes.
    timers.advance(timers.nextMs() ?? 0);
    cluster.socket.down('1007 malformed');
    const delayMs = timers.nextMs();
    timers.advance(delayMs ?? 0);
    cluster.socket.open();
    await cluster.socket.say(WELCOME);
    return delayMs;
  };
  status('a');
  expect([await cutOff(), await cutOff(), await cutOff()]).toEqual([250, 500, 1000]);
  timers.advance(timers.nextMs() ?? 0);
  await cluster.socket.say({ type: 'reported', id: cluster.socket.heardOf('report')[0]?.id ?? 0 });
  expect(await cutOff()).toBe(250);
});

test('it says hello first, and where its copy stands from the second time on', async () => {
  const { cluster, timers } = started();
  cluster.socket.open();
  expect(cluster.socket.heard()).toMatchObject([{ type: 'hello', version: 1, node: 'm1', machineId: 'id' }]);
  expect(cluster.socket.heardOf('hello')[0]?.resume).toBeUndefined();
  await cluster.socket.say(WELCOME);
  await cluster.socket.say(delta(12, ['a'], { full: true }));
  cluster.socket.down('broke');
  timers.advance(60_000);
  cluster.socket.open();
  expect(cluster.socket.heardOf('hello')[0]?.resume).toEqual({ epoch: 'e1', revision: 12 });
});

test('it acknowledges a delta once it is on disk, and tells which parts it touched', async () => {
  const { cluster, replica, touched } = await welcomed();
  await cluster.socket.say(delta(5, ['a'], { full: true }));
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['a']);
  expect(cluster.socket.heardOf('acknowledge')).toEqual([{ type: 'acknowledge', epoch: 'e1', revision: 5 }]);
  expect(touched).toEqual(['welcome', 'pods']);
});

test('deltas that come together are one transaction and one acknowledgement', async () => {
  const { cluster, replica, touched } = await welcomed();
  const all = [5, 6, 7].map((revision) => cluster.socket.say(delta(revision, [`p${revision}`])));
  await Promise.all(all);
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['p5', 'p6', 'p7']);
  expect(cluster.socket.heardOf('acknowledge').map((each) => each.revision)).toEqual([7]);
  expect(touched).toEqual(['welcome', 'pods']);
});

test('it applies a delta of several parts only when the last has come', async () => {
  const { cluster, replica } = await welcomed();
  await cluster.socket.say(delta(5, ['a'], { full: true, more: true }));
  expect(replica.pods()).toEqual([]);
  expect(cluster.socket.heardOf('acknowledge')).toEqual([]);
  await cluster.socket.say(delta(5, ['b'], { full: true }));
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['a', 'b']);
});

test('it forgets a delta whose end never came', async () => {
  const { cluster, timers, replica } = await welcomed();
  await cluster.socket.say(delta(5, ['a'], { full: true, more: true }));
  cluster.socket.down('broke');
  timers.advance(60_000);
  cluster.socket.open();
  await cluster.socket.say(WELCOME);
  await cluster.socket.say(delta(6, ['b'], { full: true }));
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['b']);
});

test('changes that come together make one report, and the next waits for the answer', async () => {
  const { cluster, timers, status } = await welcomed();
  status('a');
  status('b');
  timers.advance(100);
  expect(cluster.socket.heardOf('report').map((report) => report.pods?.length)).toEqual([2]);
  status('c');
  timers.advance(100);
  expect(cluster.socket.heardOf('report').length).toBe(1);
  await cluster.socket.say({ type: 'reported', id: 1 });
  timers.advance(100);
  expect(cluster.socket.heardOf('report').map((report) => report.pods?.map((each) => each.name))).toEqual([
    ['a', 'b'],
    ['c'],
  ]);
});

test('a report that was not answered is sent again after a reconnect', async () => {
  const { cluster, timers, status } = await welcomed();
  status('a');
  timers.advance(100);
  cluster.socket.down('broke');
  status('b');
  timers.advance(60_000);
  cluster.socket.open();
  timers.advance(100);
  expect(cluster.socket.heardOf('report')).toEqual([]);
  await cluster.socket.say(WELCOME);
  timers.advance(100);
  const [report] = cluster.socket.heardOf('report');
  expect(new Set(report?.pods?.map((each) => each.name))).toEqual(new Set(['a', 'b']));
});

test('refused parts of a report are logged and not sent again', async () => {
  const { cluster, timers, status, log } = await welcomed();
  status('a');
  timers.advance(100);
  const status404 = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 404 } as const;
  await cluster.socket.say({
    type: 'reported',
    id: 1,
    refused: [{ name: 'a', status: { ...status404, message: 'gone' } }],
  });
  timers.advance(1000);
  expect(cluster.socket.heardOf('report').length).toBe(1);
  expect(log.lines).toContain('warn: a report was refused: gone');
});

test('a part that was denied is said again, until it is taken, the pod is gone, or there is something newer', async () => {
  const { cluster, timers, status } = await welcomed();
  const puts = ['a', 'b'].map((name) => ({
    resource: 'pods' as const,
    object: pod(name, { metadata: { uid: name } }),
  }));
  await cluster.socket.say(delta(5, [], { puts }));
  for (const name of ['a', 'b', 'away']) status(name);
  timers.advance(100);
  const names = () => cluster.socket.heardOf('report').map((each) => each.pods?.map(({ name }) => name));
  const denied = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 400 } as const;
  const refused = ['a', 'b', 'away'].map((name) => ({ namespace: 'default', name, status: denied }));
  await cluster.socket.say({ type: 'reported', id: 1, refused });
  status('b');
  timers.advance(100);
  await cluster.socket.say({ type: 'reported', id: 2 });
  timers.advance(9000);
  expect(names()).toEqual([['a', 'b', 'away'], ['b']]);
  timers.advance(1100);
  expect(names()).toEqual([['a', 'b', 'away'], ['b'], ['a']]);
  await cluster.socket.say({ type: 'reported', id: 3 });
  timers.advance(12_000);
  expect(names()).toHaveLength(3);
});

test('what stays denied is said ever later', async () => {
  const { cluster, timers, status } = await welcomed();
  await cluster.socket.say(
    delta(5, [], { puts: [{ resource: 'pods', object: pod('a', { metadata: { uid: 'a' } }) }] }),
  );
  status('a');
  timers.advance(100);
  const denied = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 400 } as const;
  const deny = (id: number) =>
    cluster.socket.say({ type: 'reported', id, refused: [{ namespace: 'default', name: 'a', status: denied }] });
  const count = () => cluster.socket.heardOf('report').length;
  await deny(1);
  timers.advance(10_100);
  expect(count()).toBe(2);
  await deny(2);
  timers.advance(10_100);
  expect(count()).toBe(2);
  timers.advance(10_000);
  expect(count()).toBe(3);
});

test('a refusal is told, and dialling goes on', async () => {
  const { cluster, timers, verdicts } = started();
  cluster.socket.open();
  const status = {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code: 409,
    message: 'taken',
  } as const;
  await cluster.socket.say({ type: 'refused', status });
  cluster.socket.down('refused');
  expect(verdicts).toEqual(['taken']);
  timers.advance(60_000);
  expect(cluster.sockets.length).toBe(2);
});

test('stopping with a reason says goodbye, without one it does not', async () => {
  const leaving = await welcomed();
  await leaving.control.stop('the machine goes down');
  expect(leaving.cluster.socket.heardOf('goodbye')).toEqual([{ type: 'goodbye', reason: 'the machine goes down' }]);
  const restarting = await welcomed();
  await restarting.control.stop();
  expect(restarting.cluster.socket.heardOf('goodbye')).toEqual([]);
});
