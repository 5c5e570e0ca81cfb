import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { HORIZONTAL_POD_AUTOSCALERS, type HorizontalPodAutoscaler } from '../../../shared/api/autoscaling.ts';
import { HORIZONTAL_POD_AUTOSCALERS_DEFINITION } from '../../../worker/resources/horizontalpodautoscalers.ts';
import { controlPlane, errorsOf, type TestPlane } from './control-plane.ts';

function started(replicas: number, name = 'web'): TestPlane {
  const plane = controlPlane();
  plane.do((objects) => {
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      },
    });
    return objects.create(HORIZONTAL_POD_AUTOSCALERS, {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web', namespace: 'default' },
      spec: { scaleTargetRef: { kind: 'Deployment', name, apiVersion: 'apps/v1' }, minReplicas: 2, maxReplicas: 5 },
    });
  });
  return plane;
}

const webOf = (plane: TestPlane) => plane.do((objects) => objects.get(DEPLOYMENTS, 'default', 'web') ?? null);
const autoscalerOf = (plane: TestPlane): HorizontalPodAutoscaler => {
  const found = plane.do((objects) => objects.get(HORIZONTAL_POD_AUTOSCALERS, 'default', 'web') ?? null);
  if (found === null) throw new Error('the autoscaler is gone');
  return found;
};
const conditions = (plane: TestPlane) =>
  autoscalerOf(plane).status?.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('an autoscaler', () => {
  test.each([
    [1, 2],
    [3, 3],
    [9, 5],
  ])('finds a target of %i, and leaves it at %i', (before, after) => {
    const plane = started(before);
    expect(webOf(plane)?.spec.replicas).toBe(after);
    expect(autoscalerOf(plane).status).toMatchObject({ currentReplicas: after, desiredReplicas: after });
    expect(conditions(plane)).toContain('ScalingActive=False FailedGetResourceMetric');
    expect(errorsOf(plane)).toEqual([]);
  });

  test('does not wake a target that somebody set to zero', () => {
    const plane = started(0);
    expect(webOf(plane)?.spec.replicas).toBe(0);
    expect(conditions(plane)).toContain('ScalingActive=False ScalingDisabled');
  });

  test('says that its target is not there, and looks again when it comes', () => {
    const plane = started(3, 'other');
    expect(conditions(plane)).toEqual(['AbleToScale=False FailedGetScale']);
  });
});

describe('an autoscaler as v1', () => {
  const [form] = HORIZONTAL_POD_AUTOSCALERS_DEFINITION.alsoServedAs ?? [];
  const stored = (): HorizontalPodAutoscaler => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '',
      annotations: { a: 'b' },
    },
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      maxReplicas: 5,
      metrics: [
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
    status: { desiredReplicas: 2, currentReplicas: 2, conditions: [{ type: 'AbleToScale', status: 'True' }] },
  });

  test('shows the cpu target as a field and the rest in annotations', () => {
    const served = form?.fromStored(stored()) as {
      apiVersion: string;
      spec: object;
      metadata: { annotations: object };
    };
    expect(served.apiVersion).toBe('autoscaling/v1');
    expect(served.spec).toEqual({
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      maxReplicas: 5,
      targetCPUUtilizationPercentage: 50,
    });
    expect(Object.keys(served.metadata.annotations).sort()).toEqual([
      'a',
      'autoscaling.alpha.kubernetes.io/behavior',
      'autoscaling.alpha.kubernetes.io/conditions',
      'autoscaling.alpha.kubernetes.io/metrics',
    ]);
  });

  test('loses nothing on the way there and back', () => {
    expect(form?.toStored(form.fromStored(stored()))).toEqual(stored());
  });
});
