/**
 * What every write leaves in `metadata.managedFields`: who wrote, through which path, and so which fields are whose. The
 * rules are `managed-fields.ts`; here the session and the definition become what those rules ask for.
 * Source: apimachinery, pkg/util/managedfields/internal
 */
import { apiVersionOf, type Draft, type KubeObject, type ManagedFieldsEntry } from '../../../shared/api/meta.ts';
import { formatTime } from '../../../shared/time.ts';
import { schemaOf } from '../../resources/catalog.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { Schema } from '../../resources/schemas.ts';
import { inVersion, versionOf } from '../conversion.ts';
import { setKey } from '../json.ts';
import type { Session } from '../session.ts';
import { areFields } from './field-set.ts';
import { type Manager, type OtherVersion, trackUpdate, type WriteScope } from './managed-fields.ts';
import { typeOfSchema } from './schema-types.ts';
import type { JsonMap } from './typed.ts';

type Entries = readonly ManagedFieldsEntry[];

const schemas = new WeakMap<ResourceDefinition, Schema>();

/** The schema of the stored form, made once a definition. */
export function storedSchema(definition: ResourceDefinition): Schema {
  let schema = schemas.get(definition);
  if (schema === undefined) {
    schema = schemaOf(definition);
    schemas.set(definition, schema);
  }
  return schema;
}

export function writeScope(
  session: Session,
  definition: ResourceDefinition,
  operation: Manager['operation'],
  subresource: string,
  live?: KubeObject,
): WriteScope {
  return {
    type: typeOfSchema(storedSchema(definition)),
    manager: { name: session.manager, operation, apiVersion: apiVersionOf(definition.identity), subresource },
    now: formatTime(session.transaction.nowMs),
    ...(definition.conversion === undefined || live === undefined
      ? {}
      : { otherVersion: (apiVersion) => otherVersion(session, definition, live, apiVersion) }),
  };
}

/** Owners of another version own fields of that version: to see what a write does to them, the object is converted. */
function otherVersion(
  session: Session,
  { conversion, identity }: ResourceDefinition,
  live: KubeObject,
  apiVersion: string,
): OtherVersion | undefined {
  const version = versionOf({ apiVersion });
  const known = conversion?.versions.get(version);
  if (conversion === undefined || known === undefined) return undefined;
  const into = (to: string) => (object: JsonMap) =>
    inVersion(session, conversion, object as unknown as KubeObject, to) as unknown as JsonMap;
  return {
    type: typeOfSchema(storedSchema(known.definition)),
    before: into(version)(live as unknown as JsonMap),
    convert: into(version),
    back: into(identity.version),
  };
}

/** POST: the writer owns what it wrote and what was filled in for it. */
export function trackCreate(session: Session, definition: ResourceDefinition, draft: Draft<KubeObject>): void {
  const given = draft.metadata.managedFields ?? [];
  const entries = isReset(given) || !areReadable(given) ? [] : given;
  const scope = writeScope(session, definition, 'Update', '');
  const object = { ...draft } as unknown as JsonMap;
  // Kubernetes: what this path resets is nobody's.
  if (definition.subresources.includes('status')) delete object.status;
  draft.metadata.managedFields = trackUpdate(scope, blankOf(definition), object, entries);
}

/** Structs that Go writes even when nothing is in them, though the schema does not require them. */
const ALWAYS_WRITTEN = new Set(['metadata', 'spec', 'status', 'template', 'jobTemplate', 'strategy', 'updateStrategy']);

const blanks = new WeakMap<Schema, JsonMap>();

/**
 * An object of the kind before anybody wrote into it. Kubernetes: it is Go's empty one, so that a struct is not owned by
 * whoever first sets a field in it.
 */
export function blankOf(definition: ResourceDefinition): JsonMap {
  const schema = storedSchema(definition);
  let blank = blanks.get(schema);
  if (blank === undefined) {
    blank = blankStruct(schema);
    blanks.set(schema, blank);
  }
  return blank;
}

function blankStruct(schema: Schema): JsonMap {
  const blank: JsonMap = {};
  for (const { name, schema: field, required } of schema.fields?.values() ?? []) {
    if (field.type === 'object' && (required || ALWAYS_WRITTEN.has(name))) blank[name] = blankStruct(field);
    else if (field.type === 'list' && required) blank[name] = [];
  }
  return blank;
}

/**
 * PUT and PATCH: `draft` is what the writer wants, before the server adds anything of its own.
 * Kubernetes: an object that nobody tracks (its entries were reset) stays so until the first apply.
 */
export function trackChange(
  session: Session,
  definition: ResourceDefinition,
  draft: KubeObject,
  stored: KubeObject,
  subresource: string,
): void {
  const { metadata } = draft;
  const live = stored.metadata.managedFields ?? [];
  const given = subresource === '' ? metadata.managedFields : undefined;
  if (given !== undefined && isReset(given)) {
    metadata.managedFields = [];
    return;
  }
  const entries = given !== undefined && areReadable(given) ? given : live;
  metadata.managedFields =
    entries.length === 0
      ? []
      : trackUpdate(
          writeScope(session, definition, 'Update', subresource, stored),
          { status: {}, ...(stored as unknown as JsonMap) },
          { status: {}, ...(draft as unknown as JsonMap) },
          entries,
        );
}

/** The same where only the status may have changed: nothing else is looked at, nor what of it is the very same. */
export function trackStatus(
  session: Session,
  definition: ResourceDefinition,
  draft: KubeObject & { status?: unknown },
  stored: KubeObject & { status?: unknown },
): void {
  const entries = stored.metadata.managedFields ?? [];
  const [before, after] = differing((stored.status ?? {}) as JsonMap, (draft.status ?? {}) as JsonMap);
  draft.metadata.managedFields =
    entries.length === 0
      ? []
      : trackUpdate(
          writeScope(session, definition, 'Update', 'status', stored),
          { status: before },
          { status: after },
          entries,
        );
}

/** Both without the members that they share. */
function differing(a: JsonMap, b: JsonMap): [JsonMap, JsonMap] {
  const without = (map: JsonMap, other: JsonMap): JsonMap => {
    const rest: JsonMap = {};
    for (const key of Object.keys(map)) {
      const value = map[key] as JsonMap[string];
      if (!Object.hasOwn(other, key) || other[key] !== value) setKey(rest, key, value);
    }
    return rest;
  };
  return [without(a, b), without(b, a)];
}

/** Kubernetes: entries of which one cannot be read count as if none had been sent. */
const areReadable = (entries: Entries): boolean => entries.every((entry) => areFields(entry.fieldsV1 ?? {}));

/** Kubernetes: `managedFields: []` and `[{}]` mean "forget who owns what"; null and nothing mean "as it was". */
const isReset = (entries: Entries): boolean => entries.every((entry) => Object.keys(entry).length === 0);
