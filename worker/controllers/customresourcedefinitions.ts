/**
 * The life of a CustomResourceDefinition: its names are accepted unless another one of its group has them, it is established,
 * and when it is deleted its objects go first. All of it happens in the turn of the write.
 * Source: apiextensions-apiserver, pkg/controller/{status,establish,finalizer}
 */
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  type CustomResourceDefinitionNames,
} from '../../shared/api/apiextensions.ts';
import { type Condition, groupResourceOf, type Identity } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import { hasCondition, selectablePaths } from '../registry/custom.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { CLEANUP_FINALIZER } from '../resources/customresourcedefinitions.ts';
import { ANY, type Controller, type ReconcileContext } from './controller.ts';
import { isEqual } from './equality.ts';

/** Deletions in one reconcile; the rest is continued in the next one. */
const STEP = 100;

/** Keys are names of definitions; `NAME FROM`: its objects from the one of that number on are to be indexed anew. */
export const customResourceDefinitions: Controller = {
  name: 'customresourcedefinition',
  sources: [{ identity: ANY, keys: keysOf }],
  reconcile(key, context) {
    const { objects } = context;
    const [name = '', from] = key.split(' ');
    const crd = objects.get(CUSTOM_RESOURCE_DEFINITIONS, '', name);
    if (crd === undefined) return;
    if (from !== undefined) reindex(crd, Number(from), context);
    else if (crd.metadata.deletionTimestamp !== undefined) terminate(crd, context);
    else accept(crd, objects);
  },
};

/** A definition, those of its group when it goes, and one that waits for an object which has just gone. */
function keysOf({ type, identity, object, previous }: ObjectChange, objects: Objects): string[] {
  if (groupResourceOf(identity) === groupResourceOf(CUSTOM_RESOURCE_DEFINITIONS)) {
    const { name } = object.metadata;
    const paths = (crd: unknown) => selectablePaths(crd as CustomResourceDefinition).join();
    if (type === 'MODIFIED' && paths(object) !== paths(previous)) return [name, `${name} 0`];
    if (type !== 'DELETED') return [name];
    const { group } = (object as CustomResourceDefinition).spec;
    return sameGroup(objects, group).map((each) => each.metadata.name);
  }
  // Objects of a definition under deletion that others held.
  if (type !== 'DELETED' || !identity.group.includes('.')) return [];
  const crd = objects.get(CUSTOM_RESOURCE_DEFINITIONS, '', groupResourceOf(identity));
  return crd?.metadata.deletionTimestamp === undefined ? [] : [crd.metadata.name];
}

const sameGroup = (objects: Objects, group: string): CustomResourceDefinition[] =>
  objects.list(CUSTOM_RESOURCE_DEFINITIONS).filter((each) => each.spec.group === group);

// ---- Names ----------------------------------------------------------------------------------------------------------

const quoted = (name: string): string => JSON.stringify(name);

/** What is taken is refused, one by one; the rest is accepted. */
function namesOf(
  crd: CustomResourceDefinition,
  objects: Objects,
): { accepted: CustomResourceDefinitionNames; conflict: [string, string] | undefined } {
  const others = sameGroup(objects, crd.spec.group).filter((each) => each.metadata.name !== crd.metadata.name);
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of others) {
    const { plural, singular, shortNames = [], kind, listKind } = status?.acceptedNames ?? { plural: '', kind: '' };
    for (const each of [plural, singular, ...shortNames]) if (each) resources.add(each);
    for (const each of [kind, listKind]) if (each) kinds.add(each);
  }
  const { plural, singular = '', shortNames = [], kind, listKind = '', categories } = crd.spec.names;
  const before = crd.status?.acceptedNames ?? { plural: '', kind: '' };
  const problems: [string, string][] = [];
  const take = (name: string, taken: ReadonlySet<string>, reason: string, old: string | undefined): string => {
    if (name === '' || !taken.has(name)) return name;
    problems.push([reason, `${quoted(name)} is already in use`]);
    return old ?? '';
  };
  const shortTaken = shortNames.filter((each) => resources.has(each));
  const accepted: CustomResourceDefinitionNames = {
    plural: take(plural, resources, 'PluralConflict', before.plural),
    singular: take(singular, resources, 'SingularConflict', before.singular),
    ...(shortTaken.length === 0 ? { shortNames } : { shortNames: before.shortNames ?? [] }),
    kind: take(kind, kinds, 'KindConflict', before.kind),
    listKind: take(listKind, kinds, 'ListKindConflict', before.listKind),
    ...(categories ? { categories } : {}),
  };
  if (shortTaken.length > 0) {
    problems.push(['ShortNamesConflict', shortTaken.map((each) => `${quoted(each)} is already in use`).join(', ')]);
  }
  if (accepted.shortNames?.length === 0) delete accepted.shortNames;
  return { accepted, conflict: problems.at(-1) };
}

