/** Kubernetes' conformance tests about cron jobs that take minutes, on a clock that is moved; each named after its line. */
import { expect, test } from 'vitest';
import { CRON_JOBS, type CronJob, JOBS } from '../../../shared/api/batch.ts';
import { controlPlane, type TestPlane } from '../controllers/control-plane.ts';

const MINUTE = 60_000;

function started(spec: Partial<CronJob['spec']>): TestPlane {
  const plane = controlPlane();
  plane.do((objects) =>
    objects.create(CRON_JOBS, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'tick', namespace: 'default' },
      spec: {
        schedule: '*/1 * * * ?',
        jobTemplate: {
          spec: {
            template: { spec: { restartPolicy: 'OnFailure', containers: [{ name: 'main', image: 'busybox' }] } },
          },
        },
        ...spec,
      },
    }),
  );
  return plane;
}

const jobNames = (plane: TestPlane) => plane.do((objects) => objects.list(JOBS)).map((job) => job.metadata.name);
const activeOf = (plane: TestPlane) =>
  plane.do((objects) => objects.get(CRON_JOBS, 'default', 'tick')?.status?.active ?? []);

test('[sig-apps] CronJob should schedule multiple jobs concurrently [Conformance]', () => {
  const plane = started({ concurrencyPolicy: 'Allow' });
  plane.pass(2 * MINUTE);
  expect(activeOf(plane)).toHaveLength(2);
  expect(jobNames(plane)).toHaveLength(2);
});

test('[sig-apps] CronJob should not schedule jobs when suspended [Slow] [Conformance]', () => {
  const plane = started({ suspend: true });
  plane.pass(5 * MINUTE);
  expect(activeOf(plane)).toEqual([]);
  expect(jobNames(plane)).toEqual([]);
});

test('[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow] [Conformance]', () => {
  const plane = started({ concurrencyPolicy: 'Forbid' });
  plane.pass(MINUTE);
  const first = jobNames(plane);
  expect(first).toHaveLength(1);
  plane.pass(5 * MINUTE);
  expect(jobNames(plane)).toEqual(first);
  expect(activeOf(plane)).toHaveLength(1);
});

test('[sig-apps] CronJob should replace jobs when ReplaceConcurrent [Conformance]', () => {
  const plane = started({ concurrencyPolicy: 'Replace' });
  plane.pass(MINUTE);
  const [first] = jobNames(plane);
  plane.pass(MINUTE);
  expect(activeOf(plane)).toHaveLength(1);
  expect(activeOf(plane)[0]?.name).not.toBe(first);
  expect(jobNames(plane)).not.toContain(first);
});
