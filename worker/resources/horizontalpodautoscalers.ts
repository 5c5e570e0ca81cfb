/**
 * `autoscaling/v2 HorizontalPodAutoscaler`, also served as `autoscaling/v1`, which keeps what it cannot say in annotations.
 * What the controller does is `controllers/horizontalpodautoscalers.ts`.
 * Source: kubernetes, pkg/apis/autoscaling validation, v1/conversion.go and v2/defaults.go
 */
import {
  HORIZONTAL_POD_AUTOSCALERS,
  HORIZONTAL_POD_AUTOSCALERS_V1,
  type HorizontalPodAutoscaler,
  type MetricSpec,
  type MetricTarget,
  type ScalingRules,
} from '../../shared/api/autoscaling.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import type { JsonObject, ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateCount } from './workloads.ts';

type Autoscaler = HorizontalPodAutoscaler;

const TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
const DEFAULT_CPU = 80;
const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;
const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const BEHAVIOR = `${PREFIX}behavior`;
const CONDITIONS = `${PREFIX}conditions`;

function applyDefaults({ spec }: Draft<Autoscaler>): void {
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) spec.metrics = [cpuMetric(DEFAULT_CPU)];
  if (spec.behavior === undefined) return;
  const up: ScalingRules = { ...spec.behavior.scaleUp };
  up.stabilizationWindowSeconds ??= 0;
  up.selectPolicy ??= 'Max';
  up.policies ??= [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ];
  const down: ScalingRules = { ...spec.behavior.scaleDown };
  down.selectPolicy ??= 'Max';
  down.policies ??= [{ type: 'Percent', value: 100, periodSeconds: 15 }];
  spec.behavior = { scaleUp: up, scaleDown: down };
}

