/**
 * The taint eviction controller: pods leave a node whose NoExecute taints they do not tolerate, at once or when their
 * tolerationSeconds are over. Where the taints come from is `nodes.ts`.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
 */
import { NODES, type Node, PODS, type Pod, type Taint, type Toleration } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { isTerminating } from '../../shared/pods.ts';
import { tolerates } from '../../shared/taints.ts';
import { parseTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { GRACE_MS, isLate } from './nodes.ts';

const COMPONENT = 'taint-eviction-controller';

const noExecute = (node: Node | undefined): Taint[] =>
  (node?.spec.taints ?? []).filter((taint) => taint.effect === 'NoExecute');

/** Keys are nodes: one reconcile looks at all pods of a tainted node and comes back for the next one whose time is up. */
export const taintEviction: Controller = {
  name: 'taint-eviction',
  account: 'node-controller',
  sources: [
    source(NODES, ({ type, object, previous }) =>
      type !== 'DELETED' && !isEqual(noExecute(object), noExecute(previous)) ? [keyOf(object)] : [],
    ),
    source(PODS, keysOfPod),
  ],
  reconcile(key, context) {
    const { objects, nowMs } = context;
    const { name } = splitKey(key);
    const taints = noExecute(objects.get(NODES, '', name));
    if (taints.length === 0) return;
    if (isLate(context)) {
      // Nobody ran meanwhile: the minion may be on its way back, so its pods are given as long as it is.
      context.requeueAfter(GRACE_MS);
      return;
    }
    for (const pod of objects.list(PODS, { having: [{ index: 'field:spec.nodeName', value: name }] })) {
      if (isTerminating(pod) || pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) continue;
      const atMs = evictionMs(taints, pod.spec.tolerations ?? [], nowMs);
      if (atMs === undefined) continue;
      if (atMs > nowMs) context.requeueAfter(atMs - nowMs);
      else evict(pod, objects);
    }
  },
};

/** A pod that is bound to a tainted node, or whose tolerations change there. */
function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const nodeName = object.spec.nodeName ?? '';
  if (type === 'DELETED' || nodeName === '') return [];
  const isNews = previous?.spec.nodeName !== nodeName || !isEqual(object.spec.tolerations, previous.spec.tolerations);
  return isNews && noExecute(objects.get(NODES, '', nodeName)).length > 0 ? [`/${nodeName}`] : [];
}

/** When a pod must go; undefined: it may stay for ever. A taint that is not tolerated at all drives it out now. */
export function evictionMs(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  nowMs: number,
): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    const fitting = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (fitting.length === 0) return nowMs;
    const addedMs = parseTime(taint.timeAdded ?? '') ?? nowMs;
    for (const { tolerationSeconds } of fitting) {
      if (tolerationSeconds === undefined) continue;
      const atMs = addedMs + Math.max(0, tolerationSeconds) * 1000;
      earliest = Math.min(earliest ?? atMs, atMs);
    }
  }
  return earliest;
}

function evict(pod: Pod, objects: Objects): void {
  const { name, namespace = '', uid } = pod.metadata;
  const message = `Marking for deletion Pod ${namespace}/${name}`;
  objects.record(pod, { type: 'Normal', reason: 'TaintManagerEviction', message, component: COMPONENT });
  objects.delete(PODS, namespace, name, { preconditions: { uid } });
}
