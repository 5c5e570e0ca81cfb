/**
 * A kind is a value: one ResourceDefinition drives REST, discovery, OpenAPI, defaulting, validation, status splitting,
 * selectors and the kubectl table. Built-in kinds are the files of this room; a CRD becomes the same value at run time.
 */
import type { WebhookClientConfig } from '../../shared/api/admissionregistration.ts';
import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import type { Draft, Identity, KubeObject, StatusCause } from '../../shared/api/meta.ts';
import type { IndexEntry } from '../store/store.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
export type Subresource =
  | 'status'
  | 'scale'
  | 'binding'
  | 'eviction'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward'
  | 'proxy'
  | 'token'
  | 'ephemeralcontainers'
  | 'resize'
  | 'finalize'
  | 'approval';

/** A value from the outside: shaped by the schema, typed only after that. */
export type JsonObject = { [key: string]: unknown };

export interface Column<T extends KubeObject = KubeObject> {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** 'name' for the name column, as upstream. */
  format?: '' | 'name' | 'date-time';
  description: string;
  /** 0 is always shown; 1 only with -o wide. */
  priority: 0 | 1;
  value(object: T, nowMs: number): string | number | boolean | null;
}

export type SpecPart = 'ephemeralcontainers' | 'resize';

export interface PartRules<T extends KubeObject> {
  /** What an apply to this path may own of a config's spec. */
  pick(spec: JsonObject): JsonObject;
  /** What is stored, with this part of `incoming`; metadata is the pipeline's. */
  compose(incoming: Draft<T>, stored: T): T;
  /** Rules about the difference; the definition's `validate` has already run on the draft. */
  validate(draft: T, current: T): StatusCause[];
}

/** What write-time rules may know besides the object. */
export interface WriteContext {
  nowMs: number;
  random(): number;
}

/** How the versions of a custom resource turn into each other where only a webhook knows. */
export interface Conversion {
  /** Changes whenever its definition does. */
  key: string;
  clientConfig: WebhookClientConfig;
  /** Of ConversionReview, in the order of preference. */
  reviewVersions: readonly string[];
  /** The version that is written. */
  storage: string;
  /** Every version there may be objects of, whether it is served or not. */
  versions: ReadonlyMap<string, ConvertedVersion>;
}

export interface ConvertedVersion {
  /** For objects that are stored in this version: it converts nothing. */
  definition: ResourceDefinition;
  served: boolean;
  /** A copy of what came from elsewhere as this version's schema has it: pruned, defaulted. */
  read(object: unknown): JsonObject;
  /** The schema may have been another one when an object was stored in this version. */
  changed: boolean;
}

export interface ResourceDefinition<T extends KubeObject = KubeObject> {
  identity: Identity<T>;
  singular: string;
  listKind: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  verbs: readonly Verb[];
  subresources: readonly Subresource[];
  /** Definition name in the generated schemas, e.g. `io.k8s.api.core.v1.Pod`; '' where `structural` is the schema. */
  schema: string;
  /** Custom resources, and our own group: a structural schema in place of a generated one. */
  structural?: StructuralSchema;
  /** Never stored: POST is a question, and the answer is computed (TokenReview, SubjectAccessReview …). */
  virtual?: boolean;
  /** Other group versions that serve the same stored objects (`events.k8s.io/v1` for events). */
  alsoServedAs?: readonly {
    identity: Identity;
    schema: string;
    fromStored(object: T): JsonObject;
    toStored(object: JsonObject): Draft<T>;
    /** Custom resources: a version has a schema, rules, columns and subresources of its own. */
    definition?: ResourceDefinition<T>;
  }[];
  /**
   * Custom resources whose versions a webhook converts, in place of `alsoServedAs`. The pipeline then works in this definition's own version, as its
   * identity says: what is read from the store is converted into it, what is written out of it (`registry/conversion.ts`).
   */
  conversion?: Conversion;
  /** Custom resources: the version that is stored in is not served itself. */
  unserved?: boolean;
  /** Custom resources: makes what was stored under an older schema what this one says (pruned, defaulted). */
  fromStored?(object: T): JsonObject;

  /** Told as a Warning with every answer of a version that is on its way out. */
  deprecation?: string;
  /** Fills in what the author left out. Idempotent. */
  default?(draft: Draft<T>): void;
  /** On create, after defaulting: sets what only the server may (initial status, generation-bearing fields). */
  prepareCreate?(draft: Draft<T>, context: WriteContext): void;
  /** On update of the main resource: carries over what this path may not change. Status is handled by the pipeline. */
  prepareUpdate?(draft: T, current: T, context: WriteContext): void;
  /** @param current what is stored, on update: custom resources let be what was wrong before. */
  validate?(draft: Draft<T>, current?: T): StatusCause[];
  /** Rules about the difference: immutable fields. `validate` has already run on the draft. */
  validateUpdate?(draft: T, current: T): StatusCause[];
  validateStatus?(draft: T, current: T): StatusCause[];
  /**
   * What a PUT to a path below the object makes of what is stored, where the pipeline does not know; undefined: it does.
   * Its rules are `validateStatus`.
   */
  composePart?(part: 'status' | 'approval', incoming: Draft<T>, stored: T, context: WriteContext): T | undefined;
  /** Paths below the object that write one part of its spec, and take and return the whole object. */
  specParts?: Partial<Record<SpecPart, PartRules<T>>>;
  /** Name rule; default is a DNS-1123 subdomain. */
  validateName?(name: string): string[];
  /** Whether spec has a generation: metadata.generation grows when anything but metadata and status changed. */
  generation: boolean;
  /** PUT to a name that does not exist creates (upstream: leases, endpoints, events …). */
  createOnUpdate?: boolean;
  /** PUT without resourceVersion is allowed (upstream: nearly all built-in kinds but custom resources). */
  unconditionalUpdate: boolean;
  /** Seconds until a deleted object may go; undefined: at once. Pods: their terminationGracePeriodSeconds, 0 if unassigned. */
  gracePeriodSeconds?(object: T): number | undefined;
  /** What a DELETE puts on an object first, so that it stays until its controller has cleaned up. */
  finalizersOnDelete?: readonly string[];
  /** Propagation when the client names none. */
  defaultPropagation?: 'Background' | 'Orphan';

  /** Selectable fields besides metadata.name and metadata.namespace: path → value ('' when unset). */
  fields?(object: T): Record<string, string>;
  /** Index entries besides labels, fields and owners (which the pipeline adds). The status has no part in them. */
  entries?(object: T): IndexEntry[];
  columns: readonly Column<T>[];
  /** Where /scale reads and writes. */
  scale?: { specReplicas: string; statusReplicas: string; selector(object: T): string };
}
