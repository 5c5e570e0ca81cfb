/**
 * DELETE: at once, or marked and left to whoever holds the object (finalizers, the kubelet during a pod's grace period,
 * the garbage collector by the finalizers that a propagation policy sets).
 * Source: k8s.io/apiserver/pkg/registry/rest/delete.go
 */
import type { Namespace } from '../../shared/api/core.ts';
import type { DeleteOptions, KubeObject, Status } from '../../shared/api/meta.ts';
import { conflict, invalid, notFound, notSupported } from '../../shared/errors.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { IndexEntry } from '../store/store.ts';
import { admit, admitValid } from './admit.ts';
import { commit, currentOf, readCurrent, remove, type Written } from './commit.ts';
import type { Current } from './current.ts';
import { finalizersAfterDelete, isHeld } from './finalizers.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';
import { type Question, WebhooksNeeded } from './webhook-journal.ts';
import type { Write } from './write.ts';

export interface Deleted extends Written {
  /** false: the object is only marked, and goes later. */
  gone: boolean;
}

const POLICIES = ['Background', 'Foreground', 'Orphan'];

/** @throws StatusError 422 for options that contradict themselves. */
export function validateDeleteOptions(options: DeleteOptions): void {
  const kind = { group: 'meta.k8s.io', kind: 'DeleteOptions' };
  if (options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    throw invalid(kind, '', [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(options.propagationPolicy)}: orphanDependents and deletionPropagation cannot be both set`,
        field: 'propagationPolicy',
      },
    ]);
  }
  if (options.propagationPolicy !== undefined && !POLICIES.includes(options.propagationPolicy)) {
    throw invalid(kind, '', [notSupported('propagationPolicy', options.propagationPolicy, POLICIES)]);
  }
  const dryRun = options.dryRun ?? [];
  if (dryRun.some((each) => each !== 'All')) throw invalid(kind, '', [notSupported('dryRun', dryRun, ['All'])]);
}

/** @throws StatusError 404, 409 for preconditions. */
export function deleteObject(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
  options: DeleteOptions,
): Deleted {
  const current = readCurrent(session, definition, namespace, name);
  if (current === undefined) throw notFound(definition.identity, name);
  return deleteCurrent(session, definition, current, options);
}

function deleteCurrent(
  session: Session,
  definition: ResourceDefinition,
  current: Current,
  options: DeleteOptions,
): Deleted {
  const { name, namespace = '' } = current.object.metadata;
  requirePreconditions(definition, current, options);
  const asked: Write = { operation: 'DELETE', definition, namespace, name, current: current.object };
  admit(session, asked);
  admitValid(session, asked);
  const graceSeconds = graceOf(definition, current.object, options);
  const draft = copyJson(current.object);
  const { metadata } = draft;
  metadata.finalizers = finalizersAfterDelete(definition, current.object, options);
  if (metadata.deletionTimestamp === undefined) {
    metadata.deletionTimestamp = formatTime(session.transaction.nowMs + graceSeconds * 1000);
    metadata.deletionGracePeriodSeconds = graceSeconds;
    if (metadata.generation) metadata.generation += 1;
  } else if (graceSeconds < (metadata.deletionGracePeriodSeconds ?? 0)) {
    shorten(session, metadata, graceSeconds);
  }
  if (isNamespace(draft)) draft.status = { ...draft.status, phase: 'Terminating' };
  if (!isHeld(draft)) return { ...remove(session, definition, draft, current), gone: true };
  const unchanged =
    current.object.metadata.deletionTimestamp === metadata.deletionTimestamp &&
    current.object.metadata.deletionGracePeriodSeconds === metadata.deletionGracePeriodSeconds &&
    String(current.object.metadata.finalizers ?? []) === String(metadata.finalizers);
  if (unchanged) return { object: current.object, text: current.text, gone: false };
  return { ...commit(session, definition, draft, current), gone: false };
}

const isNamespace = (object: KubeObject): object is Namespace =>
  object.kind === 'Namespace' && object.apiVersion === 'v1';

/** A second delete may only bring the end nearer, counted from when the first one came. */
function shorten(session: Session, metadata: KubeObject['metadata'], graceSeconds: number): void {
  const endMs = parseTime(metadata.deletionTimestamp ?? '') ?? session.transaction.nowMs;
  const markedMs = endMs - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  metadata.deletionTimestamp = formatTime(markedMs + graceSeconds * 1000);
  metadata.deletionGracePeriodSeconds = graceSeconds;
}

/** Kubernetes: a negative grace period is a request for the shortest graceful one. */
function graceOf(definition: ResourceDefinition, object: KubeObject, options: DeleteOptions): number {
  const own = definition.gracePeriodSeconds?.(object);
  if (own === undefined || own === 0) return 0;
  const asked = options.gracePeriodSeconds ?? own;
  return asked < 0 ? 1 : asked;
}

function requirePreconditions(definition: ResourceDefinition, current: Current, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const { name, uid: actual } = current.object.metadata;
  if (uid && uid !== actual) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual}`;
    throw conflict(definition.identity, name, why);
  }
  if (resourceVersion && resourceVersion !== String(current.revision)) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.revision}`;
    throw conflict(definition.identity, name, why);
  }
}

export interface CollectionQuery {
  namespace: string | undefined;
  having: readonly IndexEntry[];
  matches: ((entries: readonly IndexEntry[]) => boolean) | undefined;
  /** Selectors on the name itself. */
  matchesKey?: ((namespace: string, name: string) => boolean) | undefined;
  limit?: number | undefined;
}

/** Each item as by a DELETE of its own; the answer is what was deleted, as it was left. */
export function deleteCollection(
  session: Session,
  definition: ResourceDefinition,
  query: CollectionQuery,
  options: DeleteOptions,
): Deleted[] {
  const { group, resource } = definition.identity;
  const name = group === '' ? resource : `${resource}.${group}`;
  const { matchesKey, ...listed } = query;
  const found = [...session.transaction.list({ resource: name, ...listed }).items].filter(
    (stored) => matchesKey?.(stored.namespace, stored.name) ?? true,
  );
  const needed: Question[] = [];
  const deleted: Deleted[] = [];
  for (const stored of found) {
    try {
      deleted.push(deleteCurrent(session, definition, currentOf(session, definition, stored), options));
    } catch (error) {
      // All that has to be asked is asked at once, not one item after the other.
      if (!(error instanceof WebhooksNeeded)) throw error;
      needed.push(...error.questions);
    }
  }
  if (needed.length > 0) throw new WebhooksNeeded(needed);
  return deleted;
}

/** What DELETE answers when the object is gone at once. */
export function deletedStatus(definition: ResourceDefinition, object: KubeObject): Status {
  const { group, resource } = definition.identity;
  const { name, uid } = object.metadata;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group === '' ? {} : { group }), kind: resource, uid },
  };
}
