/**
 * A transaction that may have to wait for webhooks: it is tried, what it lacks is asked for, and it is tried again with the
 * answers. How it can run more than once is `registry/webhook-journal.ts`.
 */
import type { StatusError } from '../../shared/errors.ts';
import type { WebhookClient } from '../links/webhook-call.ts';
import type { Caller, Registry } from '../registry/registry.ts';
import type { Session } from '../registry/session.ts';
import { WebhookJournal, WebhooksNeeded } from '../registry/webhook-journal.ts';
import type { Synchronous } from '../store/store.ts';
import { askWebhooks } from './webhook-calls.ts';

/** How often a transaction may find that what webhooks judged is no longer so, besides once for each answer that it needs. */
const MAX_ROUNDS = 100;

export interface AskingParts {
  registry: Registry;
  webhooks: WebhookClient;
}

/**
 * @param body is run again after webhooks were asked: it must not change what it closes over.
 * @param again what is to be forgotten of a try that was not the last.
 * @param given the error when it never comes to an end.
 */
export async function transactAsking<T>(
  { registry, webhooks }: AskingParts,
  caller: Caller,
  body: (session: Session) => Synchronous<T>,
  again: () => void,
  given: () => StatusError,
): Promise<T> {
  const journal = new WebhookJournal();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    try {
      return registry.transact({ ...caller, journal }, body);
    } catch (error) {
      if (!(error instanceof WebhooksNeeded)) throw error;
      again();
      await askWebhooks(webhooks, error.questions, journal);
    }
  }
  throw given();
}
