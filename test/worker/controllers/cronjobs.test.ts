import { describe, expect, test } from 'vitest';
import { CRON_JOBS, type CronJob, JOBS } from '../../../shared/api/batch.ts';
import { EVENTS } from '../../../shared/api/core.ts';
import { parseCronSchedule, timeZoneError } from '../../../worker/resources/cron-schedule.ts';
import { addNode, controlPlane, errorsOf, kubelets, type TestPlane } from './control-plane.ts';
import { activePodsOf, endPod } from './ended-pods.ts';

const START = '2026-01-01T00:00:30Z';
const MINUTE = 60_000;

function started(spec: Partial<CronJob['spec']> = {}): TestPlane {
  const plane = controlPlane({ nowMs: Date.parse(START) });
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(CRON_JOBS, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'tick', namespace: 'default' },
      spec: {
        schedule: '* * * * *',
        jobTemplate: {
          metadata: { labels: { from: 'template' } },
          spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] } } },
        },
        ...spec,
      },
    }),
  );
  return plane;
}

const cronJobOf = (plane: TestPlane): CronJob => {
  const found = plane.do((objects) => objects.get(CRON_JOBS, 'default', 'tick') ?? null);
  if (found === null) throw new Error('the cron job is gone');
  return found;
};

const change = (plane: TestPlane, edit: (spec: CronJob['spec']) => void): void => {
  const cronJob = cronJobOf(plane);
  edit(cronJob.spec);
  plane.do((objects) => objects.update(CRON_JOBS, cronJob));
};

const jobNames = (plane: TestPlane) => plane.do((objects) => objects.list(JOBS)).map((job) => job.metadata.name);
const minuteOf = (text: string) => Date.parse(text) / MINUTE;
const reasons = (plane: TestPlane) =>
  plane
    .do((objects) => objects.list(EVENTS))
    .filter((event) => event.involvedObject.kind === 'CronJob')
    .map((event) => event.reason);

function endJobs(plane: TestPlane, exitCode = 0): void {
  for (const pod of activePodsOf(plane)) endPod(plane, pod, exitCode);
  kubelets(plane, (pod) => pod.metadata.deletionTimestamp !== undefined);
}

