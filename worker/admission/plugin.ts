/**
 * One admission plugin: `admit` looks at a write after it was defaulted and before it is validated, and may change the draft;
 * `validate` looks at what will be stored, once it was found valid. Either may refuse by throwing a StatusError. Synchronous:
 * both run inside the transaction. `catalog.ts` lists the plugins in order.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
 */
import type { Identity, KubeObject } from '../../shared/api/meta.ts';
import type { Catalog } from '../resources/catalog.ts';
import type { Conversion, ResourceDefinition, Subresource } from '../resources/definition.ts';
import type { IndexEntry } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import type { Configurations } from './configurations.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** Reads that a plugin may make; nothing here writes. */
export interface AdmissionReader {
  /** The stored object, parsed; undefined when there is none. */
  get(groupResource: string, namespace: string, name: string): KubeObject | undefined;
  /** Parsed, in the order of their names; `having` is answered from the index. */
  list(groupResource: string, query?: { namespace?: string; having?: readonly IndexEntry[] }): KubeObject[];
}

export interface Admission {
  operation: Operation;
  definition: ResourceDefinition;
  /** '' for the object itself. Of what kind `draft` and `current` then are says `shown-kinds.ts`. */
  subresource: Subresource | '';
  /** '' for cluster-scoped objects. */
  namespace: string;
  /** '' while a name is still to be generated. */
  name: string;
  user: UserInfo;
  /** As webhooks and policies see it: of a controller, the account that upstream's has. */
  shownUser: UserInfo;
  /** What the path takes: mostly what will be stored. Undefined for DELETE. Plugins change it in place. */
  draft: KubeObject | undefined;
  /** What is stored, as the path shows it; undefined for CREATE and CONNECT. */
  current: KubeObject | undefined;
  dryRun: boolean;
  /** 0 to 1, as Math.random: a write that runs again for a webhook's answer draws the same. */
  random(): number;
  /** The field manager, or ''. */
  manager: string;
  reader: AdmissionReader;
  catalog: Catalog;
  /** The cluster's policies and webhooks. */
  configurations: Configurations;
  /** An object in another version of its kind, where a webhook converts. @throws StatusError 500 when it cannot be. */
  inVersion(conversion: Conversion, object: KubeObject, version: string): KubeObject;
  /** Becomes a Warning header. */
  warn(text: string): void;
  /** Becomes an annotation of the request's audit event. */
  annotate(key: string, value: string): void;
  /** Writes the status of another object within the same transaction: what a plugin books. */
  saveStatus(identity: Identity, object: KubeObject): void;
}

export interface AdmissionPlugin {
  name: string;
  /** Before validation, and may change the draft. @throws StatusError to refuse the write. */
  admit?(admission: Admission): void;
  /** After validation, in a second round over all plugins; changes nothing of the draft. @throws StatusError */
  validate?(admission: Admission): void;
}

/** Whether a pod's resources change in place: bounds and quotas hold for that too. */
export const isResize = ({ definition: { identity }, subresource, operation }: Admission): boolean =>
  operation === 'UPDATE' && subresource === 'resize' && identity.group === '' && identity.kind === 'Pod';

/** Whether the write is of this kind itself, of the core group unless another is named; none of its subresources. */
export const isOf = ({ definition, subresource }: Admission, kind: string, group = ''): boolean =>
  definition.identity.kind === kind && definition.identity.group === group && subresource === '';
