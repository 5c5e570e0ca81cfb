/** A pod's row in kubectl's table; the STATUS word is the kubelet's state as people know it. Source: printers.go printPod. */
import type { ContainerState, ContainerStatus, Pod } from '../../shared/api/core.ts';
import { conditionOf, isSidecar, isTerminal } from '../../shared/pods.ts';
import { ageOf } from '../../shared/time.ts';
import { AGE, NAME, text } from './columns.ts';
import type { Column } from './definition.ts';

interface Summary {
  ready: number;
  total: number;
  reason: string;
  restarts: number;
  /** Of the last restart; '' when there was none. */
  restartedAt: string;
}

const later = (left: string, right: string | undefined): string => (right !== undefined && right > left ? right : left);

const endOf = (status: ContainerStatus): string | undefined => status.lastState?.terminated?.finishedAt;

function terminationOf({ reason, signal, exitCode }: NonNullable<ContainerState['terminated']>): string {
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

/** Where the first init container that is not done stands; undefined when all are. */
function initReason(status: ContainerStatus, index: number, count: number): string {
  const { terminated, waiting } = status.state ?? {};
  if (terminated) return `Init:${terminationOf(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${index}/${count}`;
}

/** Adds up the init containers; returns whether the pod is still among them. */
function summarizeInit(pod: Pod, summary: Summary, sidecarOnly: Summary): boolean {
  const containers = pod.spec.initContainers ?? [];
  const sidecars = new Set(containers.filter(isSidecar).map((container) => container.name));
  summary.total += sidecars.size;
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    for (const sum of sidecars.has(status.name) ? [summary, sidecarOnly] : [summary]) {
      sum.restarts += status.restartCount ?? 0;
      sum.restartedAt = later(sum.restartedAt, endOf(status));
    }
    if (status.state?.terminated?.exitCode === 0) continue;
    if (sidecars.has(status.name) && status.started) {
      if (status.ready) summary.ready++;
      continue;
    }
    summary.reason = initReason(status, index, containers.length);
    return true;
  }
  return false;
}

function summarizeMain(pod: Pod, summary: Summary): void {
  let running = false;
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    summary.restarts += status.restartCount ?? 0;
    summary.restartedAt = later(summary.restartedAt, endOf(status));
    const { waiting, terminated, running: runs } = status.state ?? {};
    if (waiting?.reason) summary.reason = waiting.reason;
    else if (terminated) summary.reason = terminationOf(terminated);
    else if (status.ready && runs) {
      running = true;
      summary.ready++;
    }
  }
  if (summary.reason === 'Completed' && running) {
    summary.reason = conditionOf(pod, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
  }
}

function summarize(pod: Pod): Summary {
  const { status } = pod;
  const reason = status?.reason || status?.phase || '';
  const summary: Summary = { ready: 0, total: pod.spec.containers.length, reason, restarts: 0, restartedAt: '' };
  const sidecars: Summary = { ...summary };
  const gated = conditionOf(pod, 'PodScheduled')?.reason === 'SchedulingGated';
  if (gated) summary.reason = 'SchedulingGated';
  const initializing = summarizeInit(pod, summary, sidecars);
  if (!initializing || conditionOf(pod, 'Initialized')?.status === 'True') {
    summary.restarts = sidecars.restarts;
    summary.restartedAt = sidecars.restartedAt;
    summarizeMain(pod, summary);
  }
  if (pod.metadata.deletionTimestamp) {
    if (status?.reason === 'NodeLost') summary.reason = 'Unknown';
    else if (!isTerminal(pod)) summary.reason = 'Terminating';
  }
  return summary;
}

function restartsOf(pod: Pod, nowMs: number): string {
  const { restarts, restartedAt } = summarize(pod);
  return restarts > 0 && restartedAt !== '' ? `${restarts} (${ageOf(restartedAt, nowMs)} ago)` : String(restarts);
}

function gatesOf(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const open = gates.filter((gate) => conditionOf(pod, gate.conditionType)?.status === 'True');
  return `${open.length}/${gates.length}`;
}

export const POD_COLUMNS: readonly Column<Pod>[] = [
  NAME,
  text<Pod>('Ready', 'The aggregate readiness state of this pod for accepting traffic.', (pod) => {
    const { ready, total } = summarize(pod);
    return `${ready}/${total}`;
  }),
  text<Pod>('Status', 'The aggregate status of the containers in this pod.', (pod) => summarize(pod).reason),
  text<Pod>(
    'Restarts',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    restartsOf,
  ),
  AGE,
  text<Pod>(
    'IP',
    'podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.',
    ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || '<none>',
    true,
  ),
  text<Pod>(
    'Node',
    'NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename',
    ({ spec }) => spec.nodeName || '<none>',
    true,
  ),
  text<Pod>(
    'Nominated Node',
    'nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.',
    ({ status }) => status?.nominatedNodeName || '<none>',
    true,
  ),
  text<Pod>(
    'Readiness Gates',
    'If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to "True" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates',
    gatesOf,
    true,
  ),
];
