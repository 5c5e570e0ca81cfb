/**
 * One look at all minions every 40 s, as long as one is connected, for those that fell silent and for sockets whose end
 * nobody saw. What follows for a node is `nodes.ts`'. When all is well no node is read and nothing is written, not even the
 * time of the next round: neither would be free in a cluster that sleeps, and the first would grow with its minions.
 *
 * Why that may be forgotten: the object's one alarm is set for the next round, and the platform keeps it. An instance that
 * does not know when the round is due goes on it at the next alarm, whatever that was set for, which is never too late.
 *
 * How a socket is missed that ended without a word (with the instance that was to hear it): the number of connected minions
 * is kept whenever one comes or goes, and fewer are there than that. Then every node is looked at.
 */
import { NODES, type Node } from '../../shared/api/core.ts';
import { HEARTBEAT_MS } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import type { Transaction } from '../store/store.ts';
import { hasSaidGoodbye, isUnreachable } from './node-conditions.ts';
import { GRACE_MS, isLate, lostKey, markUnreachable, NODE_QUEUE, RECONNECT_MS } from './nodes.ts';
import type { Liveness } from './surroundings.ts';

export interface NodeRounds {
  /** When the next round is due, as far as this instance knows. */
  dueMs(): number | undefined;
  /** A minion is about to be connected: it is watched over from now on. */
  arriving(nowMs: number): void;
  /** A minion is connected no more, and that is seen to. */
  left(): void;
  /** After each turn: keeps how many are connected, if that may have changed. */
  settle(): void;
  /**
   * On the object's alarm, in a transaction. A round that is not due yet is left for later: false then.
   * @param dueMs when the alarm was due; undefined when nobody knows, which counts as late.
   */
  alarm(objects: Objects, transaction: Pick<Transaction, 'enqueue'>, dueMs: number | undefined): boolean;
}

/** How many minions are connected, as it was last kept; it outlives the instance. */
export interface KeptCount {
  get(): number | undefined;
  put(count: number): void;
}

/** Has missed a heartbeat: looked at again when its grace period is over, not a whole round later. */
const SUSPICIOUS_MS = HEARTBEAT_MS * 1.5;

export function createNodeRounds(liveness: Liveness, kept: KeptCount): NodeRounds {
  let nextMs: number | undefined;
  let expected: number | undefined;
  let hasChanged = false;
  let isOneMissing = false;

  const keep = (connected: number): void => {
    if (connected !== expected) kept.put(connected);
    expected = connected;
  };

  /** Compares what is there with what was kept, less those whose going was heard just now. */
  function count(gone = 0): void {
    hasChanged = true;
    expected ??= kept.get();
    if (expected !== undefined && liveness.count() < expected - gone) isOneMissing = true;
  }

  /** A node with no socket, of which no farewell was seen: it has a while to come back. */
  function expectBack(node: Node, transaction: Pick<Transaction, 'enqueue'>, dueMs: number): void {
    const { name } = node.metadata;
    if (isUnreachable(node) || hasSaidGoodbye(node) || liveness.connected(name)) return;
    transaction.enqueue(NODE_QUEUE, lostKey(name), dueMs);
  }

  /** When to look at this minion again; undefined when it has been silent for too long. */
  function look(name: string, seenMs: number, objects: Objects): number | undefined {
    const { nowMs } = objects;
    const silentMs = nowMs - seenMs;
    if (silentMs < GRACE_MS) return silentMs > SUSPICIOUS_MS ? seenMs + GRACE_MS : nowMs + GRACE_MS;
    const node = objects.get(NODES, '', name);
    if (node !== undefined) markUnreachable(node, objects);
    // A half-open socket: the minion comes back with a hello, which tells its conditions anew.
    liveness.drop(name);
    hasChanged = true;
    return undefined;
  }

  return {
    dueMs: () => nextMs,
    arriving(nowMs) {
      count();
      const dueMs = isOneMissing ? nowMs : nowMs + GRACE_MS;
      nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, dueMs);
    },
    left: () => count(1),
    settle() {
      if (!hasChanged) return;
      hasChanged = false;
      // One more than there are: so it stays known that one is missing, until all nodes were looked at.
      keep(liveness.count() + (isOneMissing ? 1 : 0));
    },
    alarm(objects, transaction, dueMs) {
      const { nowMs } = objects;
      if (nextMs !== undefined && nextMs > nowMs) return false;
      const minions = liveness.minions();
      count();
      if (isOneMissing) {
        const backMs = nowMs + (dueMs === undefined || isLate({ nowMs, dueMs }) ? GRACE_MS : RECONNECT_MS);
        for (const node of objects.list(NODES)) expectBack(node, transaction, backMs);
        isOneMissing = false;
      }
      const looks = [...minions].flatMap(([name, seenMs]) => look(name, seenMs, objects) ?? []);
      nextMs = looks.length > 0 ? Math.min(...looks) : undefined;
      return true;
    },
  };
}