const cpuMetric = (percent: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

function validateTarget(target: MetricTarget | undefined, path: string): StatusCause[] {
  if (target === undefined) return [required(path, 'must specify a metric target')];
  const { type, averageUtilization, averageValue, value } = target;
  if (!['AverageValue', 'Utilization', 'Value'].includes(type)) {
    return [invalidValue(`${path}.type`, type ?? '', 'must be either Utilization, Value, or AverageValue')];
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    return [invalidValue(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0')];
  }
  if (averageUtilization === undefined && averageValue === undefined && value === undefined) {
    return [required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')];
  }
  return [];
}

/** The part of a metric that its type names. */
const sourceOf = ({ type, resource, containerResource, pods, object, external }: MetricSpec) =>
  ({ Resource: resource, ContainerResource: containerResource, Pods: pods, Object: object, External: external })[type];

function validateMetric(metric: MetricSpec, path: string): StatusCause[] {
  if (!TYPES.includes(metric.type)) return [notSupported(`${path}.type`, metric.type ?? '', TYPES)];
  const field = metric.type.charAt(0).toLowerCase() + metric.type.slice(1);
  const source = sourceOf(metric);
  if (source === undefined) {
    return [required(`${path}.${field}`, 'must populate information for the given metric source')];
  }
  const causes = validateTarget(source.target, `${path}.${field}.target`);
  if ('name' in source && !source.name) causes.push(required(`${path}.${field}.name`, 'must specify a resource name'));
  if ('container' in source && !source.container) {
    causes.push(required(`${path}.${field}.container`, 'must specify a container'));
  }
  if ('metric' in source && !source.metric?.name) {
    causes.push(required(`${path}.${field}.metric.name`, 'must specify a metric name'));
  }
  return causes;
}

function validateRules(rules: ScalingRules | undefined, path: string): StatusCause[] {
  if (rules === undefined) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  const causes = validateCount(window, `${path}.stabilizationWindowSeconds`);
  if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    causes.push(
      invalidValue(`${path}.stabilizationWindowSeconds`, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`),
    );
  }
  if (selectPolicy !== undefined && !['Disabled', 'Max', 'Min'].includes(selectPolicy)) {
    causes.push(notSupported(`${path}.selectPolicy`, selectPolicy, ['Disabled', 'Max', 'Min']));
  }
  if (policies.length === 0) causes.push(required(`${path}.policies`, 'must specify at least one Policy'));
  for (const [index, policy] of policies.entries()) {
    const at = `${path}.policies[${index}]`;
    if (policy.type !== 'Pods' && policy.type !== 'Percent') {
      causes.push(notSupported(`${at}.type`, policy.type, ['Percent', 'Pods']));
    }
    if (policy.value <= 0) causes.push(invalidValue(`${at}.value`, policy.value, 'must be greater than zero'));
    if (policy.periodSeconds <= 0) {
      causes.push(invalidValue(`${at}.periodSeconds`, policy.periodSeconds, 'must be greater than zero'));
    } else if (policy.periodSeconds > MAX_PERIOD_SECONDS) {
      const why = `must be less than or equal to ${MAX_PERIOD_SECONDS}`;
      causes.push(invalidValue(`${at}.periodSeconds`, policy.periodSeconds, why));
    }
  }
  return causes;
}

function validate(draft: Draft<Autoscaler>): StatusCause[] {
  const {
    scaleTargetRef,
    minReplicas,
    maxReplicas = 0,
    metrics = [],
    behavior,
  }: Partial<Autoscaler['spec']> = draft.spec ?? {};
  const causes: StatusCause[] = [];
  if (!scaleTargetRef?.kind) causes.push(required('spec.scaleTargetRef.kind'));
  if (!scaleTargetRef?.name) causes.push(required('spec.scaleTargetRef.name'));
  if (minReplicas !== undefined && minReplicas < 1) {
    causes.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  }
  if (maxReplicas < 1) causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  return [
    ...causes,
    ...metrics.flatMap((metric, index) => validateMetric(metric, `spec.metrics[${index}]`)),
    ...validateRules(behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...validateRules(behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

const isCpu = ({ type, resource }: MetricSpec): boolean =>
  type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined;

function toV1(stored: Autoscaler): JsonObject {
  const { metrics = [], behavior, ...spec } = stored.spec;
  const { currentMetrics, conditions, ...status } = stored.status ?? { desiredReplicas: 0 };
  const cpu = metrics.find(isCpu);
  const others = metrics.filter((each) => each !== cpu);
  const currentCpu = currentMetrics?.find((each) => each.resource?.name === 'cpu')?.resource?.current;
  const kept: Record<string, unknown> = {
    ...(others.length > 0 ? { [METRICS]: others } : {}),
    ...(behavior === undefined ? {} : { [BEHAVIOR]: behavior }),
    ...((conditions ?? []).length > 0 ? { [CONDITIONS]: conditions } : {}),
    ...((currentMetrics ?? []).length > 0 ? { [CURRENT_METRICS]: currentMetrics } : {}),
  };
  const annotations = {
    ...stored.metadata.annotations,
    ...Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, JSON.stringify(value)])),
  };
  return {
    ...stored,
    apiVersion: 'autoscaling/v1',
    metadata: { ...stored.metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: {
      ...spec,
      ...(cpu?.resource === undefined
        ? {}
        : { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization }),
    },
    status: {
      ...status,
      currentReplicas: status.currentReplicas ?? 0,
      ...(currentCpu?.averageUtilization === undefined
        ? {}
        : { currentCPUUtilizationPercentage: currentCpu.averageUtilization }),
    },
  };
}

/** What an annotation of ours says; one that somebody else wrote and that is no JSON says nothing. */
function parseAnnotation<T>(value: string | undefined): T | undefined {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function fromV1(served: JsonObject): Draft<Autoscaler> {
  const draft = structuredClone(served) as unknown as Draft<Autoscaler> & {
    spec: { targetCPUUtilizationPercentage?: number };
    status?: { currentCPUUtilizationPercentage?: number };
  };
  const {
    [METRICS]: others,
    [BEHAVIOR]: behavior,
    [CONDITIONS]: conditions,
    ...rest
  } = draft.metadata.annotations ?? {};
  const { [CURRENT_METRICS]: currentMetrics, ...annotations } = rest;
  const { targetCPUUtilizationPercentage: cpu, ...spec } = draft.spec;
  const metrics = [...(parseAnnotation<MetricSpec[]>(others) ?? []), ...(cpu === undefined ? [] : [cpuMetric(cpu)])];
  const rules = parseAnnotation<NonNullable<Autoscaler['spec']['behavior']>>(behavior);
  const { annotations: _old, ...metadata } = draft.metadata;
  const { currentCPUUtilizationPercentage: _cpu, ...status } = draft.status ?? { desiredReplicas: 0 };
  const known = parseAnnotation<NonNullable<NonNullable<Autoscaler['status']>['conditions']>>(conditions);
  const current = parseAnnotation<NonNullable<NonNullable<Autoscaler['status']>['currentMetrics']>>(currentMetrics);
  return {
    ...draft,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: {
      ...spec,
      ...(metrics.length > 0 ? { metrics } : {}),
      ...(rules === undefined ? {} : { behavior: rules }),
    },
    status: {
      ...status,
      ...(known === undefined ? {} : { conditions: known }),
      ...(current === undefined ? {} : { currentMetrics: current }),
    },
  };
}

/** `cpu: 12%/80%`, `<unknown>` for what nobody measured. */
function targetsOf({ spec, status }: Autoscaler): string {
  const shown = (spec.metrics ?? []).map((metric, index) => {
    const source = sourceOf(metric);
    if (source === undefined) return '<unknown>';
    const { averageUtilization, averageValue, value } = source.target;
    const name = 'name' in source ? `${source.name}: ` : '';
    const current = status?.currentMetrics?.[index]?.resource?.current;
    const wanted = averageUtilization === undefined ? (averageValue ?? value ?? '<auto>') : `${averageUtilization}%`;
    const now = current?.averageUtilization === undefined ? current?.averageValue : `${current.averageUtilization}%`;
    return `${name}${now ?? '<unknown>'}/${wanted}`;
  });
  if (shown.length === 0) return '<none>';
  return shown.length > 2 ? `${shown.slice(0, 2).join(', ')} + ${shown.length - 2} more...` : shown.join(', ');
}

export const HORIZONTAL_POD_AUTOSCALERS_DEFINITION: ResourceDefinition<Autoscaler> = {
  identity: HORIZONTAL_POD_AUTOSCALERS,
  alsoServedAs: [
    {
      identity: HORIZONTAL_POD_AUTOSCALERS_V1,
      schema: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
      fromStored: toV1,
      toStored: fromV1,
    },
  ],
  singular: 'horizontalpodautoscaler',
  listKind: 'HorizontalPodAutoscalerList',
  shortNames: ['hpa'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { desiredReplicas: 0, currentMetrics: null };
  },
  validate,
  columns: [
    NAME,
    text<Autoscaler>(
      'Reference',
      'Reference points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
      ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
    ),
    text<Autoscaler>(
      'Targets',
      'Metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica count across all metrics will be used).',
      targetsOf,
    ),
    text<Autoscaler>(
      'MinPods',
      'MinReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.',
      ({ spec }) => String(spec.minReplicas ?? '<unset>'),
    ),
    integer<Autoscaler>(
      'MaxPods',
      'MaxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It cannot be less that minReplicas.',
      ({ spec }) => spec.maxReplicas,
    ),
    integer<Autoscaler>(
      'Replicas',
      'DesiredReplicas is the desired number of replicas of pods managed by this autoscaler.',
      ({ status }) => status?.desiredReplicas ?? 0,
    ),
    AGE,
  ],
};