describe('a cron job', () => {
  test('starts a job named by the minute at each time of its schedule', () => {
    const plane = started();
    expect(jobNames(plane)).toEqual([]);
    plane.pass(MINUTE);
    expect(jobNames(plane)).toEqual([`tick-${minuteOf('2026-01-01T00:01:00Z')}`]);
    const [job] = plane.do((objects) => objects.list(JOBS));
    expect(job?.metadata).toMatchObject({
      labels: { from: 'template' },
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:01:00Z' },
      ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true, blockOwnerDeletion: true }],
    });
    expect(cronJobOf(plane).status).toMatchObject({
      lastScheduleTime: '2026-01-01T00:01:00Z',
      active: [{ kind: 'Job', name: job?.metadata.name, uid: job?.metadata.uid }],
    });
    endJobs(plane);
    expect(cronJobOf(plane).status).toEqual({
      lastScheduleTime: '2026-01-01T00:01:00Z',
      lastSuccessfulTime: '2026-01-01T00:01:30Z',
    });
    expect(reasons(plane)).toEqual(expect.arrayContaining(['SuccessfulCreate', 'SawCompletedJob']));
    expect(errorsOf(plane)).toEqual([]);
  });

  test('runs by the clock of its time zone', () => {
    const plane = started({ schedule: '0 9 * * *', timeZone: 'Europe/Berlin' });
    plane.pass(8 * 60 * MINUTE);
    const [job] = plane.do((objects) => objects.list(JOBS));
    expect(job?.metadata.name).toBe(`tick-${minuteOf('2026-01-01T08:00:00Z')}`);
    expect(job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']).toBe(
      '2026-01-01T09:00:00+01:00',
    );
  });

  test('lets jobs run beside each other, forbids it, or replaces the old one', () => {
    const names = (concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace') => {
      const plane = started({ concurrencyPolicy });
      plane.pass(3 * MINUTE);
      kubelets(plane, (pod) => pod.metadata.deletionTimestamp !== undefined);
      expect(cronJobOf(plane).status?.active).toHaveLength(jobNames(plane).length);
      return jobNames(plane).map((name) => Number(name.slice('tick-'.length)) - minuteOf('2026-01-01T00:00:00Z'));
    };
    expect(names('Allow')).toEqual([1, 2, 3]);
    expect(names('Forbid')).toEqual([1]);
    expect(names('Replace')).toEqual([3]);
  });

  test('starts nothing while it is suspended', () => {
    const plane = started({ suspend: true });
    plane.pass(10 * MINUTE);
    expect(jobNames(plane)).toEqual([]);
    change(plane, (spec) => {
      spec.suspend = false;
    });
    expect(jobNames(plane)).toEqual([`tick-${minuteOf('2026-01-01T00:10:00Z')}`]);
  });

  test('makes up for the last run that was missed, unless that is too late', () => {
    for (const [deadline, expected] of [
      [undefined, 1],
      [3600, 1],
      [10, 0],
    ] as const) {
      const plane = started({
        schedule: '0 * * * *',
        suspend: true,
        ...(deadline === undefined ? {} : { startingDeadlineSeconds: deadline }),
      });
      plane.pass(5 * 60 * MINUTE + 10 * MINUTE);
      change(plane, (spec) => {
        spec.suspend = false;
      });
      expect(jobNames(plane)).toEqual(expected === 1 ? [`tick-${minuteOf('2026-01-01T05:00:00Z')}`] : []);
    }
  });

  test('says so when very many runs were missed, and starts only the last', () => {
    const plane = started({ suspend: true });
    plane.pass(40 * 24 * 60 * MINUTE);
    change(plane, (spec) => {
      spec.suspend = false;
    });
    expect(jobNames(plane)).toEqual([`tick-${minuteOf('2026-02-10T00:00:00Z')}`]);
    expect(reasons(plane)).toContain('TooManyMissedTimes');
  });

  test('keeps as many finished jobs as it is told', () => {
    const plane = started({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
    for (let run = 0; run < 5; run += 1) {
      plane.pass(MINUTE);
      endJobs(plane);
    }
    expect(jobNames(plane)).toHaveLength(2);
    expect(jobNames(plane)).toContain(`tick-${minuteOf('2026-01-01T00:05:00Z')}`);
  });

  test('at rest asks for nothing but its next time', () => {
    const plane = started({ schedule: '0 0 1 1 *', suspend: false });
    plane.sockets.clear();
    plane.pass(40 * MINUTE);
    const { revision } = plane.store;
    const before = plane.alarms;
    plane.pass(30 * 24 * 60 * MINUTE);
    expect(plane.store.revision).toBe(revision);
    expect(plane.alarms).toBe(before);
  });
});

describe('a cron schedule', () => {
  const next = (schedule: string, after: string, zone?: string) =>
    new Date(parseCronSchedule(schedule, zone).next(Date.parse(after)) ?? 0).toISOString();

  test.each([
    ['*/15 * * * *', '2026-01-01T00:01:00Z', undefined, '2026-01-01T00:15:00.000Z'],
    ['@hourly', '2026-01-01T00:01:00Z', undefined, '2026-01-01T01:00:00.000Z'],
    ['@every 1h30m', '2026-01-01T00:01:00.500Z', undefined, '2026-01-01T01:31:00.000Z'],
    ['0 0 13 * FRI', '2026-01-01T00:00:00Z', undefined, '2026-01-02T00:00:00.000Z'],
    ['0 12 * * *', '2026-07-01T00:00:00Z', 'America/New_York', '2026-07-01T16:00:00.000Z'],
    ['0 0 ? * 0', '2026-01-01T00:00:00Z', undefined, '2026-01-04T00:00:00.000Z'],
  ])('%s after %s in %s is %s', (schedule, after, zone, expected) => {
    expect(next(schedule, after, zone)).toBe(expected);
  });

  test.each([
    '',
    '* * * *',
    '* * * * * *',
    '61 * * * *',
    '@never',
    '@every x',
    'a b c d e',
    '* * L * *',
    '5#1 * * * *',
  ])('refuses %j', (schedule) => {
    expect(() => parseCronSchedule(schedule, undefined)).toThrow();
  });

  test('knows time zones', () => {
    expect(timeZoneError('Europe/Berlin')).toBeUndefined();
    expect(timeZoneError('Mars/Olympus')).toBe('unknown time zone Mars/Olympus');
    expect(timeZoneError('Local')).toMatch(/explicit time zone/);
  });
});
