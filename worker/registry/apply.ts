/**
 * PATCH with `application/apply-patch+yaml`: a manager says what it wants of an object, and owns exactly that. How fields
 * merge and who conflicts is `apply/`; here the object is found or made, and the result goes the way of every write.
 * Source: apimachinery, pkg/util/managedfields/internal; https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from '../../shared/api/meta.ts';
import { badRequest, notFound, StatusError } from '../../shared/errors.ts';
import type { ResourceDefinition, SpecPart } from '../resources/definition.ts';
import { allowedByLastApplied, LAST_APPLIED, withLastApplied } from './apply/last-applied.ts';
import { type Applied, apply, trackUpdate } from './apply/managed-fields.ts';
import { blankOf, writeScope } from './apply/tracking.ts';
import type { JsonMap } from './apply/typed.ts';
import { readCurrent } from './commit.ts';
import { create } from './create.ts';
import type { Current } from './current.ts';
import { requireKind, requireName, settleNamespace } from './metadata.ts';
import type { Session } from './session.ts';
import { partRulesOf, type Updated, update } from './update.ts';

export interface ApplyOptions {
  /** Takes fields from whoever owns them. */
  force: boolean;
  subresource?: 'status' | SpecPart | '';
  /** The path in whose name fields are owned, where it is none of these (scale). */
  trackedAs?: 'scale';
}

/** Kubernetes: what was there before anybody applied is this manager's. */
const BEFORE_FIRST_APPLY = 'before-first-apply';
/** The manager in whose name kubectl applies, and for which it moves over from applying on its own side. */
const KUBECTL = 'kubectl';

/**
 * @param config what the manager wants, decoded and checked against the schema; becomes part of the stored object.
 * @throws StatusError 400 for a config of another object, 409 for conflicts, and what any write may say.
 */
export function applyConfiguration(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
  config: JsonMap,
  options: ApplyOptions,
): Updated {
  const { identity } = definition;
  const { subresource = '' } = options;
  const wanted = settledConfig(definition, namespace, name, config, subresource);
  const current = readCurrent(session, definition, namespace, name);
  if (current === undefined) {
    if (subresource !== '') throw notFound(identity, name);
    const blank: JsonMap = { kind: identity.kind, apiVersion: apiVersionOf(identity), metadata: {} };
    const applied = apply(writeScope(session, definition, 'Apply', ''), blank, wanted, [], options.force);
    const written = create(session, definition, namespace, applied.object as unknown as KubeObject, {
      name,
      managedFields: applied.entries,
    });
    return { ...written, created: true };
  }
  const { object, entries } = laidOn(session, definition, current, wanted, options);
  return update(session, definition, namespace, name, object as unknown as KubeObject, {
    subresource,
    managedFields: entries,
    ...(options.trackedAs === undefined ? {} : { trackedAs: options.trackedAs }),
  });
}

const IDENTIFYING = ['name', 'namespace', 'uid', 'resourceVersion'];

/** The config as it is laid on: of the right object, without what its path cannot change. */
function settledConfig(
  definition: ResourceDefinition,
  namespace: string,
  name: string,
  config: JsonMap,
  subresource: string,
): JsonMap {
  const { identity } = definition;
  const metadata = { ...((config.metadata ?? {}) as JsonMap) };
  if (Array.isArray(metadata.managedFields) && metadata.managedFields.length > 0) {
    throw badRequest('metadata.managedFields must be nil');
  }
  if (config.apiVersion !== apiVersionOf(identity)) {
    const [given, expected] = [String(config.apiVersion ?? ''), apiVersionOf(identity)];
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${given}, expected: ${expected}`,
    );
  }
  requireKind(identity, config);
  settleNamespace(identity, metadata, namespace);
  requireName(metadata, name);
  delete metadata.managedFields;
  const wanted: JsonMap = { ...config, metadata };
  const rules = partRulesOf(definition, subresource);
  if (rules !== undefined) {
    wanted.metadata = Object.fromEntries(
      Object.entries(metadata).filter(([key]) => IDENTIFYING.includes(key)),
    ) as JsonMap;
    wanted.spec = rules.pick((config.spec ?? {}) as JsonMap) as JsonMap;
  }
  if (definition.subresources.includes('status')) delete wanted[subresource === 'status' ? 'spec' : 'status'];
  return wanted;
}

function laidOn(
  session: Session,
  definition: ResourceDefinition,
  current: Current,
  wanted: JsonMap,
  options: ApplyOptions,
): Applied {
  const { subresource = '', trackedAs = subresource, force } = options;
  const scope = writeScope(session, definition, 'Apply', trackedAs, current.object);
  const live = JSON.parse(current.text) as JsonMap;
  const entries = knownOwners(session, definition, current);
  const lay = (forced: boolean, config = wanted) => apply(scope, live, config, entries, forced);
  if (session.manager !== KUBECTL) return lay(force);
  const annotations = (live.metadata as JsonMap).annotations as JsonMap | undefined;
  const lastApplied = annotations?.[LAST_APPLIED];
  if (typeof lastApplied !== 'string') return lay(force);
  return withLastApplied(layForKubectl(lay, force, lastApplied, scope.type), wanted);
}

/** What kubectl applied on its own side before is no conflict: it is kubectl that now applies here. */
function layForKubectl(
  lay: (force: boolean) => Applied,
  force: boolean,
  lastApplied: string,
  type: Parameters<typeof allowedByLastApplied>[0],
): Applied {
  try {
    return lay(force);
  } catch (error) {
    if (!(error instanceof StatusError) || !allowedByLastApplied(type, lastApplied, error)) throw error;
    return lay(true);
  }
}

function knownOwners(
  session: Session,
  definition: ResourceDefinition,
  { object }: Current,
): readonly ManagedFieldsEntry[] {
  const entries = object.metadata.managedFields ?? [];
  if (entries.length > 0) return entries;
  const scope = writeScope(session, definition, 'Update', '');
  const manager = { ...scope.manager, name: BEFORE_FIRST_APPLY };
  return trackUpdate({ ...scope, manager }, blankOf(definition), object as unknown as JsonMap, []);
}
