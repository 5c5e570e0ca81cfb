/**
 * A controller: which changes give it work, and how it brings one key to what is desired. `runner.ts` gives it life,
 * `catalog.ts` lists all of them. A reconcile is synchronous, idempotent, and reads everything it needs: nothing is
 * remembered between calls.
 */
import type { Identity, KubeObject } from '../../shared/api/meta.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import type { UserInfo } from '../users.ts';

export interface Source {
  /** ANY: changes of every resource there is, custom ones included. */
  identity: Identity | typeof ANY;
  /** Keys to reconcile because of this change; [] for none. Runs inside the committing transaction: keep it cheap. */
  keys(change: ObjectChange, objects: Objects): string[];
}

export const ANY = 'any resource';

/** Keeps the object's type inside one source, while a controller's sources stay one list. */
export function source<T extends KubeObject>(
  identity: Identity<T>,
  keys: (change: ObjectChange<T>, objects: Objects) => string[],
): Source {
  return { identity, keys: keys as Source['keys'] };
}

export interface ReconcileContext {
  objects: Objects;
  nowMs: number;
  /** When this key was to be looked at; long before `nowMs` means that the control plane was not running meanwhile. */
  dueMs: number;
  random(): number;
  /** Look at this key again then; the earliest asked time wins. */
  requeueAfter(ms: number): void;
  /** Look at another key of this controller, as soon as may be. */
  enqueue(key: string, afterMs?: number): void;
}

export interface Controller {
  /** Queue name, unique: `deployment`, `replicaset` … */
  name: string;
  sources: readonly Source[];
  /** In whose name it owns fields; kube-controller-manager unless said. */
  manager?: string;
  /**
   * The service account of kube-system that upstream gives it. Policies and webhooks know it by that, and judge what it
   * writes. What has neither account nor user is a part of the API itself, as upstream, and no webhook is asked about it.
   */
  account?: string;
  /** In place of an account: the scheduler is a user of its own. */
  user?: UserInfo;
  /** A thrown error rolls this reconcile back, is logged, and the key comes again with exponential back-off. */
  reconcile(key: string, context: ReconcileContext): void;
}

const CONTROLLERS_NAMESPACE = 'kube-system';

/** As whom a controller is seen; undefined: as the API itself. */
export function userOf({ account, user }: Controller): UserInfo | undefined {
  if (account === undefined) return user;
  return {
    username: `system:serviceaccount:${CONTROLLERS_NAMESPACE}:${account}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${CONTROLLERS_NAMESPACE}`, 'system:authenticated'],
  };
}

export const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
