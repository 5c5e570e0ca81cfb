/**
 * The job controller: pods are made until enough have succeeded or too many have failed. A pod is counted in the same
 * transaction in which its finalizer is taken off, so `uncountedTerminatedPods` is always empty. What a failure means is in
 * `job-failures.ts`; jobs that have been finished for long enough are removed by `finished-jobs.ts`.
 *
 * Keys: `NAMESPACE/NAME` of a job, with `adopt:` in front when there may be orphans; `pod:NAMESPACE/NAME` of a pod whose job
 * has gone, or let go of it, and that still has the finalizer.
 * Source: k8s.io/kubernetes/pkg/controller/job/job_controller.go
 */
import { JOBS, type Job, type JobCondition, type JobStatus } from '../../shared/api/batch.ts';
import { PODS, type Pod } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { isActive, isReady } from '../../shared/pods.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { formatIndexes, parseIndexes } from '../resources/job-indexes.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import {
  failsIndex,
  failureCounts,
  hasFailed,
  INDEX_KEY,
  indexOf,
  isEnding,
  isIndexed,
  judgeFailure,
  matchSuccessPolicy,
  replacesOnlyFailed,
  restartsTooOften,
  retryAtMs,
} from './job-failures.ts';
import { ADOPT, ownerKeysOf } from './owned-pods.ts';
import { claim, controllerOf } from './owners.ts';
import { createPod, deletePod, podFromTemplate } from './pod-control.ts';

const COMPONENT = 'job-controller';
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
const POD = 'pod:';
/** As upstream's MaxPodCreateDeletePerSync. */
const MAX_CHANGES = 500;

export const jobs: Controller = {
  name: 'job',
  account: 'job-controller',
  sources: [source(JOBS, keysOfJob), source(PODS, keysOfPod)],
  reconcile(key, context) {
    if (key.startsWith(POD)) {
      releasePod(key.slice(POD.length), context.objects);
      return;
    }
    const adopts = key.startsWith(ADOPT);
    const { namespace, name } = splitKey(adopts ? key.slice(ADOPT.length) : key);
    const job = context.objects.get(JOBS, namespace, name);
    if (job?.spec.selector === undefined) return;
    const pods = claim(context.objects, {
      identity: PODS,
      ownerIdentity: JOBS,
      owner: job,
      selector: job.spec.selector,
      ...(adopts ? { adoptable: () => true } : {}),
    });
    new Run(job, pods, context).go();
  },
};

function keysOfJob({ type, object, previous }: ObjectChange<Job>, objects: Objects): string[] {
  if (type === 'ADDED') return [ADOPT + keyOf(object)];
  if (type === 'DELETED') {
    const having = [{ index: 'owner', value: object.metadata.uid }];
    const left = objects.list(PODS, { namespace: object.metadata.namespace, having }).filter(isTracked);
    return left.map((pod) => POD + keyOf(pod));
  }
  const isNews =
    object.metadata.generation !== previous?.metadata.generation ||
    object.metadata.deletionTimestamp !== previous?.metadata.deletionTimestamp ||
    finishedBy(object) !== finishedBy(previous);
  return isNews ? [keyOf(object)] : [];
}

const keysOfOwnedPod = ownerKeysOf<Job>({
  identity: JOBS,
  selectorOf: (job) => job.spec.selector,
  isAdoptable: (pod) => pod.metadata.deletionTimestamp === undefined,
  countsTheSame: (pod, previous) =>
    pod.status?.phase === previous.status?.phase &&
    isReady(pod) === isReady(previous) &&
    pod.metadata.deletionTimestamp === previous.metadata.deletionTimestamp &&
    pod.metadata.deletionGracePeriodSeconds === previous.metadata.deletionGracePeriodSeconds &&
    restartsOf(pod) === restartsOf(previous) &&
    isEqual(pod.metadata.labels, previous.metadata.labels) &&
    isEqual(pod.metadata.ownerReferences, previous.metadata.ownerReferences),
});

