/**
 * The scheduler, as a controller: its key is a pending pod, or EVERY when something changed that pending pods may have been
 * waiting for. Nothing polls: a pod that fits nowhere is looked at again when a node or another pod changes.
 * What it chooses from is in `candidates.ts`, how it chooses in `decision.ts` and the rules of `catalog.ts`.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
 */
import { NAMESPACES, NODES, type Node, PODS, type Pod, type PodCondition } from '../../shared/api/core.ts';
import { countsTheSame, requestsOf } from '../../shared/pods.ts';
import { formatTime } from '../../shared/time.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from '../controllers/controller.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Candidates, weighs } from './candidates.ts';
import { PLUGINS } from './catalog.ts';
import { decide } from './decision.ts';
import type { ClusterView } from './plugin.ts';

export const SCHEDULER_NAME = 'default-scheduler';
/** Every pending pod; no pod has this key, for a pod's has a slash. */
export const EVERY = '*';
/** The pending pods that have something to say about others, which are looked at again when a pod was placed. */
const CHOOSY = '~';
/** Many pods are placed at once: one look is enough for all of them. */
const CHOOSY_AFTER_MS = 100;

/** One for each object: the candidates keep sums, which belong to one store. */
export function createScheduler(candidates: Candidates): Controller {
  return {
    name: 'scheduler',
    user: { username: 'system:kube-scheduler', groups: ['system:authenticated'] },
    manager: 'kube-scheduler',
    sources: [
      source(PODS, (change, objects) => {
        candidates.podChanged(change);
        return keysOfPod(change, objects);
      }),
      source(NODES, (change, objects) => {
        if (change.type === 'MODIFIED' && looksTheSame(change)) return [];
        candidates.nodeChanged(change);
        return change.type !== 'DELETED' && hasPending(objects) ? [EVERY] : [];
      }),
    ],
    reconcile(key, context) {
      if (key === EVERY || key === CHOOSY) {
        const pending = pendingInOrder(context.objects).filter((pod) => key === EVERY || isChoosy(pod));
        for (const pod of pending) context.enqueue(keyOf(pod));
        return;
      }
      const { namespace, name } = splitKey(key);
      const pod = context.objects.get(PODS, namespace, name);
      if (pod === undefined || !isPending(pod)) return;
      schedule(pod, candidates, context);
    },
  };
}

const isPending = (pod: Pod): boolean =>
  (pod.spec.nodeName ?? '') === '' &&
  pod.metadata.deletionTimestamp === undefined &&
  weighs(pod) &&
  (pod.spec.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME;

const isChoosy = ({ spec }: Pod): boolean =>
  spec.affinity?.podAffinity !== undefined || (spec.topologySpreadConstraints ?? []).length > 0;

const PENDING = [{ index: 'field:spec.nodeName', value: '' }];

const hasPending = (objects: Objects): boolean => objects.list(PODS, { having: PENDING, limit: 1 }).length > 0;

/** The more important first, then the older, as upstream's PrioritySort. */
function pendingInOrder(objects: Objects): Pod[] {
  return objects
    .list(PODS, { having: PENDING })
    .filter(isPending)
    .sort(
      (a, b) =>
        (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
        Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
    );
}

function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const held = (pod: Pod | undefined) => pod !== undefined && (pod.spec.nodeName ?? '') !== '' && weighs(pod);
  const released =
    type === 'DELETED' ? held(previous ?? object) : held(previous) && (!held(object) || shrank(object, previous));
  if (released) return hasPending(objects) ? [EVERY] : [];
  if (type === 'DELETED' || !isPending(object)) return [];
  // Its own conditions are no news to the scheduler.
  const isNews =
    previous === undefined ||
    object.metadata.generation !== previous.metadata.generation ||
    isGated(object) !== isGated(previous) ||
    JSON.stringify(object.metadata.labels) !== JSON.stringify(previous.metadata.labels);
  return isNews ? [keyOf(object)] : [];
}

/** A resize has left room on its node. */
function shrank(pod: Pod, previous: Pod | undefined): boolean {
  if (previous === undefined || countsTheSame(pod, previous)) return false;
  const [now, before] = [requestsOf(pod), requestsOf(previous)];
  return Object.entries(before).some(([name, amount]) => (now[name] ?? 0) < amount);
}

/** Whether nothing changed that a scheduling rule reads: conditions, addresses and heartbeats are not among that. */
function looksTheSame({ object, previous }: ObjectChange<Node>): boolean {
  const seen = (node: Node | undefined) => [
    node?.metadata.labels,
    node?.spec,
    node?.status?.allocatable,
    node?.status?.images,
    node?.metadata.deletionTimestamp,
  ];
  return JSON.stringify(seen(object)) === JSON.stringify(seen(previous));
}

function schedule(pod: Pod, candidates: Candidates, context: ReconcileContext): void {
  const { objects } = context;
  if (isGated(pod)) {
    const message = 'Scheduling is blocked due to non-empty scheduling gates';
    setUnscheduled(pod, { reason: 'SchedulingGated', message }, objects);
    return;
  }
  const view: ClusterView = {
    repelling: () => candidates.repelling(objects),
    namespaceLabels: (name) => objects.get(NAMESPACES, '', name)?.metadata.labels ?? {},
  };
  const decision = decide(pod, candidates.all(objects), PLUGINS, context.random, view);
  const { name, namespace = '', uid } = pod.metadata;
  if ('node' in decision) {
    objects.bind({ namespace, name, uid }, decision.node);
    objects.record(pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${namespace}/${name} to ${decision.node}`,
      component: SCHEDULER_NAME,
    });
    if (hasPending(objects)) context.enqueue(CHOOSY, CHOOSY_AFTER_MS);
    return;
  }
  objects.record(pod, {
    type: 'Warning',
    reason: 'FailedScheduling',
    message: decision.refusal,
    component: SCHEDULER_NAME,
  });
  setUnscheduled(pod, { reason: 'Unschedulable', message: decision.refusal }, objects);
}

const isGated = (pod: Pod): boolean =>
  ((pod.spec as { schedulingGates?: { name: string }[] }).schedulingGates ?? []).length > 0;

function setUnscheduled(pod: Pod, why: { reason: string; message: string }, objects: Objects): void {
  const current = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (current?.status === 'False' && current.reason === why.reason && current.message === why.message) return;
  const since = current?.status === 'False' ? current.lastTransitionTime : undefined;
  const condition: PodCondition = {
    type: 'PodScheduled',
    status: 'False',
    lastProbeTime: null,
    lastTransitionTime: since ?? formatTime(objects.nowMs),
    ...why,
  };
  const conditions = [...(pod.status?.conditions ?? []).filter((each) => each !== current), condition];
  objects.updateStatus(PODS, { ...pod, status: { ...pod.status, conditions } });
}
