/**
 * What a Node's conditions mean: which taints follow from them, and how they look when nobody reports any more. Pure; who
 * reads and writes is `nodes.ts`.
 * Source: https://kubernetes.io/docs/reference/node/node-status/, k8s.io/kubernetes/pkg/controller/nodelifecycle
 */
import type { Node, NodeCondition, Taint, TaintEffect } from '../../shared/api/core.ts';
import { NOT_READY_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT } from '../../shared/api/longshore.ts';
import { formatTime } from '../../shared/time.ts';
import { isEqual } from './equality.ts';

/** The reason of a Ready condition by which a minion that said goodbye is told from one that fails. */
const STOPPED = 'KubeletStopped';

const PRESSURE_TAINTS: Record<string, string> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const OWN_KEYS = new Set([NOT_READY_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT, ...Object.values(PRESSURE_TAINTS)]);
const REPORTED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

export const nodeCondition = (node: Node, type: string): NodeCondition | undefined =>
  node.status?.conditions?.find((condition) => condition.type === type);

export const isNodeReady = (node: Node): boolean => nodeCondition(node, 'Ready')?.status === 'True';
export const isUnreachable = (node: Node): boolean => nodeCondition(node, 'Ready')?.status === 'Unknown';
export const hasSaidGoodbye = (node: Node): boolean => nodeCondition(node, 'Ready')?.reason === STOPPED;

/** All taints as they should be; those of others stay, those of ours that stay keep their time. */
export function taintsOf(node: Node, nowMs: number): Taint[] {
  const current = node.spec.taints ?? [];
  const wanted = wantedTaints(node).map(
    (taint) =>
      current.find((each) => each.key === taint.key && each.effect === taint.effect) ?? {
        ...taint,
        timeAdded: formatTime(nowMs),
      },
  );
  const kept = current.filter((taint) => !OWN_KEYS.has(taint.key) || wanted.includes(taint));
  return [...kept, ...wanted.filter((taint) => !kept.includes(taint))];
}

function wantedTaints(node: Node): { key: string; effect: TaintEffect }[] {
  const taints: { key: string; effect: TaintEffect }[] = [];
  const ready = nodeCondition(node, 'Ready')?.status;
  if (ready !== 'True') {
    const key = ready === 'Unknown' ? UNREACHABLE_TAINT : NOT_READY_TAINT;
    taints.push({ key, effect: 'NoSchedule' });
    // A node that never reported has no pods to drive away.
    if (ready !== undefined) taints.push({ key, effect: 'NoExecute' });
  }
  if (node.spec.unschedulable === true) taints.push({ key: UNSCHEDULABLE_TAINT, effect: 'NoSchedule' });
  for (const [type, key] of Object.entries(PRESSURE_TAINTS)) {
    if (nodeCondition(node, type)?.status === 'True') taints.push({ key, effect: 'NoSchedule' });
  }
  return taints;
}

/** The conditions of a node from which nothing is heard any more. */
export function unknownConditions(node: Node, nowMs: number): NodeCondition[] {
  const others = (node.status?.conditions ?? []).filter((condition) => !REPORTED.includes(condition.type));
  const unknown = REPORTED.map((type): NodeCondition => {
    const current = nodeCondition(node, type);
    if (current?.status === 'Unknown') return current;
    return {
      ...current,
      type,
      status: 'Unknown',
      reason: current === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message: current === undefined ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
      lastTransitionTime: formatTime(nowMs),
    };
  });
  return [...others, ...unknown];
}

/** The conditions of a node whose minion stopped on purpose: its pods were left as they are, but nobody watches them. */
export function stoppedConditions(node: Node, reason: string, nowMs: number): NodeCondition[] {
  const current = nodeCondition(node, 'Ready');
  const ready: NodeCondition = {
    ...current,
    type: 'Ready',
    status: 'False',
    reason: STOPPED,
    message: `The minion said goodbye: ${reason}`,
    lastTransitionTime:
      current?.status === 'False' ? (current.lastTransitionTime ?? formatTime(nowMs)) : formatTime(nowMs),
  };
  return [...(node.status?.conditions ?? []).filter((condition) => condition.type !== 'Ready'), ready];
}

/** Whether nothing changed that taints follow from. */
export function conditionsLookTheSame(node: Node, previous: Node): boolean {
  const seen = (each: Node) => [
    (each.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`).sort(),
    each.spec.taints ?? [],
    each.spec.unschedulable ?? false,
  ];
  return isEqual(seen(node), seen(previous));
}
