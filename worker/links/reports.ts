/**
 * What a minion reports, written to the objects it is about: the statuses of its own pods, its own node, events, and the
 * mirror pods of its static pods. One report is one transaction; a part that is refused does not hold up the others.
 */
import { type Event, NODES, PODS, type Pod, type PodCondition, type PodStatus } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Draft, Status } from '../../shared/api/meta.ts';
import { alreadyExists, badRequest, conflict, forbidden, notFound, StatusError } from '../../shared/errors.ts';
import type { PodReport, Report } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import { definition } from '../resources/schemas.ts';
import { mistyped } from './message-types.ts';
import { applyNodeReport, isOn } from './registration.ts';

export interface Refusal {
  namespace?: string;
  name?: string;
  status: Status;
}

export interface Applied {
  refused: Refusal[];
  /** Revisions of pods that this report alone wrote: the minion need not be told what it said itself. */
  echoes: Set<number>;
}

export function applyReport(objects: Objects, node: string, report: Report): Applied {
  const refused: Refusal[] = [];
  const echoes = new Set<number>();
  const part = (about: { namespace?: string; name?: string }, body: () => void): void => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      refused.push({ ...about, status: error.status });
    }
  };
  const { node: nodeReport, mirrors } = report;
  if (nodeReport !== undefined) part({ name: node }, () => applyNodeReport(objects, node, nodeReport));
  if (mirrors !== undefined) applyMirrors(objects, node, mirrors, part);
  for (const pod of report.pods ?? []) {
    const { namespace, name } = pod;
    part({ namespace, name }, () => {
      const revision = applyPod(objects, node, pod);
      if (revision !== undefined) echoes.add(revision);
    });
  }
  for (const event of report.events ?? []) {
    const { namespace, name } = event.involvedObject;
    part({ namespace, name }, () => applyEvent(objects, node, event));
  }
  return { refused, echoes };
}

/** The revision that was written for the status alone; undefined when nothing was, or the pod is gone. */
function applyPod(objects: Objects, node: string, report: PodReport): number | undefined {
  const { namespace, name, uid } = report;
  let before: string | undefined;
  const { metadata } = objects.replaceStatus(PODS, namespace, name, (pod) => {
    if (!isOn(pod, node)) throw forbidden(PODS, name, `node '${node}' can only report on pods that are bound to it`);
    // A static pod's own uid is what its mirror carries in the annotation.
    if (pod.metadata.uid !== uid && pod.metadata.annotations?.[MIRROR_ANNOTATION] !== uid) {
      throw conflict(PODS, name, `the UID in the report (${uid}) is not the pod's (${pod.metadata.uid})`);
    }
    before = pod.metadata.resourceVersion;
    return mergePodStatus(pod.status, report.status);
  });
  if (report.gone && metadata.deletionTimestamp !== undefined) {
    objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } });
    return undefined;
  }
  return metadata.resourceVersion === before ? undefined : Number(metadata.resourceVersion);
}

/** These are there only as long as the minion says so. */
const RESIZE_CONDITIONS = ['PodResizePending', 'PodResizeInProgress'];

/** Kubernetes: the kubelet owns its conditions, others keep theirs (PodScheduled, readiness gates). */
export function mergePodStatus(current: PodStatus | undefined, given: PodStatus): PodStatus {
  const conditions = (given.conditions ?? []).map((condition): PodCondition => {
    const before = current?.conditions?.find((each) => each.type === condition.type);
    if (before === undefined || before.status !== condition.status) return condition;
    return { ...condition, lastTransitionTime: before.lastTransitionTime };
  });
  const others = (current?.conditions ?? []).filter(
    (each) => !RESIZE_CONDITIONS.includes(each.type) && !conditions.some((own) => own.type === each.type),
  );
  return {
    ...given,
    ...(given.qosClass === undefined && current?.qosClass ? { qosClass: current.qosClass } : {}),
    ...(given.nominatedNodeName === undefined && current?.nominatedNodeName
      ? { nominatedNodeName: current.nominatedNodeName }
      : {}),
    conditions: [...conditions, ...others],
  };
}

function applyEvent(objects: Objects, node: string, event: Draft<Event>): void {
  const about = event.involvedObject;
  const pod = about.kind === 'Pod' ? objects.get(PODS, about.namespace ?? '', about.name ?? '') : undefined;
  const own =
    about.kind === 'Pod' ? pod === undefined || isOn(pod, node) : about.kind === 'Node' && about.name === node;
  if (!own) throw forbidden({ group: '', resource: 'events' }, '', `node '${node}' can only record events of its own`);
  objects.record(about, {
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    component: event.source?.component ?? event.reportingComponent ?? 'kubelet',
  });
}

type Part = (about: { namespace?: string; name?: string }, body: () => void) => void;

/** Brings this node's mirror pods to exactly `wanted`. */
function applyMirrors(objects: Objects, node: string, wanted: readonly Draft<Pod>[], part: Part): void {
  const owner = objects.get(NODES, '', node);
  if (owner === undefined) throw notFound(NODES, node);
  const nodeName = { index: 'field:spec.nodeName', value: node };
  const kept = new Set<string>();
  for (const draft of wanted) {
    const { namespace = 'default', name = '' } = draft.metadata;
    kept.add(`${namespace}/${name}`);
    part({ namespace, name }, () => {
      const wrong = mistyped(definition('io.k8s.api.core.v1.Pod'), draft);
      if (wrong !== undefined) throw badRequest(wrong);
      const current = objects.get(PODS, namespace, name);
      const hash = draft.metadata.annotations?.[MIRROR_ANNOTATION];
      if (hash === undefined) throw forbidden(PODS, name, `can only create mirror pods on node '${node}'`);
      if (current !== undefined) {
        const isMirror = current.metadata.annotations?.[MIRROR_ANNOTATION];
        if (isMirror === undefined || !isOn(current, node)) throw alreadyExists(PODS, name);
        if (isMirror === hash && current.metadata.deletionTimestamp === undefined) return;
        objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0 });
      }
      objects.create(PODS, {
        ...draft,
        metadata: {
          ...draft.metadata,
          namespace,
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid: owner.metadata.uid, controller: true }],
        },
        spec: { ...draft.spec, nodeName: node },
      });
    });
  }
  for (const pod of objects.list(PODS, { having: [nodeName] })) {
    const { namespace = '', name, annotations } = pod.metadata;
    if (annotations?.[MIRROR_ANNOTATION] === undefined || kept.has(`${namespace}/${name}`)) continue;
    part({ namespace, name }, () => objects.delete(PODS, namespace, name, { gracePeriodSeconds: 0 }));
  }
}
