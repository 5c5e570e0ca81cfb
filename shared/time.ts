/** Times as the API writes them: RFC 3339 in UTC, whole seconds (Time) or microseconds (MicroTime); ages as kubectl does. */

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch; undefined when the text is no RFC 3339 time. */
export function parseTime(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const daysInMonth = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  const sound =
    month! >= 1 && month! <= 12 && day! >= 1 && day! <= daysInMonth && hour! < 24 && minute! < 60 && second! < 60;
  const ms = sound ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whole seconds, UTC: `2026-11-22T06:00:00Z`. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** The text in the API's form; undefined when it is no time. */
export function canonicalTime(text: string): string | undefined {
  const ms = parseTime(text);
  return ms === undefined ? undefined : formatTime(ms);
}

export function canonicalMicroTime(text: string): string | undefined {
  const ms = parseTime(text);
  if (ms === undefined) return undefined;
  const fraction = (RFC3339.exec(text)?.[7] ?? '').slice(0, 6).padEnd(6, '0');
  return `${formatTime(ms).slice(0, 19)}.${fraction}Z`;
}

/** `4m12s`, `3d4h`, `2y11d`: as kubectl prints ages. Source: apimachinery, pkg/util/duration HumanDuration. */
export function formatAge(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / 24 / 365);
  if (hours < 24 * 365 * 8) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;

/** Age of an object or event as a table shows it. */
export function ageOf(timestamp: string | null | undefined, nowMs: number): string {
  const ms = timestamp ? parseTime(timestamp) : undefined;
  return ms === undefined ? '<unknown>' : formatAge(nowMs - ms);
}
