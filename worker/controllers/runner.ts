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
 * - Nothing is remembered between turns. Dropping the object between any two of them loses nothing.
 * - `runDue` may be called at the end of the transaction that caused the work (then what is done at once costs no row), or
 *   with none open. In the first case only a failing commit undoes it, together with the change itself.
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import type { Store, Synchronous, Transaction, WorkItem } from '../store/store.ts';
import { ANY, type Controller, type Source } from './controller.ts';

export interface RunnerParts {
  controllers: readonly Controller[];
  store: Pick<Store, 'dueWork' | 'finishWork' | 'nextDueMs'>;
  /** Opens a transaction, inside another one a savepoint, with typed objects over it, in this component's name. */
  transact<T>(body: (objects: Objects, transaction: Transaction) => Synchronous<T>, manager?: string): T;
  random(): number;
  log(entry: Record<string, unknown>): void;
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

/** As client-go's ItemExponentialFailureRateLimiter, with its defaults for controllers. */
export const backOffMs = (attempts: number): number =>
  Math.min(BASE_DELAY_MS * 2 ** Math.min(attempts, 30), MAX_DELAY_MS);

export function createRunner(parts: RunnerParts): Runner {
  const controllers = new Map(parts.controllers.map((each) => [each.name, each]));
  const sources = sourcesByResource(parts.controllers);
  const everywhere = sources.get(ANY) ?? [];

  function changed(change: ObjectChange, objects: Objects, transaction: Pick<Transaction, 'enqueue'>): void {
    for (const { queue, source } of sources.get(groupResourceOf(change.identity)) ?? []) {
      for (const key of source.keys(change, objects)) transaction.enqueue(queue, key);
    }
    for (const { queue, source } of everywhere) {
      for (const key of source.keys(change, objects)) transaction.enqueue(queue, key);
    }
  }

  function reconcile(item: WorkItem, controller: Controller): void {
    parts.transact((objects, transaction) => {
      parts.store.finishWork(item);
      controller.reconcile(item.key, {
        objects,
        nowMs: objects.nowMs,
        dueMs: item.dueMs,
        random: parts.random,
        requeueAfter: (ms) => transaction.enqueue(item.queue, item.key, objects.nowMs + ms),
        enqueue: (key, afterMs = 0) => transaction.enqueue(item.queue, key, objects.nowMs + afterMs),
      });
    }, controller.manager);
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
    try {
      reconcile(item, controller);
    } catch (error) {
      const retryMs = backOffMs(item.attempts);
      parts.log({
        level: 'error',
        message: 'reconcile failed',
        controller: item.queue,
        key: item.key,
        attempts: item.attempts + 1,
        retryMs,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
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
