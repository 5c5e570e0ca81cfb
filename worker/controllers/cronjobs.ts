/**
 * The cron job controller: at each time of the schedule a job, unless that is too late, suspended, or forbidden by one that
 * still runs; and only so many finished jobs kept. The next time is a row in the work table: nothing polls.
 * Source: k8s.io/kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go
 */
import { CRON_JOBS, type CronJob, JOBS, type Job } from '../../shared/api/batch.ts';
import type { Event, ObjectReference } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { ObjectChange } from '../registry/objects.ts';
import { type CronSchedule, parseCronSchedule, timeZoneError } from '../resources/cron-schedule.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { lastMissed } from './cron-times.ts';
import { isEqual } from './equality.ts';
import { finishedBy } from './jobs.ts';
import { controllerOf, controllerReference } from './owners.ts';

const COMPONENT = 'cronjob-controller';
const TIMESTAMP_ANNOTATION = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

export const cronJobs: Controller = {
  name: 'cronjob',
  account: 'cronjob-controller',
  sources: [
    source(CRON_JOBS, ({ type, object, previous }) =>
      type !== 'DELETED' && object.metadata.generation !== previous?.metadata.generation ? [keyOf(object)] : [],
    ),
    source(JOBS, keysOfJob),
  ],
  reconcile(key, context) {
    const { namespace, name } = splitKey(key);
    const cronJob = context.objects.get(CRON_JOBS, namespace, name);
    if (cronJob !== undefined) new Run(cronJob, context).go();
  },
};

function keysOfJob({ type, object, previous }: ObjectChange<Job>): string[] {
  const controller = controllerOf(object);
  if (controller?.kind !== CRON_JOBS.kind) return [];
  if (type === 'MODIFIED' && finishedBy(object) === finishedBy(previous)) return [];
  return [`${object.metadata.namespace}/${controller.name}`];
}

/** As Go's RFC1123Z, in UTC. */
const spoken = (ms: number): string => new Date(ms).toUTCString().replace('GMT', '+0000');

/** The time with the zone's own offset: `2026-01-01T09:00:00+01:00`. */
function zonedTime(ms: number, timeZone: string | undefined): string {
  if (timeZone === undefined) return formatTime(ms);
  const parts = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' }).formatToParts(new Date(ms));
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(name);
  if (match === null) return formatTime(ms);
  const [, sign, hours, minutes] = match;
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return `${formatTime(ms + offsetMs).slice(0, 19)}${sign}${hours}:${minutes}`;
}

const referenceTo = (job: Job): ObjectReference => ({
  kind: 'Job',
  namespace: job.metadata.namespace,
  name: job.metadata.name,
  uid: job.metadata.uid,
  apiVersion: 'batch/v1',
  resourceVersion: job.metadata.resourceVersion,
});

const startedMs = (job: Job): number => parseTime(job.status?.startTime ?? job.metadata.creationTimestamp) ?? 0;

/** One reconcile of one cron job. */
class Run {
  readonly cronJob: CronJob;
  readonly context: ReconcileContext;
  active: ObjectReference[];
  lastScheduleTime: string | undefined;
  lastSuccessfulTime: string | undefined;
  children: Job[];

  constructor(cronJob: CronJob, context: ReconcileContext) {
    this.cronJob = cronJob;
    this.context = context;
    this.active = [...(cronJob.status?.active ?? [])];
    this.lastScheduleTime = cronJob.status?.lastScheduleTime;
    this.lastSuccessfulTime = cronJob.status?.lastSuccessfulTime;
    const { namespace, uid } = cronJob.metadata;
    this.children = context.objects
      .list(JOBS, { namespace, having: [{ index: 'owner', value: uid }] })
      .filter((job) => controllerOf(job)?.uid === uid);
  }

  go(): void {
    this.updateActive();
    this.dropOldJobs();
    if (this.cronJob.metadata.deletionTimestamp === undefined) this.schedule();
    this.write();
  }

  say(type: Event['type'], reason: string, message: string): void {
    const event = { reason, message, component: COMPONENT, ...(type === undefined ? {} : { type }) };
    this.context.objects.record(this.cronJob, event);
  }

