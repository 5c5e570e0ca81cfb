/**
 * PUT, and what a PATCH turns into once it is applied: an object changes, or one of its parts that has a path of its own
 * (status, finalize, resize …). A write that changes nothing keeps its revision and tells nobody.
 */

import type { Namespace, Service } from '../../shared/api/core.ts';
import {
  apiVersionOf,
  type Draft,
  type KubeObject,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type StatusCause,
} from '../../shared/api/meta.ts';
import { conflict, invalid, invalidValue, notFound } from '../../shared/errors.ts';
import type { PartRules, ResourceDefinition, SpecPart } from '../resources/definition.ts';
import { validateMetadata, validateMetadataUpdate } from '../resources/metadata-validation.ts';
import { admit, admitValid } from './admit.ts';
import { trackChange } from './apply/tracking.ts';
import { commit, isOutdated, readCurrent, remove, requireRevision, type Written } from './commit.ts';
import { create } from './create.ts';
import type { Current } from './current.ts';
import { fillIn } from './fill-in.ts';
import { isHeld } from './finalizers.ts';
import { copyJson } from './json.ts';
import { requireName, sameDesiredState, sameObject, settleNamespace } from './metadata.ts';
import { allocateServiceAddresses } from './service-addresses.ts';
import type { Session } from './session.ts';
import type { Write } from './write.ts';

/** A path below the object that takes and returns the object, and writes one part of it. */
export type ObjectPart = 'status' | 'finalize' | 'approval' | SpecPart;

export interface UpdateOptions {
  /** '' is the object itself. */
  subresource?: ObjectPart | '';
  /** The path in whose name fields are written, where it is none of these (scale). */
  trackedAs?: 'scale';
  /** An apply knows already who owns what. */
  managedFields?: ManagedFieldsEntry[];
}

export interface Updated extends Written {
  created: boolean;
}

/** @param incoming becomes the stored object; the caller must not use it afterwards. */
export function update(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
  incoming: Draft<KubeObject>,
  options: UpdateOptions = {},
): Updated {
  const { identity } = definition;
  const metadata = { ...(incoming.metadata ?? {}) };
  settleNamespace(identity, metadata, namespace);
  requireName(metadata, name);
  const current = readCurrent(session, definition, namespace, name);
  if (current === undefined) {
    if (!definition.createOnUpdate || options.subresource || metadata.uid) throw notFound(identity, name);
    delete metadata.resourceVersion;
    const draft = { ...incoming, metadata };
    return { ...create(session, definition, namespace, draft, { name, ...managed(options) }), created: true };
  }
  requirePreconditions(definition, metadata, current);
  const { subresource = '' } = options;
  const rules = partRulesOf(definition, subresource);
  if (rules !== undefined) fillIn(definition, incoming);
  const context = { nowMs: session.transaction.nowMs, random: session.parts.random };
  const composed =
    subresource === 'status' || subresource === 'approval'
      ? definition.composePart?.(subresource, incoming, copyJson(current.object), context)
      : rules?.compose(incoming, copyJson(current.object));
  const draft = composeDraft(composed ?? incoming, metadata, definition, current, subresource);
  return { ...write(session, definition, draft, current, options), created: false };
}

/** Undefined: the path is no part of the spec. */
export const partRulesOf = (
  { specParts }: ResourceDefinition,
  subresource: string,
): PartRules<KubeObject> | undefined =>
  Object.hasOwn(specParts ?? {}, subresource) ? specParts?.[subresource as SpecPart] : undefined;