const restartsOf = (pod: Pod): number =>
  (pod.status?.containerStatuses ?? []).reduce((total, each) => total + each.restartCount, 0);

function keysOfPod(change: ObjectChange<Pod>, objects: Objects): string[] {
  const keys = keysOfOwnedPod(change, objects);
  const { type, object } = change;
  if (type === 'DELETED' || !isTracked(object) || trackingJob(object, objects) !== undefined) return keys;
  return [...keys, POD + keyOf(object)];
}

const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(TRACKING_FINALIZER) === true;

/** The job that will take the finalizer off this pod. */
function trackingJob(pod: Pod, objects: Objects): Job | undefined {
  const controller = controllerOf(pod);
  if (controller?.kind !== JOBS.kind) return undefined;
  const job = objects.get(JOBS, pod.metadata.namespace ?? '', controller.name);
  return job?.metadata.uid === controller.uid ? job : undefined;
}

function releasePod(key: string, objects: Objects): void {
  const { namespace, name } = splitKey(key);
  const pod = objects.get(PODS, namespace, name);
  if (pod !== undefined && isTracked(pod) && trackingJob(pod, objects) === undefined) untrack(pod, objects);
}

function untrack(pod: Pod, objects: Objects): Pod {
  if (!isTracked(pod)) return pod;
  const finalizers = (pod.metadata.finalizers ?? []).filter((each) => each !== TRACKING_FINALIZER);
  return objects.update(PODS, { ...pod, metadata: { ...pod.metadata, finalizers } });
}

export const conditionTrue = (job: Job | { status?: JobStatus }, type: string): JobCondition | undefined =>
  job.status?.conditions?.find((each) => each.type === type && each.status === 'True');

/** `Complete` or `Failed`, once it is over. */
export const finishedBy = (job: Job | undefined): 'Complete' | 'Failed' | undefined => {
  if (job === undefined) return undefined;
  if (conditionTrue(job, 'Complete')) return 'Complete';
  return conditionTrue(job, 'Failed') ? 'Failed' : undefined;
};

interface Verdict {
  type: 'FailureTarget' | 'SuccessCriteriaMet';
  reason: string;
  message: string;
}

/** One reconcile of one job: count, judge, then make or take away pods, and write what came of it. */
class Run {
  readonly job: Job;
  readonly context: ReconcileContext;
  readonly objects: Objects;
  pods: Pod[];
  readonly status: JobStatus;
  readonly succeededIndexes: Set<number>;
  readonly failedIndexes: Set<number>;
  /** Of a rule FailJob of the pod failure policy, about a pod that is counted now. */
  policyFailure: string | undefined;

  constructor(job: Job, pods: Pod[], context: ReconcileContext) {
    this.job = job;
    this.context = context;
    this.objects = context.objects;
    this.pods = pods;
    this.status = structuredClone(job.status ?? {});
    this.succeededIndexes = new Set(parseIndexes(this.status.completedIndexes ?? ''));
    this.failedIndexes = new Set(parseIndexes(this.status.failedIndexes ?? ''));
  }

  get active(): Pod[] {
    return this.pods.filter(isActive);
  }

  get ending(): number {
    return this.pods.filter(isEnding).length;
  }

  go(): void {
    const { job } = this;
    if (finishedBy(job) !== undefined) {
      for (const pod of this.pods) untrack(pod, this.objects);
      return;
    }
    if (job.metadata.deletionTimestamp !== undefined) {
      for (const pod of this.pods) untrack(pod, this.objects);
      return;
    }
    const now = formatTime(this.context.nowMs);
    if (this.status.startTime === undefined && job.spec.suspend !== true) this.status.startTime = now;
    const known = this.targetVerdict();
    this.count(known);
    const verdict = known ?? this.judge();
    if (verdict === undefined) this.manage();
    else this.end(verdict);
    this.write();
  }

  targetVerdict(): Verdict | undefined {
    for (const type of ['FailureTarget', 'SuccessCriteriaMet'] as const) {
      const condition = conditionTrue(this, type);
      if (condition !== undefined) return { type, reason: condition.reason ?? '', message: condition.message ?? '' };
    }
    return undefined;
  }

