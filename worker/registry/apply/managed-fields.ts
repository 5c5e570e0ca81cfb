/**
 * Who owns which field: server-side apply with its conflicts, and what an ordinary write does to the other managers.
 * Pure: objects and entries in, objects and entries out. Which manager asks, and with which type, is the registry's.
 * Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/ and structured-merge-diff, merge/update.go
 */
import type { ManagedFieldsEntry, StatusCause } from '../../../shared/api/meta.ts';
import { StatusError } from '../../../shared/errors.ts';
import {
  difference,
  EMPTY,
  equal,
  type FieldSet,
  formatFields,
  formatPath,
  fromPath,
  holds,
  intersection,
  isEmpty,
  meets,
  node,
  parseFields,
  paths,
  union,
} from './field-set.ts';
import { compare, fieldsOf, type Json, type JsonMap, merge, remove, sameJson, type TypeOf } from './typed.ts';

/** What a manager writes with: the identity of its entry, time apart. */
export interface Manager {
  name: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  /** '' for the object itself. */
  subresource: string;
}

export interface WriteScope {
  type: TypeOf;
  manager: Manager;
  /** RFC 3339, whole seconds. */
  now: string;
}

interface Owner extends Manager {
  time: string | undefined;
  set: FieldSet;
}

const MAX_UPDATE_OWNERS = 10;
/** Kubernetes: the name under which the oldest owners are gathered. */
const ANCIENT = 'ancient-changes';

/** Fields that nobody owns: the server's own. */
const UNOWNED = [
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['f:metadata', `f:${field}`]),
]
  .map(fromPath)
  .reduce(union, EMPTY);

const nameOf = (entry: ManagedFieldsEntry): Named => ({
  name: entry.manager ?? '',
  operation: entry.operation ?? 'Update',
  apiVersion: entry.apiVersion ?? '',
  subresource: entry.subresource ?? '',
  time: entry.time,
});

const ownerOf = (entry: ManagedFieldsEntry): Owner => ({ ...nameOf(entry), set: parseFields(entry.fieldsV1) });

const entryOf = (owner: Owner): ManagedFieldsEntry => ({
  manager: owner.name,
  operation: owner.operation,
  apiVersion: owner.apiVersion,
  ...(owner.time === undefined ? {} : { time: owner.time }),
  fieldsType: 'FieldsV1',
  fieldsV1: formatFields(owner.set),
  ...(owner.subresource === '' ? {} : { subresource: owner.subresource }),
});

const sameManager = (a: Manager, b: Manager): boolean =>
  a.name === b.name && a.operation === b.operation && a.subresource === b.subresource && a.apiVersion === b.apiVersion;

type Named = Manager & { time: string | undefined };

/** Kubernetes: applies first, then updates by age; ties by name. */
const byAge = (a: Named, b: Named): number =>
  (a.operation === b.operation ? 0 : a.operation === 'Apply' ? -1 : 1) ||
  compareText(a.time ?? '', b.time ?? '') ||
  compareText(a.name, b.name) ||
  compareText(a.apiVersion, b.apiVersion) ||
  compareText(a.subresource, b.subresource);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const sorted = (owners: readonly Owner[]): Owner[] => [...owners].sort(byAge);

/** Joins the oldest updates into one, so that an object written by very many managers does not grow without bound. */
function capped(owners: readonly Owner[]): Owner[] {
  const updates = sorted(owners).filter((owner) => owner.operation === 'Update');
  const excess = updates.slice(0, Math.max(0, updates.length - MAX_UPDATE_OWNERS + 1));
  if (updates.length <= MAX_UPDATE_OWNERS) return [...owners];
  const byVersion = Map.groupBy(excess, (owner) => owner.apiVersion);
  const ancient = [...byVersion].map(
    ([apiVersion, joined]): Owner => ({
      name: ANCIENT,
      operation: 'Update',
      apiVersion,
      subresource: '',
      time: joined.at(-1)?.time,
      set: joined.map((owner) => owner.set).reduce(union, EMPTY),
    }),
  );
  return [...owners.filter((owner) => !excess.includes(owner)), ...ancient];
}

const entriesOf = (owners: readonly Owner[]): ManagedFieldsEntry[] =>
  sorted(capped(owners.filter((owner) => !isEmpty(owner.set)))).map(entryOf);

const unversioned = (object: JsonMap): JsonMap => {
  const { managedFields: _, ...metadata } = (object.metadata ?? {}) as JsonMap;
  return { ...object, metadata };
};

/**
 * The entries after an ordinary write turned `before` (undefined: a create) into `after`: its manager owns what it
 * changed, the others lose what is gone or changed under them. Equal sets keep their time.
 */
export function trackUpdate(
  scope: WriteScope,
  before: JsonMap,
  after: JsonMap,
  entries: readonly ManagedFieldsEntry[],
): ManagedFieldsEntry[] {
  const change = compare(scope.type, unversioned(before), unversioned(after));
  const written = difference(union(change.added, change.modified), UNOWNED);
  // Most writes of the control plane change nothing; then no entry has to be read.
  if (isEmpty(written) && isEmpty(difference(change.removed, UNOWNED))) return [...entries];
  const again = writtenAgain(scope, entries, written, change.removed);
  if (again !== undefined) return again;
  const owners = entries.map(ownerOf);
  const mine = owners.find((owner) => sameManager(owner, scope.manager));
  const others = owners
    .filter((owner) => owner !== mine)
    .map((owner) => ({ ...owner, set: difference(difference(owner.set, change.removed), written) }));
  const set = union(difference(mine?.set ?? EMPTY, change.removed), written);
  if (mine !== undefined && equal(mine.set, set) && isEmpty(written)) return entriesOf([...others, mine]);
  return entriesOf([...others, { ...scope.manager, time: scope.now, set }]);
}

