import { expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { PODS } from '../../../shared/api/core.ts';
import { POD_DISRUPTION_BUDGETS, type PodDisruptionBudget } from '../../../shared/api/policy.ts';
import { addNode, controlPlane, errorsOf, podsOf, setStatus, settle, type TestPlane } from './control-plane.ts';

function started(spec: PodDisruptionBudget['spec'], replicas = 4): TestPlane {
  const plane = controlPlane();
  addNode(plane, 'm1');
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
    return objects.create(POD_DISRUPTION_BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    });
  });
  settle(plane);
  return plane;
}

const statusOf = (plane: TestPlane) =>
  plane.do((objects) => objects.get(POD_DISRUPTION_BUDGETS, 'default', 'web')?.status ?? null);

test.each([
  [{ minAvailable: 3 }, { expectedPods: 4, desiredHealthy: 3, disruptionsAllowed: 1 }],
  [{ minAvailable: '50%' }, { expectedPods: 4, desiredHealthy: 2, disruptionsAllowed: 2 }],
  [{ minAvailable: '60%' }, { expectedPods: 4, desiredHealthy: 3, disruptionsAllowed: 1 }],
  [{ maxUnavailable: 1 }, { expectedPods: 4, desiredHealthy: 3, disruptionsAllowed: 1 }],
  [{ maxUnavailable: '30%' }, { expectedPods: 4, desiredHealthy: 2, disruptionsAllowed: 2 }],
  [{ maxUnavailable: 9 }, { expectedPods: 4, desiredHealthy: 0, disruptionsAllowed: 4 }],
  [{ minAvailable: 9 }, { expectedPods: 4, desiredHealthy: 9, disruptionsAllowed: 0 }],
  [{}, { expectedPods: 0, desiredHealthy: 0, disruptionsAllowed: 0 }],
])('a budget of %j over four ready pods allows %j', (spec, expected) => {
  const plane = started(spec);
  expect(statusOf(plane)).toMatchObject({ ...expected, currentHealthy: 4, observedGeneration: 1 });
  expect(errorsOf(plane)).toEqual([]);
});

test('a pod that is not ready uses up the budget', () => {
  const plane = started({ maxUnavailable: 1 });
  const [pod] = podsOf(plane);
  if (pod === undefined) throw new Error('no pod');
  setStatus(plane, pod, false);
  expect(statusOf(plane)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0 });
  expect(statusOf(plane)?.conditions).toMatchObject([
    { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' },
  ]);
});

test('an eviction that was granted and not carried out is taken back after two minutes', () => {
  const plane = started({ maxUnavailable: 2 });
  const [pod] = podsOf(plane);
  plane.do((objects) => {
    const budget = objects.get(POD_DISRUPTION_BUDGETS, 'default', 'web');
    if (budget?.status === undefined) throw new Error('no budget');
    const granted = new Date(plane.nowMs).toISOString().replace(/\.\d+/, '');
    const disruptedPods = { [pod?.metadata.name ?? '']: granted };
    return objects.updateStatus(POD_DISRUPTION_BUDGETS, { ...budget, status: { ...budget.status, disruptedPods } });
  });
  expect(statusOf(plane)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 1 });
  for (let turn = 0; turn < 5; turn += 1) {
    plane.sockets.set('m1', plane.nowMs);
    plane.pass(25_000);
  }
  expect(statusOf(plane)).toMatchObject({ currentHealthy: 4, disruptionsAllowed: 2 });
  expect(statusOf(plane)?.disruptedPods).toBeUndefined();
});

test('pods that nobody controls cannot be reckoned with, which is said', () => {
  const plane = started({ maxUnavailable: 1 });
  plane.do((objects) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'odd',
        namespace: 'default',
        labels: { app: 'web' },
        ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Odd', name: 'x', uid: 'x', controller: true }],
      },
      spec: { containers: [{ name: 'main', image: 'nginx' }] },
    }),
  );
  expect(statusOf(plane)).toMatchObject({ disruptionsAllowed: 0 });
  expect(statusOf(plane)?.conditions).toMatchObject([
    { reason: 'SyncFailed', message: 'found no controllers for pod "odd"' },
  ]);
});
