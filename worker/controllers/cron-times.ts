/**
 * When a cron job was last to run, and when it is to run next. Pure. The grammar is `resources/cron-schedule.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/cronjob/utils.go
 */
import type { CronJob } from '../../shared/api/batch.ts';
import { parseTime } from '../../shared/time.ts';
import type { CronSchedule } from '../resources/cron-schedule.ts';

/** More missed runs than this are worth a warning. */
const MANY = 100;
const DAY_MS = 86_400_000;

export interface Missed {
  /** The latest time at or before now that has not been seen to; undefined when there is none. */
  scheduledMs: number | undefined;
  tooMany: boolean;
}

export function lastMissed(cronJob: CronJob, schedule: CronSchedule, nowMs: number): Missed {
  const { startingDeadlineSeconds } = cronJob.spec;
  const knownMs = parseTime(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp) ?? nowMs;
  const deadlineMs = startingDeadlineSeconds === undefined ? knownMs : nowMs - startingDeadlineSeconds * 1000;
  const earliestMs = Math.max(knownMs, deadlineMs);
  const first = schedule.next(earliestMs);
  if (first === undefined || first > nowMs) return { scheduledMs: undefined, tooMany: false };
  const second = schedule.next(first);
  if (second === undefined || second > nowMs) return { scheduledMs: first, tooMany: false };
  // After a long absence only the last of many times is of interest: look for it from near the end.
  const periodMs = Math.max(1000, second - first);
  for (let backMs = periodMs * 2; ; backMs *= 2) {
    const found = lastWithin(schedule, Math.max(first - 1, nowMs - backMs), nowMs);
    if (found !== undefined) return { scheduledMs: found, tooMany: (nowMs - first) / periodMs > MANY };
  }
}

/** The last time in (from, to]; steps over at most a day's worth of minutes at a time. */
function lastWithin(schedule: CronSchedule, fromMs: number, toMs: number): number | undefined {
  let found: number | undefined;
  const startMs = toMs - fromMs > DAY_MS && (schedule.next(toMs - DAY_MS) ?? Infinity) <= toMs ? toMs - DAY_MS : fromMs;
  for (let at = schedule.next(startMs); at !== undefined && at <= toMs; at = schedule.next(at)) found = at;
  return found;
}
