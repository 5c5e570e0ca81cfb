/**
 * A transaction that may have to wait for webhooks: it is tried, what it lacks is asked for, and it is tried again with the
 * answers. How it can run more than once is `webhook-journal.ts`; controllers wait in a way of their own (`controllers/runner.ts`).
 */
import type { StatusError } from '../../shared/errors.ts';
import { type AskWebhooks, WebhookJournal, WebhooksNeeded } from './webhook-journal.ts';

/** How often a transaction may find that what webhooks judged is no longer so, besides once for each answer that it needs. */
const MAX_ROUNDS = 100;

/**
 * @param attempt opens the transaction with the journal as its caller's. Run again after webhooks were asked: what it closes
 *   over must be the same then.
 * @param endless the error when it never comes to an end.
 */
export async function transactAsking<T>(
  attempt: (journal: WebhookJournal) => T,
  ask: AskWebhooks,
  endless: () => StatusError,
  journal: WebhookJournal = new WebhookJournal(),
): Promise<T> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    try {
      return attempt(journal);
    } catch (error) {
      if (!(error instanceof WebhooksNeeded)) throw error;
      await ask(error.questions, journal);
    }
  }
  throw endless();
}
