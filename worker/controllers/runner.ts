/**
 * Gives controllers life: turns changes into rows of the work table, and rows into reconciles. What a controller does is
 * in its own file; where the rows are kept, and the alarm that brings the turn for `runDue`, are not here (`worker/store`,
 * `worker/cluster.ts`).
 *
 * Invariants
 * - A change and the work that it causes commit together: `changed` enqueues inside the transaction that makes the change.
 * - A key is at most once on its queue. Taking it off and reconciling it are one transaction, and it is taken off first,
 *   so that a change which the reconcile itself makes (or a deadline that it asks for) puts the key back.
 * - A reconcile that throws leaves no trace but its row, due later: 5 ms · 2^attempts, at most 1000 s, for as long as it takes.
 *   A change of what the key is about brings it forward again.
 * - A turn is bounded by `budget` reconciles, and what is left stays in the table: `nextDueMs` tells the caller when to come
 *   back. So two controllers that undo each other's work cost turns, but never hang the object.
 * - Nothing that matters is remembered between turns. Dropping the object between any two of them loses nothing.
 * - A reconcile that needs an answer of a webhook leaves no trace but its row, which is put off. The calls are made once the
 *   turn is committed, and their end brings the key back, to run again with the answers (`registry/webhook-journal.ts`): nobody
 *   waits for it but the key. The answers are in memory alone: when that is lost, the row becomes due, and they are asked for
 *   again. A refused reconcile is an ordinary one: it comes again with the back-off of its controller, or of its errors.
 *   Where no webhook is configured there is no journal, and nothing to pay.
 * - `runDue` may be called at the end of the transaction that caused the work (then what is done at once costs no row), or
 *   with none open. In the first case only a failing commit undoes it, together with the change itself.
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import type { Caller } from '../registry/registry.ts';
import { type AskWebhooks, type Question, WebhookJournal, WebhooksNeeded } from '../registry/webhook-journal.ts';
import type { Store, Synchronous, Transaction, WorkItem } from '../store/store.ts';
import { ANY, type Controller, type Source, userOf } from './controller.ts';

export interface RunnerParts {
  controllers: readonly Controller[];
  store: Pick<Store, 'dueWork' | 'finishWork' | 'nextDueMs'>;
  /** Opens a transaction, inside another one a savepoint, with typed objects over it, in this component's name. */
  transact<T>(
    body: (objects: Objects, transaction: Transaction) => Synchronous<T>,
    manager?: string,
    more?: Pick<Caller, 'journal' | 'shownUser'>,
  ): T;
  /** Without these no webhook is asked. */
  webhooks?: RunnerWebhooks | undefined;
  random(): number;
  log(entry: Record<string, unknown>): void;
}

export interface RunnerWebhooks {
  /** Whether a write could meet one. */
  exist(): boolean;
  ask: AskWebhooks;
  /** Given what goes on after the turn: its end is the end of a turn of its own, and it never fails. */
  follow(step: Promise<void>): void;
}

export interface Turn {
  /** How many keys were reconciled, with or without success. */
  reconciled: number;
  /** When the next one is due; undefined when there is no work at all. */
  nextDueMs: number | undefined;
}

export interface Runner {
  /** Queues what this change gives to do. Called for each change, inside the transaction that makes it. */
  changed(change: ObjectChange, objects: Objects, transaction: Pick<Transaction, 'enqueue'>): void;
  /** Reconciles what is due, what becomes due on the way included, up to `budget` keys. */
  runDue(nowMs: number, budget?: number): Turn;
}

const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 1_000_000;
const BUDGET = 1000;
const BATCH = 32;
/** When a row comes back whose answers never came: longer than any webhook may take. */
const ANSWERS_MS = 60_000;
/** How often in a row answers may raise further questions; then it has failed. */
const MAX_ROUNDS = 100;

/** A key whose reconcile waits; a memory that may be lost. */
interface Waiting {
  journal: WebhookJournal;
  rounds: number;
  /** As the first run had it. */
  dueMs: number;
  /** The turn that put it off; what comes of that may still be rolled back. */
  turnMs: number;
  /** Its answers are on their way. */
  asking: boolean;
}

/** As client-go's ItemExponentialFailureRateLimiter, with its defaults for controllers. */
export const backOffMs = (attempts: number): number =>
  Math.min(BASE_DELAY_MS * 2 ** Math.min(attempts, 30), MAX_DELAY_MS);

