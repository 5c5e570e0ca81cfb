/**
 * A CustomResourceDefinition as the values that everything else works with: one ResourceDefinition for its storage version, and
 * one for each other version that is served. Pure, but for what is remembered between calls. How a webhook converts between
 * versions is `conversion.ts`, whether a definition is established `controllers/customresourcedefinitions.ts`.
 */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceColumnDefinition,
  type CustomResourceDefinition,
  type CustomResourceDefinitionVersion,
} from '../../shared/api/apiextensions.ts';
import {
  apiVersionOf,
  groupResourceOf,
  type Identity,
  type KubeObject,
  type StatusCause,
} from '../../shared/api/meta.ts';
import { invalidValue, StatusError } from '../../shared/errors.ts';
import { ageOf } from '../../shared/time.ts';
import { type Catalog, catalogOf } from '../resources/catalog.ts';
import { type CelRules, compileRules, validateRules } from '../resources/cel-rules.ts';
import { AGE, NAME } from '../resources/columns.ts';
import type {
  Column,
  Conversion,
  ConvertedVersion,
  JsonObject,
  ResourceDefinition,
  Subresource,
} from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import { parseJsonPath } from '../resources/json-path.ts';
import type { Schema } from '../resources/schemas.ts';
import { defaultStructural, schemaOfStructural } from '../resources/structural.ts';
import { validateStructural } from '../resources/structural-validation.ts';
import { ALL_VERBS } from '../resources/verbs.ts';
import type { Reader, Transaction } from '../store/store.ts';

const OPEN: StructuralSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const NOT_CHECKED =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

/** Set by what has no rest: an error of these kinds keeps rules from being looked at. */
const BLOCKING = new Set([
  'FieldValueRequired',
  'FieldValueTypeInvalid',
  'FieldValueNotSupported',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueDuplicate',
]);

export const hasCondition = ({ status }: CustomResourceDefinition, type: string): boolean =>
  status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;

const identityOf = ({ spec }: CustomResourceDefinition, version: string): Identity => ({
  group: spec.group,
  version,
  resource: spec.names.plural,
  kind: spec.names.kind,
  namespaced: spec.scope === 'Namespaced',
});

/** Undefined where no version is served. */
export function definitionOf(crd: CustomResourceDefinition): ResourceDefinition | undefined {
  const storage = crd.spec.versions.find((each) => each.storage);
  const served = crd.spec.versions.filter((each) => each.served);
  if (storage === undefined) return undefined;
  if (crd.spec.conversion?.strategy === 'Webhook') return convertedDefinition(crd, storage);
  const own = versionDefinition(crd, storage, storage.name);
  const changed = (crd.metadata.generation ?? 1) > 1;
  const others = served.filter((each) => !each.storage);
  const stored = identityOf(crd, storage.name);
  return {
    ...own,
    ...(served.includes(storage) ? {} : { unserved: true }),
    ...(changed ? { fromStored: reader(own, stored) } : {}),
    alsoServedAs: others.map((version) => {
      const identity = identityOf(crd, version.name);
      const definition = versionDefinition(crd, version, storage.name);
      return {
        identity,
        schema: '',
        definition,
        fromStored: reader(definition, identity),
        toStored: (object: JsonObject) => ({ ...object, apiVersion: apiVersionOf(stored) }) as unknown as KubeObject,
      };
    }),
  };
}

/** Conversion by a webhook: each version is a definition of its own, and no object is taken for one of another version. */
function convertedDefinition(
  crd: CustomResourceDefinition,
  storage: CustomResourceDefinitionVersion,
): ResourceDefinition {
  const { metadata, spec } = crd;
  const { clientConfig = {}, conversionReviewVersions = [] } = spec.conversion?.webhook ?? {};
  const changed = (metadata.generation ?? 1) > 1;
  const versions = spec.versions.map((version): [string, ConvertedVersion] => {
    const definition = versionDefinition(crd, version, version.name);
    return [
      version.name,
      { definition, served: version.served, read: reader(definition, definition.identity), changed },
    ];
  });
  const conversion: Conversion = {
    key: `${metadata.uid}/${metadata.generation}`,
    clientConfig,
    reviewVersions: conversionReviewVersions,
    storage: storage.name,
    versions: new Map(versions),
  };
  return { ...versionDefinition(crd, storage, storage.name), conversion };
}

