import { describe, expect, test } from 'vitest';
import { JOBS, type Job, type JobSpec } from '../../../shared/api/batch.ts';
import { EVENTS, PODS } from '../../../shared/api/core.ts';
import { addNode, controlPlane, errorsOf, kubelets, podsOf, type TestPlane } from './control-plane.ts';
import { activePodsOf, endPod } from './ended-pods.ts';

function started(spec: Partial<JobSpec> = {}): TestPlane {
  const plane = controlPlane();
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(JOBS, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'work', namespace: 'default' },
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] } },
        ...spec,
      },
    }),
  );
  return plane;
}

const jobOf = (plane: TestPlane): Job => {
  const job = plane.do((objects) => objects.get(JOBS, 'default', 'work') ?? null);
  if (job === null) throw new Error('the job is gone');
  return job;
};

const change = (plane: TestPlane, edit: (spec: JobSpec) => void): void => {
  const job = jobOf(plane);
  edit(job.spec);
  plane.do((objects) => objects.update(JOBS, job));
};

const conditions = (plane: TestPlane) =>
  (jobOf(plane).status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);

const events = (plane: TestPlane) =>
  plane
    .do((objects) => objects.list(EVENTS))
    .filter((event) => event.involvedObject.kind === 'Job')
    .map(({ reason, message }) => `${reason}: ${message}`);

/** Ends every active pod, turn after turn, waiting as long as the job does. */
function endAll(plane: TestPlane, exitCodeOf: (name: string) => number = () => 0): void {
  for (let turn = 0; turn < 50; turn += 1) {
    for (const pod of activePodsOf(plane)) endPod(plane, pod, exitCodeOf(pod.metadata.name));
    kubelets(plane, (pod) => pod.metadata.deletionTimestamp !== undefined);
    if (conditions(plane).some((each) => /^(Complete|Failed)=True/.test(each))) return;
    plane.pass(700_000);
  }
  throw new Error(`the job does not end: ${JSON.stringify(jobOf(plane).status)}`);
}

