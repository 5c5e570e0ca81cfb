/**
 * The last step of every write: the object becomes text under a new revision, with its index entries, and whoever must
 * know inside the transaction is told. Nothing above this file calls the store's `put` and `delete`.
 */
import { groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { conflict, MODIFIED, StatusError } from '../../shared/errors.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { type IndexEntry, MAX_OBJECT_BYTES, type ObjectKey, type StoredObject } from '../store/store.ts';
import { asWritten, isStoredAs, storedInVersion } from './conversion.ts';
import { type Current, parseStored } from './current.ts';
import { entriesOf } from './entries.ts';
import { serialise } from './metadata.ts';
import type { Session } from './session.ts';

/** What a write leaves behind, in the version of the definition that it was written by. */
export interface Written {
  object: KubeObject;
  text: string;
}

export const keyOf = (identity: Identity, namespace: string, name: string): ObjectKey => ({
  resource: groupResourceOf(identity),
  namespace: identity.namespaced ? namespace : '',
  name,
});

/** @throws StatusError 500 and WebhooksNeeded where a webhook converts. */
export function readCurrent(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
): Current | undefined {
  const stored = session.transaction.get(keyOf(definition.identity, namespace, name));
  return stored === undefined ? undefined : currentOf(session, definition, stored);
}

export function currentOf(session: Session, definition: ResourceDefinition, stored: StoredObject): Current {
  const current = parseStored(stored);
  const { conversion, identity } = definition;
  if (conversion === undefined) return current;
  const object = storedInVersion(session, conversion, current.object, identity.version);
  if (object === current.object) return current;
  return { ...current, object, text: serialise(object, String(stored.revision)), stored: stored.text };
}

/** Whether what is stored would be written otherwise, though nobody changes it: its version is no longer the written one. */
export function isOutdated({ conversion }: ResourceDefinition, { text, stored = text }: Current): boolean {
  const written = conversion?.versions.get(conversion.storage)?.definition;
  return written !== undefined && !isStoredAs(written, stored);
}

/** As it lies in the store. */
export function readStored(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
): Current | undefined {
  const stored = session.transaction.get(keyOf(definition.identity, namespace, name));
  return stored === undefined ? undefined : parseStored(stored);
}

const keyOfObject = (definition: ResourceDefinition, object: KubeObject): ObjectKey =>
  keyOf(definition.identity, object.metadata.namespace ?? '', object.metadata.name);

/** etcd's words and code, for text that the body limit let through. */
function requireStorable(text: string): void {
  // A UTF-16 unit is at most three bytes, so short texts need no counting.
  if (text.length * 3 <= MAX_OBJECT_BYTES) return;
  if (new TextEncoder().encode(text).length > MAX_OBJECT_BYTES) {
    throw new StatusError(500, '', 'etcdserver: request is too large');
  }
}

function written(
  session: Session,
  { conversion }: ResourceDefinition,
  object: KubeObject,
  stored: StoredObject,
  current: Current | undefined,
): Written {
  object.metadata.resourceVersion = String(stored.revision);
  if (!session.dryRun) {
    return { object, text: conversion === undefined ? stored.text : serialise(object, String(stored.revision)) };
  }
  const shown = current === undefined ? undefined : String(current.revision);
  return { object, text: serialise(object, shown) };
}

/**
 * Writes `object`, which must not exist yet when `current` is undefined.
 * @param known what is known of it already: `textOf` is another way to the same text as `serialise` makes.
 */
export function commit(
  session: Session,
  definition: ResourceDefinition,
  object: KubeObject,
  current: Current | undefined,
  { textOf = serialise, entries }: { textOf?: typeof serialise; entries?: readonly IndexEntry[] } = {},
): Written {
  const kept = asWritten(session, definition, object);
  const stored = session.transaction.put(
    keyOfObject(definition, object),
    entries ?? entriesOf(kept.definition, kept.object),
    (revision) => {
      const text = textOf(kept.object, String(revision));
      requireStorable(text);
      return text;
    },
    current?.revision ?? 0,
  );
  const result = written(session, definition, object, stored, current);
  tell(session, definition, current === undefined ? 'ADDED' : 'MODIFIED', object, current?.object);
  return result;
}

/** Removes the object; `last` is its final state. */
export function remove(session: Session, definition: ResourceDefinition, last: KubeObject, current: Current): Written {
  const stored = session.transaction.delete(
    keyOfObject(definition, last),
    (revision) => serialise(lastStored(last, current), String(revision)),
    current.revision,
  );
  const result = written(session, definition, last, stored, current);
  tell(session, definition, 'DELETED', last, current.object);
  return result;
}

/** Nothing but metadata changes with the end of an object: nothing has to be converted for it. */
function lastStored(last: KubeObject, { stored }: Current): KubeObject {
  if (stored === undefined) return last;
  const before = JSON.parse(stored) as KubeObject;
  const { labels, annotations } = before.metadata;
  return {
    ...before,
    metadata: { ...last.metadata, labels, annotations } as KubeObject['metadata'],
  };
}

function tell(
  session: Session,
  definition: ResourceDefinition,
  type: 'ADDED' | 'MODIFIED' | 'DELETED',
  object: KubeObject,
  previous: KubeObject | undefined,
): void {
  session.parts.changed(
    { type, identity: definition.identity, object, previous },
    session.objects,
    session.transaction,
  );
}

/** @throws StatusError 409 when a caller's revision is not the stored one. */
export function requireRevision(definition: ResourceDefinition, asked: string | undefined, current: Current): void {
  if (asked && asked !== String(current.revision)) {
    throw conflict(definition.identity, current.object.metadata.name, MODIFIED);
  }
}
