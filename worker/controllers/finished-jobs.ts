/**
 * Removes jobs when they have been finished for `ttlSecondsAfterFinished`, with all that belongs to them. One deadline a job
 * in the work table; nothing polls.
 * Source: k8s.io/kubernetes/pkg/controller/ttlafterfinished
 */
import { JOBS, type Job } from '../../shared/api/batch.ts';
import { parseTime } from '../../shared/time.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { conditionTrue, finishedBy } from './jobs.ts';

const hasEnd = (job: Job): boolean =>
  job.spec.ttlSecondsAfterFinished !== undefined &&
  job.metadata.deletionTimestamp === undefined &&
  finishedBy(job) !== undefined;

export const finishedJobs: Controller = {
  name: 'ttl-after-finished',
  account: 'ttl-after-finished-controller',
  sources: [source(JOBS, ({ type, object }) => (type !== 'DELETED' && hasEnd(object) ? [keyOf(object)] : []))],
  reconcile(key, { objects, nowMs, requeueAfter }) {
    const { namespace, name } = splitKey(key);
    const job = objects.get(JOBS, namespace, name);
    if (job === undefined || !hasEnd(job)) return;
    const condition = conditionTrue(job, finishedBy(job) ?? '');
    const finishedMs = parseTime(condition?.lastTransitionTime ?? '') ?? nowMs;
    const leftMs = finishedMs + (job.spec.ttlSecondsAfterFinished ?? 0) * 1000 - nowMs;
    if (leftMs > 0) {
      requeueAfter(leftMs);
      return;
    }
    // Kubernetes: in the foreground, so that the job is there as long as its pods are.
    objects.delete(JOBS, namespace, name, {
      propagationPolicy: 'Foreground',
      preconditions: { uid: job.metadata.uid },
    });
  },
};
