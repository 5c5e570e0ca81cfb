/** Rules for a job's spec, alone and inside a CronJob. Source: kubernetes, pkg/apis/batch/validation. */
import type { Job, JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../../shared/api/batch.ts';
import type { PodSpec } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { isSame } from './data-validation.ts';
import { parseIndexes } from './job-indexes.ts';
import { checkDNSLabel } from './names.ts';
import { validateCount, validateTemplate } from './workloads.ts';

const MODES = ['Indexed', 'NonIndexed'];
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const REPLACEMENT_POLICIES = ['Failed', 'TerminatingOrFailed'];
const MAX_INDEXED_PARALLELISM = 100_000;
const MAX_UNBOUNDED_COMPLETIONS = 100_000;
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const MANAGER = 'kubernetes.io/job-controller';

function validateCounts(spec: Partial<JobSpec>, path: string): StatusCause[] {
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  return counts.flatMap((count) => validateCount(spec[count], `${path}.${count}`));
}

function validateIndexed(spec: Partial<JobSpec>, path: string): StatusCause[] {
  const { completions, parallelism = 1, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const causes: StatusCause[] = [];
  const indexed = spec.completionMode === 'Indexed';
  if (indexed) {
    if (completions === undefined) causes.push(required(`${path}.completions`, 'when completion mode is Indexed'));
    if (parallelism > MAX_INDEXED_PARALLELISM) {
      const why = `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`;
      causes.push(invalidValue(`${path}.parallelism`, parallelism, why));
    }
  }
  if (backoffLimitPerIndex !== undefined && !indexed) {
    causes.push(invalidValue(`${path}.backoffLimitPerIndex`, backoffLimitPerIndex, 'requires indexed completion mode'));
  }
  if (maxFailedIndexes === undefined) {
    if (backoffLimitPerIndex !== undefined && (completions ?? 0) > MAX_UNBOUNDED_COMPLETIONS) {
      const why = `must be specified when completions is above ${MAX_UNBOUNDED_COMPLETIONS}`;
      causes.push(required(`${path}.maxFailedIndexes`, why));
    }
    return causes;
  }
  if (backoffLimitPerIndex === undefined) {
    causes.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  if (completions !== undefined && maxFailedIndexes > completions) {
    causes.push(
      invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'),
    );
  }
  return causes;
}

function validateExitCodes(
  asked: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  spec: PodSpec | undefined,
  path: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!['In', 'NotIn'].includes(asked.operator)) {
    causes.push(notSupported(`${path}.operator`, asked.operator, ['In', 'NotIn']));
  }
  const names = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map((each) => each.name);
  if (asked.containerName !== undefined && !names.includes(asked.containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    causes.push(invalidValue(`${path}.containerName`, asked.containerName, why));
  }
  const values = asked.values ?? [];
  if (values.length === 0) causes.push(invalidValue(`${path}.values`, values, 'at least one value is required'));
  if (values.length > MAX_EXIT_CODES) {
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${values.length}: must have at most ${MAX_EXIT_CODES} items`,
      field: `${path}.values`,
    });
  }
  for (const [index, value] of values.entries()) {
    const at = `${path}.values[${index}]`;
    if (asked.operator === 'In' && value === 0)
      causes.push(invalidValue(at, value, 'must not be 0 for the In operator'));
    if (values.indexOf(value) < index) causes.push(duplicateValue(at, value));
  }
  if (values.some((value, index) => index > 0 && value < (values[index - 1] ?? value))) {
    causes.push(invalidValue(`${path}.values`, values, 'must be ordered'));
  }
  return causes;
}

function validateFailureRule(rule: PodFailurePolicyRule, spec: Partial<JobSpec>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!rule.action)
    causes.push(required(`${path}.action`, `valid values: ${ACTIONS.map((each) => `"${each}"`).join(', ')}`));
  else if (!ACTIONS.includes(rule.action)) causes.push(notSupported(`${path}.action`, rule.action, ACTIONS));
  if (rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    causes.push(invalidValue(`${path}.action`, rule.action, 'requires the backoffLimitPerIndex to be set'));
  }
  const { onExitCodes, onPodConditions } = rule;
  if (onExitCodes !== undefined) {
    causes.push(...validateExitCodes(onExitCodes, spec.template?.spec, `${path}.onExitCodes`));
  }
  for (const [index, pattern] of (onPodConditions ?? []).entries()) {
    const at = `${path}.onPodConditions[${index}]`;
    if (!pattern.type) causes.push(required(`${at}.type`));
    if (!['False', 'True', 'Unknown'].includes(pattern.status ?? '')) {
      causes.push(notSupported(`${at}.status`, pattern.status ?? '', ['False', 'True', 'Unknown']));
    }
  }
  if (onExitCodes !== undefined && (onPodConditions ?? []).length > 0) {
    causes.push(invalidValue(path, rule, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (onExitCodes === undefined && (onPodConditions ?? []).length === 0) {
    causes.push(invalidValue(path, rule, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return causes;
}

function tooManyRules(count: number, path: string): StatusCause[] {
  if (count <= MAX_RULES) return [];
  return [
    { reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${MAX_RULES} items`, field: path },
  ];
}

function validateSuccessRule(rule: SuccessPolicyRule, completions: number, path: string): StatusCause[] {
  const { succeededIndexes, succeededCount } = rule;
  if (succeededIndexes === undefined && succeededCount === undefined) {
    return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  }
  const causes = validateCount(succeededCount, `${path}.succeededCount`);
  if (succeededCount !== undefined && succeededCount > completions) {
    const why = `must be less than or equal to ${completions} (the number of specified completions)`;
    causes.push(invalidValue(`${path}.succeededCount`, succeededCount, why));
  }
  if (succeededIndexes === undefined) return causes;
  const indexes = parseIndexes(succeededIndexes);
  if (indexes === undefined || indexes.some((each) => each >= completions)) {
    const why =
      'error parsing succeededIndexes: cannot convert string to integer for index or index out of completions';
    return [...causes, invalidValue(`${path}.succeededIndexes`, succeededIndexes, why)];
  }
  if (succeededCount !== undefined && succeededCount > indexes.length) {
    const why = `must be less than or equal to ${indexes.length} (the number of indexes in the specified succeededIndexes field)`;
    causes.push(invalidValue(`${path}.succeededCount`, succeededCount, why));
  }
  return causes;
}

function validatePolicies(spec: Partial<JobSpec>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const failure = spec.podFailurePolicy;
  if (failure !== undefined) {
    const rules = failure.rules ?? [];
    causes.push(...tooManyRules(rules.length, `${path}.podFailurePolicy.rules`));
    for (const [index, rule] of rules.entries()) {
      causes.push(...validateFailureRule(rule, spec, `${path}.podFailurePolicy.rules[${index}]`));
    }
    const policy = spec.template?.spec?.restartPolicy ?? '';
    if (policy !== 'Never') {
      const why = 'only "Never" is supported when podFailurePolicy is specified';
      causes.push(invalidValue(`${path}.template.spec.restartPolicy`, policy, why));
    }
  }
  const success = spec.successPolicy;
  if (success !== undefined) {
    const rules = success.rules ?? [];
    if (spec.completionMode !== 'Indexed') {
      causes.push(invalidValue(`${path}.successPolicy`, success, 'requires indexed completion mode'));
      return causes;
    }
    if (rules.length === 0) {
      causes.push(
        required(
          `${path}.successPolicy.rules`,
          'at least one rules must be specified when the successPolicy is specified',
        ),
      );
    }
    causes.push(...tooManyRules(rules.length, `${path}.successPolicy.rules`));
    for (const [index, rule] of rules.entries()) {
      causes.push(...validateSuccessRule(rule, spec.completions ?? 0, `${path}.successPolicy.rules[${index}]`));
    }
  }
  const replacement = spec.podReplacementPolicy;
  if (replacement !== undefined) {
    if (failure !== undefined && replacement !== 'Failed') {
      causes.push(notSupported(`${path}.podReplacementPolicy`, replacement, ['Failed']));
    } else if (!REPLACEMENT_POLICIES.includes(replacement)) {
      causes.push(notSupported(`${path}.podReplacementPolicy`, replacement, REPLACEMENT_POLICIES));
    }
  }
  return causes;
}

/** Everything but the selector, which a CronJob's template may not have. */
export function validateJobSpec(spec: Partial<JobSpec>, path: string): StatusCause[] {
  const causes = validateCounts(spec, path);
  if (spec.completionMode !== undefined && !MODES.includes(spec.completionMode)) {
    causes.push(notSupported(`${path}.completionMode`, spec.completionMode, MODES));
  }
  causes.push(...validateIndexed(spec, path), ...validatePolicies(spec, path));
  if (spec.managedBy !== undefined && spec.managedBy !== MANAGER) {
    causes.push(notSupported(`${path}.managedBy`, spec.managedBy, [MANAGER]));
  }
  if (spec.template === undefined) return [...causes, required(`${path}.template`)];
  causes.push(...validateTemplate(spec.template, `${path}.template`));
  const restart = spec.template.spec?.restartPolicy;
  if (restart === undefined || restart === 'Always') {
    causes.push(required(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  } else if (restart !== 'OnFailure' && restart !== 'Never') {
    causes.push(notSupported(`${path}.template.spec.restartPolicy`, restart, ['OnFailure', 'Never']));
  }
  return causes;
}

/** The pods' host names must be labels: the name and the highest index. */
export function validateJobName(name: string, spec: Partial<JobSpec>): StatusCause[] {
  if (spec.completionMode !== 'Indexed' || (spec.completions ?? 0) < 1) return [];
  return checkDNSLabel(`${name}-${(spec.completions ?? 1) - 1}`).map((message) =>
    invalidValue('metadata.name', name, `will not able to create pod with invalid DNS label: ${message}`),
  );
}

const IMMUTABLE = 'field is immutable';

/** Kubernetes: where the pods of a job that has not started run can still be decided (KEP-2926). */
function withoutPlacement({ template }: Partial<JobSpec>): unknown {
  const { metadata, spec: pod } = template ?? {};
  const { affinity: _a, nodeSelector: _n, tolerations: _t, ...rest } = pod ?? {};
  const { schedulingGates: _g, ...bare } = rest as typeof rest & { schedulingGates?: unknown };
  const { labels: _l, annotations: _o, ...others } = metadata ?? {};
  return { metadata: others, spec: bare };
}

export function validateJobUpdate(draft: Job, current: Job): StatusCause[] {
  const causes: StatusCause[] = [];
  const after = draft.spec;
  const before = current.spec;
  const resized = after.completionMode === 'Indexed' && after.completions === after.parallelism;
  if (after.completions !== before.completions && !resized) {
    causes.push(invalidValue('spec.completions', after.completions ?? null, IMMUTABLE));
  }
  const notStarted = before.suspend === true && current.status?.startTime === undefined;
  const sameTemplate = notStarted
    ? isSame(withoutPlacement(after), withoutPlacement(before))
    : isSame(after.template, before.template);
  if (!sameTemplate) causes.push(invalidValue('spec.template', after.template, IMMUTABLE));
  const fixed = [
    'selector',
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const;
  for (const field of fixed) {
    if (!isSame(after[field], before[field]))
      causes.push(invalidValue(`spec.${field}`, after[field] ?? null, IMMUTABLE));
  }
  return causes;
}

export function validateJobStatus(draft: Job): StatusCause[] {
  const status = draft.status ?? {};
  const causes = (['active', 'succeeded', 'failed', 'ready', 'terminating'] as const).flatMap((count) =>
    validateCount(status[count], `status.${count}`),
  );
  const isTrue = (type: string) =>
    status.conditions?.some((each) => each.type === type && each.status === 'True') === true;
  if (isTrue('Complete') && isTrue('Failed')) {
    causes.push(forbiddenField('status.conditions', 'cannot set Complete=True and Failed=true conditions'));
  }
  return causes;
}
