/** The minion without a machine keeps the same promises as the agent's link, and says of its pods what an agent would. */
import { expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import type { Delta, Welcome } from '../../shared/link/protocol.ts';
import { linkContract } from '../contracts/link.ts';
import { pod } from './builders.ts';
import { FakeMinion, type FakeMinionOptions } from './fake-minion.ts';
import { ManualTimers } from './manual-timers.ts';
import { ScriptedCluster } from './scripted-cluster.ts';

function started(more: Partial<FakeMinionOptions> = {}) {
  const cluster = new ScriptedCluster();
  const timers = new ManualTimers();
  const minion = new FakeMinion({ node: 'm1', dial: cluster.dial, timers, random: () => 1, ...more });
  minion.start();
  return { cluster, timers, minion };
}

linkContract('the fake minion', () => {
  const { cluster, timers, minion } = started({ statusOf: () => undefined });
  return {
    cluster,
    timers,
    pods: () => [...minion.pods.values()].map((each) => each.name),
    report: (name, status) => minion.report({ namespace: 'default', name, uid: `uid-${name}` }, status),
    stop: (goodbye) => minion.stop(goodbye),
  };
});

const WELCOME: Welcome = {
  type: 'welcome',
  version: 1,
  epoch: 'e1',
  cluster: { name: 'c', domain: 'd', dnsIP: '10.96.0.10', serviceCIDR: '10.96.0.0/12', podCIDR: '10.244.0.0/16' },
  nodeCIDR: '10.244.7.0/24',
};
const told = (revision: number, object: Pod): Delta => ({
  type: 'delta',
  revision,
  puts: [{ resource: 'pods', object }],
  removals: [],
});

test('a pod that it is told of runs at once, at an address of the node’s share', () => {
  const { cluster, timers, minion } = started();
  cluster.socket.open();
  cluster.socket.say(WELCOME);
  cluster.socket.say(told(5, pod('a')));
  expect(minion.settled).toBe(false);
  timers.advance(100);
  const [report] = cluster.socket.heardOf('report');
  expect(report?.pods).toMatchObject([
    { name: 'a', uid: 'uid-a', status: { phase: 'Running', containerStatuses: [{ name: 'main', ready: true }] } },
  ]);
  expect(report?.pods?.[0]?.status.podIP).toMatch(/^10\.244\.7\.\d+$/);
  cluster.socket.say({ type: 'reported', id: report?.id ?? 0 });
  expect([minion.settled, minion.reported]).toEqual([true, 1]);
});

test('a pod under deletion is gone at once, and one that runs already is left alone', () => {
  const { cluster, timers } = started();
  cluster.socket.open();
  cluster.socket.say(WELCOME);
  cluster.socket.say(told(5, pod('a', { status: { phase: 'Running' } })));
  timers.advance(100);
  expect(cluster.socket.heardOf('report')).toEqual([]);
  const dying = pod('a', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status: { phase: 'Running' } });
  cluster.socket.say(told(6, dying));
  timers.advance(100);
  expect(cluster.socket.heardOf('report')[0]?.pods).toMatchObject([{ name: 'a', uid: 'uid-a', gone: true }]);
});

test('no pod gets an address that another has, however many came and went, and whatever was told anew', () => {
  const { cluster, timers, minion } = started();
  cluster.socket.open();
  cluster.socket.say(WELCOME);
  let revision = 5;
  const addressOf = (name: string) => {
    cluster.socket.say(told(revision++, pod(name)));
    timers.advance(100);
    const report = cluster.socket.heardOf('report').at(-1);
    cluster.socket.say({ type: 'reported', id: report?.id ?? 0 });
    return report?.pods?.find((each) => each.name === name)?.status.podIP;
  };
  const remove = (name: string) => {
    const removals = [{ resource: 'pods', namespace: 'default', name, uid: `uid-${name}` } as const];
    cluster.socket.say({ type: 'delta', revision: revision++, puts: [], removals });
  };
  const first = addressOf('stays');
  const second = addressOf('stays-too');
  const status = { phase: 'Running', ...(second === undefined ? {} : { podIP: second }) } as const;
  const puts = [pod('stays'), pod('stays-too', { status })].map((object) => ({ resource: 'pods' as const, object }));
  cluster.socket.say({ type: 'delta', revision: revision++, full: true, puts, removals: [] });
  timers.advance(100);
  cluster.socket.say({ type: 'reported', id: cluster.socket.heardOf('report').at(-1)?.id ?? 0 });
  for (let index = 0; index < 600; index++) {
    const address = addressOf(`passes-${index}`);
    expect(address).toMatch(/^10\.244\.7\.\d+$/);
    expect([first, second]).not.toContain(address);
    remove(`passes-${index}`);
  }
  expect(minion.pods.size).toBe(2);
});
