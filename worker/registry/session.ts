/**
 * One transaction as the registry works with it: the store's transaction, who asks, and what the composition root gave.
 * Every verb of this room takes a Session; `registry.ts` makes them.
 */

import type { Configurations } from '../admission/configurations.ts';
import type { AdmissionPlugin, AdmissionReader } from '../admission/plugin.ts';
import type { Catalog } from '../resources/catalog.ts';
import type { Store, Transaction } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import type { ObjectChange, Objects } from './objects.ts';
import type { WebhookJournal } from './webhook-journal.ts';

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

export interface Session {
  readonly parts: RegistryParts;
  readonly transaction: Transaction;
  readonly user: UserInfo;
  /** In whose name managedFields are kept: the query's fieldManager, or the client's name. */
  readonly manager: string;
  /** The caller rolls the transaction back; results then carry no new resourceVersion. */
  readonly dryRun: boolean;
  /** Becomes a Warning header. */
  warn(text: string): void;
  /** Becomes an annotation of the audit event. */
  annotate(key: string, value: string): void;
  /** Policies and webhooks, as they were committed when the outermost transaction began. */
  readonly configurations: Configurations;
  /** What webhooks have said so far; undefined where none are asked. */
  readonly journal: WebhookJournal | undefined;
  readonly reader: AdmissionReader;
  /** The same session as controllers see it. */
  readonly objects: Objects;
}