  /** Counts pods that ended since the last time, each once: its finalizer goes in this same transaction. */
  count(ended: Verdict | undefined): void {
    const { job } = this;
    this.pods = this.pods.map((pod) => {
      if (!isTracked(pod)) return pod;
      const index = isIndexed(job) ? indexOf(pod, job) : undefined;
      if (pod.status?.phase === 'Succeeded') {
        if (isIndexed(job)) {
          if (index !== undefined) this.succeededIndexes.add(index);
        } else this.status.succeeded = (this.status.succeeded ?? 0) + 1;
        return untrack(pod, this.objects);
      }
      if (hasFailed(pod, job)) {
        this.countFailure(pod, index);
        return untrack(pod, this.objects);
      }
      const isStray = isIndexed(job) && index === undefined;
      return isStray || (ended !== undefined && !isActive(pod)) ? untrack(pod, this.objects) : pod;
    });
    // Kubernetes: an index that succeeded after all is not a failed one.
    for (const index of this.succeededIndexes) this.failedIndexes.delete(index);
    if (isIndexed(job)) this.status.succeeded = this.succeededIndexes.size;
  }

  countFailure(pod: Pod, index: number | undefined): void {
    const { job } = this;
    const { action, message } = judgeFailure(job, pod);
    if (action === 'FailJob') this.policyFailure ??= message;
    if (action !== 'Ignore') this.status.failed = (this.status.failed ?? 0) + 1;
    if (job.spec.backoffLimitPerIndex !== undefined && index !== undefined && failsIndex(job, pod)) {
      this.failedIndexes.add(index);
    }
  }

