/** `batch/v1 CronJob`. When jobs start is `controllers/cronjobs.ts`. Source: kubernetes, pkg/registry/batch/cronjob. */
import { CRON_JOBS, type CronJob, type JobSpec } from '../../shared/api/batch.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { ageOf } from '../../shared/time.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import { parseCronSchedule, timeZoneError } from './cron-schedule.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateJobSpec } from './job-validation.ts';
import { defaultJobSpec } from './jobs.ts';
import { tooLong } from './names.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateCount } from './workloads.ts';

const POLICIES = ['Allow', 'Forbid', 'Replace'];
/** Eleven characters are left for the time in the names of its jobs. */
const MAX_NAME = 52;

function applyDefaults({ spec }: Draft<CronJob>): void {
  if (spec === undefined) return;
  spec.concurrencyPolicy ??= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate?.spec) defaultJobSpec(spec.jobTemplate.spec);
}

function validateSchedule({ schedule, timeZone }: Partial<CronJob['spec']>): StatusCause[] {
  if (!schedule) return [required('spec.schedule')];
  if (/TZ=/.test(schedule)) {
    const why =
      timeZone === undefined
        ? 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
        : 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
    return [invalidValue('spec.schedule', schedule, why)];
  }
  const causes: StatusCause[] = [];
  try {
    parseCronSchedule(schedule, undefined);
  } catch (error) {
    causes.push(invalidValue('spec.schedule', schedule, error instanceof Error ? error.message : String(error)));
  }
  const wrong = timeZone === undefined ? undefined : timeZoneError(timeZone);
  if (wrong !== undefined) causes.push(invalidValue('spec.timeZone', timeZone, wrong));
  return causes;
}

function validate(draft: Draft<CronJob>): StatusCause[] {
  const spec: Partial<CronJob['spec']> = draft.spec ?? {};
  const causes = [
    ...validateSchedule(spec),
    ...validateCount(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'),
    ...validateCount(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...validateCount(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
  ];
  const policy = spec.concurrencyPolicy ?? '';
  if (policy === ('' as string)) causes.push(required('spec.concurrencyPolicy'));
  else if (!POLICIES.includes(policy)) causes.push(notSupported('spec.concurrencyPolicy', policy, POLICIES));
  if ((draft.metadata.name ?? '').length > MAX_NAME) {
    causes.push(invalidValue('metadata.name', draft.metadata.name, tooLong(MAX_NAME).replace('bytes', 'characters')));
  }
  const path = 'spec.jobTemplate.spec';
  const job: Partial<JobSpec> = spec.jobTemplate?.spec ?? {};
  causes.push(...validateJobSpec(job, path));
  if (job.selector !== undefined)
    causes.push(invalidValue(`${path}.selector`, job.selector, '`selector` will be auto-generated'));
  if (job.manualSelector === true) causes.push(notSupported(`${path}.manualSelector`, true, ['nil', 'false']));
  return causes;
}

const containers = ({ spec }: CronJob) => spec.jobTemplate.spec.template.spec.containers;

export const CRON_JOBS_DEFINITION: ResourceDefinition<CronJob> = {
  identity: CRON_JOBS,
  singular: 'cronjob',
  listKind: 'CronJobList',
  shortNames: ['cj'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.batch.v1.CronJob',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = {};
  },
  validate,
  columns: [
    NAME,
    text<CronJob>(
      'Schedule',
      'The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.',
      ({ spec }) => spec.schedule,
    ),
    text<CronJob>('Timezone', 'The time zone name for the given schedule.', ({ spec }) => spec.timeZone ?? '<none>'),
    {
      name: 'Suspend',
      type: 'boolean',
      description: 'This flag tells the controller to suspend subsequent executions.',
      priority: 0,
      value: ({ spec }) => (spec.suspend === true ? 'True' : 'False'),
    },
    integer<CronJob>(
      'Active',
      'A list of pointers to currently running jobs.',
      ({ status }) => status?.active?.length ?? 0,
    ),
    text<CronJob>(
      'Last Schedule',
      'Information when was the last time the job was successfully scheduled.',
      ({ status }, nowMs) =>
        status?.lastScheduleTime === undefined ? '<none>' : ageOf(status.lastScheduleTime, nowMs),
    ),
    AGE,
    text<CronJob>(
      'Containers',
      'Names of each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.name)
          .join(','),
      true,
    ),
    text<CronJob>(
      'Images',
      'Images referenced by each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.image ?? '')
          .join(','),
      true,
    ),
    text<CronJob>(
      'Selector',
      'A label query over pods that should match the pod count.',
      ({ spec }) => formatLabelSelector(spec.jobTemplate.spec.selector),
      true,
    ),
  ],
};