/** Conversion `None`: only apiVersion differs; what the version's schema does not know is not shown. */
function reader(definition: ResourceDefinition, identity: Identity): (object: unknown) => JsonObject {
  let schema: Schema | undefined;
  const { structural = OPEN } = definition;
  return (object) => {
    schema ??= schemaOfStructural(structural, { apiVersion: apiVersionOf(identity), kind: identity.kind });
    const shown = { ...structuredClone(object as JsonObject), apiVersion: apiVersionOf(identity) };
    checkFields(schema, shown);
    defaultStructural(structural, shown);
    return shown;
  };
}

/** One version's definition; its identity is the stored one, for the pipeline writes that. */
function versionDefinition(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storage: string,
): ResourceDefinition {
  const { names } = crd.spec;
  const identity = identityOf(crd, storage);
  const structural = (version.schema?.openAPIV3Schema ?? OPEN) as StructuralSchema;
  const { scale, status } = version.subresources ?? {};
  const subresources: Subresource[] = [...(status ? ['status' as const] : []), ...(scale ? ['scale' as const] : [])];
  const check = checker(structural);
  const terminating = crd.metadata.deletionTimestamp !== undefined;
  return {
    identity,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    ...(names.shortNames ? { shortNames: names.shortNames } : {}),
    ...(names.categories ? { categories: names.categories } : {}),
    verbs: ALL_VERBS,
    subresources,
    schema: '',
    structural,
    generation: true,
    unconditionalUpdate: false,
    default: (draft) => defaultStructural(structural, draft),
    prepareCreate(draft) {
      if (terminating) {
        const why = 'create not allowed while custom resource definition is terminating';
        throw new StatusError(405, 'MethodNotAllowed', why, { group: identity.group, kind: identity.resource });
      }
      if (status) delete (draft as { status?: unknown }).status;
    },
    validate: check,
    validateStatus: check,
    ...(version.deprecated ? { deprecation: deprecationOf(crd, version) } : {}),
    ...selectable(crd),
    columns: columnsOf(version.additionalPrinterColumns),
    ...(scale ? { scale: scaleRules(scale) } : {}),
  };
}

const deprecationOf = (
  { spec }: CustomResourceDefinition,
  { name, deprecationWarning }: CustomResourceDefinitionVersion,
) => deprecationWarning ?? `${spec.group}/${name} ${spec.names.kind} is deprecated`;

function checker(structural: StructuralSchema): (draft: unknown, current?: unknown) => StatusCause[] {
  let rules: CelRules | undefined;
  // The pipeline looks after metadata; apiVersion and kind it sets itself.
  const bare = (object: unknown) => {
    const { metadata: _, ...rest } = object as KubeObject;
    return rest;
  };
  const { properties: { metadata, ...properties } = {}, required, ...rest } = structural;
  const own: StructuralSchema = {
    ...rest,
    type: 'object',
    properties: metadata === undefined ? properties : { ...properties },
    ...(required ? { required: required.filter((each) => each !== 'metadata') } : {}),
  };
  const named = metadata?.properties === undefined ? undefined : metadata;
  return (draft, current) => {
    const causes = validateStructural(own, bare(draft), '', current === undefined ? undefined : bare(current));
    if (named !== undefined) {
      const before = current === undefined ? undefined : (current as KubeObject).metadata;
      causes.push(...validateStructural(named, (draft as KubeObject).metadata, 'metadata', before));
    }
    if (causes.some((each) => BLOCKING.has(each.reason ?? ''))) {
      rules ??= compileRules(structural);
      return rules.leading.size === 0 ? causes : [...causes, { ...invalidValue('<nil>', 'null', NOT_CHECKED) }];
    }
    rules ??= compileRules(structural);
    return [...causes, ...validateRules(rules, draft, current)];
  };
}

const plainPath = (path: string): string[] => path.split('.').filter((each) => each !== '');

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined,
    object,
  );
}

/** Of all versions: an object is found by them whichever version wrote it. */
export const selectablePaths = ({ spec }: CustomResourceDefinition): string[] => [
  ...new Set(spec.versions.flatMap((each) => (each.selectableFields ?? []).map(({ jsonPath }) => jsonPath))),
];

