/** `batch/v1 Job`: defaults, generated selector, columns. Rules are `job-validation.ts`. Source: kubernetes, pkg/registry/batch/job. */
import { JOBS, type Job, type JobSpec } from '../../shared/api/batch.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import { formatAge, parseTime } from '../../shared/time.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateJobName, validateJobSpec, validateJobStatus, validateJobUpdate } from './job-validation.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { templateColumns } from './workloads.ts';

const MAX_INT32 = 2 ** 31 - 1;
const UID_LABELS = ['controller-uid', 'batch.kubernetes.io/controller-uid'];
const NAME_LABELS = ['job-name', 'batch.kubernetes.io/job-name'];

export function defaultJobSpec(spec: Partial<JobSpec>): void {
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : MAX_INT32;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ??= 'True';
  }
  if (spec.template) defaultPodTemplate(spec.template);
}

function applyDefaults(draft: Draft<Job>): void {
  if (draft.spec === undefined) return;
  const labels = draft.spec.template?.metadata?.labels;
  if (labels !== undefined && Object.keys(draft.metadata.labels ?? {}).length === 0) {
    draft.metadata.labels = { ...labels };
  }
  defaultJobSpec(draft.spec);
  draft.spec.manualSelector ??= false;
}

/** The selector that no other job can have, and the labels that it selects. */
function generateSelector({ metadata, spec }: Draft<Job>): void {
  if (spec?.template === undefined || spec.manualSelector === true) return;
  const labels = { ...spec.template.metadata?.labels };
  for (const key of UID_LABELS) labels[key] ??= metadata.uid ?? '';
  for (const key of NAME_LABELS) labels[key] ??= metadata.name ?? '';
  spec.template.metadata = { ...spec.template.metadata, labels };
  spec.selector ??= {};
  spec.selector.matchLabels = {
    ...spec.selector.matchLabels,
    'batch.kubernetes.io/controller-uid': metadata.uid ?? '',
  };
}

function validateSelector({ metadata, spec }: Draft<Job>) {
  const { selector, template, manualSelector } = spec ?? {};
  if (selector === undefined) return [required('spec.selector')];
  const causes = validateLabelSelector(selector, 'spec.selector');
  const labels = template?.metadata?.labels ?? {};
  if (template !== undefined && !matchesLabelSelector(selector, labels)) {
    const why = '`selector` does not match template `labels`';
    causes.push(invalidValue('spec.template.metadata.labels', labels, why));
  }
  if (manualSelector === true) return causes;
  const expected = [
    ...UID_LABELS.map((key) => [key, metadata.uid ?? ''] as const),
    ...NAME_LABELS.map((key) => [key, metadata.name ?? ''] as const),
  ];
  for (const [key, value] of expected) {
    const field = `spec.template.metadata.labels`;
    if (labels[key] === undefined) causes.push(required(field, `must be '${value}'`));
    else if (labels[key] !== value) causes.push(invalidValue(field, labels, `must be '${value}'`));
  }
  if (!matchesLabelSelector(selector, Object.fromEntries(expected))) {
    causes.push(invalidValue('spec.selector', selector, '`selector` not auto-generated'));
  }
  return causes;
}

const isTrue = (job: Job, type: string): boolean =>
  job.status?.conditions?.some((each) => each.type === type && each.status === 'True') === true;

export function statusWordOf(job: Job): string {
  if (isTrue(job, 'Complete')) return 'Complete';
  if (isTrue(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (isTrue(job, 'Suspended')) return 'Suspended';
  if (isTrue(job, 'FailureTarget')) return 'FailureTarget';
  return isTrue(job, 'SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function completionsOf({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function durationOf({ status }: Job, nowMs: number): string {
  const startMs = parseTime(status?.startTime ?? '');
  if (startMs === undefined) return '';
  return formatAge((parseTime(status?.completionTime ?? '') ?? nowMs) - startMs);
}

export const JOBS_DEFINITION: ResourceDefinition<Job> = {
  identity: JOBS,
  singular: 'job',
  listKind: 'JobList',
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.batch.v1.Job',
  generation: true,
  unconditionalUpdate: true,
  // Kubernetes: for batch/v1 too the pods outlive their job unless the client says otherwise; kubectl always does.
  defaultPropagation: 'Orphan',
  default: applyDefaults,
  prepareCreate(draft) {
    generateSelector(draft);
    draft.status = {};
  },
  validate: (draft) => [
    ...validateJobSpec(draft.spec ?? {}, 'spec'),
    ...validateSelector(draft),
    ...validateJobName(draft.metadata.name ?? '', draft.spec ?? {}),
  ],
  validateUpdate: validateJobUpdate,
  validateStatus: validateJobStatus,
  fields: ({ status }) => ({ 'status.successful': String(status?.succeeded ?? 0) }),
  columns: [
    NAME,
    text<Job>('Status', 'Status of the job.', statusWordOf),
    text<Job>('Completions', 'The number of pods which reached phase Succeeded.', completionsOf),
    text<Job>('Duration', 'Time required to complete the job.', durationOf),
    AGE,
    ...templateColumns<Job>(),
  ],
};
