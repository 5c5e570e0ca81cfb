/** POST: an object comes into being. Decoding and the check against the schema have happened; authorization too. */

import type { Service } from '../../shared/api/core.ts';
import { apiVersionOf, type Draft, type KubeObject, type ManagedFieldsEntry } from '../../shared/api/meta.ts';
import { alreadyExists, invalid, required, StatusError } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { generateName } from '../resources/generated-name.ts';
import { validateMetadata } from '../resources/metadata-validation.ts';
import { admit, admitValid } from './admit.ts';
import { trackCreate } from './apply/tracking.ts';
import { commit, readStored, type Written } from './commit.ts';
import { fillIn } from './fill-in.ts';
import { settleNamespace } from './metadata.ts';
import { allocateServiceAddresses } from './service-addresses.ts';
import type { Session } from './session.ts';

/** Kubernetes: tries for a generated name before the collision is the client's. */
const NAME_TRIES = 8;

export interface CreateOptions {
  /** PUT creates under the URL's name, whatever generateName says. */
  name?: string;
  /** An apply knows already who owns what. */
  managedFields?: ManagedFieldsEntry[];
  /** The status stays as it is given, where it else begins anew. */
  withStatus?: boolean;
}

/** @param incoming becomes the stored object; the caller must not use it afterwards. */
export function create(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  incoming: Draft<KubeObject>,
  options: CreateOptions = {},
): Written {
  const { identity } = definition;
  const draft = startMetadata(session, definition, namespace, incoming);
  if (options.name !== undefined) draft.metadata.name = options.name;
  fillIn(definition, draft);
  if (options.managedFields === undefined) trackCreate(session, definition, draft);
  else draft.metadata.managedFields = options.managedFields;
  admit(session, { operation: 'CREATE', definition, namespace, name: draft.metadata.name ?? '', draft });
  fillIn(definition, draft);
  settleName(session, definition, draft);
  const { status } = draft as KubeObject & { status?: unknown };
  // Only now: a Job's labels carry its name, which may have been generated.
  definition.prepareCreate?.(draft, { nowMs: session.transaction.nowMs, random: session.parts.random });
  if (options.withStatus) Object.assign(draft, { status });
  const causes = [...validateMetadata(definition, draft.metadata), ...(definition.validate?.(draft) ?? [])];
  if (causes.length > 0) throw invalid(identity, draft.metadata.name, causes);
  requireAbsent(session, definition, draft);
  admitValid(session, { operation: 'CREATE', definition, namespace, name: draft.metadata.name, draft });
  if (identity.group === '' && identity.kind === 'Service') {
    const refused = allocateServiceAddresses(session, draft as Service, undefined);
    if (refused.length > 0) throw invalid(identity, draft.metadata.name, refused);
  }
  return commit(session, definition, draft, undefined);
}

function startMetadata(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  incoming: Draft<KubeObject>,
): KubeObject {
  const { identity } = definition;
  const metadata = { ...(incoming.metadata ?? {}) };
  if (metadata.resourceVersion && metadata.resourceVersion !== '0') {
    // Kubernetes: this error of the storage layer has no reason, and so is a 500.
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
  }
  settleNamespace(identity, metadata, namespace);
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.resourceVersion;
  if (definition.generation) metadata.generation = 1;
  else delete metadata.generation;
  metadata.uid = session.parts.newUid();
  metadata.creationTimestamp = formatTime(session.transaction.nowMs);
  return Object.assign(incoming, {
    kind: identity.kind,
    apiVersion: apiVersionOf(identity),
    metadata,
  }) as KubeObject;
}

function settleName(session: Session, definition: ResourceDefinition, draft: KubeObject): void {
  const { metadata } = draft;
  if (metadata.name) return;
  if (!metadata.generateName) {
    throw invalid(definition.identity, '', [required('metadata.name', 'name or generateName is required')]);
  }
  for (let tries = 0; tries < NAME_TRIES; tries++) {
    metadata.name = generateName(metadata.generateName, session.parts.random);
    if (readStored(session, definition, metadata.namespace ?? '', metadata.name) === undefined) return;
  }
  throw alreadyExists(definition.identity, metadata.name);
}

function requireAbsent(session: Session, definition: ResourceDefinition, draft: KubeObject): void {
  const { name, namespace = '' } = draft.metadata;
  const current = readStored(session, definition, namespace, name);
  if (current === undefined) return;
  if (current.object.metadata.deletionTimestamp) {
    const { identity } = definition;
    const error = alreadyExists(identity, name);
    throw new StatusError(
      409,
      'AlreadyExists',
      `object is being deleted: ${error.status.message}`,
      error.status.details,
    );
  }
  throw alreadyExists(definition.identity, name);
}
