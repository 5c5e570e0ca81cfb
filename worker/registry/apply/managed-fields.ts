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
  /**
   * Where versions name their fields differently: how entries of another one are read. Undefined: there is no such version
   * any more. Without this function all versions have the same fields.
   */
  otherVersion?(apiVersion: string): OtherVersion | undefined;
}

export interface OtherVersion {
  type: TypeOf;
  /** The object before the write, in that version. */
  before: JsonMap;
  convert(object: JsonMap): JsonMap;
  /** And back into the version of the write. */
  back(object: JsonMap): JsonMap;
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

/** Kubernetes: who applies stays the same, whichever version it applies through. */
const sameManager = (a: Manager, b: Manager): boolean =>
  a.name === b.name &&
  a.operation === b.operation &&
  a.subresource === b.subresource &&
  (a.operation === 'Apply' || a.apiVersion === b.apiVersion);

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

interface Changed {
  written: FieldSet;
  removed: FieldSet;
}

const changedBetween = (type: TypeOf, before: JsonMap, after: JsonMap): Changed => {
  const { added, modified, removed } = compare(type, unversioned(before), unversioned(after));
  return { written: difference(union(added, modified), UNOWNED), removed };
};

/** What a write changed, as each owner's version names it; undefined for owners of a version that is gone. */
function changedFor(scope: WriteScope, own: Changed, after: JsonMap): (owner: Manager) => Changed | undefined {
  const { otherVersion, manager } = scope;
  if (otherVersion === undefined) return () => own;
  const known = new Map<string, Changed | undefined>([[manager.apiVersion, own]]);
  return ({ apiVersion }) => {
    if (!known.has(apiVersion)) {
      const other = otherVersion(apiVersion);
      known.set(apiVersion, other && changedBetween(other.type, other.before, other.convert(after)));
    }
    return known.get(apiVersion);
  };
}

/** The other owners without what was changed under them. */
const left = (owners: readonly Owner[], changed: (owner: Manager) => Changed | undefined): Owner[] =>
  owners.flatMap((owner) => {
    const change = changed(owner);
    if (change === undefined) return [];
    return [{ ...owner, set: difference(difference(owner.set, change.removed), change.written) }];
  });

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
  const changed = changedFor(scope, { written, removed: change.removed }, after);
  const others = left(
    owners.filter((owner) => owner !== mine),
    changed,
  );
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
  const { apiVersion } = scope.manager;
  if (scope.otherVersion !== undefined && entries.some((entry) => entry.apiVersion !== apiVersion)) return undefined;
  if (isEmpty(written) || mine === undefined || !holds(mine.fieldsV1 ?? {}, written)) return undefined;
  for (const { fieldsV1 = {} } of entries) {
    if (meets(fieldsV1, removed) || (fieldsV1 !== mine.fieldsV1 && meets(fieldsV1, written))) return undefined;
  }
  const renewed = entries.map((entry) =>
    entry === mine && mine.time !== scope.now ? { ...mine, time: scope.now } : entry,
  );
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
  const pruned = prune(scope, merged, mine, set, others);
  // Laid on once more: a map that the manifest leaves empty stays, though pruning emptied it.
  const object = merge(scope.type, pruned, wanted) as JsonMap;

  const changed = changedFor(scope, changedBetween(scope.type, bare, object), object);
  const conflicts = others
    .map((owner) => ({ owner, set: intersection(owner.set, changed(owner)?.written ?? EMPTY) }))
    .filter((conflict) => !isEmpty(conflict.set));
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);

  const time =
    mine?.apiVersion === scope.manager.apiVersion && equal(mine.set, set) && sameJson(bare, object)
      ? mine.time
      : scope.now;
  return { object, entries: entriesOf([...left(others, changed), { ...scope.manager, time, set }]) };
}

/** The object as one version has it. */
interface Space {
  type: TypeOf;
  into(object: JsonMap): JsonMap;
  back(object: JsonMap): JsonMap;
}

/** Removes what the manager no longer applies and nobody else owns, in the version in which it last applied. */
function prune(
  scope: WriteScope,
  merged: JsonMap,
  mine: Owner | undefined,
  set: FieldSet,
  others: readonly Owner[],
): JsonMap {
  const { manager, otherVersion, type } = scope;
  if (mine === undefined) return merged;
  const own: Space = { type, into: (object) => object, back: (object) => object };
  const spaceOf = (apiVersion: string): Space | undefined => {
    if (otherVersion === undefined || apiVersion === manager.apiVersion) return own;
    const other = otherVersion(apiVersion);
    return other && { type: other.type, into: other.convert, back: other.back };
  };
  const versionOf = (owner: Manager): string => (otherVersion === undefined ? manager.apiVersion : owner.apiVersion);
  const owned = Map.groupBy([...others, { ...manager, time: undefined, set }], versionOf);
  const last = spaceOf(versionOf(mine));
  if (last === undefined) return merged;
  const kept = withParents(setOf(owned.get(versionOf(mine))));
  const dropped = withoutKeyFields(difference(mine.set, kept), kept);
  if (isEmpty(dropped)) return merged;
  let pruned = last.back((remove(last.type, last.into(merged), dropped) ?? {}) as JsonMap);
  owned.delete(versionOf(mine));
  for (const [apiVersion, owners] of owned) {
    const space = spaceOf(apiVersion);
    if (space !== undefined) pruned = putBack(space, merged, pruned, setOf(owners));
  }
  return pruned;
}

const setOf = (owners: readonly Owner[] = []): FieldSet => owners.map((owner) => owner.set).reduce(union, EMPTY);

/** What is owned in another version, where its fields have other names, is not lost. */
function putBack({ type, into, back }: Space, merged: JsonMap, pruned: JsonMap, owned: FieldSet): JsonMap {
  const whole = into(merged);
  const { removed, modified } = compare(type, whole, into(pruned));
  // Changed, not removed: it has got its default.
  if (isEmpty(intersection(union(removed, modified), owned))) return pruned;
  return back((remove(type, whole, difference(removed, withParents(owned))) ?? {}) as JsonMap);
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
