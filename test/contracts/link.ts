/**
 * What the minion's end of the control socket promises (`shared/link/protocol.ts`), whoever plays it: the agent's own, or
 * the fake minion that stands for thousands. The suite plays the cluster, on sockets and timers that it moves by hand.
 */
import { describe, expect, test } from 'vitest';
import type { PodStatus } from '../../shared/api/core.ts';
import { type Delta, PING, PONG, type Put, type Welcome } from '../../shared/link/protocol.ts';
import { pod } from '../support/builders.ts';
import type { ManualTimers } from '../support/manual-timers.ts';
import type { ScriptedCluster } from '../support/scripted-cluster.ts';

export interface LinkUnderTest {
  /** What it dials; it is started. */
  cluster: ScriptedCluster;
  timers: ManualTimers;
  /** Names of the pods that it knows of. */
  pods(): string[];
  /** Something changed about this pod, which came in a delta. */
  report(name: string, status: PodStatus): void;
  stop(goodbye?: string): Promise<void>;
}

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

const SOON_MS = 100;
/** Beyond any back-off. */
const LATER_MS = 60_000;

const put = (name: string): Put => ({ resource: 'pods', object: pod(name, { status: { phase: 'Running' } }) });
const delta = (revision: number, names: string[], more: Partial<Delta> = {}): Delta => ({
  type: 'delta',
  revision,
  puts: names.map(put),
  removals: [],
  ...more,
});

