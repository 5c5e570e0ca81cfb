import { describe, expect, test } from 'vitest';
import { EVENTS, NODES, type Node, PODS, type Pod, type PodSpec } from '../../../shared/api/core.ts';
import { addNode, controlPlane, errorsOf, kubelets, podsOf, type TestPlane } from '../controllers/control-plane.ts';

const add = (plane: TestPlane, name: string, spec: Partial<PodSpec> = {}): Pod =>
  plane.do((objects) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [{ name: 'main', image: 'v1' }], ...spec },
    }),
  );

const asking = (cpu: string): Partial<PodSpec> => ({
  containers: [{ name: 'main', image: 'v1', resources: { requests: { cpu } } }],
});

const podOf = (plane: TestPlane, name: string): Pod => {
  const found = podsOf(plane).find((each) => each.metadata.name === name);
  if (found === undefined) throw new Error(`no pod ${name}`);
  return found;
};
const nodeNameOf = (plane: TestPlane, name: string) => podOf(plane, name).spec.nodeName ?? '';
const scheduledOf = (plane: TestPlane, name: string) =>
  podOf(plane, name).status?.conditions?.find((each) => each.type === 'PodScheduled');
const eventsOf = (plane: TestPlane, name: string) =>
  plane
    .do((objects) => objects.list(EVENTS))
    .filter((each) => each.involvedObject.name === name)
    .map((each) => [each.type, each.reason, each.message, each.source?.component]);

describe('a pod', () => {
  test('is bound in the turn in which it is written, and an event says where', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    add(plane, 'a');
    expect(nodeNameOf(plane, 'a')).toBe('m1');
    expect(scheduledOf(plane, 'a')?.status).toBe('True');
    expect(eventsOf(plane, 'a')).toEqual([
      ['Normal', 'Scheduled', 'Successfully assigned default/a to m1', 'default-scheduler'],
    ]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('that fits nowhere is told why, once, and waits without any alarm', () => {
    const plane = controlPlane();
    add(plane, 'a');
    expect(scheduledOf(plane, 'a')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: 'no nodes available to schedule pods',
    });
    expect(eventsOf(plane, 'a')).toEqual([
      ['Warning', 'FailedScheduling', 'no nodes available to schedule pods', 'default-scheduler'],
    ]);
    plane.pass(30 * 60_000);
    expect(plane.alarms).toBe(0);
  });

  test('is told anew when the reason changes', () => {
    const plane = controlPlane();
    add(plane, 'a', asking('8'));
    addNode(plane, 'm1');
    expect(scheduledOf(plane, 'a')?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    );
  });

  test('of another scheduler, or with a gate, is left alone', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    add(plane, 'a', { schedulerName: 'mine' });
    add(plane, 'b', { schedulingGates: [{ name: 'example.com/wait' }] } as Partial<PodSpec>);
    expect([nodeNameOf(plane, 'a'), nodeNameOf(plane, 'b')]).toEqual(['', '']);
    expect(scheduledOf(plane, 'b')).toMatchObject({ status: 'False', reason: 'SchedulingGated' });
    const gated = podOf(plane, 'b') as Pod & { spec: { schedulingGates?: unknown[] } };
    plane.do((objects) => objects.update(PODS, { ...gated, spec: { ...gated.spec, schedulingGates: [] } as PodSpec }));
    expect(nodeNameOf(plane, 'b')).toBe('m1');
  });
});

describe('a pending pod is looked at again when', () => {
  test('a minion comes', () => {
    const plane = controlPlane();
    add(plane, 'a');
    addNode(plane, 'm1');
    expect(nodeNameOf(plane, 'a')).toBe('m1');
  });

  test('another pod is gone', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    add(plane, 'a', asking('3'));
    add(plane, 'b', asking('3'));
    expect(nodeNameOf(plane, 'b')).toBe('');
    plane.do((objects) => objects.delete(PODS, 'default', 'a'));
    expect(nodeNameOf(plane, 'b')).toBe('');
    kubelets(plane, (each) => each.metadata.name === 'a');
    expect(nodeNameOf(plane, 'b')).toBe('m1');
  });

  test('another pod has ended', () => {
    const plane = controlPlane();
    addNode(plane, 'm1');
    const a = add(plane, 'a', asking('3'));
    add(plane, 'b', asking('3'));
    const current = podOf(plane, 'a');
    plane.do((objects) => objects.updateStatus(PODS, { ...current, status: { ...a.status, phase: 'Succeeded' } }));
    expect(nodeNameOf(plane, 'b')).toBe('m1');
  });

  test('a minion is uncordoned, labelled, or grows', () => {
    const plane = controlPlane();
    addNode(plane, 'm1', { spec: { unschedulable: true } });
    add(plane, 'a');
    add(plane, 'b', { nodeSelector: { disk: 'ssd' } });
    add(plane, 'c', asking('6'));
    const edit = (change: (node: Node) => void) =>
      plane.do((objects) => {
        const node = objects.get(NODES, '', 'm1');
        if (node === undefined) throw new Error('no node');
        change(node);
        objects.update(NODES, node);
        objects.updateStatus(NODES, { ...node, metadata: { ...node.metadata, resourceVersion: '' } });
      });
    edit((node) => {
      node.spec.unschedulable = false;
    });
    expect(['a', 'b', 'c'].map((name) => nodeNameOf(plane, name))).toEqual(['m1', '', '']);
    edit((node) => {
      node.metadata.labels = { ...node.metadata.labels, disk: 'ssd' };
    });
    expect(['a', 'b', 'c'].map((name) => nodeNameOf(plane, name))).toEqual(['m1', 'm1', '']);
    edit((node) => {
      node.status = { ...node.status, allocatable: { ...node.status?.allocatable, cpu: '8' } };
    });
    expect(['a', 'b', 'c'].map((name) => nodeNameOf(plane, name))).toEqual(['m1', 'm1', 'm1']);
    expect(errorsOf(plane)).toEqual([]);
  });
});

test('the more important pod is placed first when there is room for one', () => {
  const plane = controlPlane();
  add(plane, 'low', asking('3'));
  add(plane, 'high', { ...asking('3'), priorityClassName: 'system-cluster-critical' });
  addNode(plane, 'm1');
  expect([nodeNameOf(plane, 'low'), nodeNameOf(plane, 'high')]).toEqual(['', 'm1']);
});

test('no node is ever given more than it has, and everything is placed that fits', () => {
  const plane = controlPlane({ seed: 7 });
  for (const name of ['m1', 'm2', 'm3']) addNode(plane, name);
  for (let index = 0; index < 15; index += 1) add(plane, `p${index}`, asking('1'));
  const load = new Map<string, number>();
  for (const pod of podsOf(plane)) load.set(pod.spec.nodeName ?? '', (load.get(pod.spec.nodeName ?? '') ?? 0) + 1);
  expect(Object.fromEntries(load)).toEqual({ m1: 4, m2: 4, m3: 4, '': 3 });
});

test('a decision that is rolled back leaves no trace in what is counted', () => {
  const plane = controlPlane();
  addNode(plane, 'm1');
  expect(() =>
    plane.do((objects) => {
      objects.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'never', namespace: 'default' },
        spec: { nodeName: 'm1', ...asking('3') } as PodSpec,
      });
      throw new Error('no');
    }),
  ).toThrow('no');
  add(plane, 'a', asking('4'));
  expect(nodeNameOf(plane, 'a')).toBe('m1');
});