describe('a job', () => {
  test('has a selector of its own, and pods that are tracked', () => {
    const plane = started({ completions: 2, parallelism: 2 });
    const { metadata, spec } = jobOf(plane);
    expect(spec.selector?.matchLabels).toEqual({ 'batch.kubernetes.io/controller-uid': metadata.uid });
    const pods = podsOf(plane);
    expect(pods).toHaveLength(2);
    expect(pods[0]?.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking']);
    expect(pods[0]?.metadata.labels).toMatchObject({ 'job-name': 'work', 'controller-uid': metadata.uid });
    expect(jobOf(plane).status).toMatchObject({ active: 2, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
    expect(errorsOf(plane)).toEqual([]);
  });

  test('runs as many pods at once as it may, and is complete when enough have succeeded', () => {
    const plane = started({ completions: 5, parallelism: 2 });
    expect(activePodsOf(plane)).toHaveLength(2);
    const [first] = activePodsOf(plane);
    if (first !== undefined) endPod(plane, first, 0);
    expect(jobOf(plane).status).toMatchObject({ active: 2, succeeded: 1 });
    endAll(plane);
    expect(jobOf(plane).status).toMatchObject({ succeeded: 5, completionTime: expect.any(String) });
    expect(jobOf(plane).status?.active).toBeUndefined();
    expect(conditions(plane)).toEqual([
      'SuccessCriteriaMet=True CompletionsReached',
      'Complete=True CompletionsReached',
    ]);
    expect(events(plane)).toContain('Completed: Job completed');
    expect(podsOf(plane).every((pod) => (pod.metadata.finalizers ?? []).length === 0)).toBe(true);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('without completions is done when one has succeeded and the others have ended', () => {
    const plane = started({ parallelism: 3 });
    const [one, two, three] = activePodsOf(plane);
    if (!one || !two || !three) throw new Error('three pods are expected');
    endPod(plane, one, 0);
    endPod(plane, two, 1);
    expect(activePodsOf(plane)).toHaveLength(1);
    endPod(plane, three, 0);
    expect(jobOf(plane).status).toMatchObject({ succeeded: 2, failed: 1 });
    expect(conditions(plane)).toContain('Complete=True CompletionsReached');
  });

  test('waits longer after every failure, and fails at its limit', () => {
    const plane = started({ backoffLimit: 2 });
    const fail = () => {
      for (const pod of activePodsOf(plane)) endPod(plane, pod, 1);
    };
    fail();
    expect(activePodsOf(plane)).toHaveLength(0);
    plane.pass(9_000);
    expect(activePodsOf(plane)).toHaveLength(0);
    plane.pass(2_000);
    expect(activePodsOf(plane)).toHaveLength(1);
    fail();
    plane.pass(19_000);
    expect(activePodsOf(plane)).toHaveLength(0);
    plane.pass(2_000);
    fail();
    expect(conditions(plane)).toEqual(['FailureTarget=True BackoffLimitExceeded', 'Failed=True BackoffLimitExceeded']);
    expect(jobOf(plane).status?.failed).toBe(3);
    expect(events(plane)).toContain('BackoffLimitExceeded: Job has reached the specified backoff limit');
  });

  test('that takes too long is stopped, and fails when its pods have ended', () => {
    const plane = started({ parallelism: 2, completions: 2, activeDeadlineSeconds: 60 });
    kubelets(plane);
    plane.pass(59_000);
    expect(conditions(plane)).toEqual([]);
    plane.pass(2_000);
    expect(conditions(plane)).toEqual(['FailureTarget=True DeadlineExceeded']);
    expect(jobOf(plane).status).toMatchObject({ terminating: 2, failed: 2 });
    kubelets(plane);
    expect(conditions(plane)).toContain('Failed=True DeadlineExceeded');
    expect(podsOf(plane)).toEqual([]);
  });

  test('is suspended and resumed with its clock set anew', () => {
    const plane = started({ suspend: true, parallelism: 2, completions: 2 });
    expect(podsOf(plane)).toEqual([]);
    expect(conditions(plane)).toEqual(['Suspended=True JobSuspended']);
    expect(jobOf(plane).status?.startTime).toBeUndefined();
    change(plane, (spec) => {
      spec.suspend = false;
    });
    expect(activePodsOf(plane)).toHaveLength(2);
    expect(jobOf(plane).status?.startTime).toBeDefined();
    kubelets(plane);
    change(plane, (spec) => {
      spec.suspend = true;
    });
    kubelets(plane);
    expect(podsOf(plane)).toEqual([]);
    expect(jobOf(plane).status?.failed).toBeUndefined();
    expect(events(plane)).toEqual(expect.arrayContaining(['Suspended: Job suspended', 'Resumed: Job resumed']));
  });

  test('is removed with its pods when it has been finished for long enough', () => {
    const plane = started({ ttlSecondsAfterFinished: 30 });
    endAll(plane);
    plane.pass(31_000);
    kubelets(plane, (pod) => pod.metadata.deletionTimestamp !== undefined);
    plane.runDue();
    expect(plane.do((objects) => objects.list(JOBS))).toEqual([]);
    expect(podsOf(plane)).toEqual([]);
  });

  test('that is deleted lets its pods go', () => {
    const plane = started({ parallelism: 2, completions: 2 });
    plane.do((objects) => objects.delete(JOBS, 'default', 'work', { propagationPolicy: 'Background' }));
    kubelets(plane);
    expect(podsOf(plane)).toEqual([]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('that is deleted alone leaves its pods to themselves, without the finalizer', () => {
    const plane = started();
    plane.do((objects) => objects.delete(JOBS, 'default', 'work'));
    expect(podsOf(plane).map((pod) => [pod.metadata.ownerReferences, pod.metadata.finalizers])).toEqual([
      [undefined, undefined],
    ]);
  });

  test('replaces a pod that somebody deletes, at once or only when it has ended', () => {
    for (const [policy, active] of [
      ['TerminatingOrFailed', 1],
      ['Failed', 0],
    ] as const) {
      const plane = started({ podReplacementPolicy: policy });
      kubelets(plane);
      const [pod] = podsOf(plane);
      plane.do((objects) => objects.delete(PODS, 'default', pod?.metadata.name ?? ''));
      plane.pass(11_000);
      expect(activePodsOf(plane)).toHaveLength(active);
      kubelets(plane);
      plane.pass(11_000);
      expect(activePodsOf(plane)).toHaveLength(1);
      expect(jobOf(plane).status?.failed).toBe(1);
    }
  });
});

describe('an Indexed job', () => {
  test('gives each pod its index, host name and variable, and counts indexes', () => {
    const plane = started({ completionMode: 'Indexed', completions: 4, parallelism: 3 });
    const pods = podsOf(plane);
    expect(pods.map((pod) => pod.spec.hostname)).toEqual(expect.arrayContaining(['work-0', 'work-1', 'work-2']));
    const [pod] = pods;
    expect(pod?.metadata.name).toMatch(new RegExp(`^${pod?.spec.hostname}-.....$`));
    expect(pod?.spec.containers[0]?.env).toEqual([
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: {
          fieldRef: { apiVersion: 'v1', fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" },
        },
      },
    ]);
    endAll(plane);
    expect(jobOf(plane).status).toMatchObject({ succeeded: 4, completedIndexes: '0-3' });
  });

  test('repeats an index that failed', () => {
    const plane = started({ completionMode: 'Indexed', completions: 2, parallelism: 2 });
    const failing = podsOf(plane).find((pod) => pod.spec.hostname === 'work-1');
    if (failing !== undefined) endPod(plane, failing, 1);
    plane.pass(11_000);
    expect(activePodsOf(plane).map((pod) => pod.spec.hostname)).toEqual(expect.arrayContaining(['work-0', 'work-1']));
    endAll(plane);
    expect(jobOf(plane).status).toMatchObject({ succeeded: 2, failed: 1, completedIndexes: '0,1' });
  });

  test('counts failures index by index where it is told to', () => {
    const plane = started({ completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 1 });
    endAll(plane, (name) => (name.startsWith('work-1-') ? 1 : 0));
    expect(jobOf(plane).status).toMatchObject({ succeeded: 2, failed: 2, completedIndexes: '0,2', failedIndexes: '1' });
    expect(conditions(plane)).toContain('Failed=True FailedIndexes');
  });

  test('is content with what its success policy asks for, and stops the rest', () => {
    const plane = started({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 3,
      successPolicy: { rules: [{ succeededIndexes: '1' }] },
    });
    kubelets(plane);
    const leader = podsOf(plane).find((pod) => pod.spec.hostname === 'work-1');
    if (leader !== undefined) endPod(plane, leader, 0);
    expect(conditions(plane)).toEqual(['SuccessCriteriaMet=True SuccessPolicy']);
    kubelets(plane, (pod) => pod.metadata.deletionTimestamp !== undefined);
    expect(conditions(plane)).toContain('Complete=True SuccessPolicy');
    expect(jobOf(plane).status).toMatchObject({ succeeded: 1, completedIndexes: '1' });
    expect(jobOf(plane).status?.failed).toBeUndefined();
  });
});

describe('a pod failure policy', () => {
  const policy = (rules: NonNullable<JobSpec['podFailurePolicy']>['rules']) => ({ podFailurePolicy: { rules } });

  test('fails the job at once for an exit code', () => {
    const plane = started(policy([{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }]));
    const [pod] = podsOf(plane);
    if (pod !== undefined) endPod(plane, pod, 42);
    const failed = jobOf(plane).status?.conditions?.find((each) => each.type === 'Failed');
    expect(failed).toMatchObject({
      reason: 'PodFailurePolicy',
      message: `Container main for pod default/${pod?.metadata.name} failed with exit code 42 matching FailJob rule at index 0`,
    });
  });

  test('does not count what it ignores', () => {
    const plane = started({
      backoffLimit: 0,
      ...policy([{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }]),
    });
    const [pod] = podsOf(plane);
    plane.do((objects) => {
      const current = objects.get(PODS, 'default', pod?.metadata.name ?? '');
      if (current === undefined) throw new Error('the pod is gone');
      const disrupted = [{ type: 'DisruptionTarget', status: 'True' as const }];
      objects.updateStatus(PODS, { ...current, status: { ...current.status, phase: 'Failed', conditions: disrupted } });
    });
    plane.pass(11_000);
    expect(jobOf(plane).status?.failed).toBeUndefined();
    expect(activePodsOf(plane)).toHaveLength(1);
  });
});

test('a job adopts what its selector matches and releases what it no longer matches', () => {
  const plane = started();
  const [pod] = podsOf(plane);
  if (pod === undefined) throw new Error('no pod');
  const { ownerReferences: _, ...bare } = pod.metadata;
  plane.do((objects) => objects.update(PODS, { ...pod, metadata: bare }));
  expect(podsOf(plane).map((each) => each.metadata.ownerReferences?.[0]?.name)).toEqual(['work']);
  const [adopted] = podsOf(plane);
  if (adopted === undefined) throw new Error('no pod');
  plane.do((objects) => objects.update(PODS, { ...adopted, metadata: { ...adopted.metadata, labels: {} } }));
  const released = podsOf(plane).find((each) => each.metadata.uid === pod.metadata.uid);
  expect(released?.metadata.ownerReferences).toBeUndefined();
  expect(released?.metadata.finalizers).toBeUndefined();
  expect(activePodsOf(plane)).toHaveLength(2);
});
