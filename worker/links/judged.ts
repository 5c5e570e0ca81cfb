/**
 * What minions say, where webhooks may have to judge it: a step of a node is a transaction that may have to wait, and what
 * comes later of the same node waits behind it, so that a status never overtakes a newer one. Without webhooks nothing waits,
 * and a step costs one look. What waits is lost with this instance; the minion, which had no answer, says it again.
 */
import { internalError } from '../../shared/errors.ts';
import { transactAsking } from '../registry/asking.ts';
import { type AskWebhooks, WebhookJournal, WebhooksNeeded } from '../registry/webhook-journal.ts';

export interface JudgedParts {
  /** Whether a write could meet a webhook. */
  exist(): boolean;
  ask: AskWebhooks;
  /** Given what goes on after the turn: its end is the end of a turn of its own, and it never fails. */
  follow(step: Promise<void>): void;
}

/** The transaction of a step, with the journal that makes it able to wait. */
export type Attempt<T> = (journal: WebhookJournal | undefined) => T;

export interface Ends<T> {
  /** Once it is committed. */
  done(value: T): void;
  failed(error: unknown): void;
}

const endless = () => internalError('webhooks had too much to say of what the minion reported');

export class JudgedSteps {
  readonly #parts: JudgedParts;
  /** The last step of each node for which something waits. */
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(parts: JudgedParts) {
    this.#parts = parts;
  }

  /** Whether a step of the node might not be done at once. */
  mayWait(node: string): boolean {
    return this.#waiting.has(node) || this.#parts.exist();
  }

  /** At once where nothing has to be waited for. */
  run<T>(node: string, attempt: Attempt<T>, ends: Ends<T>): void {
    const before = this.#waiting.get(node);
    if (before === undefined && !this.#parts.exist()) {
      try {
        ends.done(attempt(undefined));
      } catch (error) {
        ends.failed(error);
      }
      return;
    }
    // Many objects in one step: a hundred statuses are a few rounds of questions, not a hundred.
    const journal = new WebhookJournal({ postpones: true });
    if (before === undefined) {
      try {
        ends.done(attempt(journal));
        return;
      } catch (error) {
        if (!(error instanceof WebhooksNeeded)) {
          ends.failed(error);
          return;
        }
      }
    }
    this.#wait(node, before, () => transactAsking(attempt, this.#parts.ask, endless, journal), ends);
  }

  #wait<T>(node: string, before: Promise<void> | undefined, step: () => Promise<T>, ends: Ends<T>): void {
    const waiting = (before ?? Promise.resolve())
      .then(step)
      .then(ends.done)
      .catch(ends.failed)
      .finally(() => {
        if (this.#waiting.get(node) === waiting) this.#waiting.delete(node);
      });
    this.#waiting.set(node, waiting);
    this.#parts.follow(waiting);
  }
}

/** What came of something that was only supposed is no result, and no error. @throws WebhooksNeeded */
export function answered<T>(journal: WebhookJournal | undefined, body: () => T): T {
  try {
    return body();
  } finally {
    journal?.requireAnswers();
  }
}
