/**
 * /longshore/backup and /longshore/restore: the whole cluster as a stream of lines, and back (`shared/backup.ts` says how
 * it is asked for). Who may is RBAC's to say, as for every path: administrators, unless somebody gives it away. What a
 * backup holds is `worker/store`'s.
 */
import { BACKUP_PATH, MAX_RESTORE_BODY_BYTES, RESTORE_PATH, type RestoreProgress } from '../../shared/backup.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import { parseTime } from '../../shared/time.ts';
import { Backup } from '../store/backup.ts';
import { ABANDONED_MS, RESTORE_QUEUE, type Restore, type RestoreTarget, type Seen } from '../store/restore.ts';
import type { Sql } from '../store/sql.ts';
import type { Store } from '../store/store.ts';
import { json } from './answers.ts';
import { readBody } from './body.ts';
import { armedAnswer, seenIn } from './rewind.ts';

export interface BackupParts {
  cluster: string;
  sql: Sql;
  store: Store;
  restore: Restore;
  nowMs(): number;
  /** A backup is being read until now: its history stays a while. */
  reading(): void;
  /** The tables hold another history: everything that was made of the old one is to be made anew. */
  restored(): void;
  /** The cluster as it was then, from the next instance on. @throws StatusError where the platform keeps no history. */
  rewind(timeMs: number): Promise<Seen>;
  /** The platform has set the cluster back; this was told before. */
  rewound(before: Seen): { revision: number; epoch: string };
}

export const isBackupPath = (path: string): boolean => path === BACKUP_PATH || path === RESTORE_PATH;

export async function answerBackups(
  parts: BackupParts,
  request: Request,
  path: string,
  query: URLSearchParams,
): Promise<Response> {
  const { method } = request;
  if (path === BACKUP_PATH) {
    if (method !== 'GET') throw methodRefused(method, path);
    return streamed(parts);
  }
  const id = query.get('id');
  if (method === 'POST') {
    const time = query.get('time');
    if (time !== null) return armedAnswer(await parts.rewind(timeOf(time, parts.nowMs())));
    const rewound = query.get('rewound');
    if (rewound !== null) return json(parts.rewound(seenIn(rewound)));
    const lines = linesOf(await readBody(request, MAX_RESTORE_BODY_BYTES));
    return id === null ? begin(parts, lines, query) : take(parts, id, lines, query);
  }
  if (id === null) throw badRequest('id: Required value: which restore');
  if (method === 'GET') return json(progressOf(parts.restore.state(id)));
  if (method !== 'DELETE') throw methodRefused(method, path);
  parts.restore.abandon(id);
  return json({});
}

function streamed(parts: BackupParts): Response {
  const { cluster, sql, store, nowMs } = parts;
  const backup = new Backup(sql, { cluster, uid: uidOf(store), nowMs: nowMs() });
  parts.reading();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      parts.reading();
      const line = backup.next();
      if (line === undefined) controller.close();
      else controller.enqueue(encoder.encode(line));
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } });
}

function begin(parts: BackupParts, lines: string[], query: URLSearchParams): Response {
  const [first = '', ...rest] = lines;
  if (rest.length > 0) throw badRequest('a restore begins with the first line of its backup alone');
  const { cluster, store } = parts;
  const target: RestoreTarget = { cluster, uid: uidOf(store), anyCluster: query.get('anyCluster') === 'true' };
  return store.transact((transaction) => {
    const state = parts.restore.begin(first, target);
    transaction.enqueue(RESTORE_QUEUE, state.id, transaction.nowMs + ABANDONED_MS);
    return json(progressOf(state), 201);
  });
}

function take(parts: BackupParts, id: string, lines: string[], query: URLSearchParams): Response {
  const at = Number(query.get('at') ?? 'NaN');
  if (!Number.isInteger(at) || at < 1)
    throw badRequest('at: Invalid value: how many lines there were before, 1 or more');
  const result = parts.restore.take(id, at, lines);
  if (!('epoch' in result)) return json(progressOf(result));
  parts.restored();
  return json(result);
}

const progressOf = ({ id, lines }: RestoreProgress): RestoreProgress => ({ id, lines });

function linesOf(body: Uint8Array): string[] {
  const lines = new TextDecoder().decode(body).split('\n');
  if (lines.pop() !== '') throw badRequest('the last line of the body has no end');
  return lines;
}

/** What tells this cluster from others of its name. */
function uidOf(store: Store): string {
  const found = store.get({ resource: 'namespaces', namespace: '', name: 'kube-system' });
  if (found === undefined) throw new Error('there is no namespace kube-system, which every cluster has');
  return (JSON.parse(found.text) as { metadata: { uid: string } }).metadata.uid;
}

function timeOf(text: string, nowMs: number): number {
  const time = parseTime(text);
  if (time === undefined) throw badRequest(`time: Invalid value: ${JSON.stringify(text)}: must be an RFC 3339 time`);
  if (time > nowMs) throw badRequest(`time: Invalid value: ${JSON.stringify(text)}: is still to come`);
  return time;
}

const methodRefused = (method: string, path: string) =>
  new StatusError(405, 'MethodNotAllowed', `${method} is not supported on ${path}`, {});
