/** What the composition root gives to the registry. */
import type { AdmissionPlugin } from '../admission/plugin.ts';
import type { Catalog } from '../resources/catalog.ts';
import type { Store, Transaction } from '../store/store.ts';
import type { ObjectChange, Objects } from './objects.ts';

export interface RegistryParts {
  store: Store;
  /** Read at each use: it changes when CRDs come and go. */
  catalog(): Catalog;
  admission: readonly AdmissionPlugin[];
  /** In [0, 1). */
  random(): number;
  newUid(): string;
  /** Told when a transaction, or a savepoint, did not stay: what was learned inside it may be wrong. */
  rolledBack?(): void;
  /** Told of every change inside the transaction that makes it. */
  changed(change: ObjectChange, objects: Objects, transaction: Transaction): void;
}