function requirePreconditions(definition: ResourceDefinition, metadata: Partial<ObjectMeta>, current: Current): void {
  const { identity } = definition;
  const { name, uid } = current.object.metadata;
  if (metadata.uid && metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`;
    throw conflict(identity, name, why);
  }
  if (!metadata.resourceVersion || metadata.resourceVersion === '0') {
    if (definition.unconditionalUpdate) return;
    throw invalid(identity, name, [invalidValue('metadata.resourceVersion', 0, 'must be specified for an update')]);
  }
  requireRevision(definition, metadata.resourceVersion, current);
}

type WithStatus = KubeObject & { status?: unknown };

/** The object as this path may change it: what it may not is taken from what is stored. */
function composeDraft(
  incoming: Draft<KubeObject>,
  metadata: Partial<ObjectMeta>,
  definition: ResourceDefinition,
  current: Current,
  subresource: string,
): KubeObject {
  const stored = copyJson(current.object) as WithStatus;
  const settled = settleMetadata(metadata, stored.metadata);
  const identified = { kind: stored.kind, apiVersion: apiVersionOf(definition.identity) };
  if (subresource === 'status' || subresource === 'approval') {
    const { status } = incoming as WithStatus;
    const { labels } = keepsLabelsFromStatus(definition) ? stored.metadata : settled;
    const ownerReferences = stored.metadata.ownerReferences;
    return { ...stored, status, metadata: { ...settled, labels, ownerReferences } } as WithStatus;
  }
  if (subresource === 'finalize') {
    const { spec } = incoming as Namespace;
    const finalizers = spec?.finalizers;
    return { ...stored, spec: { ...(stored as Namespace).spec, finalizers } } as Namespace;
  }
  if (partRulesOf(definition, subresource) !== undefined) {
    return { ...incoming, ...identified, metadata: partMetadata(settled, stored.metadata) } as WithStatus;
  }
  const draft = { ...incoming, ...identified, metadata: settled } as WithStatus;
  if (definition.subresources.includes('status')) {
    if (stored.status === undefined) delete draft.status;
    else draft.status = stored.status;
  }
  return draft;
}

/** Kubernetes: a kubelet labels its node and its pods through status; for other kinds labels are not status' business. */
const keepsLabelsFromStatus = ({ identity }: ResourceDefinition): boolean =>
  !(identity.group === '' && (identity.kind === 'Pod' || identity.kind === 'Node'));

/** Kubernetes: a part of the spec brings none of these with it. */
function partMetadata(settled: ObjectMeta, stored: ObjectMeta): ObjectMeta {
  const { labels, annotations, finalizers, ownerReferences, deletionTimestamp } = stored;
  return { ...settled, labels, annotations, finalizers, ownerReferences, deletionTimestamp };
}

/** What only the server writes, when the client leaves it out. What it writes differently is refused by validation. */
function settleMetadata(metadata: Partial<ObjectMeta>, stored: ObjectMeta): ObjectMeta {
  const settled = { ...metadata } as ObjectMeta;
  settled.uid = stored.uid;
  settled.creationTimestamp ??= stored.creationTimestamp;
  settled.deletionTimestamp ??= stored.deletionTimestamp;
  settled.deletionGracePeriodSeconds ??= stored.deletionGracePeriodSeconds;
  settled.generation = stored.generation;
  settled.generateName = stored.generateName;
  settled.resourceVersion = stored.resourceVersion;
  return settled;
}

function validatePart(
  definition: ResourceDefinition,
  subresource: string,
  draft: KubeObject,
  stored: KubeObject,
): StatusCause[] {
  if (subresource === 'status' || subresource === 'approval') return definition.validateStatus?.(draft, stored) ?? [];
  const rules = partRulesOf(definition, subresource);
  if (rules === undefined && subresource !== '') return [];
  const causes = definition.validate?.(draft, stored) ?? [];
  return [...causes, ...((rules ?? { validate: definition.validateUpdate }).validate?.(draft, stored) ?? [])];
}

const managed = ({ managedFields }: UpdateOptions) => (managedFields === undefined ? {} : { managedFields });

function write(
  session: Session,
  definition: ResourceDefinition,
  draft: KubeObject,
  current: Current,
  options: UpdateOptions,
): Written {
  const { subresource = '', trackedAs = subresource } = options;
  const { identity } = definition;
  const { name, namespace = '' } = current.object.metadata;
  const stored = current.object;
  if (subresource === '') fillIn(definition, draft);
  if (options.managedFields === undefined) trackChange(session, definition, draft, stored, trackedAs);
  else draft.metadata.managedFields = options.managedFields;
  if (subresource === '') {
    definition.prepareUpdate?.(draft, stored, { nowMs: session.transaction.nowMs, random: session.parts.random });
  }
  const asked: Write = {
    operation: 'UPDATE',
    definition,
    subresource,
    part: trackedAs,
    namespace,
    name,
    draft,
    current: stored,
  };
  admit(session, asked);
  const rules = partRulesOf(definition, subresource);
  // What admission changed beside the part is dropped, as what a client sends beside it is.
  if (rules !== undefined) {
    const metadata = partMetadata(draft.metadata, stored.metadata);
    Object.assign(draft, rules.compose(draft, copyJson(stored)), { metadata });
  }
  const causes = [
    ...validateMetadata(definition, draft.metadata),
    ...validateMetadataUpdate(draft.metadata, stored.metadata),
    ...validatePart(definition, subresource, draft, stored),
  ];
  if (causes.length > 0) throw invalid(identity, name, causes);
  admitValid(session, asked);
  if (subresource === '' && identity.group === '' && identity.kind === 'Service') {
    const refused = allocateServiceAddresses(session, draft as Service, stored as Service);
    if (refused.length > 0) throw invalid(identity, name, refused);
  }
  if (draft.metadata.deletionTimestamp && !isHeld(draft)) return remove(session, definition, draft, current);
  if (definition.generation && !sameDesiredState(draft, stored)) {
    draft.metadata.generation = (stored.metadata.generation ?? 0) + 1;
  }
  if (sameObject(draft, stored) && !isOutdated(definition, current)) return { object: stored, text: current.text };
  return commit(session, definition, draft, current);
}
