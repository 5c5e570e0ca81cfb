/**
 * Which nodes a daemon set wants a pod on, and the pod that it makes for one of them. Pure; who reads and writes is
 * `daemonsets.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/daemon/{daemon_controller.go,util/daemonset_util.go}
 */
import { DAEMON_SETS, type DaemonSet } from '../../shared/api/apps.ts';
import type { Node, Pod, Toleration } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { matchesSelectorAndAffinity } from '../../shared/node-affinity.ts';
import { tolerates } from '../../shared/taints.ts';
import { podFromTemplate } from './pod-control.ts';
import { REVISION_LABEL } from './revisions.ts';

const exists = (key: string, effect: NonNullable<Toleration['effect']>): Toleration => ({
  key,
  operator: 'Exists',
  effect,
});

const TOLERATIONS: readonly Toleration[] = [
  exists('node.kubernetes.io/not-ready', 'NoExecute'),
  exists('node.kubernetes.io/unreachable', 'NoExecute'),
  exists('node.kubernetes.io/disk-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/memory-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/pid-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/unschedulable', 'NoSchedule'),
];
const NETWORK_TOLERATION = exists('node.kubernetes.io/network-unavailable', 'NoSchedule');

/** Those of the template, and those that let a daemon stay where others must go. */
function tolerationsOf({ spec }: DaemonSet): Toleration[] {
  const own = spec.template.spec.tolerations ?? [];
  const added = spec.template.spec.hostNetwork === true ? [...TOLERATIONS, NETWORK_TOLERATION] : TOLERATIONS;
  const isSame = (a: Toleration, b: Toleration) =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && a.value === b.value;
  return [...own.filter((each) => !added.some((other) => isSame(each, other))), ...added];
}

export interface NodeVerdict {
  shouldRun: boolean;
  /** A pod that is there may stay. */
  shouldContinue: boolean;
}

export function judgeNode(daemonSet: DaemonSet, node: Node): NodeVerdict {
  const { spec } = daemonSet.spec.template;
  const fits = (!spec.nodeName || spec.nodeName === node.metadata.name) && matchesSelectorAndAffinity({ spec }, node);
  if (!fits) return { shouldRun: false, shouldContinue: false };
  const tolerations = tolerationsOf(daemonSet);
  const untolerated = (node.spec.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((each) => tolerates(each, taint)),
  );
  if (untolerated.length === 0) return { shouldRun: true, shouldContinue: true };
  return { shouldRun: false, shouldContinue: !untolerated.some((taint) => taint.effect === 'NoExecute') };
}

/** The pod for one node: the scheduler binds it, bound to this node by its name. */
export function podForNode(daemonSet: DaemonSet, hash: string, node: string): Draft<Pod> {
  const draft = podFromTemplate(DAEMON_SETS, daemonSet, daemonSet.spec.template);
  draft.metadata.labels = { ...draft.metadata.labels, [REVISION_LABEL]: hash };
  const { affinity = {} } = draft.spec;
  // Kubernetes: the terms of the template have been looked at already, so the name replaces them.
  const required = {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }],
  };
  draft.spec.affinity = {
    ...affinity,
    nodeAffinity: { ...affinity.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required },
  };
  draft.spec.tolerations = tolerationsOf(daemonSet);
  return draft;
}

/** The node that a daemon's pod is on, or is meant for. */
export function nodeOf(pod: Pod): string {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const fields = required?.nodeSelectorTerms.flatMap((term) => term.matchFields ?? []) ?? [];
  return fields.find((each) => each.key === 'metadata.name' && each.operator === 'In')?.values?.[0] ?? '';
}
