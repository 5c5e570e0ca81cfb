/**
 * What an event may hold: the platform keeps no longer lines. As upstream's truncating backend, bodies go first, and the
 * event says that it is not whole.
 * Source: k8s.io/apiserver/plugin/pkg/audit/truncate
 */
import type { AuditEvent } from '../../../shared/api/audit.ts';

/** Upstream's --audit-log-truncate-max-event-size. */
export const MAX_EVENT_BYTES = 100 * 1024;

export const truncated = (annotations: Record<string, string> = {}): Record<string, string> => ({
  ...annotations,
  'audit.k8s.io/truncated': 'true',
});

/** One line. */
export function lineOf(event: AuditEvent): string {
  const line = JSON.stringify(event);
  if (line.length <= MAX_EVENT_BYTES) return line;
  const { requestObject: _, responseObject: __, ...rest } = event;
  return JSON.stringify({ ...rest, annotations: truncated(event.annotations) });
}