/** @param make gives a new one, which knows nothing of its own node's pods and says nothing about them by itself. */
export function linkContract(what: string, make: () => LinkUnderTest): void {
  const welcomed = async (names: string[] = []): Promise<LinkUnderTest> => {
    const link = make();
    link.cluster.socket.open();
    await link.cluster.socket.say(WELCOME);
    await link.cluster.socket.say(delta(5, names, { full: true }));
    return link;
  };
  const again = ({ cluster, timers }: LinkUnderTest): void => {
    cluster.socket.down('broke');
    timers.advance(LATER_MS);
    cluster.socket.open();
  };
  const reportsOf = ({ cluster }: LinkUnderTest) =>
    cluster.socket.heardOf('report').map((report) => report.pods?.map(({ name, status }) => `${name} ${status.phase}`));

  describe(`${what}, on the control socket,`, () => {
    test('says hello before anything else, and of no revision the first time', () => {
      const { cluster } = make();
      cluster.socket.open();
      const [first, ...others] = cluster.socket.heard();
      expect(first).toMatchObject({ type: 'hello', version: 1, registration: { labels: {}, annotations: {} } });
      expect(first).not.toHaveProperty('resume');
      expect(others).toEqual([]);
    });

    test('acknowledges what it has, and resumes from there', async () => {
      const link = await welcomed(['a']);
      expect(link.pods()).toEqual(['a']);
      await link.cluster.socket.say(delta(9, ['b']));
      expect(link.cluster.socket.heardOf('acknowledge')).toEqual([
        { type: 'acknowledge', epoch: 'e1', revision: 5 },
        { type: 'acknowledge', epoch: 'e1', revision: 9 },
      ]);
      again(link);
      expect(link.cluster.socket.heardOf('hello')[0]?.resume).toEqual({ epoch: 'e1', revision: 9 });
      expect(link.pods().sort()).toEqual(['a', 'b']);
    });

    test('forgets what is removed, and at a full delta what is not in it', async () => {
      const link = await welcomed(['a', 'b', 'c']);
      const removal = { resource: 'pods', namespace: 'default', name: 'a', uid: 'uid-a' } as const;
      await link.cluster.socket.say(delta(6, [], { removals: [removal] }));
      expect(link.pods().sort()).toEqual(['b', 'c']);
      await link.cluster.socket.say(delta(7, ['c'], { full: true }));
      expect(link.pods()).toEqual(['c']);
    });

    test('counts a delta of several parts when the last has come, and one without its end never', async () => {
      const link = await welcomed(['a']);
      await link.cluster.socket.say(delta(8, ['b'], { full: true, more: true }));
      expect(link.pods()).toEqual(['a']);
      again(link);
      expect(link.cluster.socket.heardOf('hello')[0]?.resume).toEqual({ epoch: 'e1', revision: 5 });
      await link.cluster.socket.say(WELCOME);
      await link.cluster.socket.say(delta(9, ['c'], { full: true, more: true }));
      await link.cluster.socket.say(delta(9, ['d'], { full: true }));
      expect(link.pods().sort()).toEqual(['c', 'd']);
      expect(link.cluster.socket.heardOf('acknowledge').map((each) => each.revision)).toEqual([9]);
    });

    test('misses a delta, or a part of one, by its number, and dials anew for what it lacks', async () => {
      const gap = async (first: Delta, second: Delta) => {
        const link = make();
        link.cluster.socket.open();
        await link.cluster.socket.say(WELCOME);
        await link.cluster.socket.say(delta(5, ['a'], { full: true, number: 1 }));
        await link.cluster.socket.say(first);
        await link.cluster.socket.say(second);
        return link;
      };
      const part = { more: true };
      for (const missing of [
        await gap(delta(7, ['b'], { number: 2 }), delta(9, ['d'], { number: 4 })),
        await gap(delta(7, ['b'], { number: 2 }), delta(9, ['d'], { number: 4, ...part })),
        await gap(delta(9, ['c'], { number: 3, ...part }), delta(9, ['d'], { number: 4 })),
        await gap(delta(9, ['c'], { number: 2, ...part }), delta(9, ['d'], { number: 4 })),
      ]) {
        expect(missing.pods()).not.toContain('d');
        expect(missing.cluster.socket.closes[0]).toBe('terminated');
        const has = missing.pods().includes('b') ? 7 : 5;
        missing.timers.advance(LATER_MS);
        missing.cluster.socket.open();
        expect(missing.cluster.socket.heardOf('hello')[0]?.resume).toEqual({ epoch: 'e1', revision: has });
        await missing.cluster.socket.say(WELCOME);
        // Each socket counts from one.
        await missing.cluster.socket.say(delta(9, ['c', 'd'], { number: 1 }));
        expect(missing.pods()).toEqual(expect.arrayContaining(['a', 'c', 'd']));
        expect(missing.cluster.socket.closes).toEqual([]);
      }
      const whole = await gap(delta(7, ['b'], { number: 2, ...part }), delta(7, ['c'], { number: 3 }));
      expect(whole.pods().sort()).toEqual(['a', 'b', 'c']);
      expect(whole.cluster.socket.closes).toEqual([]);
    });

    test('dials anew when the answer to a heartbeat calls it back, and not when it calls others', async () => {
      const link = await welcomed(['a']);
      await link.cluster.socket.say({ type: 'recall', nodes: ['m2', 'm10'] });
      expect(link.cluster.socket.closes).toEqual([]);
      await link.cluster.socket.say({ type: 'recall', nodes: ['m2', 'm1'] });
      expect(link.cluster.socket.closes).toEqual(['terminated']);
      link.timers.advance(LATER_MS);
      link.cluster.socket.open();
      // The answer to a heartbeat that is not as new as the hello.
      await link.cluster.socket.say({ type: 'recall', nodes: ['m1'] });
      expect(link.cluster.socket.closes).toEqual([]);
      expect(link.cluster.socket.heardOf('hello')[0]?.resume).toEqual({ epoch: 'e1', revision: 5 });
    });

    test('gathers reports, and waits for the answer to one before it sends the next', async () => {
      const link = await welcomed(['a', 'b']);
      link.report('a', { phase: 'Running' });
      link.report('b', { phase: 'Running' });
      link.timers.advance(SOON_MS);
      link.report('a', { phase: 'Failed' });
      link.timers.advance(SOON_MS);
      expect(reportsOf(link)).toEqual([['a Running', 'b Running']]);
      const [first] = link.cluster.socket.heardOf('report');
      await link.cluster.socket.say({ type: 'reported', id: first?.id ?? 0 });
      link.timers.advance(SOON_MS);
      expect(reportsOf(link)).toEqual([['a Running', 'b Running'], ['a Failed']]);
      const ids = link.cluster.socket.heardOf('report').map((report) => report.id);
      expect(ids[1]).toBe((ids[0] ?? 0) + 1);
    });

    test('says again what was not answered, in its newest words, after the next welcome', async () => {
      const link = await welcomed(['a', 'b']);
      link.report('a', { phase: 'Running' });
      link.report('b', { phase: 'Running' });
      link.timers.advance(SOON_MS);
      again(link);
      link.report('b', { phase: 'Succeeded' });
      link.timers.advance(SOON_MS);
      expect(reportsOf(link)).toEqual([]);
      await link.cluster.socket.say(WELCOME);
      link.timers.advance(SOON_MS);
      expect(reportsOf(link).map((names) => names?.sort())).toEqual([['a Running', 'b Succeeded']]);
    });

    test('sends heartbeats, and dials anew when nothing is heard', async () => {
      const { cluster, timers } = await welcomed();
      timers.advance(10_000);
      expect(cluster.socket.sent.filter((each) => each === PING).length).toBe(1);
      cluster.socket.text(PONG);
      timers.advance(10_000);
      expect(cluster.sockets.length).toBe(1);
      timers.advance(LATER_MS);
      expect(cluster.sockets.length).toBeGreaterThan(1);
      expect(cluster.sockets[0]?.closes).toEqual(['terminated']);
    });

    test('dials anew when what it says is not answered, though heartbeats are', async () => {
      const alive = ({ cluster, timers }: LinkUnderTest) => {
        const { socket } = cluster;
        for (let beat = 0; beat < 6; beat++) {
          timers.advance(10_000);
          socket.text(PONG);
        }
      };
      const unwelcome = make();
      unwelcome.cluster.socket.open();
      alive(unwelcome);
      expect(unwelcome.cluster.sockets[0]?.closes).toEqual(['terminated']);
      const unheard = await welcomed(['a']);
      unheard.report('a', { phase: 'Running' });
      alive(unheard);
      expect(unheard.cluster.sockets[0]?.closes).toEqual(['terminated']);
      const heard = await welcomed(['a']);
      heard.report('a', { phase: 'Running' });
      heard.timers.advance(SOON_MS);
      await heard.cluster.socket.say({ type: 'reported', id: heard.cluster.socket.heardOf('report')[0]?.id ?? 0 });
      alive(heard);
      expect(heard.cluster.sockets.length).toBe(1);
    });

    test('says goodbye when it is to, closes, and dials no more', async () => {
      const leaving = await welcomed();
      await leaving.stop('the machine goes down');
      expect(leaving.cluster.socket.heardOf('goodbye')).toEqual([{ type: 'goodbye', reason: 'the machine goes down' }]);
      const quiet = await welcomed();
      await quiet.stop();
      expect(quiet.cluster.socket.heardOf('goodbye')).toEqual([]);
      quiet.timers.advance(LATER_MS);
      expect(quiet.cluster.sockets.length).toBe(1);
    });
  });
}
