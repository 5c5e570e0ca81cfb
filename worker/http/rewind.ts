/**
 * The cluster as it was at a time: point-in-time recovery of a Durable Object's SQLite, which Cloudflare keeps for 30 days
 * and workerd by itself not at all. The platform sets everything back that the object has stored, while the object is
 * away; so what must be known afterwards (the newest revision that anybody was told) is carried around it by the Worker,
 * and by the memory of the isolate, in which the object is most often made anew.
 * Source: https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#pitr-point-in-time-recovery-api
 */
import { RESTORE_PATH } from '../../shared/backup.ts';
import { badRequest, StatusError, serviceUnavailable } from '../../shared/errors.ts';
import type { Seen } from '../store/restore.ts';
import { json } from './answers.ts';

export type History = Pick<DurableObjectStorage, 'getBookmarkForTime' | 'onNextSessionRestoreBookmark'>;

const KEPT_MS = 30 * 24 * 60 * 60_000;
/** workerd's own words. */
const NOT_THERE = /does not implement point-in-time recovery/;

/** By the object's id. */
const underWay = new Map<string, Seen>();

/** The next instance finds the tables as they were then. @throws StatusError 501 where no history is kept, 400 beyond it. */
export async function armRewind(history: History, timeMs: number, nowMs: number): Promise<void> {
  if (timeMs < nowMs - KEPT_MS) throw badRequest('time: Invalid value: the platform keeps the history of 30 days');
  try {
    await history.onNextSessionRestoreBookmark(await history.getBookmarkForTime(timeMs));
  } catch (error) {
    if (!(error instanceof Error) || !NOT_THERE.test(error.message)) throw error;
    throw new StatusError(
      501,
      'NotImplemented',
      'the cluster runs where no history of its storage is kept (Cloudflare keeps it): restore a backup instead',
    );
  }
}

export const rememberRewind = (object: string, seen: Seen): void => void underWay.set(object, seen);

/** What was told before the object was set back; once, and only in the isolate that did it. */
export function recallRewind(object: string): Seen | undefined {
  const seen = underWay.get(object);
  underWay.delete(object);
  return seen;
}

export const armedAnswer = (seen: Seen): Response => json(seen, 202);

export function seenIn(text: string): Seen {
  const [revision = Number.NaN, keyspaceRevision = Number.NaN] = text.split('.').map(Number);
  if (!Number.isSafeInteger(revision) || !Number.isSafeInteger(keyspaceRevision)) {
    throw badRequest(`rewound: Invalid value: ${JSON.stringify(text)}: must be two revisions`);
  }
  return { revision, keyspaceRevision };
}

/** The object goes away at the first call, and comes back at one of the next. */
const CALLS = 5;

/** In the Worker: asks for it, and sees to its end. */
export async function rewindThrough(
  call: (target: string) => Promise<Response>,
  query: URLSearchParams,
): Promise<Response> {
  const armed = await call(`${RESTORE_PATH}?${query}`);
  if (armed.status !== 202) return armed;
  const { revision, keyspaceRevision } = (await armed.json()) as Seen;
  let failure: unknown;
  for (let tries = 0; tries < CALLS; tries += 1) {
    try {
      const answer = await call(`${RESTORE_PATH}?rewound=${revision}.${keyspaceRevision}`);
      if (answer.status < 500) return answer;
      failure = await answer.text();
    } catch (error) {
      failure = error;
    }
  }
  console.error(JSON.stringify({ level: 'error', message: 'a rewind has no end', error: String(failure) }));
  throw serviceUnavailable('the cluster was set back, but does not answer: ask for the same time again');
}