  /** Whether it is over, and how. */
  judge(): Verdict | undefined {
    const { job, status } = this;
    const { spec } = job;
    const failure = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });
    if (this.policyFailure !== undefined) return failure('PodFailurePolicy', this.policyFailure);
    if ((status.failed ?? 0) > (spec.backoffLimit ?? 6) || restartsTooOften(job, this.pods)) {
      return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
    }
    if (this.isPastDeadline()) {
      return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
    }
    if (spec.backoffLimitPerIndex !== undefined) {
      if (spec.maxFailedIndexes !== undefined && this.failedIndexes.size > spec.maxFailedIndexes) {
        return failure('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
      }
      const done = this.failedIndexes.size + this.succeededIndexes.size;
      if (this.failedIndexes.size > 0 && done >= (spec.completions ?? 0)) {
        return failure('FailedIndexes', 'Job has failed indexes');
      }
    }
    const matched = isIndexed(job) ? matchSuccessPolicy(job, this.succeededIndexes) : undefined;
    if (matched !== undefined) return { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: matched };
    const succeeded = status.succeeded ?? 0;
    const enough = spec.completions === undefined ? succeeded > 0 : succeeded >= spec.completions;
    const message = 'Reached expected number of succeeded pods';
    if (!enough || this.active.length > 0) return undefined;
    return { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message };
  }

  isPastDeadline(): boolean {
    const { activeDeadlineSeconds, suspend } = this.job.spec;
    const startMs = parseTime(this.status.startTime ?? '');
    if (activeDeadlineSeconds === undefined || suspend === true || startMs === undefined) return false;
    const leftMs = startMs + activeDeadlineSeconds * 1000 - this.context.nowMs;
    if (leftMs > 0) this.context.requeueAfter(leftMs);
    return leftMs <= 0;
  }

  /** Stops what still runs; the last word is said when all of it has ended. */
  end(verdict: Verdict): void {
    const { job } = this;
    for (const pod of this.active) {
      if (verdict.type === 'FailureTarget') this.status.failed = (this.status.failed ?? 0) + 1;
      const free = untrack(pod, this.objects);
      deletePod(this.objects, job, free, COMPONENT);
    }
    this.pods = this.reread();
    this.setCondition({ type: verdict.type, status: 'True', reason: verdict.reason, message: verdict.message });
    if (this.pods.some((pod) => isActive(pod) || isEnding(pod))) return;
    const complete = verdict.type === 'SuccessCriteriaMet';
    const { reason, message } = verdict;
    this.setCondition({ type: complete ? 'Complete' : 'Failed', status: 'True', reason, message });
    if (complete) this.status.completionTime = formatTime(this.context.nowMs);
    this.objects.record(
      job,
      complete
        ? { type: 'Normal', reason: 'Completed', message: 'Job completed', component: COMPONENT }
        : { type: 'Warning', reason, message, component: COMPONENT },
    );
  }

  /** The pods as they are after some of them were deleted here. */
  reread(): Pod[] {
    return this.pods.flatMap((pod) => {
      const now = this.objects.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
      return now?.metadata.uid === pod.metadata.uid ? [now] : [];
    });
  }

  manage(): void {
    const { job } = this;
    if (job.spec.suspend === true) {
      this.takeAway(this.active);
      this.suspend();
      return;
    }
    this.resume();
    const active = this.active;
    const wanted = this.wantedActive(active.length);
    if (active.length > wanted) {
      this.takeAway(this.byValue(active).slice(0, active.length - wanted));
      return;
    }
    const ending = replacesOnlyFailed(job) ? this.ending : 0;
    const missing = wanted - active.length - ending;
    if (missing > 0) this.make(missing, active);
  }

  wantedActive(active: number): number {
    const { completions, parallelism = 1 } = this.job.spec;
    const succeeded = this.status.succeeded ?? 0;
    if (completions === undefined) return succeeded > 0 ? active : parallelism;
    return Math.max(0, Math.min(parallelism, completions - succeeded - this.failedIndexes.size));
  }

  /** Those that are worth least first: not started, then the youngest; of an Indexed job the highest indexes. */
  byValue(pods: Pod[]): Pod[] {
    const rank = (pod: Pod) => (pod.status?.phase === 'Running' ? (isReady(pod) ? 2 : 1) : 0);
    const { job } = this;
    return [...pods].sort(
      (a, b) =>
        (isIndexed(job) ? (indexOf(b, job) ?? Infinity) - (indexOf(a, job) ?? Infinity) || 0 : 0) ||
        rank(a) - rank(b) ||
        b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp) ||
        (a.metadata.uid < b.metadata.uid ? -1 : 1),
    );
  }

  /** Kubernetes: pods that the job itself takes away are no failures, so they are let go of first. */
  takeAway(pods: readonly Pod[]): void {
    for (const pod of pods) deletePod(this.objects, this.job, untrack(pod, this.objects), COMPONENT);
    if (pods.length > 0) this.pods = this.reread();
  }

  suspend(): void {
    if (conditionTrue(this, 'Suspended') !== undefined) return;
    this.setCondition({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' });
    this.objects.record(this.job, {
      type: 'Normal',
      reason: 'Suspended',
      message: 'Job suspended',
      component: COMPONENT,
    });
  }

  resume(): void {
    if (conditionTrue(this, 'Suspended') === undefined) return;
    this.setCondition({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' });
    this.objects.record(this.job, { type: 'Normal', reason: 'Resumed', message: 'Job resumed', component: COMPONENT });
    // Kubernetes: the deadline is counted anew.
    this.status.startTime = formatTime(this.context.nowMs);
    const { activeDeadlineSeconds } = this.job.spec;
    if (activeDeadlineSeconds !== undefined) this.context.requeueAfter(activeDeadlineSeconds * 1000);
  }

  make(missing: number, active: Pod[]): void {
    const { job, context } = this;
    if (missing > MAX_CHANGES) context.requeueAfter(0);
    const count = Math.min(missing, MAX_CHANGES);
    const drafts = isIndexed(job) ? this.indexedDrafts(count, active) : this.plainDrafts(count);
    for (const draft of drafts) {
      const creation = createPod(this.objects, job, draft, COMPONENT);
      if ('pod' in creation) this.pods.push(creation.pod);
      else {
        if (creation.refused !== 'leaving') context.requeueAfter(1000);
        return;
      }
    }
  }

  /** True when pods that ended say that it is too early; then the key comes again in time. */
  isTooEarly(ended: readonly Pod[]): boolean {
    const waitMs = retryAtMs(this.job, ended) - this.context.nowMs;
    if (waitMs > 0) this.context.requeueAfter(waitMs);
    return waitMs > 0;
  }

  plainDrafts(count: number): Draft<Pod>[] {
    if (this.isTooEarly(this.pods)) return [];
    return Array.from({ length: count }, () => this.draft());
  }

  indexedDrafts(count: number, active: Pod[]): Draft<Pod>[] {
    const { job } = this;
    const byIndex = Map.groupBy(this.pods, (pod) => indexOf(pod, job) ?? -1);
    const busy = new Set([
      ...active.map((pod) => indexOf(pod, job)),
      ...(replacesOnlyFailed(job) ? this.pods.filter(isEnding).map((pod) => indexOf(pod, job)) : []),
    ]);
    if (job.spec.backoffLimitPerIndex === undefined && this.isTooEarly(this.pods)) return [];
    const drafts: Draft<Pod>[] = [];
    for (let index = 0; index < (job.spec.completions ?? 0) && drafts.length < count; index += 1) {
      if (this.succeededIndexes.has(index) || this.failedIndexes.has(index) || busy.has(index)) continue;
      const before = byIndex.get(index) ?? [];
      if (job.spec.backoffLimitPerIndex !== undefined && this.isTooEarly(before)) continue;
      drafts.push(
        this.draft(
          index,
          before.filter((pod) => hasFailed(pod, job)),
        ),
      );
    }
    return drafts;
  }

  draft(index?: number, failedBefore: readonly Pod[] = []): Draft<Pod> {
    const { job } = this;
    const draft = podFromTemplate(JOBS, job, job.spec.template);
    const { metadata, spec } = draft;
    metadata.finalizers = [...(metadata.finalizers ?? []), TRACKING_FINALIZER];
    if (index === undefined) return draft;
    metadata.generateName = `${job.metadata.name}-${index}-`;
    metadata.labels = { ...metadata.labels, [INDEX_KEY]: String(index) };
    metadata.annotations = { ...metadata.annotations, [INDEX_KEY]: String(index), ...failureCounts(job, failedBefore) };
    spec.hostname = `${job.metadata.name}-${index}`;
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      if (container.env?.some((each) => each.name === 'JOB_COMPLETION_INDEX')) continue;
      const fieldRef = { fieldPath: `metadata.labels['${INDEX_KEY}']` };
      container.env = [...(container.env ?? []), { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef } }];
    }
    return draft;
  }

  setCondition(condition: JobCondition): void {
    const conditions = this.status.conditions ?? [];
    const known = conditions.find((each) => each.type === condition.type);
    if (known?.status === condition.status && known.reason === condition.reason) return;
    const now = formatTime(this.context.nowMs);
    this.status.conditions = [
      ...conditions.filter((each) => each !== known),
      { ...condition, lastProbeTime: now, lastTransitionTime: now },
    ];
  }

  write(): void {
    const { job, status } = this;
    const active = this.active;
    const counts = { active: active.length, succeeded: status.succeeded ?? 0, failed: status.failed ?? 0 };
    for (const [name, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
      if (count === 0) delete status[name];
      else status[name] = count;
    }
    status.ready = active.filter(isReady).length;
    status.terminating = this.ending;
    status.uncountedTerminatedPods = {};
    if (isIndexed(job)) {
      const completed = formatIndexes(this.succeededIndexes);
      if (completed === '') delete status.completedIndexes;
      else status.completedIndexes = completed;
      if (job.spec.backoffLimitPerIndex !== undefined) status.failedIndexes = formatIndexes(this.failedIndexes);
    }
    if (!isEqual(status, job.status ?? {})) this.objects.updateStatus(JOBS, { ...job, status });
  }
}
