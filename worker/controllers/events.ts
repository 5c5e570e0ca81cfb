/**
 * Removes Events an hour after they were last written, as kube-apiserver's `--event-ttl` does. One deadline for all of them:
 * a row each would double what an Event costs.
 */
import { EVENTS } from '../../shared/api/core.ts';
import { type Controller, source } from './controller.ts';

export const EVENT_TTL_MS = 60 * 60_000;
/** Not looked at more often: what is due until then goes together. */
const SWEEP_MS = 5 * 60_000;
/** No more than this in one turn, and others get theirs before the next. */
const SWEEP_EVENTS = 500;
export const NEXT_SWEEP_MS = 500;

export const events: Controller = {
  name: 'event',
  // `arm` is done within the turn of the change, and sets the deadline only where there is none.
  sources: [source(EVENTS, ({ type }) => (type === 'ADDED' ? ['arm'] : []))],
  reconcile(key, { objects, nowMs, enqueue }) {
    if (key === 'arm') {
      enqueue('sweep', EVENT_TTL_MS);
      return;
    }
    const oldest = objects.oldest(EVENTS, SWEEP_EVENTS + 1);
    const due = oldest.filter(({ writtenMs }) => writtenMs + EVENT_TTL_MS <= nowMs).slice(0, SWEEP_EVENTS);
    for (const { namespace, name } of due) objects.delete(EVENTS, namespace, name);
    const next = oldest[due.length];
    if (next === undefined) return;
    const nextMs = next.writtenMs + EVENT_TTL_MS - nowMs;
    enqueue('sweep', nextMs <= 0 ? NEXT_SWEEP_MS : Math.max(nextMs, SWEEP_MS));
  },
};
