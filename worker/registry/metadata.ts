/**
 * Metadata that the server owns: uid, creation time, generation, and the order of an object's keys as
 * clients see them. Rules about metadata that a client writes are `resources/metadata-validation.ts`.
 */
import {
  apiVersionOf,
  type Identity,
  type KubeObject,
  type ManagedFieldsEntry,
  type ObjectMeta,
} from '../../shared/api/meta.ts';
import { badRequest } from '../../shared/errors.ts';
import { equalJson, type JsonMap } from './json.ts';

const META_ORDER: readonly (keyof ObjectMeta)[] = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value as object).length === 0);

function orderedMetadata(metadata: Partial<ObjectMeta>, resourceVersion: string | undefined): JsonMap {
  const ordered: JsonMap = {};
  for (const key of META_ORDER) {
    const value = key === 'resourceVersion' ? resourceVersion : metadata[key];
    // An empty map or list is the same as none, as upstream's omitempty writes it.
    if (!isEmpty(value) || value === 0) ordered[key] = value;
  }
  return ordered;
}

/** The text that clients receive: kind, apiVersion, metadata, then the rest with spec before status. */
export function serialise(object: KubeObject, resourceVersion: string | undefined): string {
  const { kind, apiVersion, metadata, ...rest } = object;
  const ordered: JsonMap = { kind, apiVersion, metadata: orderedMetadata(metadata, resourceVersion) };
  const { spec, status, ...others } = rest as JsonMap;
  if (spec !== undefined) ordered.spec = spec;
  for (const key of Object.keys(others)) {
    Object.defineProperty(ordered, key, { value: others[key], writable: true, enumerable: true, configurable: true });
  }
  if (status !== undefined) ordered.status = status;
  return JSON.stringify(ordered);
}

/** Everything but metadata and status: what a generation counts. */
function desiredState(object: KubeObject): JsonMap {
  const { metadata: _, status: __, ...rest } = object as KubeObject & { status?: unknown };
  return rest;
}

export const sameDesiredState = (a: KubeObject, b: KubeObject): boolean => equalJson(desiredState(a), desiredState(b));

/** Equal but for the resourceVersion, and for when managers wrote what they own anyway: writing it would change nothing. */
export function sameObject(a: KubeObject, b: KubeObject): boolean {
  const bare = (object: KubeObject) => {
    const metadata = orderedMetadata({ ...object.metadata, managedFields: [] }, undefined);
    return { ...object, metadata };
  };
  return equalJson(bare(a), bare(b)) && sameEntries(a.metadata.managedFields ?? [], b.metadata.managedFields ?? []);
}

function sameEntries(a: readonly ManagedFieldsEntry[], b: readonly ManagedFieldsEntry[]): boolean {
  const timeless = (entry: ManagedFieldsEntry | undefined) => ({ ...entry, time: undefined });
  return (
    a.length === b.length &&
    a.every((entry, index) => entry === b[index] || equalJson(timeless(entry), timeless(b[index])))
  );
}

/** @throws StatusError 400 when the body is of another kind than the URL's. */
export function requireKind(identity: Identity, object: JsonMap): void {
  const apiVersion = apiVersionOf(identity);
  const saysVersion = object.apiVersion ?? apiVersion;
  const saysKind = object.kind ?? identity.kind;
  if (saysVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${String(saysVersion)}) does not match the expected API version (${apiVersion})`,
    );
  }
  if (saysKind !== identity.kind) {
    throw badRequest(
      `${String(saysKind)} in version ${JSON.stringify(identity.version)} cannot be handled as a ${identity.kind}: converting (${String(saysKind)}) to (${identity.kind}): unknown conversion`,
    );
  }
}

/** @throws StatusError 400 when the body names another namespace than the URL. Fills it in when it names none. */
export function settleNamespace(identity: Identity, metadata: Partial<ObjectMeta>, namespace: string): void {
  if (!identity.namespaced) {
    if (!metadata.namespace) delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  metadata.namespace = namespace;
}

/** @throws StatusError 400 when the body names another object than the URL. */
export function requireName(metadata: Partial<ObjectMeta>, name: string): void {
  if (metadata.name && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  metadata.name = name;
}
