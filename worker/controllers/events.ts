/**
 * Removes Events an hour after they were last seen, as kube-apiserver's `--event-ttl` does. One deadline for all of them:
 * a row each would double what an Event costs.
 */
import { EVENTS, type Event } from '../../shared/api/core.ts';
import { parseTime } from '../../shared/time.ts';
import { type Controller, source } from './controller.ts';

export const EVENT_TTL_MS = 60 * 60_000;
/** Not looked at more often: what is due until then goes together. */
const SWEEP_MS = 5 * 60_000;
/** No more than this in one turn. */
const SWEEP_EVENTS = 500;

const lastSeenMs = (event: Event): number => {
  const { series, lastTimestamp, eventTime, metadata } = event;
  return parseTime(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp) ?? 0;
};

export const events: Controller = {
  name: 'event',
  // `arm` is done within the turn of the change, and sets the deadline only where there is none.
  sources: [source(EVENTS, ({ type }) => (type === 'ADDED' ? ['arm'] : []))],
  reconcile(key, { objects, nowMs, enqueue }) {
    if (key === 'arm') {
      enqueue('sweep', EVENT_TTL_MS);
      return;
    }
    const kept = objects.list(EVENTS).map((event) => ({ event, dueMs: lastSeenMs(event) + EVENT_TTL_MS }));
    const due = kept.filter(({ dueMs }) => dueMs <= nowMs);
    for (const { event } of due.slice(0, SWEEP_EVENTS)) {
      objects.delete(EVENTS, event.metadata.namespace ?? '', event.metadata.name);
    }
    if (due.length > SWEEP_EVENTS) enqueue('sweep');
    else if (kept.length > due.length) {
      const nextMs = Math.min(...kept.filter(({ dueMs }) => dueMs > nowMs).map(({ dueMs }) => dueMs));
      enqueue('sweep', Math.max(nextMs - nowMs, SWEEP_MS));
    }
  },
};