function selectable(crd: CustomResourceDefinition): Pick<ResourceDefinition, 'fields'> {
  const paths = selectablePaths(crd).map((jsonPath) => ({ name: jsonPath.slice(1), path: plainPath(jsonPath) }));
  if (paths.length === 0) return {};
  return {
    fields: (object) =>
      Object.fromEntries(
        paths.map(({ name, path }) => {
          const value = valueAt(object, path);
          return [name, value === undefined || value === null ? '' : String(value)];
        }),
      ),
  };
}

function scaleRules(
  scale: NonNullable<NonNullable<CustomResourceDefinitionVersion['subresources']>['scale']>,
): NonNullable<ResourceDefinition['scale']> {
  const selector = plainPath(scale.labelSelectorPath ?? '');
  return {
    specReplicas: scale.specReplicasPath,
    statusReplicas: scale.statusReplicasPath,
    selector: (object) => (selector.length === 0 ? '' : String(valueAt(object, selector) ?? '')),
  };
}

// ---- Columns --------------------------------------------------------------------------------------------------------

/** Kubernetes: without columns of its own a custom resource shows its age. */
function columnsOf(columns: readonly CustomResourceColumnDefinition[] | undefined): Column[] {
  if (!columns?.length) return [NAME, AGE];
  return [NAME, ...columns.map(columnOf)];
}

function columnOf({ name, type, format, description, priority, jsonPath }: CustomResourceColumnDefinition): Column {
  const path = parseJsonPath(jsonPath);
  return {
    name,
    type: type as Column['type'],
    format: (format ?? '') as NonNullable<Column['format']>,
    description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority: (priority ?? 0) as Column['priority'],
    value: (object, nowMs) => cellOf(path.find(object), type, nowMs),
  };
}

/** As upstream: several values of a column of text are joined, of others the first counts; what does not fit is empty. */
function cellOf(values: readonly unknown[], type: string, nowMs: number): string | number | boolean | null {
  const value = values[0];
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      return Number.isNaN(ms) ? '<invalid>' : ageOf(String(value), nowMs);
    }
    default:
      return values.map(cellText).join(',');
  }
}

const cellText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

// ---- The catalog ------------------------------------------------------------------------------------------------------

const CRDS = groupResourceOf(CUSTOM_RESOURCE_DEFINITIONS);

export interface CustomCatalog {
  /** Built-in and custom resources as of now, the open transaction's changes included. The same value until a CRD changes. */
  catalog(): Catalog;
  /** A CRD was written: look again at the next call. */
  changed(transaction: Pick<Transaction, 'afterCommit'>): void;
  /** A transaction did not stay: what was seen of a CRD inside it is no longer so. */
  rolledBack(): void;
}

/** @param builtIn comes first, and wins where a name is taken twice. */
export function createCustomCatalog(store: Pick<Reader, 'list'>, builtIn: Catalog): CustomCatalog {
  let known = new Map<string, { text: string; definition: ResourceDefinition | undefined }>();
  let current: Catalog | undefined;
  let stale = true;
  let uncommitted = false;
  return {
    changed(transaction) {
      stale = true;
      uncommitted = true;
      transaction.afterCommit(() => {
        uncommitted = false;
      });
    },
    rolledBack() {
      stale ||= uncommitted;
    },
    catalog() {
      if (!stale && current !== undefined) return current;
      stale = false;
      const found = new Map<string, { text: string; definition: ResourceDefinition | undefined }>();
      for (const { name, text } of store.list({ resource: CRDS }).items) {
        const before = known.get(name);
        found.set(name, before?.text === text ? before : { text, definition: establishedOf(text) });
      }
      const same = found.size === known.size && [...found].every(([name, each]) => known.get(name) === each);
      known = found;
      if (same && current !== undefined) return current;
      const custom = [...found.values()].map((each) => each.definition).filter((each) => each !== undefined);
      current = custom.length === 0 ? builtIn : catalogOf(builtIn.definitions, custom);
      return current;
    },
  };
}

function establishedOf(text: string): ResourceDefinition | undefined {
  const crd = JSON.parse(text) as CustomResourceDefinition;
  return hasCondition(crd, 'Established') ? definitionOf(crd) : undefined;
}
