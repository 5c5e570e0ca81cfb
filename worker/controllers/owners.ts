/**
 * Owner references as controllers use them: who controls an object, and adoption and release of objects by a selector.
 * Cleaning up after owners that are gone is in `garbage-collector.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/controller_ref_manager.go
 */

import {
  apiVersionOf,
  type Identity,
  type KubeObject,
  type LabelSelector,
  type OwnerReference,
} from '../../shared/api/meta.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import type { Objects } from '../registry/objects.ts';

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function controllerReference(identity: Identity, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(identity),
    kind: identity.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claim<T extends KubeObject> {
  identity: Identity<T>;
  ownerIdentity: Identity;
  owner: KubeObject;
  selector: LabelSelector;
  /** Which orphans may be adopted: pods that have ended may not. Absent: none is even looked for. */
  adoptable?: (object: T) => boolean;
}

/**
 * The objects that the owner controls, after adopting matching orphans and releasing what no longer matches.
 * An owner under deletion neither adopts nor releases.
 */
export function claim<T extends KubeObject>(objects: Objects, asked: Claim<T>): T[] {
  const { identity, owner, selector } = asked;
  const namespace = owner.metadata.namespace;
  const leaving = owner.metadata.deletionTimestamp !== undefined;
  const claimed: T[] = [];
  for (const object of objects.list(identity, { namespace, having: [{ index: 'owner', value: owner.metadata.uid }] })) {
    if (controllerOf(object)?.uid !== owner.metadata.uid) continue;
    if (matchesLabelSelector(selector, object.metadata.labels ?? {})) claimed.push(object);
    else if (!leaving) release(objects, identity, object, owner.metadata.uid);
  }
  if (leaving || asked.adoptable === undefined) return claimed;
  const required = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ index: `label:${key}`, value }));
  for (const object of objects.list(identity, { namespace, having: required })) {
    if (controllerOf(object) !== undefined || object.metadata.deletionTimestamp !== undefined) continue;
    if (!matchesLabelSelector(selector, object.metadata.labels ?? {}) || !asked.adoptable(object)) continue;
    const others = (object.metadata.ownerReferences ?? []).filter((each) => each.uid !== owner.metadata.uid);
    object.metadata.ownerReferences = [...others, controllerReference(asked.ownerIdentity, owner)];
    claimed.push(objects.update(identity, object));
  }
  return claimed;
}

function release<T extends KubeObject>(objects: Objects, identity: Identity<T>, object: T, ownerUid: string): void {
  const left = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== ownerUid);
  if (left.length === 0) delete object.metadata.ownerReferences;
  else object.metadata.ownerReferences = left;
  objects.update(identity, object);
}
