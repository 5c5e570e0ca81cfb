/**
 * The node lifecycle controller: marks nodes from which nothing is heard, turns conditions into taints, and takes the pods
 * of a node that is not ready out of their Services. What follows from taints for pods is in `taint-eviction.ts`; what
 * the sockets tell comes through `node-life.ts` and `Liveness`; the look at all nodes now and then is `node-rounds.ts`.
 *
 * Keys
 * - `/NAME`: conditions, taints and pods of one node agree.
 * - `lost/NAME`: its socket broke; the row's due time is the end of its grace period.
 *
 * Why a restart marks nobody: a row is due when it is due, also while the control plane is not running. A row that is
 * handled long after its time says that nobody could have been heard meanwhile, so everybody gets a fresh grace period.
 */
import { NODES, type Node, PODS, type Pod } from '../../shared/api/core.ts';
import { conditionOf } from '../../shared/pods.ts';
import { formatTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import {
  conditionsLookTheSame,
  hasSaidGoodbye,
  isNodeReady,
  isUnreachable,
  nodeCondition,
  taintsOf,
  unknownConditions,
} from './node-conditions.ts';
import type { Liveness, Surroundings } from './surroundings.ts';

export const NODE_QUEUE = 'node';
export const lostKey = (name: string): string => `lost/${name}`;

/** A socket that broke may come back for so long. */
export const RECONNECT_MS = 10_000;
/** Upstream's node-monitor-grace-period. */
export const GRACE_MS = 40_000;
/** Alarms are punctual to well below this; what is later was not running. */
const LATE_MS = 5_000;

const COMPONENT = 'node-controller';
/** On pods' Ready condition: not the kubelet's own word, and taken back when the node is ready again. */
const NODE_NOT_READY = 'NodeNotReady';

export const isLate = ({ nowMs, dueMs }: Pick<ReconcileContext, 'nowMs' | 'dueMs'>): boolean => nowMs - dueMs > LATE_MS;

export function createNodes({ liveness }: Pick<Surroundings, 'liveness'>): Controller {
  function reconcileLost(name: string, context: ReconcileContext): void {
    if (liveness.connected(name)) return;
    const node = context.objects.get(NODES, '', name);
    if (node === undefined || isUnreachable(node) || hasSaidGoodbye(node)) return;
    const seenMs = liveness.lastSeenMs(name);
    if (isLate(context)) context.requeueAfter(GRACE_MS);
    else if (seenMs !== undefined && context.nowMs < seenMs + RECONNECT_MS) {
      // It came back and broke again.
      context.requeueAfter(seenMs + RECONNECT_MS - context.nowMs);
    } else markUnreachable(node, context.objects);
  }

  return {
    name: NODE_QUEUE,
    account: 'node-controller',
    sources: [
      source(NODES, ({ type, object, previous }) => {
        if (type === 'DELETED' || (previous !== undefined && conditionsLookTheSame(object, previous))) return [];
        return [keyOf(object)];
      }),
    ],
    reconcile(key, context) {
      const { namespace: kind, name } = splitKey(key);
      if (kind === 'lost') reconcileLost(name, context);
      else reconcileNode(name, context, liveness);
    },
  };
}

export function markUnreachable(node: Node, objects: Objects): void {
  const conditions = unknownConditions(node, objects.nowMs);
  objects.updateStatus(NODES, { ...node, status: { ...node.status, conditions } });
}

function reconcileNode(name: string, { objects, enqueue }: ReconcileContext, liveness: Liveness): void {
  const node = objects.get(NODES, '', name);
  if (node === undefined) return;
  // Somebody else wrote it, or its minion is on its way: it has as long as one that fell silent.
  if (!liveness.connected(name) && !isUnreachable(node) && !hasSaidGoodbye(node)) enqueue(lostKey(name), GRACE_MS);
  const taints = taintsOf(node, objects.nowMs);
  if (!isEqual(taints, node.spec.taints ?? [])) {
    const { taints: _before, ...spec } = node.spec;
    objects.update(NODES, { ...node, spec: taints.length === 0 ? spec : { ...spec, taints } });
  }
  if (nodeCondition(node, 'Ready') === undefined) return;
  const pods = objects.list(PODS, { having: [{ index: 'field:spec.nodeName', value: name }] });
  const changed = pods.filter((pod) => setReadiness(pod, isNodeReady(node), objects));
  if (changed.length > 0 && !isNodeReady(node)) {
    const message = `Node ${name} status is now: NodeNotReady`;
    objects.record(node, { type: 'Normal', reason: 'NodeNotReady', message, component: COMPONENT });
  }
}

/** Takes a pod out of its Services while its node is not ready, and puts it back if that was the only reason. */
function setReadiness(pod: Pod, nodeReady: boolean, objects: Objects): boolean {
  const current = conditionOf(pod, 'Ready');
  const isWrong = nodeReady
    ? current?.status === 'False' && current.reason === NODE_NOT_READY && hasReadyContainers(pod)
    : current?.status === 'True';
  if (current === undefined || !isWrong) return false;
  const { reason: _reason, message: _message, ...rest } = current;
  const condition = {
    ...rest,
    status: nodeReady ? ('True' as const) : ('False' as const),
    lastTransitionTime: formatTime(objects.nowMs),
    ...(nodeReady ? {} : { reason: NODE_NOT_READY, message: 'The node of the pod is not ready' }),
  };
  const conditions = (pod.status?.conditions ?? []).map((each) => (each === current ? condition : each));
  objects.updateStatus(PODS, { ...pod, status: { ...pod.status, conditions } });
  if (!nodeReady) {
    objects.record(pod, {
      type: 'Warning',
      reason: 'NodeNotReady',
      message: 'Node is not ready',
      component: COMPONENT,
    });
  }
  return true;
}

const hasReadyContainers = (pod: Pod): boolean =>
  pod.status?.containerStatuses?.every((container) => container.ready) === true;
