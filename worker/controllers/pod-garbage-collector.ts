/**
 * The pod garbage collector: pods bound to a node that does not exist are removed without waiting for a kubelet that will
 * never say that they ended.
 * Source: k8s.io/kubernetes/pkg/controller/podgc
 */
import { NODES, PODS, type Pod } from '../../shared/api/core.ts';
import { parseTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';

/** A pod may be written before its node, by somebody who makes both. */
const QUARANTINE_MS = 40_000;

/** Keys are nodes. */
export const podGarbageCollector: Controller = {
  name: 'pod-gc',
  account: 'pod-garbage-collector',
  sources: [source(NODES, ({ type, object }) => (type === 'DELETED' ? [keyOf(object)] : [])), source(PODS, keysOfPod)],
  reconcile(key, context) {
    const { objects, nowMs } = context;
    const { name } = splitKey(key);
    if (objects.get(NODES, '', name) !== undefined) return;
    for (const pod of objects.list(PODS, { having: [{ index: 'field:spec.nodeName', value: name }] })) {
      const waitMs = (parseTime(pod.metadata.creationTimestamp) ?? 0) + QUARANTINE_MS - nowMs;
      if (waitMs > 0) context.requeueAfter(waitMs);
      else removePod(pod, objects);
    }
  },
};

function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const nodeName = object.spec.nodeName ?? '';
  const isNews = type === 'ADDED' || (type === 'MODIFIED' && nodeName !== (previous?.spec.nodeName ?? ''));
  return isNews && nodeName !== '' && objects.get(NODES, '', nodeName) === undefined ? [`/${nodeName}`] : [];
}

function removePod(pod: Pod, objects: Objects): void {
  const { name, namespace = '', uid } = pod.metadata;
  objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
}
