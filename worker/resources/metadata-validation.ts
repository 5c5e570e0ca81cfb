/**
 * Rules for ObjectMeta, the same for every kind; the pipeline calls them around a definition's own rules.
 * Source: apimachinery, pkg/api/validation/objectmeta.go.
 */
import type { LabelSelector, ObjectMeta, OwnerReference, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, required, tooLongValue } from '../../shared/errors.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel, checkDNSSubdomain, checkLabelValue, checkQualifiedName } from './names.ts';

const MAX_ANNOTATION_BYTES = 256 * 1024;
const IMMUTABLE = 'field is immutable';
/** Events may not own anything: they go before what they are about. */
const BANNED_OWNERS = new Set(['v1 Event']);

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

export function validateLabels(labels: Record<string, string> | undefined, path: string): StatusCause[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...checkQualifiedName(key).map((message) => invalidValue(path, key, message)),
    ...checkLabelValue(value).map((message) => invalidValue(path, value, message)),
  ]);
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: string): StatusCause[] {
  const entries = Object.entries(annotations ?? {});
  const causes = entries.flatMap(([key]) =>
    checkQualifiedName(key.toLowerCase()).map((message) => invalidValue(path, key, message)),
  );
  const size = entries.reduce((sum, [key, value]) => sum + bytesOf(key) + bytesOf(value), 0);
  if (size > MAX_ANNOTATION_BYTES) causes.push(tooLongValue(path, MAX_ANNOTATION_BYTES));
  return causes;
}

function validateOwner(owner: OwnerReference, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const apiVersion = owner.apiVersion ?? '';
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  if (version === '') causes.push(invalidValue(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
  for (const name of ['kind', 'name', 'uid'] as const) {
    if (!owner[name]) causes.push(invalidValue(`${path}.${name}`, '', `${name} must not be empty`));
  }
  if (BANNED_OWNERS.has(`${apiVersion} ${owner.kind}`)) {
    causes.push(invalidValue(path, owner, `/${apiVersion}, Kind=${owner.kind} is disallowed from being an owner`));
  }
  return causes;
}

function validateOwners(owners: readonly OwnerReference[] | undefined, path: string): StatusCause[] {
  const causes = (owners ?? []).flatMap((owner) => validateOwner(owner, path));
  const controllers = (owners ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    const [first, second] = controllers.map((owner) => owner.name);
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`;
    causes.push(invalidValue(path, owners, why));
  }
  return causes;
}

function validateFinalizers(finalizers: readonly string[] | undefined, path: string): StatusCause[] {
  const causes = (finalizers ?? []).flatMap((finalizer) =>
    checkQualifiedName(finalizer).map((message) => invalidValue(path, finalizer, message)),
  );
  if (finalizers?.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    causes.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return causes;
}

/** A generateName that ends in a dash is sound when a name made from it would be. */
const maskTrailingDash = (name: string): string =>
  name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;

/** On create and update. The namespace and the generated name are already in place. */
export function validateMetadata(
  resource: Pick<ResourceDefinition, 'identity' | 'validateName'>,
  metadata: Partial<ObjectMeta>,
  path = 'metadata',
): StatusCause[] {
  const checkName = (name: string): string[] => resource.validateName?.(name) ?? checkDNSSubdomain(name);
  const causes: StatusCause[] = [];
  if (metadata.generateName) {
    for (const message of checkName(maskTrailingDash(metadata.generateName))) {
      causes.push(invalidValue(`${path}.generateName`, metadata.generateName, message));
    }
  }
  if (!metadata.name) causes.push(required(`${path}.name`, 'name or generateName is required'));
  else
    for (const message of checkName(metadata.name)) causes.push(invalidValue(`${path}.name`, metadata.name, message));
  if (resource.identity.namespaced) {
    if (!metadata.namespace) causes.push(required(`${path}.namespace`));
    else {
      for (const message of checkDNSLabel(metadata.namespace)) {
        causes.push(invalidValue(`${path}.namespace`, metadata.namespace, message));
      }
    }
  } else if (metadata.namespace) causes.push(forbiddenField(`${path}.namespace`, 'not allowed on this type'));
  if ((metadata.generation ?? 0) < 0) {
    causes.push(invalidValue(`${path}.generation`, metadata.generation, 'must be greater than or equal to 0'));
  }
  causes.push(...validateLabels(metadata.labels, `${path}.labels`));
  causes.push(...validateAnnotations(metadata.annotations, `${path}.annotations`));
  causes.push(...validateOwners(metadata.ownerReferences, `${path}.ownerReferences`));
  causes.push(...validateFinalizers(metadata.finalizers, `${path}.finalizers`));
  return causes;
}

/** The difference between an object's metadata and what it is to become. */
export function validateMetadataUpdate(
  draft: Partial<ObjectMeta>,
  current: ObjectMeta,
  path = 'metadata',
): StatusCause[] {
  const causes: StatusCause[] = [];
  if (current.deletionTimestamp) {
    const added = (draft.finalizers ?? []).filter((each) => !current.finalizers?.includes(each)).sort();
    if (added.length > 0) {
      const listed = `[]string{${added.map((each) => JSON.stringify(each)).join(', ')}}`;
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${listed}`;
      causes.push(forbiddenField(`${path}.finalizers`, why));
    }
  }
  if ((draft.generation ?? 0) < (current.generation ?? 0)) {
    causes.push(invalidValue(`${path}.generation`, draft.generation ?? 0, 'must not be decremented'));
  }
  const fixed = [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const;
  for (const name of fixed) {
    if (draft[name] !== current[name]) causes.push(invalidValue(`${path}.${name}`, draft[name] ?? null, IMMUTABLE));
  }
  return causes;
}

/** A LabelSelector in a spec. `invalidLabelValuesAllowed` is upstream's leniency for objects that were stored with them. */
export function validateLabelSelector(selector: LabelSelector | undefined, path: string): StatusCause[] {
  const causes = validateLabels(selector?.matchLabels, `${path}.matchLabels`);
  for (const [index, each] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    if (each.operator === 'In' || each.operator === 'NotIn') {
      if (!each.values?.length)
        causes.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (each.operator === 'Exists' || each.operator === 'DoesNotExist') {
      if (each.values?.length) {
        causes.push(
          forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
      }
    } else causes.push(invalidValue(`${at}.operator`, each.operator ?? '', 'not a valid selector operator'));
    for (const message of checkQualifiedName(each.key ?? ''))
      causes.push(invalidValue(`${at}.key`, each.key ?? '', message));
    for (const [position, value] of (each.values ?? []).entries()) {
      for (const message of checkLabelValue(value))
        causes.push(invalidValue(`${at}.values[${position}]`, value, message));
    }
  }
  return causes;
}
