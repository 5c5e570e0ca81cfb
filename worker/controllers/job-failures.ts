/**
 * What a job makes of pods that ended: which of them failed, what its pod failure policy says to that, how long it waits
 * before it tries again, and whether its success policy is content. Pure; who counts and writes is `jobs.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/job/{pod_failure_policy,success_policy,backoff_utils}.go
 */
import type { Job, PodFailurePolicyRule } from '../../shared/api/batch.ts';
import type { ContainerStateTerminated, Pod } from '../../shared/api/core.ts';
import { isTerminal } from '../../shared/pods.ts';
import { parseTime } from '../../shared/time.ts';
import { parseIndexes } from '../resources/job-indexes.ts';

export const INDEX_KEY = 'batch.kubernetes.io/job-completion-index';
export const INDEX_FAILURES_KEY = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_KEY = 'batch.kubernetes.io/job-index-ignored-failure-count';

const BASE_DELAY_MS = 10_000;
const MAX_DELAY_MS = 600_000;

export const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed';

/** Kubernetes: by the policy Failed, and with any pod failure policy, a pod is replaced only when it has ended. */
export const replacesOnlyFailed = (job: Job): boolean =>
  job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined;

/** A pod under deletion for which no kubelet will ever report an end: never assigned, or already let go of. */
const isAbandoned = ({ metadata, spec }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && (!spec.nodeName || metadata.deletionGracePeriodSeconds === 0);

export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (pod.status?.phase === 'Succeeded' || pod.metadata.deletionTimestamp === undefined) return false;
  return !replacesOnlyFailed(job) || isAbandoned(pod);
}

/** Under deletion and not ended, as `status.terminating` counts. */
export const isEnding = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined && !isTerminal(pod) && !isAbandoned(pod);

/** Of an Indexed job's pod; undefined where the annotation is missing or no index of this job. */
export function indexOf(pod: Pod, job: Job): number | undefined {
  const text = pod.metadata.annotations?.[INDEX_KEY] ?? '';
  if (!/^\d{1,9}$/.test(text)) return undefined;
  return Number(text) < (job.spec.completions ?? 0) ? Number(text) : undefined;
}

const countOf = (pod: Pod, key: string): number => {
  const text = pod.metadata.annotations?.[key] ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
};

export interface PolicyVerdict {
  action: PodFailurePolicyRule['action'];
  message: string;
}

function terminations(pod: Pod, name: string | undefined): { name: string; ended: ContainerStateTerminated }[] {
  return [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].flatMap((each) =>
    each.state.terminated !== undefined && (name === undefined || name === each.name)
      ? [{ name: each.name, ended: each.state.terminated }]
      : [],
  );
}

function matchRule(rule: PodFailurePolicyRule, index: number, pod: Pod): string | undefined {
  const { name, namespace = '' } = pod.metadata;
  const { onExitCodes, onPodConditions = [] } = rule;
  if (onExitCodes !== undefined) {
    const { values, operator, containerName } = onExitCodes;
    const found = terminations(pod, containerName).find(
      ({ ended }) => ended.exitCode !== 0 && values.includes(ended.exitCode) === (operator === 'In'),
    );
    if (found === undefined) return undefined;
    return `Container ${found.name} for pod ${namespace}/${name} failed with exit code ${found.ended.exitCode} matching ${rule.action} rule at index ${index}`;
  }
  const matched = onPodConditions.find((pattern) =>
    pod.status?.conditions?.some((each) => each.type === pattern.type && each.status === (pattern.status ?? 'True')),
  );
  if (matched === undefined) return undefined;
  return `Pod ${namespace}/${name} has condition ${matched.type} matching ${rule.action} rule at index ${index}`;
}

