/**
 * The machinery every Kubernetes object shares: metadata, identity, lists, selectors, conditions, Status.
 * Types of one API group live in the file named after the group; behaviour lives in `worker/resources`.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/
 */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: 'FieldsV1';
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  /** RFC 3339, whole seconds, UTC. */
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** What every stored object has. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** An object before the server has filled in its metadata: only what its author wrote. */
export type Draft<T extends KubeObject> = Omit<T, 'metadata'> & { metadata: Partial<ObjectMeta> };

/**
 * What names a resource in a URL and in a manifest. `type` is never set: it carries the object's TypeScript type,
 * so that `objects.get(PODS, …)` returns a Pod.
 */
export interface Identity<T extends KubeObject = KubeObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case, as in the URL. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly type?: T;
}

/** `v1` for the core group, `apps/v1` otherwise. */
export function apiVersionOf(identity: Pick<Identity, 'group' | 'version'>): string {
  return identity.group === '' ? identity.version : `${identity.group}/${identity.version}`;
}

/** `pods`, `deployments.apps`: how the store and error texts name a resource, whatever its version. */
export function groupResourceOf(identity: Pick<Identity, 'group' | 'resource'>): string {
  return identity.group === '' ? identity.resource : `${identity.resource}.${identity.group}`;
}

export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

export interface KubeList<T> {
  apiVersion: string;
  kind: string;
  metadata: ListMeta;
  items: T[];
}

export interface LabelSelectorRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: LabelSelectorRequirement[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  observedGeneration?: number;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** The answer to a failed call, and to a delete. */
export interface Status {
  apiVersion: 'v1';
  kind: 'Status';
  metadata: ListMeta;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  code?: number;
}

export interface DeleteOptions {
  apiVersion?: string;
  kind?: string;
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
  orphanDependents?: boolean;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  dryRun?: string[];
}

export type IntOrString = number | string;