/** A manager that writes once more what it alone owns changes only its time; then the entries need not be read. */
function writtenAgain(
  scope: WriteScope,
  entries: readonly ManagedFieldsEntry[],
  written: FieldSet,
  removed: FieldSet,
): ManagedFieldsEntry[] | undefined {
  const mine = entries.find((entry) => sameManager(nameOf(entry), scope.manager));
  if (isEmpty(written) || mine === undefined || !holds(mine.fieldsV1 ?? {}, written)) return undefined;
  for (const { fieldsV1 = {} } of entries) {
    if (meets(fieldsV1, removed) || (fieldsV1 !== mine.fieldsV1 && meets(fieldsV1, written))) return undefined;
  }
  const renewed = entries.map((entry) => (entry === mine ? { ...mine, time: scope.now } : entry));
  return renewed.sort((a, b) => byAge(nameOf(a), nameOf(b)));
}

export interface Applied {
  object: JsonMap;
  entries: ManagedFieldsEntry[];
}

/**
 * Server-side apply of `config` on `live` (an object without spec for a create).
 * @throws StatusError 409 with one cause a field when another manager owns a field that would change, unless `force`.
 */
export function apply(
  scope: WriteScope,
  live: JsonMap,
  config: JsonMap,
  entries: readonly ManagedFieldsEntry[],
  force: boolean,
): Applied {
  const owners = entries.map(ownerOf);
  const bare = unversioned(live);
  const wanted = unversioned(config);
  const mine = owners.find((owner) => sameManager(owner, scope.manager));
  const set = difference(fieldsOf(scope.type, wanted), UNOWNED);
  const others = owners.filter((owner) => owner !== mine);
  const merged = merge(scope.type, bare, wanted) as JsonMap;
  const pruned = prune(scope.type, merged, mine?.set ?? EMPTY, [set, ...others.map((owner) => owner.set)]);
  // Laid on once more: a map that the manifest leaves empty stays, though pruning emptied it.
  const object = merge(scope.type, pruned, wanted) as JsonMap;

  const change = compare(scope.type, bare, object);
  const written = difference(union(change.added, change.modified), UNOWNED);
  const conflicts = others
    .map((owner) => ({ owner, set: intersection(owner.set, written) }))
    .filter((conflict) => !isEmpty(conflict.set));
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);

  const left = others.map((owner) => ({ ...owner, set: difference(difference(owner.set, change.removed), written) }));
  const time = mine !== undefined && equal(mine.set, set) && sameJson(bare, object) ? mine.time : scope.now;
  return { object, entries: entriesOf([...left, { ...scope.manager, time, set }]) };
}

/** Removes what the manager no longer applies and nobody else owns. */
function prune(type: TypeOf, merged: JsonMap, last: FieldSet, owned: readonly FieldSet[]): JsonMap {
  const kept = withParents(owned.reduce(union, EMPTY));
  const dropped = withoutKeyFields(difference(last, kept), kept);
  return (remove(type, merged, dropped) ?? {}) as JsonMap;
}

/** Members and every field above one: a parent stays while something in it is owned. */
const withParents = (set: FieldSet): FieldSet =>
  node(
    true,
    [...set.children].map(([element, child]) => [element, withParents(child)]),
  );

/** A list item that stays keeps the keys that name it. */
function withoutKeyFields(dropped: FieldSet, kept: FieldSet): FieldSet {
  const children = [...dropped.children].map(([element, child]): [string, FieldSet] => {
    const below = withoutKeyFields(child, kept.children.get(element) ?? EMPTY);
    if (!element.startsWith('k:') || below.member) return [element, below];
    const keys = Object.keys(JSON.parse(element.slice(2)) as JsonMap).map((key) => `f:${key}`);
    return [
      element,
      node(
        below.member,
        [...below.children].filter(([field]) => !keys.includes(field)),
      ),
    ];
  });
  return node(dropped.member, children);
}

function conflictError(conflicts: readonly { owner: Owner; set: FieldSet }[]): StatusError {
  const causes = conflicts.flatMap(({ owner, set }) =>
    [...paths(set)].map(
      (path): StatusCause => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${describe(owner)}`,
        field: formatPath(path),
      }),
    ),
  );
  const [only] = causes;
  const message =
    causes.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
      : `Apply failed with ${causes.length} conflicts: ${sorted(conflicts.map((each) => each.owner))
          .map((owner) => {
            const set = conflicts.find((each) => each.owner === owner)?.set ?? EMPTY;
            return [
              `conflicts with ${describe(owner)}:`,
              ...[...paths(set)].map((path) => `- ${formatPath(path)}`),
            ].join('\n');
          })
          .join('\n')}`;
  return new StatusError(409, 'Conflict', message, { causes });
}

function describe(owner: Owner): string {
  const name =
    JSON.stringify(owner.name) +
    (owner.subresource === '' ? '' : ` with subresource ${JSON.stringify(owner.subresource)}`);
  if (owner.operation === 'Apply') return name;
  return `${name} using ${owner.apiVersion}${owner.time === undefined ? '' : ` at ${owner.time}`}`;
}

export type { Json };
