import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../../shared/api/apps.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { DEPLOYMENTS_DEFINITION } from '../../../worker/resources/deployments.ts';
import { REPLICA_SETS_DEFINITION } from '../../../worker/resources/replicasets.ts';
import { deployment, EPOCH_MS } from '../../support/builders.ts';
import { cellsOf, lines } from './tables.ts';

function draftOf(change: (draft: Deployment) => void = () => undefined): Draft<Deployment> {
  const draft = deployment('web');
  change(draft);
  DEPLOYMENTS_DEFINITION.default?.(draft);
  return draft;
}
const problems = (change: (draft: Deployment) => void): string[] =>
  lines(DEPLOYMENTS_DEFINITION.validate?.(draftOf(change)) ?? []);

test('a new Deployment gets what its author left out, and its pods too', () => {
  const { spec } = draftOf((draft) => {
    delete draft.spec.replicas;
  });
  expect(spec).toMatchObject({
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: { spec: { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', schedulerName: 'default-scheduler' } },
  });
  // Kubernetes: a template is defaulted like a pod, but for what only a pod gets.
  expect(spec.template.spec).not.toHaveProperty('enableServiceLinks');
  expect(DEPLOYMENTS_DEFINITION.validate?.(draftOf())).toEqual([]);
});

describe('a Deployment is refused', () => {
  test.each<[string, (draft: Deployment) => void, string[]]>([
    [
      'with less than no replicas',
      (draft) => Object.assign(draft.spec, { replicas: -1 }),
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'whose selector does not match its own pods',
      (draft) => Object.assign(draft.spec, { selector: { matchLabels: { app: 'other' } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      'with an empty selector',
      (draft) => Object.assign(draft.spec, { selector: {} }),
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'with a strategy of its own',
      (draft) => Object.assign(draft.spec, { strategy: { type: 'Canary' } }),
      ['spec.strategy.type: Unsupported value: "Canary": supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      'that may neither surge nor be short',
      (draft) => Object.assign(draft.spec, { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'with an amount that is none',
      (draft) => Object.assign(draft.spec, { strategy: { rollingUpdate: { maxSurge: 'some' } } }),
      [
        `spec.strategy.rollingUpdate.maxSurge: Invalid value: "some": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
      ],
    ],
    [
      'that recreates and rolls',
      (draft) => Object.assign(draft.spec, { strategy: { type: 'Recreate', rollingUpdate: {} } }),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'whose pods are not restarted',
      (draft) => Object.assign(draft.spec.template.spec, { restartPolicy: 'Never' }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'whose pods are wrong, by their own path',
      (draft) => Object.assign(draft.spec.template.spec, { containers: [{ name: 'c' }] }),
      ['spec.template.spec.containers[0].image: Required value'],
    ],
    [
      'that gives up before a pod can be available',
      (draft) => Object.assign(draft.spec, { minReadySeconds: 600 }),
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
  ])('%s', (_, change, expected) => {
    expect(problems(change)).toEqual(expected);
  });

  test('when its selector is to change', () => {
    const draft = deployment('web', { selector: { matchLabels: { app: 'x' } } });
    expect(lines(DEPLOYMENTS_DEFINITION.validateUpdate?.(draft, deployment('web')) ?? [])).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable',
    ]);
  });
});

test('a Deployment’s row counts its pods, and is wide with its template', () => {
  const shown = deployment('web', { replicas: 3 }, { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 });
  expect(cellsOf(DEPLOYMENTS_DEFINITION, shown, EPOCH_MS + 90_000)).toEqual([
    'web',
    '2/3',
    3,
    1,
    '90s',
    'main',
    'nginx:1',
    'app=web',
  ]);
});

test('a ReplicaSet’s row counts its pods', () => {
  const shown = {
    ...deployment('web', { replicas: 3 }),
    kind: 'ReplicaSet',
    status: { replicas: 2, readyReplicas: 1 },
  };
  expect(cellsOf(REPLICA_SETS_DEFINITION, shown, EPOCH_MS).slice(0, 5)).toEqual(['web', 3, 2, 1, '0s']);
  expect(REPLICA_SETS_DEFINITION.scale?.selector(shown)).toBe('app=web');
});
