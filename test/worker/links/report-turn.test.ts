/** Reports that come together are one commit, and each stands for itself. */
import { expect, test } from 'vitest';
import { NODES, PODS, type Pod } from '../../../shared/api/core.ts';
import type { PodReport, Report } from '../../../shared/link/protocol.ts';
import { type Outcome, ReportTurn } from '../../../worker/links/report-turn.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';

const namespace = 'default';
const MINIONS = ['m0', 'm1', 'm2'];

interface World {
  cluster: TestCluster;
  turn: ReportTurn;
  echoes: Set<number>;
  /** What the timer would call. */
  due: (() => void)[];
  /** Sizes of what was committed together. */
  commits: number[];
}

/** One pod a minion, named as it. */
function world(): World {
  const cluster = testCluster();
  cluster.do((objects) => {
    for (const name of MINIONS) {
      objects.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} });
      objects.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace },
        spec: { nodeName: name, containers: [{ name: 'main', image: 'nginx' }] },
      });
    }
  });
  const commits: number[] = [];
  const echoes = new Set<number>();
  const due: (() => void)[] = [];
  const turn = new ReportTurn(
    {
      transact: (body) => cluster.plane.registry.asSystem((objects) => body(objects), 'kubelet'),
      later: (step) => void due.push(step),
    },
    echoes,
  );
  cluster.plane.store.onCommit((changes) => {
    commits.push(changes.length);
    expect(changes.map(({ revision }) => revision).filter((revision) => !echoes.has(revision))).toEqual([]);
  });
  return { cluster, turn, echoes, due, commits };
}

const pod = ({ cluster }: World, name: string): Pod => cluster.stored<Pod>('pods', namespace, name) as Pod;

function says(known: World, name: string, message: string): Report {
  const about: PodReport = { namespace, name, uid: pod(known, name).metadata.uid, status: { message } };
  return { type: 'report', id: 1, pods: [about] };
}

test('reports of several minions wait for one turn and are one commit, which is told of as their own', async () => {
  const known = world();
  const ends: string[] = [];
  const taken = MINIONS.map((name) =>
    known.turn.take(name, says(known, name, 'well'), (outcome) => {
      ends.push(`${name} ${'applied' in outcome}`);
    }),
  );
  expect([known.commits, ends, known.due.length]).toEqual([[], [], 1]);
  known.due.shift()?.();
  await Promise.all(taken);
  expect(known.commits).toEqual([3]);
  expect(ends).toEqual(['m0 true', 'm1 true', 'm2 true']);
  expect(MINIONS.map((name) => pod(known, name).status?.message)).toEqual(['well', 'well', 'well']);
  expect(known.echoes.size).toBe(0);
});

test('a report that cannot be read leaves nothing, and the others stay', async () => {
  const known = world();
  const outcomes: Outcome[] = [];
  const end = (outcome: Outcome) => void outcomes.push(outcome);
  const broken: Report = { type: 'report', id: 1, pods: [says(known, 'm1', 'lost').pods?.[0], null] as PodReport[] };
  const taken = [
    known.turn.take('m0', says(known, 'm0', 'first'), end),
    known.turn.take('m1', broken, end),
    known.turn.take('m2', says(known, 'm2', 'last'), end),
  ];
  known.due.shift()?.();
  await Promise.all(taken);
  expect(outcomes.map((outcome) => 'applied' in outcome)).toEqual([true, false, true]);
  expect(MINIONS.map((name) => pod(known, name).status?.message)).toEqual(['first', undefined, 'last']);
  expect(known.commits).toEqual([2]);
});

test('a minion that speaks of another’s pod is refused by name, beside one that speaks of its own', async () => {
  const known = world();
  const refusals: unknown[] = [];
  const end = (outcome: Outcome) => void refusals.push('applied' in outcome ? outcome.applied.refused : outcome);
  const taken = [
    known.turn.take('m0', says(known, 'm1', 'not mine'), end),
    known.turn.take('m1', says(known, 'm1', 'mine'), end),
  ];
  known.due.shift()?.();
  await Promise.all(taken);
  expect(refusals).toEqual([[{ namespace, name: 'm1', status: expect.objectContaining({ code: 403 }) }], []]);
  expect(pod(known, 'm1').status?.message).toBe('mine');
});

test('what waits is applied at once before anything that came after it, and the timer then finds nothing', async () => {
  const known = world();
  const taken = known.turn.take('m0', says(known, 'm0', 'well'), () => undefined);
  known.turn.flush();
  await taken;
  expect(known.commits).toEqual([1]);
  known.due.shift()?.();
  expect(known.commits).toEqual([1]);
});

test('more than one turn may take is left for the next one, in order', async () => {
  const known = world();
  const many = (name: string): Report => {
    const { pods = [] } = says(known, name, 'well');
    return { type: 'report', id: 1, pods: Array.from({ length: 600 }, () => pods).flat() };
  };
  const ends: string[] = [];
  const taken = MINIONS.map((name) => known.turn.take(name, many(name), () => void ends.push(name)));
  known.due.shift()?.();
  expect(ends).toEqual(['m0', 'm1']);
  known.due.shift()?.();
  await Promise.all(taken);
  expect(ends).toEqual(MINIONS);
  expect([known.commits, known.due]).toEqual([[2, 1], []]);
});

test('when the commit fails, every report of the turn hears of it and nothing stays', async () => {
  const known = world();
  const before = pod(known, 'm0');
  const outcomes: Outcome[] = [];
  let depth = 0;
  const failing = new ReportTurn(
    {
      transact: (body) => {
        depth++;
        try {
          return known.cluster.plane.registry.asSystem((objects) => {
            const value = body(objects);
            if (depth === 1) throw new Error('the disk is full');
            return value;
          }, 'kubelet');
        } finally {
          depth--;
        }
      },
      later: (step) => void known.due.push(step),
    },
    known.echoes,
  );
  const taken = failing.take('m0', says(known, 'm0', 'lost'), (outcome) => void outcomes.push(outcome));
  known.due.shift()?.();
  await taken;
  expect(outcomes).toEqual([{ error: new Error('the disk is full') }]);
  expect(pod(known, 'm0')).toEqual(before);
  expect(known.echoes.size).toBe(0);
});
