/**
 * Cron schedules: the only user of croner, narrowed to the grammar that CronJobs have (five fields, or a descriptor such as
 * `@hourly` or `@every 1h30m`). When a CronJob starts a Job is `controllers/cronjobs.ts`.
 * Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#writing-a-cronjob-spec
 */
import { Cron } from 'croner';

export interface CronSchedule {
  /** The first time after this one; undefined when there is none any more. Milliseconds since the epoch. */
  next(afterMs: number): number | undefined;
}

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Numbers, ranges, steps, lists, and the names of months and days; not the letters that croner adds to them. */
const FIELD = /^(?:[\d*?,/-]|\b(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT)\b)+$/i;
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000 };

/** Go's durations are nanoseconds in 63 bits: some 292 years. */
const MAX_INTERVAL_MS = 2 ** 63 / 1e6;

/** `1h30m` as Go's ParseDuration reads it, in whole seconds and at least one; undefined when it cannot be read. */
function parseInterval(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?[hms])+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
  const ms = parts.reduce((total, [, amount, unit]) => total + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0);
  return ms < MAX_INTERVAL_MS ? Math.max(1000, Math.floor(ms / 1000) * 1000) : undefined;
}

/** @throws Error whose message says what is wrong with the schedule. */
export function parseCronSchedule(schedule: string, timeZone: string | undefined): CronSchedule {
  if (schedule.startsWith('@every ')) {
    const interval = parseInterval(schedule.slice('@every '.length));
    if (interval === undefined) {
      throw new Error(
        `failed to parse duration ${schedule}: time: invalid duration ${JSON.stringify(schedule.slice(7))}`,
      );
    }
    return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + interval };
  }
  const pattern = schedule.startsWith('@') ? DESCRIPTORS[schedule] : schedule;
  if (pattern === undefined) throw new Error(`unrecognized descriptor: ${schedule}`);
  const fields = pattern.split(/\s+/).filter((each) => each !== '');
  if (fields.length !== 5) {
    throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  const stray = fields.find((field) => !FIELD.test(field));
  if (stray !== undefined) throw new Error(`failed to parse ${stray}: not a cron field`);
  const zone = timeZone === undefined ? 'Etc/UTC' : timeZone;
  const cron = new Cron(fields.map(anyDay).join(' '), { mode: '5-part', timezone: zone, paused: true });
  return { next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() };
}

/** Kubernetes: `?` stands for any value; croner takes it for the present one. */
const anyDay = (field: string): string => field.replaceAll('?', '*');

/** @returns what is wrong with the name, in upstream's words; undefined when it is a time zone. */
export function timeZoneError(timeZone: string): string | undefined {
  if (timeZone === '') return 'timeZone must be nil or non-empty string';
  if (timeZone.toLowerCase() === 'local') {
    return 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `unknown time zone ${timeZone}`;
  }
}
