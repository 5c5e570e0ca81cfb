import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { NODES, type Node, PODS } from '../../../shared/api/core.ts';
import { isReady } from '../../../shared/pods.ts';
import { addNode, controlPlane, errorsOf, kubelets, podsOf, settle, type TestPlane } from './control-plane.ts';

const readyOf = (plane: TestPlane, name: string): string | undefined =>
  nodeOf(plane, name).status?.conditions?.find((each) => each.type === 'Ready')?.status;

function nodeOf(plane: TestPlane, name: string): Node {
  const found = plane.do((objects) => objects.get(NODES, '', name) ?? null);
  if (found === null) throw new Error(`no node ${name}`);
  return found;
}

const taintsOf = (plane: TestPlane, name: string) =>
  (nodeOf(plane, name).spec.taints ?? []).map((each) => `${each.key}:${each.effect}`);

/** Time passes while these minions send their heartbeats. */
function beat(plane: TestPlane, seconds: number, ...names: string[]): void {
  for (let second = 0; second < seconds; second += 5) {
    for (const name of names) plane.sockets.set(name, plane.nowMs);
    plane.pass(5000);
  }
}

function lose(plane: TestPlane, name: string): void {
  plane.sockets.delete(name);
  plane.do((objects) => plane.life.socketLost(objects, name));
}

function comeBack(plane: TestPlane, name: string): void {
  const node = nodeOf(plane, name);
  const conditions = [{ type: 'Ready', status: 'True' as const, reason: 'KubeletReady' }];
  plane.hello(name, (objects) => {
    const updated = objects.updateStatus(NODES, { ...node, status: { ...node.status, conditions } });
    plane.life.returned(objects, updated);
  });
}

function deploy(plane: TestPlane, replicas: number): void {
  plane.do((objects) =>
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
      },
    }),
  );
  settle(plane);
}

describe('a minion', () => {
  test('that comes is ready, untainted and has a share of the pod network', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    addNode(plane, 'm2');
    expect(readyOf(plane, 'm1')).toBe('True');
    expect(taintsOf(plane, 'm1')).toEqual([]);
    expect([nodeOf(plane, 'm1').spec.podCIDR, nodeOf(plane, 'm2').spec.podCIDRs]).toEqual([
      '10.244.0.0/24',
      ['10.244.1.0/24'],
    ]);
  });

  test('that says goodbye is not ready at once, and stays so when its socket closes', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    plane.do((objects) => plane.life.goodbye(objects, 'm1', 'longshore down'));
    expect(readyOf(plane, 'm1')).toBe('False');
    expect(taintsOf(plane, 'm1')).toEqual([
      'node.kubernetes.io/not-ready:NoSchedule',
      'node.kubernetes.io/not-ready:NoExecute',
    ]);
    lose(plane, 'm1');
    plane.pass(120_000);
    expect(readyOf(plane, 'm1')).toBe('False');
  });

  test('whose socket breaks has ten seconds to come back', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    beat(plane, 60, 'm1');
    lose(plane, 'm1');
    plane.pass(9000);
    expect(readyOf(plane, 'm1')).toBe('True');
    comeBack(plane, 'm1');
    beat(plane, 60, 'm1');
    expect(readyOf(plane, 'm1')).toBe('True');
    lose(plane, 'm1');
    plane.pass(11_000);
    expect(readyOf(plane, 'm1')).toBe('Unknown');
    expect(taintsOf(plane, 'm1')).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
  });

  test('that came back is not given up by a restart soon after, for the time that it had been away', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    beat(plane, 60, 'm1');
    lose(plane, 'm1');
    plane.pass(6000);
    comeBack(plane, 'm1');
    plane.pass(1000);
    const restarted = controlPlane({ sql: plane.sql, nowMs: plane.nowMs + 1000 });
    restarted.pass(5000);
    expect(readyOf(restarted, 'm1')).toBe('True');
    restarted.pass(120_000);
    expect(readyOf(restarted, 'm1')).toBe('Unknown');
  });

  test('that is silent on an open socket is found out, and its socket dropped', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    beat(plane, 100, 'm1');
    plane.pass(30_000);
    expect(readyOf(plane, 'm1')).toBe('True');
    plane.pass(25_000);
    expect(readyOf(plane, 'm1')).toBe('Unknown');
    expect(plane.dropped).toEqual(['m1']);
  });

  test('whose socket ends without a word is missed in the next round, whoever comes meanwhile', () => {
    const plane = controlPlane();
    for (const name of ['m1', 'm2']) addNode(plane, name);
    beat(plane, 60, 'm1', 'm2');
    // The instance that was to hear it is no more.
    plane.sockets.delete('m1');
    addNode(plane, 'm3');
    beat(plane, 60, 'm2', 'm3');
    expect(['m1', 'm2', 'm3'].map((name) => readyOf(plane, name))).toEqual(['Unknown', 'True', 'True']);
  });

  test('that was written by hand and never comes is found out', () => {
    const plane = controlPlane();
    plane.do((objects) =>
      objects.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'nobody' }, spec: {} }),
    );
    plane.pass(60_000);
    expect(readyOf(plane, 'nobody')).toBe('Unknown');
  });

  test('that comes back is untainted, and its pods are ready again', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    deploy(plane, 2);
    lose(plane, 'm1');
    plane.pass(11_000);
    expect(podsOf(plane).map(isReady)).toEqual([false, false]);
    comeBack(plane, 'm1');
    expect(podsOf(plane).map(isReady)).toEqual([true, true]);
    expect(taintsOf(plane, 'm1')).toEqual([]);
    expect(errorsOf(plane)).toEqual([]);
  });
});

