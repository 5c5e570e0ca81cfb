/**
 * The horizontal pod autoscaler controller, as far as it goes without measurements: it keeps its target within the bounds,
 * and says in upstream's conditions that there are no metrics to scale by. Nothing polls: it looks again when the autoscaler
 * or the size of its target changes.
 * Source: k8s.io/kubernetes/pkg/controller/podautoscaler/horizontal.go
 */
import { DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '../../shared/api/apps.ts';
import { HORIZONTAL_POD_AUTOSCALERS, type HorizontalPodAutoscaler } from '../../shared/api/autoscaling.ts';
import { REPLICATION_CONTROLLERS } from '../../shared/api/core.ts';
import type { Condition, Identity, KubeObject } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, type Source, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';

const COMPONENT = 'horizontal-pod-autoscaler';

interface Scalable extends KubeObject {
  spec: { replicas?: number };
}

const SCALABLE: readonly Identity<Scalable>[] = [
  DEPLOYMENTS,
  REPLICA_SETS,
  STATEFUL_SETS,
  REPLICATION_CONTROLLERS,
] as readonly Identity[] as readonly Identity<Scalable>[];

const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';

export const horizontalPodAutoscalers: Controller = {
  name: 'horizontalpodautoscaler',
  account: 'horizontal-pod-autoscaler',
  sources: [
    source(HORIZONTAL_POD_AUTOSCALERS, ({ type, object, previous }) =>
      type !== 'DELETED' && object.metadata.generation !== previous?.metadata.generation ? [keyOf(object)] : [],
    ),
    ...SCALABLE.map(
      (identity): Source =>
        source(identity, ({ type, object, previous }, objects) => {
          if (type === 'MODIFIED' && object.spec.replicas === previous?.spec.replicas) return [];
          return objects
            .list(HORIZONTAL_POD_AUTOSCALERS, { namespace: object.metadata.namespace })
            .filter(
              ({ spec: { scaleTargetRef: target } }) =>
                target.kind === identity.kind && target.name === object.metadata.name,
            )
            .map(keyOf);
        }),
    ),
  ],
  reconcile(key, context) {
    const { namespace, name } = splitKey(key);
    const autoscaler = context.objects.get(HORIZONTAL_POD_AUTOSCALERS, namespace, name);
    if (autoscaler !== undefined && autoscaler.metadata.deletionTimestamp === undefined) {
      reconcileAutoscaler(autoscaler, context);
    }
  },
};

function targetOf({ metadata, spec }: HorizontalPodAutoscaler, objects: Objects) {
  const { kind, name, apiVersion = '' } = spec.scaleTargetRef;
  const identity = SCALABLE.find((each) => each.kind === kind && each.group === groupOf(apiVersion));
  const object = identity && objects.get(identity, metadata.namespace ?? '', name);
  return identity === undefined || object === undefined ? undefined : { identity, object };
}

type Verdict = Pick<Condition, 'type' | 'status'> & { reason: string; message: string };

function reconcileAutoscaler(autoscaler: HorizontalPodAutoscaler, context: ReconcileContext): void {
  const { objects, nowMs } = context;
  const { spec, metadata } = autoscaler;
  const status = structuredClone(autoscaler.status ?? { desiredReplicas: 0 });
  status.observedGeneration = metadata.generation ?? 0;
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    objects.record(autoscaler, { type, reason, message, component: COMPONENT });
  const finish = (verdicts: Verdict[]) => {
    status.conditions = withVerdicts(autoscaler, verdicts, nowMs);
    if (isEqual(status, autoscaler.status ?? {})) return;
    objects.updateStatus(HORIZONTAL_POD_AUTOSCALERS, { ...autoscaler, status });
  };
  const target = targetOf(autoscaler, objects);
  if (target === undefined) {
    const { kind, name } = spec.scaleTargetRef;
    const why = `the HPA controller was unable to get the target's current scale: ${kind} ${JSON.stringify(name)} not found`;
    say('Warning', 'FailedGetScale', why);
    finish([{ type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message: why }]);
    return;
  }
  const current = target.object.spec.replicas ?? 1;
  status.currentReplicas = current;
  const able: Verdict = {
    type: 'AbleToScale',
    status: 'True',
    reason: 'SucceededGetScale',
    message: "the HPA controller was able to get the target's current scale",
  };
  if (current === 0) {
    status.desiredReplicas = 0;
    const message = 'scaling is disabled since the replica count of the target is zero';
    finish([able, { type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled', message }]);
    return;
  }
  const desired = Math.max(spec.minReplicas ?? 1, Math.min(spec.maxReplicas, current));
  if (desired !== current) {
    const why =
      desired < current
        ? 'Current number of replicas above Spec.MaxReplicas'
        : 'Current number of replicas below Spec.MinReplicas';
    objects.update(target.identity, { ...target.object, spec: { ...target.object.spec, replicas: desired } });
    say('Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
    status.lastScaleTime = formatTime(nowMs);
    status.desiredReplicas = desired;
    const message = `the HPA controller was able to update the target scale to ${desired}`;
    finish([{ ...able, reason: 'SucceededRescale', message }]);
    return;
  }
  // Kubernetes: without an answer nothing is scaled, and the size that was wanted last is wanted still.
  status.desiredReplicas = current;
  const failed = failureOf(autoscaler);
  say('Warning', failed.reason, failed.said);
  const message = `the HPA was unable to compute the replica count: ${failed.said}`;
  finish([able, { type: 'ScalingActive', status: 'False', reason: failed.reason, message }]);
}

const REASONS = {
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  Pods: 'FailedGetPodsMetric',
  Object: 'FailedGetObjectMetric',
  External: 'FailedGetExternalMetric',
} as const;

function failureOf({ spec }: HorizontalPodAutoscaler): { reason: string; said: string } {
  const [metric] = spec.metrics ?? [];
  const type = metric?.type ?? 'Resource';
  const resource = metric?.resource ?? metric?.containerResource;
  if (resource === undefined) {
    return {
      reason: REASONS[type],
      said: 'unable to fetch metrics from custom metrics API: no custom metrics API is served',
    };
  }
  const what = resource.target.type === 'Utilization' ? 'utilization' : 'usage';
  const why = 'the server could not find the requested resource (get pods.metrics.k8s.io)';
  const said = `failed to get ${resource.name} ${what}: unable to get metrics for resource ${resource.name}: unable to fetch metrics from resource metrics API: ${why}`;
  return { reason: REASONS[type], said };
}

function withVerdicts({ status }: HorizontalPodAutoscaler, verdicts: readonly Verdict[], nowMs: number): Condition[] {
  const known = status?.conditions ?? [];
  const conditions = known.map((each) => {
    const verdict = verdicts.find((other) => other.type === each.type);
    if (verdict === undefined) return each;
    const since = each.status === verdict.status ? each.lastTransitionTime : undefined;
    return { ...verdict, lastTransitionTime: since ?? formatTime(nowMs) };
  });
  const fresh = verdicts.filter((verdict) => !known.some((each) => each.type === verdict.type));
  return [...conditions, ...fresh.map((verdict) => ({ ...verdict, lastTransitionTime: formatTime(nowMs) }))];
}
