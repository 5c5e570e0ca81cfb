/**
 * Which pods a replica set gives up first. Pure.
 * Source: k8s.io/kubernetes/pkg/controller/controller_utils.go (ActivePodsWithRanks)
 */
import type { Pod } from '../../shared/api/core.ts';
import { isReady } from '../../shared/pods.ts';
import { readySinceMs, restartsOf } from './pod-state.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASES: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The `count` pods to delete. `related` are the pods of all replica sets with the same owner: a pod on a node that holds
 * many of them goes before one that stands alone.
 */
export function chooseVictims(pods: readonly Pod[], related: readonly Pod[], count: number, nowMs: number): Pod[] {
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const rankOf = (pod: Pod) => onNode.get(pod.spec.nodeName ?? '') ?? 0;
  return [...pods].sort((a, b) => compareVictims(a, b, rankOf, nowMs)).slice(0, count);
}

/** Negative when `a` is to go before `b`. */
export function compareVictims(a: Pod, b: Pod, rankOf: (pod: Pod) => number, nowMs: number): number {
  return (
    Number(hasNode(a)) - Number(hasNode(b)) ||
    phaseOf(a) - phaseOf(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    costOf(a) - costOf(b) ||
    rankOf(b) - rankOf(a) ||
    compareAges(readySinceMs(a), readySinceMs(b), a, b, nowMs) ||
    restartsOf(b) - restartsOf(a) ||
    compareAges(createdMs(a), createdMs(b), a, b, nowMs)
  );
}

const hasNode = (pod: Pod): boolean => (pod.spec.nodeName ?? '') !== '';
const phaseOf = (pod: Pod): number => PHASES[pod.status?.phase ?? 'Pending'] ?? 0;
const createdMs = (pod: Pod): number => Date.parse(pod.metadata.creationTimestamp) || 0;

function costOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? '';
  return /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

/** Younger first, by powers of two of the age, so that pods of one age are chosen as if at random: by uid. */
function compareAges(a: number | undefined, b: number | undefined, one: Pod, other: Pod, nowMs: number): number {
  if (a === undefined || b === undefined || a === b) return 0;
  const difference = magnitude(nowMs - a) - magnitude(nowMs - b);
  if (difference !== 0) return difference;
  return one.metadata.uid < other.metadata.uid ? -1 : 1;
}

const magnitude = (ms: number): number => (ms <= 0 ? -1 : Math.floor(Math.log2(ms * 1e6)));