describe('a restart of the control plane', () => {
  test('marks nobody, however long it was away', () => {
    const before = controlPlane();
    addNode(before, 'm1');
    addNode(before, 'm2');
    beat(before, 60, 'm1', 'm2');
    // On a stop some sockets are seen to break, others are not.
    lose(before, 'm1');
    const after = controlPlane({ sql: before.sql, nowMs: before.nowMs + 3_600_000 });
    after.pass(20_000);
    comeBack(after, 'm1');
    comeBack(after, 'm2');
    beat(after, 120, 'm1', 'm2');
    expect([readyOf(after, 'm1'), readyOf(after, 'm2')]).toEqual(['True', 'True']);
  });

  test('finds out those who do not come back', () => {
    const before = controlPlane();
    addNode(before, 'm1');
    addNode(before, 'm2');
    const after = controlPlane({ sql: before.sql, nowMs: before.nowMs + 3_600_000 });
    after.pass(1000);
    comeBack(after, 'm1');
    beat(after, 60, 'm1');
    expect([readyOf(after, 'm1'), readyOf(after, 'm2')]).toEqual(['True', 'Unknown']);
  });
});

describe('an idle cluster', () => {
  test('has one alarm every 40 s, no row of work and no new revision', () => {
    const plane = controlPlane();
    for (const name of ['m1', 'm2', 'm3']) addNode(plane, name);
    deploy(plane, 3);
    beat(plane, 60, 'm1', 'm2', 'm3');
    const { revision } = plane.store;
    plane.alarms = 0;
    beat(plane, 600, 'm1', 'm2', 'm3');
    expect(plane.alarms).toBeLessThanOrEqual(15);
    expect(plane.store.revision).toBe(revision);
    const work = plane.store.dueWork(Number.MAX_SAFE_INTEGER, 100).map((item) => item.queue);
    expect(work).not.toContain('node');
  });

  test('without any minion has none', () => {
    const plane = controlPlane();
    plane.pass(0);
    expect(plane.store.nextDueMs()).toBeUndefined();
  });
});

describe('pods of a minion that is gone', () => {
  test('are moved when their tolerance is over', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    deploy(plane, 2);
    addNode(plane, 'm2');
    lose(plane, 'm1');
    beat(plane, 290, 'm2');
    expect(podsOf(plane)).toHaveLength(2);
    beat(plane, 30, 'm2');
    kubelets(plane, (each) => each.spec.nodeName === 'm2');
    const alive = podsOf(plane).filter((each) => each.metadata.deletionTimestamp === undefined);
    expect(alive.map((each) => [each.spec.nodeName, isReady(each)])).toEqual([
      ['m2', true],
      ['m2', true],
    ]);
  });

  test('stay when the control plane was away meanwhile and the minion returns', () => {
    const before = controlPlane();
    addNode(before, 'm1');
    deploy(before, 2);
    lose(before, 'm1');
    before.pass(12_000);
    expect(readyOf(before, 'm1')).toBe('Unknown');
    const after = controlPlane({ sql: before.sql, nowMs: before.nowMs + 3_600_000 });
    after.pass(5000);
    comeBack(after, 'm1');
    beat(after, 600, 'm1');
    expect(podsOf(after).map((each) => each.metadata.deletionTimestamp)).toEqual([undefined, undefined]);
  });

  test('are removed with their Node object, ending ones too', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    deploy(plane, 2);
    addNode(plane, 'm2');
    beat(plane, 60, 'm1', 'm2');
    const [first] = podsOf(plane);
    plane.do((objects) => objects.delete(PODS, 'default', first?.metadata.name ?? ''));
    plane.sockets.delete('m1');
    plane.do((objects) => objects.delete(NODES, '', 'm1'));
    settle(plane);
    expect(podsOf(plane).map((each) => each.spec.nodeName)).toEqual(['m2', 'm2']);
    expect(plane.do((objects) => objects.list(NODES)).map((each) => each.spec.podCIDR)).toEqual(['10.244.1.0/24']);
    addNode(plane, 'm3');
    expect(nodeOf(plane, 'm3').spec.podCIDR).toBe('10.244.0.0/24');
  });
});

test('a cordoned node is tainted, and uncordoned it is not', () => {
  const plane = controlPlane();
  addNode(plane, 'm1');
  const cordon = (unschedulable: boolean) => {
    const node = nodeOf(plane, 'm1');
    plane.do((objects) => objects.update(NODES, { ...node, spec: { ...node.spec, unschedulable } }));
  };
  cordon(true);
  expect(taintsOf(plane, 'm1')).toEqual(['node.kubernetes.io/unschedulable:NoSchedule']);
  cordon(false);
  expect(taintsOf(plane, 'm1')).toEqual([]);
});
