/**
 * The garbage collector: objects go when the last of their owners has gone, and owners that are deleted in the foreground
 * wait for those who block them. The graph is the index `owner` (uid of each owner), read when something changes: nothing
 * is kept in memory and nothing is scanned. The finalizers that a propagation policy sets are the registry's.
 *
 * Keys
 * - `owner:UID`: an object that is gone, and that others still name.
 * - `object:RESOURCE/NAMESPACE/NAME`: one object, as an owner under deletion or as a dependent of doubtful owners.
 *
 * Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/, k8s.io/kubernetes/pkg/controller/garbagecollector
 */
import { EVENTS } from '../../shared/api/core.ts';
import { groupResourceOf, type Identity, type KubeObject, type OwnerReference } from '../../shared/api/meta.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { ANY, type Controller, type ReconcileContext } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
/** Dependents handled in one reconcile. */
const STEP = 200;

interface Found {
  identity: Identity;
  object: KubeObject;
}

export function createGarbageCollector({ resources }: Pick<Surroundings, 'resources'>): Controller {
  const byResource = (name: string) => resources().find((identity) => groupResourceOf(identity) === name);
  const byKind = ({ apiVersion, kind }: OwnerReference) => {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    return resources().find((identity) => identity.group === group && identity.kind === kind);
  };

  function dependentsOf(uid: string, objects: Objects, limit?: number): Found[] {
    const found: Found[] = [];
    for (const identity of resources()) {
      const query = { having: [{ index: 'owner', value: uid }], ...(limit === undefined ? {} : { limit }) };
      found.push(...objects.list(identity, query).map((object) => ({ identity, object })));
      if (limit !== undefined && found.length >= limit) break;
    }
    return found;
  }

  /** The owner itself, 'absent', or 'unknown' where nobody can tell: then the dependent stays. */
  function ownerOf(dependent: Found, reference: OwnerReference, objects: Objects): Found | 'absent' | 'unknown' {
    const identity = byKind(reference);
    if (identity === undefined) return 'unknown';
    const namespace = dependent.object.metadata.namespace ?? '';
    if (identity.namespaced && namespace === '') return 'unknown';
    const object = objects.get(identity, identity.namespaced ? namespace : '', reference.name);
    // Kubernetes: an owner is meant by its uid; one of the same name made later is another, one elsewhere is none.
    return object?.metadata.uid === reference.uid ? { identity, object } : 'absent';
  }

  function keysOf(change: ObjectChange, objects: Objects): string[] {
    const { type, object, previous, identity } = change;
    if (groupResourceOf(identity) === groupResourceOf(EVENTS)) return [];
    const references = object.metadata.ownerReferences ?? [];
    const self = { identity, object };
    if (type === 'DELETED') {
      const waiting = references
        .map((reference) => ownerOf(self, reference, objects))
        .filter((owner) => typeof owner === 'object' && isInForeground(owner.object));
      const keys = waiting.map((owner) => keyOfObject(owner as Found));
      if (dependentsOf(object.metadata.uid, objects, 1).length > 0) keys.push(`owner:${object.metadata.uid}`);
      return keys;
    }
    const before = previous?.metadata.finalizers ?? [];
    const policies = [ORPHAN, FOREGROUND].filter((each) => object.metadata.finalizers?.includes(each));
    if (object.metadata.deletionTimestamp !== undefined && policies.length > 0) {
      const isNews =
        previous?.metadata.deletionTimestamp === undefined || policies.some((each) => !before.includes(each));
      if (isNews) return [keyOfObject(self)];
    }
    if (isEqual(references, previous?.metadata.ownerReferences ?? [])) return [];
    const keys: string[] = [];
    for (const reference of [...references, ...(previous?.metadata.ownerReferences ?? [])]) {
      const owner = ownerOf(self, reference, objects);
      if (owner === 'absent') keys.push(keyOfObject(self));
      else if (owner === 'unknown') warnUnresolvable(self, reference, objects);
      else if (isInForeground(owner.object)) keys.push(keyOfObject(owner));
    }
    return [...new Set(keys)];
  }

  function warnUnresolvable({ identity, object }: Found, reference: OwnerReference, objects: Objects): void {
    if (identity.namespaced || byKind(reference)?.namespaced !== true) return;
    const message = `ownerRef [${reference.apiVersion}/${reference.kind}, namespace: , name: ${reference.name}, uid: ${reference.uid}] does not exist in namespace ""`;
    const component = 'garbage-collector-controller';
    objects.record(object, { type: 'Warning', reason: 'OwnerRefInvalidNamespace', message, component });
  }

  /** One dependent, by the state of all its owners. */
  function collect(dependent: Found, context: ReconcileContext): void {
    const { objects } = context;
    const { identity, object } = dependent;
    if (object.metadata.deletionTimestamp !== undefined) return;
    const references = object.metadata.ownerReferences ?? [];
    const states = references.map((reference) => ({ reference, owner: ownerOf(dependent, reference, objects) }));
    const isWaiting = (owner: (typeof states)[number]['owner']) =>
      typeof owner === 'object' && isInForeground(owner.object);
    const gone = states.filter(({ owner }) => owner === 'absent' || isWaiting(owner));
    if (gone.length === 0) return;
    if (gone.length < states.length) {
      // Somebody still owns it: only the references that hold nothing go.
      setOwners(
        dependent,
        references.filter((reference) => !gone.some((each) => each.reference === reference)),
        objects,
      );
      return;
    }
    const waits = states.some(({ owner }) => isWaiting(owner));
    const own = waits ? dependentsOf(object.metadata.uid, objects) : [];
    let current = dependent;
    if (own.some((each) => isInForeground(each.object))) {
      // A circle of owners that wait for each other: this one no longer blocks.
      const unblocked = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
      current = setOwners(dependent, unblocked, objects);
    }
    objects.delete(identity, object.metadata.namespace ?? '', object.metadata.name, {
      propagationPolicy: policyOf(current.object, own.length > 0),
      preconditions: { uid: object.metadata.uid },
    });
  }

  /** An owner that is deleted in the foreground: those who block it are collected, and when none is left it is let go. */
  function collectForeground(owner: Found, context: ReconcileContext): void {
    const { uid } = owner.object.metadata;
    const blocking = dependentsOf(uid, context.objects).filter(({ object }) =>
      object.metadata.ownerReferences?.some(
        (reference) => reference.uid === uid && reference.blockOwnerDeletion === true,
      ),
    );
    if (blocking.length === 0) {
      dropFinalizer(owner, FOREGROUND, context.objects);
      return;
    }
    collectSome(blocking, context);
  }

  function orphanDependents(owner: Found, context: ReconcileContext): void {
    const { uid } = owner.object.metadata;
    const dependents = dependentsOf(uid, context.objects);
    for (const dependent of dependents.slice(0, STEP)) {
      const left = (dependent.object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
      setOwners(dependent, left, context.objects);
    }
    if (dependents.length > STEP) context.requeueAfter(0);
    else dropFinalizer(owner, ORPHAN, context.objects);
  }

  function collectSome(dependents: readonly Found[], context: ReconcileContext): void {
    const alive = dependents.filter(({ object }) => object.metadata.deletionTimestamp === undefined);
    if (alive.length > STEP) context.requeueAfter(0);
    for (const { identity, object } of alive.slice(0, STEP)) {
      // One of these may have gone, or lost this owner, with another of them.
      const current = context.objects.get(identity, object.metadata.namespace ?? '', object.metadata.name);
      if (current?.metadata.uid === object.metadata.uid) collect({ identity, object: current }, context);
    }
  }

  return {
    name: 'garbage-collector',
    account: 'generic-garbage-collector',
    sources: [{ identity: ANY, keys: keysOf }],
    reconcile(key, context) {
      if (key.startsWith('owner:')) {
        collectSome(dependentsOf(key.slice('owner:'.length), context.objects), context);
        return;
      }
      const [resource = '', namespace = '', name = ''] = key.slice('object:'.length).split('/');
      const identity = byResource(resource);
      const object = identity && context.objects.get(identity, namespace, name);
      if (identity === undefined || object === undefined) return;
      const found = { identity, object };
      if (object.metadata.deletionTimestamp === undefined) collect(found, context);
      else if (object.metadata.finalizers?.includes(ORPHAN)) orphanDependents(found, context);
      else if (isInForeground(object)) collectForeground(found, context);
    },
  };
}

const isInForeground = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(FOREGROUND) === true;

const keyOfObject = ({ identity, object }: Found): string =>
  `object:${groupResourceOf(identity)}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** What the object itself asks for decides; then whether its own dependents are to be waited for. */
function policyOf(object: KubeObject, waits: boolean): 'Orphan' | 'Foreground' | 'Background' {
  if (object.metadata.finalizers?.includes(ORPHAN)) return 'Orphan';
  if (object.metadata.finalizers?.includes(FOREGROUND) || waits) return 'Foreground';
  return 'Background';
}

function setOwners({ identity, object }: Found, references: OwnerReference[], objects: Objects): Found {
  const { ownerReferences: _before, ...metadata } = object.metadata;
  const draft = {
    ...object,
    metadata: references.length === 0 ? metadata : { ...metadata, ownerReferences: references },
  };
  return { identity, object: objects.update(identity, draft) };
}

function dropFinalizer({ identity, object }: Found, finalizer: string, objects: Objects): void {
  const finalizers = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  objects.update(identity, { ...object, metadata: { ...object.metadata, finalizers } });
}
