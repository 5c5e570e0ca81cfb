/**
 * Typed, synchronous access to objects inside one store transaction: what controllers, the scheduler and the links work
 * with. Every call passes the same pipeline as HTTP (defaulting, validation, admission, index entries); only
 * authorization is left out, for these callers are the control plane itself.
 */
import type { Event, ObjectReference, Pod } from '../../shared/api/core.ts';
import type { DeleteOptions, Draft, Identity, KubeObject } from '../../shared/api/meta.ts';
import type { IndexEntry, WrittenObject } from '../store/store.ts';

export interface ObjectQuery {
  namespace?: string | undefined;
  /** Answered from the index: labels (`label:app`), fields (`field:spec.nodeName`), `owner`, `uses`. */
  having?: readonly IndexEntry[];
  limit?: number;
}

export interface Objects {
  readonly nowMs: number;
  /** A fresh copy, safe to change; undefined when there is none. */
  get<T extends KubeObject>(identity: Identity<T>, namespace: string, name: string): T | undefined;
  list<T extends KubeObject>(identity: Identity<T>, query?: ObjectQuery): T[];
  /** Those that were written longest ago, the oldest first; none of them is read for it. */
  oldest(identity: Identity, limit: number): WrittenObject[];
  /**
   * @param options.withStatus for whoever knows the status already; else it begins as it does for any client.
   * @throws StatusError as the API would answer.
   */
  create<T extends KubeObject>(identity: Identity<T>, draft: Draft<T>, options?: { withStatus?: boolean }): T;
  /** Compares the draft's resourceVersion when it has one. A draft equal to what is stored writes nothing. */
  update<T extends KubeObject>(identity: Identity<T>, draft: T): T;
  updateStatus<T extends KubeObject>(identity: Identity<T>, draft: T): T;
  /**
   * The same for many that only say how things are: `compose` is given what is stored, only to be read, and returns the
   * status that shall be; it may throw. What is returned is not a copy either.
   * @throws StatusError 404 when there is none.
   */
  replaceStatus<T extends KubeObject & { status?: object }>(
    identity: Identity<T>,
    namespace: string,
    name: string,
    compose: (current: T) => NonNullable<T['status']>,
  ): T;
  /** As PUT namespaces/NAME/finalize: takes only spec.finalizers; the last one gone, a terminating object is removed. */
  finalize<T extends KubeObject>(identity: Identity<T>, draft: T): T;
  /** As POST pods/NAME/binding. @throws 409 when the pod is assigned already or its uid is another. */
  bind(pod: { namespace: string; name: string; uid?: string }, nodeName: string): Pod;
  /** As DELETE: grace period, finalizers and propagation apply. Returns undefined when there was nothing to delete. */
  delete(identity: Identity, namespace: string, name: string, options?: DeleteOptions): void;
  /** Writes an object as it is, so that it can be found by what its definition has come to say. */
  reindex(identity: Identity, namespace: string, name: string): void;
  /** Records an Event, joined with an equal one of the last ten minutes (count, lastTimestamp). */
  record(
    about: ObjectReference | KubeObject,
    event: Pick<Event, 'type' | 'reason' | 'message'> & { component: string },
  ): void;
}

/** What just changed, with the parsed objects at hand; given to controllers inside the committing transaction. */
export interface ObjectChange<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  identity: Identity<T>;
  object: T;
  previous: T | undefined;
}