export function createRunner(parts: RunnerParts): Runner {
  const controllers = new Map(parts.controllers.map((each) => [each.name, each]));
  const users = new Map(parts.controllers.map((each) => [each.name, userOf(each)]));
  const sources = sourcesByResource(parts.controllers);
  const everywhere = sources.get(ANY) ?? [];
  const waiting = new Map<string, Waiting>();

  function changed(change: ObjectChange, objects: Objects, transaction: Pick<Transaction, 'enqueue'>): void {
    for (const { queue, source } of sources.get(groupResourceOf(change.identity)) ?? []) {
      for (const key of source.keys(change, objects)) transaction.enqueue(queue, key);
    }
    for (const { queue, source } of everywhere) {
      for (const key of source.keys(change, objects)) transaction.enqueue(queue, key);
    }
  }

  function reconcile(item: WorkItem, controller: Controller, journal: WebhookJournal | undefined): void {
    const { random } = journal?.draws({ random: parts.random, newUid: () => '' }) ?? parts;
    const body = (objects: Objects, transaction: Transaction): void => {
      parts.store.finishWork(item);
      controller.reconcile(item.key, {
        objects,
        nowMs: objects.nowMs,
        dueMs: item.dueMs,
        random: () => (journal === undefined ? random() : journal.drawingFor('reconcile', random)),
        requeueAfter: (ms) => transaction.enqueue(item.queue, item.key, objects.nowMs + ms),
        enqueue: (key, afterMs = 0) => transaction.enqueue(item.queue, key, objects.nowMs + afterMs),
      });
    };
    const answered = (objects: Objects, transaction: Transaction): void => {
      try {
        body(objects, transaction);
      } finally {
        // What came of something that was only supposed is no result, and no error.
        journal?.requireAnswers();
      }
    };
    const shownUser = users.get(controller.name);
    parts.transact(journal === undefined ? body : answered, controller.manager, { shownUser, journal });
  }

  /** The row stays, for later; the answers bring it forward. Waiting is no failed attempt. */
  const putOff = (item: WorkItem, nowMs: number): void =>
    parts.store.finishWork({ ...item, attempts: item.attempts - 1 }, nowMs + ANSWERS_MS);

  function ask(webhooks: RunnerWebhooks, item: WorkItem, state: Waiting, questions: readonly Question[]): void {
    waiting.set(idOf(item), state);
    parts.transact((_, transaction) => {
      putOff(item, state.turnMs);
      transaction.afterCommit(() => {
        state.asking = true;
        webhooks.follow(answer(webhooks, item, state, questions));
      });
    });
  }

  async function answer(
    webhooks: RunnerWebhooks,
    item: WorkItem,
    state: Waiting,
    questions: readonly Question[],
  ): Promise<void> {
    try {
      await webhooks.ask(questions, state.journal);
      Object.assign(state, { asking: false, turnMs: Number.NEGATIVE_INFINITY });
      parts.transact((_, transaction) => transaction.enqueue(item.queue, item.key));
    } catch (error) {
      // Its row is still there.
      waiting.delete(idOf(item));
      parts.log(failureOf('webhooks could not be asked', item, error));
    }
  }

  function attempt(item: WorkItem, nowMs: number): void {
    const controller = controllers.get(item.queue);
    if (controller === undefined) {
      parts.log({
        level: 'error',
        message: 'work for a controller that does not exist',
        queue: item.queue,
        key: item.key,
      });
      parts.store.finishWork(item);
      return;
    }
    const id = idOf(item);
    const known = waiting.get(id);
    if (known !== undefined && (known.asking || known.turnMs === nowMs)) {
      putOff(item, nowMs);
      return;
    }
    const judged = users.get(controller.name) !== undefined && parts.webhooks?.exist() === true;
    const webhooks = judged ? parts.webhooks : undefined;
    const journal = webhooks && (known?.journal ?? new WebhookJournal({ postpones: true }));
    const { dueMs } = known ?? item;
    try {
      reconcile({ ...item, dueMs }, controller, journal);
      waiting.delete(id);
    } catch (error) {
      const rounds = (known?.rounds ?? 0) + 1;
      if (error instanceof WebhooksNeeded && webhooks !== undefined && journal !== undefined && rounds <= MAX_ROUNDS) {
        ask(webhooks, item, { journal, rounds, dueMs, turnMs: nowMs, asking: false }, error.questions);
        return;
      }
      waiting.delete(id);
      const retryMs = backOffMs(item.attempts);
      parts.log({ ...failureOf('reconcile failed', item, error), attempts: item.attempts + 1, retryMs });
      parts.store.finishWork(item, nowMs + retryMs);
    }
  }

  function runDue(nowMs: number, budget = BUDGET): Turn {
    let reconciled = 0;
    while (reconciled < budget) {
      const items = parts.store.dueWork(nowMs, Math.min(BATCH, budget - reconciled));
      if (items.length === 0) break;
      for (const item of items) attempt(item, nowMs);
      reconciled += items.length;
    }
    return { reconciled, nextDueMs: parts.store.nextDueMs() };
  }

  return { changed, runDue };
}

const idOf = ({ queue, key }: WorkItem): string => `${queue}\0${key}`;

/** A refusal is somebody's decision, anything else a bug. */
function failureOf(message: string, { queue, key }: WorkItem, error: unknown): Record<string, unknown> {
  const where = { message, controller: queue, key };
  if (error instanceof StatusError) return { level: 'warn', ...where, error: error.message };
  return { level: 'error', ...where, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function sourcesByResource(controllers: readonly Controller[]): Map<string, { queue: string; source: Source }[]> {
  const found = new Map<string, { queue: string; source: Source }[]>();
  for (const controller of controllers) {
    for (const source of controller.sources) {
      const resource = source.identity === ANY ? ANY : groupResourceOf(source.identity);
      const list = found.get(resource);
      if (list === undefined) found.set(resource, [{ queue: controller.name, source }]);
      else list.push({ queue: controller.name, source });
    }
  }
  return found;
}
