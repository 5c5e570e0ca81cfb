/** What every handler of a stream is given, and how each of them says no. */
import type { Status } from '../../../shared/api/meta.ts';
import { internalError, StatusError } from '../../../shared/errors.ts';
import type { TunnelStream } from '../../../shared/tunnel/stream.ts';
import type { KubeletEndpoints } from '../../node/kubelet-endpoints.ts';
import type { PodStreams } from '../../pods/pods.ts';
import type { LinkLog } from '../log.ts';

export interface StreamParts {
  pods: PodStreams;
  /** What the minion serves by itself. */
  endpoints: KubeletEndpoints;
  log: LinkLog;
}

/** Ends a stream that has not been answered yet. */
export function refuse(stream: TunnelStream, error: unknown): void {
  stream.head({ ok: false, status: statusOf(error) });
  stream.close();
}

export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  return internalError(error instanceof Error ? error.message : String(error)).status;
}