function accept(crd: CustomResourceDefinition, objects: Objects): void {
  const { accepted, conflict } = namesOf(crd, objects);
  const conditions: Condition[] = [
    conflict === undefined
      ? condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found')
      : condition('NamesAccepted', false, conflict[0], conflict[1]),
  ];
  if (hasCondition(crd, 'Established') || conflict === undefined) {
    conditions.push(condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted'));
  } else conditions.push(condition('Established', false, 'NotAccepted', 'not all names are accepted'));
  writeStatus(crd, { acceptedNames: accepted, conditions }, objects);
}

const condition = (type: string, holds: boolean, reason: string, message: string): Condition => ({
  type,
  status: holds ? 'True' : 'False',
  reason,
  message,
});

/** Conditions that are not named stay; a time changes only with the status. */
function writeStatus(
  crd: CustomResourceDefinition,
  { conditions, acceptedNames }: { conditions: readonly Condition[]; acceptedNames?: CustomResourceDefinitionNames },
  objects: Objects,
): CustomResourceDefinition {
  const before = crd.status?.conditions ?? [];
  const written = conditions.map((each): Condition => {
    const old = before.find((other) => other.type === each.type);
    const since = old?.status === each.status ? old.lastTransitionTime : undefined;
    return { ...each, lastTransitionTime: since ?? formatTime(objects.nowMs) };
  });
  const replaced = before.map((old) => written.find((each) => each.type === old.type) ?? old);
  const added = written.filter((each) => !before.some((old) => old.type === each.type));
  const status = {
    ...crd.status,
    conditions: [...replaced, ...added],
    ...(acceptedNames ? { acceptedNames } : {}),
  };
  if (isEqual(status, crd.status)) return crd;
  return objects.updateStatus(CUSTOM_RESOURCE_DEFINITIONS, { ...crd, status });
}

// ---- The end ----------------------------------------------------------------------------------------------------------

function terminate(crd: CustomResourceDefinition, { objects, requeueAfter }: ReconcileContext): void {
  if (!crd.metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
  const remaining = hasCondition(crd, 'Established') ? deleteObjects(crd, objects) : 'none';
  if (remaining === 'more') {
    requeueAfter(0);
    return;
  }
  if (remaining === 'held') {
    const text = 'CustomResource deletion is in progress';
    writeStatus(crd, { conditions: [condition('Terminating', true, 'InstanceDeletionInProgress', text)] }, objects);
    return;
  }
  const finalizers = crd.metadata.finalizers.filter((each) => each !== CLEANUP_FINALIZER);
  const told = writeStatus(
    crd,
    { conditions: [condition('Terminating', false, 'InstanceDeletionCompleted', 'removed all instances')] },
    objects,
  );
  objects.update(CUSTOM_RESOURCE_DEFINITIONS, { ...told, metadata: { ...told.metadata, finalizers } });
}

const identityOf = ({ spec }: CustomResourceDefinition): Identity => ({
  group: spec.group,
  version: spec.versions.find((each) => each.storage)?.name ?? '',
  resource: spec.names.plural,
  kind: spec.names.kind,
  namespaced: spec.scope === 'Namespaced',
});

/** What can be selected by changed: objects are written again, so that the index has it. */
function reindex(crd: CustomResourceDefinition, from: number, { objects, enqueue }: ReconcileContext): void {
  if (!hasCondition(crd, 'Established') || crd.metadata.deletionTimestamp !== undefined) return;
  const identity = identityOf(crd);
  const all = objects.list(identity);
  for (const { metadata } of all.slice(from, from + STEP)) {
    objects.reindex(identity, metadata.namespace ?? '', metadata.name);
  }
  if (all.length > from + STEP) enqueue(`${crd.metadata.name} ${from + STEP}`);
}

function deleteObjects(crd: CustomResourceDefinition, objects: Objects): 'none' | 'more' | 'held' {
  const identity = identityOf(crd);
  const all = objects.list(identity);
  const doomed = all.filter((each) => each.metadata.deletionTimestamp === undefined);
  for (const { metadata } of doomed.slice(0, STEP)) {
    objects.delete(identity, metadata.namespace ?? '', metadata.name, { propagationPolicy: 'Background' });
  }
  if (doomed.length > STEP) return 'more';
  return objects.list(identity, { limit: 1 }).length > 0 ? 'held' : 'none';
}
