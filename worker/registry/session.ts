/**
 * One transaction as the registry works with it: the store's transaction, who asks, and what the composition root gave.
 * Every verb of this room takes a Session; `registry.ts` makes them.
 */
import type { Configurations } from '../admission/configurations.ts';
import type { AdmissionReader } from '../admission/plugin.ts';
import type { Transaction } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import type { Objects } from './objects.ts';
import type { RegistryParts } from './parts.ts';
import type { RecentObjects } from './recent-objects.ts';
import type { WebhookJournal } from './webhook-journal.ts';

export interface Session {
  readonly parts: RegistryParts;
  readonly transaction: Transaction;
  readonly user: UserInfo;
  /** As webhooks and policies see it. */
  readonly shownUser: UserInfo;
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
  readonly recent: RecentObjects;
  /** The same session as controllers see it. */
  readonly objects: Objects;
}
