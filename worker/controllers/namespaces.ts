/**
 * The namespace controller: a namespace under deletion loses everything in it, pods first, and then its finalizer, which
 * ends it. That nothing new comes in meanwhile is admission's care.
 * Source: k8s.io/kubernetes/pkg/controller/namespace/deletion
 */
import { NAMESPACES, type Namespace, PODS } from '../../shared/api/core.ts';
import { type Condition, groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { ANY, type Controller, type ReconcileContext } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

const FINALIZER = 'kubernetes';
/** Deletions in one reconcile; the rest is continued in the next one. */
const STEP = 100;

/** Keys are names of namespaces. */
export function createNamespaces({ resources }: Pick<Surroundings, 'resources'>): Controller {
  const contents = (): Identity[] => {
    const namespaced = resources().filter((identity) => identity.namespaced);
    const isPods = (identity: Identity) => groupResourceOf(identity) === groupResourceOf(PODS);
    return [...namespaced.filter(isPods), ...namespaced.filter((identity) => !isPods(identity))];
  };
  return {
    name: 'namespace',
    account: 'namespace-controller',
    sources: [{ identity: ANY, keys: keysOf }],
    reconcile(name, context) {
      const namespace = context.objects.get(NAMESPACES, '', name);
      if (namespace?.metadata.deletionTimestamp === undefined) return;
      const remaining = empty(name, contents(), context);
      if (remaining === undefined) return;
      if (remaining.length === 0) finalize(namespace, context.objects);
      else tellRemaining(namespace, remaining, context.objects);
    },
  };
}

/** A namespace that is deleted, or something that has left one which waits for that. */
function keysOf({ type, object, previous }: ObjectChange, objects: Objects): string[] {
  if (object.kind === NAMESPACES.kind && object.apiVersion === 'v1') {
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    const isNews = previous?.metadata.deletionTimestamp === undefined || finalizersChanged(object, previous);
    return type !== 'DELETED' && isDeleted && isNews ? [object.metadata.name] : [];
  }
  const name = object.metadata.namespace ?? '';
  if (type !== 'DELETED' || name === '') return [];
  return objects.get(NAMESPACES, '', name)?.metadata.deletionTimestamp === undefined ? [] : [name];
}

const finalizersChanged = (object: KubeObject, previous: KubeObject): boolean =>
  !isEqual((object as Namespace).spec?.finalizers, (previous as Namespace).spec?.finalizers);

interface Remaining {
  identity: Identity;
  objects: KubeObject[];
}

/** Deletes what is there; what is still there afterwards, or undefined when this goes on in another reconcile. */
function empty(namespace: string, contents: readonly Identity[], context: ReconcileContext): Remaining[] | undefined {
  const { objects } = context;
  const remaining: Remaining[] = [];
  let budget = STEP;
  for (const identity of contents) {
    const doomed = objects
      .list(identity, { namespace })
      .filter((each) => each.metadata.deletionTimestamp === undefined);
    for (const object of doomed.slice(0, budget)) {
      objects.delete(identity, namespace, object.metadata.name, { propagationPolicy: 'Background' });
    }
    budget -= Math.min(budget, doomed.length);
    if (budget === 0) {
      context.requeueAfter(0);
      return undefined;
    }
    const left = objects.list(identity, { namespace });
    if (left.length > 0) remaining.push({ identity, objects: left });
    // Kubernetes: pods end before the policies and secrets that they rely on go.
    if (left.length > 0 && groupResourceOf(identity) === groupResourceOf(PODS)) break;
  }
  return remaining;
}

function finalize(namespace: Namespace, objects: Objects): void {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((each) => each !== FINALIZER);
  objects.finalize(NAMESPACES, { ...namespace, spec: { ...namespace.spec, finalizers } });
}

function tellRemaining(namespace: Namespace, remaining: readonly Remaining[], objects: Objects): void {
  const counts = remaining.map(
    (each) => `${resourceText(each.identity)} has ${each.objects.length} resource instances`,
  );
  const finalizers = new Map<string, number>();
  for (const object of remaining.flatMap((each) => each.objects)) {
    for (const each of object.metadata.finalizers ?? []) finalizers.set(each, (finalizers.get(each) ?? 0) + 1);
  }
  const held = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  const wanted: Condition[] = [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      false,
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      false,
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    condition(
      'NamespaceContentRemaining',
      true,
      'SomeResourcesRemain',
      `Some resources are remaining: ${counts.sort().join(', ')}`,
    ),
    held.length > 0
      ? condition(
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
        )
      : condition(
          'NamespaceFinalizersRemaining',
          false,
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ),
  ];
  const conditions = wanted.map((each) => {
    const current = namespace.status?.conditions?.find((other) => other.type === each.type);
    const since = current?.status === each.status ? current.lastTransitionTime : undefined;
    return { ...each, lastTransitionTime: since ?? formatTime(objects.nowMs) };
  });
  if (isEqual(conditions, namespace.status?.conditions)) return;
  objects.updateStatus(NAMESPACES, { ...namespace, status: { ...namespace.status, conditions } });
}

const condition = (type: string, holds: boolean, reason: string, message: string): Condition => ({
  type,
  status: holds ? 'True' : 'False',
  reason,
  message,
});

/** Kubernetes: `pods.`, `deployments.apps`: the group always follows a dot here. */
const resourceText = (identity: Identity): string => `${identity.resource}.${identity.group}`;
