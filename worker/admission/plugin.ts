/**
 * One admission plugin: looks at a write after it was defaulted and before it is validated, may change the draft, and may
 * refuse it by throwing a StatusError. Synchronous: it runs inside the transaction. `catalog.ts` lists the plugins in order.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { UserInfo } from '../env.ts';
import type { ResourceDefinition, Subresource } from '../resources/definition.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

/** Reads that a plugin may make; nothing here writes. */
export interface AdmissionReader {
  /** The stored object, parsed; undefined when there is none. */
  get(groupResource: string, namespace: string, name: string): KubeObject | undefined;
}

export interface Admission {
  operation: Operation;
  definition: ResourceDefinition;
  /** '' for the object itself. */
  subresource: Subresource | '';
  /** '' for cluster-scoped objects. */
  namespace: string;
  /** '' while a name is still to be generated. */
  name: string;
  user: UserInfo;
  /** What will be stored; undefined for DELETE. Plugins change it in place. */
  draft: KubeObject | undefined;
  /** What is stored; undefined for CREATE. */
  current: KubeObject | undefined;
  dryRun: boolean;
  reader: AdmissionReader;
}

export interface AdmissionPlugin {
  name: string;
  /** @throws StatusError to refuse the write. */
  admit(admission: Admission): void;
}
