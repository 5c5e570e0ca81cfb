/**
 * Which owners a changed pod gives work to: the one that controls it, the one that did, and for an orphan whichever would
 * adopt it. For controllers of one kind whose pods are found by a label selector.
 */
import type { Pod } from '../../shared/api/core.ts';
import type { Identity, KubeObject, LabelSelector, OwnerReference } from '../../shared/api/meta.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { keyOf } from './controller.ts';
import { controllerOf } from './owners.ts';

/** Keys with this also look for orphans, which is worth it only when one may have appeared. */
export const ADOPT = 'adopt:';

export interface OwnedPods<T extends KubeObject> {
  identity: Identity<T>;
  selectorOf(owner: T): LabelSelector | undefined;
  /** Whether nothing changed that the owner looks at. */
  countsTheSame(pod: Pod, previous: Pod): boolean;
  isAdoptable(pod: Pod): boolean;
}

export function ownerKeysOf<T extends KubeObject>(asked: OwnedPods<T>) {
  const { identity } = asked;
  const isOurs = (reference: OwnerReference | undefined): reference is OwnerReference =>
    reference?.kind === identity.kind &&
    (identity.group === ''
      ? !reference.apiVersion.includes('/')
      : reference.apiVersion.startsWith(`${identity.group}/`));

  function adoptersOf(pod: Pod, objects: Objects): string[] {
    return objects
      .list(identity, { namespace: pod.metadata.namespace })
      .filter((each) => matchesLabelSelector(asked.selectorOf(each), pod.metadata.labels ?? {}))
      .map((each) => ADOPT + keyOf(each));
  }

  return (change: ObjectChange<Pod>, objects: Objects): string[] => {
    const { object: pod, previous, type } = change;
    if (type === 'MODIFIED' && previous !== undefined && asked.countsTheSame(pod, previous)) return [];
    const namespace = pod.metadata.namespace ?? '';
    const now = controllerOf(pod);
    const before = previous === undefined ? undefined : controllerOf(previous);
    const adopters = now === undefined && type !== 'DELETED' && asked.isAdoptable(pod) ? adoptersOf(pod, objects) : [];
    // An owner that lost the pod and may have it back looks for it first, before it makes another.
    const owners = [now, before].filter(isOurs).map((reference) => `${namespace}/${reference.name}`);
    const keys = [...owners.filter((key) => !adopters.includes(ADOPT + key)), ...adopters];
    return [...new Set(keys)];
  };
}