/** What the first matching rule of the pod failure policy says; Count where none matches. */
export function judgeFailure(job: Job, pod: Pod): PolicyVerdict {
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const message = matchRule(rule, index, pod);
    // Kubernetes: FailIndex means something only where failures are counted by index.
    if (message === undefined || (rule.action === 'FailIndex' && job.spec.backoffLimitPerIndex === undefined)) continue;
    return { action: rule.action, message };
  }
  return { action: 'Count', message: '' };
}

/** Whether this failure is the last that its index may have. */
export const failsIndex = (job: Job, pod: Pod): boolean =>
  judgeFailure(job, pod).action === 'FailIndex' ||
  (judgeFailure(job, pod).action !== 'Ignore' &&
    countOf(pod, INDEX_FAILURES_KEY) >= (job.spec.backoffLimitPerIndex ?? 0));

/** Annotations of the next pod of an index: how often pods before it failed. */
export function failureCounts(job: Job, failedBefore: readonly Pod[]): Record<string, string> {
  if (job.spec.backoffLimitPerIndex === undefined) return {};
  let failures = 0;
  let ignored = 0;
  for (const pod of failedBefore) {
    const isIgnored = judgeFailure(job, pod).action === 'Ignore';
    failures = Math.max(failures, countOf(pod, INDEX_FAILURES_KEY) + (isIgnored ? 0 : 1));
    ignored = Math.max(ignored, countOf(pod, INDEX_IGNORED_KEY) + (isIgnored ? 1 : 0));
  }
  return { [INDEX_FAILURES_KEY]: String(failures), ...(ignored > 0 ? { [INDEX_IGNORED_KEY]: String(ignored) } : {}) };
}

/** When a pod ended, as well as can be told. */
export function endedMs(pod: Pod): number {
  const ends = terminations(pod, undefined).map(({ ended }) => parseTime(ended.finishedAt ?? '') ?? 0);
  const last = Math.max(0, ...ends);
  if (last > 0) return last;
  const ready = pod.status?.conditions?.find((each) => each.type === 'Ready' && each.status === 'False');
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  const deletedMs = parseTime(deletionTimestamp ?? '');
  const markedMs = deletedMs === undefined ? undefined : deletedMs - deletionGracePeriodSeconds * 1000;
  return parseTime(ready?.lastTransitionTime ?? '') ?? markedMs ?? parseTime(creationTimestamp) ?? 0;
}

/** When the next pod may be made, after these ended: 10 s, 20 s, 40 s … after the last failure, at most 10 minutes. */
export function retryAtMs(job: Job, ended: readonly Pod[]): number {
  const lastSuccess = Math.max(0, ...ended.filter((pod) => pod.status?.phase === 'Succeeded').map(endedMs));
  const failures = ended
    .filter((pod) => hasFailed(pod, job))
    .map(endedMs)
    .filter((ms) => ms > lastSuccess);
  if (failures.length === 0) return 0;
  return Math.max(...failures) + Math.min(BASE_DELAY_MS * 2 ** (failures.length - 1), MAX_DELAY_MS);
}

/** The containers of an OnFailure job restart in place: so often that it is enough? */
export function restartsTooOften(job: Job, pods: readonly Pod[]): boolean {
  if (job.spec.template.spec.restartPolicy !== 'OnFailure') return false;
  const running = pods.filter((pod) => pod.status?.phase === 'Running' || pod.status?.phase === 'Pending');
  const restarts = running
    .flatMap((pod) => [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])])
    .reduce((total, each) => total + each.restartCount, 0);
  const limit = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** The rule of the success policy that these indexes satisfy, as a message; undefined when there is none. */
export function matchSuccessPolicy(job: Job, succeeded: ReadonlySet<number>): string | undefined {
  const rules = job.spec.successPolicy?.rules ?? [];
  const index = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeeded.size >= (succeededCount ?? 0);
    const wanted = parseIndexes(succeededIndexes) ?? [];
    const done = wanted.filter((each) => succeeded.has(each)).length;
    return done >= (succeededCount ?? wanted.length);
  });
  return index === -1 ? undefined : `Matched rules at index ${index}`;
}