  /** What became of the jobs since the last time. */
  updateActive(): void {
    for (const job of this.children) {
      const known = this.active.some((each) => each.uid === job.metadata.uid);
      const end = finishedBy(job);
      if (!known && end === undefined) {
        // Kubernetes: its own job that the status forgot is told of, but not taken back.
        this.say(
          'Warning',
          'UnexpectedJob',
          `Saw a job that the controller did not create or forgot: ${job.metadata.name}`,
        );
      } else if (known && end !== undefined) {
        this.active = this.active.filter((each) => each.uid !== job.metadata.uid);
        this.say('Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name}, condition: ${end}`);
      }
      const completion = job.status?.completionTime;
      if (end === 'Complete' && completion !== undefined && completion > (this.lastSuccessfulTime ?? '')) {
        this.lastSuccessfulTime = completion;
      }
    }
    for (const reference of this.active) {
      if (this.children.some((job) => job.metadata.uid === reference.uid)) continue;
      this.active = this.active.filter((each) => each !== reference);
      this.say('Normal', 'MissingJob', `Active job went missing: ${reference.name}`);
    }
  }

  schedule(): void {
    const { spec } = this.cronJob;
    if (spec.suspend === true) return;
    const schedule = this.parse();
    if (schedule === undefined) return;
    const { nowMs } = this.context;
    const { scheduledMs, tooMany } = lastMissed(this.cronJob, schedule, nowMs);
    if (tooMany) {
      const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew';
      this.say('Warning', 'TooManyMissedTimes', `too many missed start times. ${advice}`);
    }
    if (scheduledMs !== undefined) this.start(scheduledMs);
    const nextMs = schedule.next(nowMs);
    if (nextMs !== undefined) this.context.requeueAfter(nextMs - nowMs);
  }

  parse(): CronSchedule | undefined {
    const { schedule, timeZone } = this.cronJob.spec;
    const wrongZone = timeZone === undefined ? undefined : timeZoneError(timeZone);
    if (wrongZone !== undefined) {
      this.say('Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}: ${wrongZone}`);
      return undefined;
    }
    try {
      return parseCronSchedule(schedule, timeZone);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.say('Warning', 'UnparseableSchedule', `unparseable schedule: ${JSON.stringify(schedule)} : ${why}`);
      return undefined;
    }
  }

  start(scheduledMs: number): void {
    const { spec } = this.cronJob;
    const { nowMs, objects } = this.context;
    const { startingDeadlineSeconds: deadline } = spec;
    if (deadline !== undefined && scheduledMs + deadline * 1000 < nowMs) {
      this.say('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${spoken(scheduledMs)}`);
      return;
    }
    if (spec.concurrencyPolicy === 'Forbid' && this.active.length > 0) {
      const why = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.say('Normal', 'JobAlreadyActive', why);
      return;
    }
    if (spec.concurrencyPolicy === 'Replace') {
      for (const { name = '' } of this.active) this.remove(name);
      this.active = [];
    }
    const draft = this.draft(scheduledMs);
    const name = draft.metadata.name ?? '';
    const taken = objects.get(JOBS, this.cronJob.metadata.namespace ?? '', name);
    // The same time again, after a status that somebody undid: the job of that time is there.
    if (taken !== undefined && controllerOf(taken)?.uid === this.cronJob.metadata.uid) {
      this.lastScheduleTime = formatTime(scheduledMs);
      return;
    }
    try {
      const job = objects.create(JOBS, draft);
      this.children.push(job);
      this.active.push(referenceTo(job));
      this.say('Normal', 'SuccessfulCreate', `Created job ${name}`);
      this.lastScheduleTime = formatTime(scheduledMs);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.say('Warning', 'FailedCreate', `Error creating job: ${error.message}`);
      this.context.requeueAfter(10_000);
    }
  }

  draft(scheduledMs: number): Draft<Job> {
    const { metadata, spec } = this.cronJob;
    const { metadata: template, spec: jobSpec } = structuredClone(spec.jobTemplate);
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        // Kubernetes: named by the minute, so that one time makes one job.
        name: `${metadata.name}-${Math.floor(scheduledMs / 60_000)}`,
        namespace: metadata.namespace ?? '',
        ...(template?.labels ? { labels: template.labels } : {}),
        annotations: { ...template?.annotations, [TIMESTAMP_ANNOTATION]: zonedTime(scheduledMs, spec.timeZone) },
        ownerReferences: [controllerReference(CRON_JOBS, this.cronJob)],
      },
      spec: jobSpec,
    };
  }

  remove(name: string): void {
    const namespace = this.cronJob.metadata.namespace ?? '';
    this.context.objects.delete(JOBS, namespace, name, { propagationPolicy: 'Background' });
    this.children = this.children.filter((job) => job.metadata.name !== name);
    this.say('Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }

  /** Keeps the newest finished jobs, so many of each outcome. */
  dropOldJobs(): void {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = this.cronJob.spec;
    const limits = { Complete: successfulJobsHistoryLimit, Failed: failedJobsHistoryLimit };
    for (const [end, limit] of Object.entries(limits)) {
      if (limit === undefined) continue;
      const finished = this.children
        .filter((job) => finishedBy(job) === end)
        .sort((a, b) => startedMs(a) - startedMs(b));
      for (const job of finished.slice(0, Math.max(0, finished.length - limit))) {
        this.remove(job.metadata.name);
      }
    }
  }

  write(): void {
    const status: NonNullable<CronJob['status']> = {
      ...(this.active.length > 0 ? { active: this.active } : {}),
      ...(this.lastScheduleTime === undefined ? {} : { lastScheduleTime: this.lastScheduleTime }),
      ...(this.lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime: this.lastSuccessfulTime }),
    };
    if (isEqual(status, this.cronJob.status ?? {})) return;
    this.context.objects.updateStatus(CRON_JOBS, { ...this.cronJob, status });
  }
}
