/**
 * What the storage beneath a cluster says when it cannot do its work, in words for whoever asked. Nothing of the request
 * was written: a transaction that meets one of these is rolled back, and what there was stays readable.
 * Source: https://www.sqlite.org/rescode.html; Durable Objects end their messages with the code's name.
 */
import { internalError, StatusError } from '../../shared/errors.ts';

const SAID = /\bSQLITE_(FULL|BUSY|LOCKED|CORRUPT|NOTADB|IOERR|CANTOPEN|READONLY)/;

const NOTHING_WRITTEN = 'nothing was written';

const damaged = () =>
  internalError(`the database of the cluster is damaged, ${NOTHING_WRITTEN}: restore a backup of it`);
const unusable = () => internalError(`the disk of the control plane cannot be used, ${NOTHING_WRITTEN}`);
const busy = () =>
  new StatusError(503, 'ServiceUnavailable', `the database of the cluster is in use elsewhere, ${NOTHING_WRITTEN}`, {
    retryAfterSeconds: 1,
  });

const STATUS: Record<string, () => StatusError> = {
  // Kubernetes: as an apiserver passes on etcd's "database space exceeded".
  FULL: () =>
    internalError(
      `database space exceeded: the disk of the control plane is full, ${NOTHING_WRITTEN}: make room on it`,
    ),
  BUSY: busy,
  LOCKED: busy,
  CORRUPT: damaged,
  NOTADB: damaged,
  IOERR: unusable,
  CANTOPEN: unusable,
  READONLY: unusable,
};

/** undefined: the error is of another kind. */
export function storageErrorOf(error: unknown): StatusError | undefined {
  const code = error instanceof Error ? SAID.exec(error.message)?.[1] : undefined;
  return code === undefined ? undefined : STATUS[code]?.();
}
