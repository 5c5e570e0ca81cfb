/**
 * One look at all nodes every 40 s, as long as one of them is not known to be away, for minions that fell silent and for
 * sockets whose end nobody saw. What follows for a node is `nodes.ts`'. Nothing is written when all is well, not even the
 * time of the next round: a row of work would be rewritten with every round, all day long, in a cluster that sleeps.
 *
 * Why that may be forgotten: the object's one alarm is set for the next round, and the platform keeps it. An instance that
 * does not know when the round is due goes on it at the next alarm, whatever that was set for, which is never too late.
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
  /** There is a node to watch over: a round within its grace period. */
  watch(nowMs: number): void;
  /**
   * On the object's alarm, in a transaction. A round that is not due yet is left for later.
   * @param dueMs when the alarm was due; undefined when nobody knows, which counts as late.
   */
  alarm(objects: Objects, transaction: Pick<Transaction, 'enqueue'>, dueMs: number | undefined): void;
}

/** Has missed a heartbeat: looked at again when its grace period is over, not a whole round later. */
const SUSPICIOUS_MS = HEARTBEAT_MS * 1.5;

export function createNodeRounds(liveness: Liveness): NodeRounds {
  let nextMs: number | undefined;
  /** Whether this instance has been on a round: only then `nextMs` is all there is to know. */
  let hasLooked = false;

  /** When to look at this node again; undefined when nothing more can come of waiting. */
  function look(
    node: Node,
    objects: Objects,
    transaction: Pick<Transaction, 'enqueue'>,
    late: boolean,
  ): number | undefined {
    const { name } = node.metadata;
    const { nowMs } = objects;
    if (isUnreachable(node) || hasSaidGoodbye(node)) return undefined;
    if (!liveness.connected(name)) {
      // No farewell was seen: the control plane itself was away, or the platform dropped the socket.
      transaction.enqueue(NODE_QUEUE, lostKey(name), nowMs + (late ? GRACE_MS : RECONNECT_MS));
      return undefined;
    }
    const silentMs = nowMs - (liveness.lastSeenMs(name) ?? nowMs);
    if (silentMs >= GRACE_MS) {
      markUnreachable(node, objects);
      // A half-open socket: the minion comes back with a hello, which tells its conditions anew.
      liveness.drop(name);
      return undefined;
    }
    return silentMs > SUSPICIOUS_MS ? nowMs - silentMs + GRACE_MS : nowMs + GRACE_MS;
  }

  return {
    dueMs: () => nextMs,
    watch(nowMs) {
      nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, nowMs + GRACE_MS);
    },
    alarm(objects, transaction, dueMs) {
      const { nowMs } = objects;
      if (hasLooked && (nextMs === undefined || nextMs > nowMs)) return;
      const late = dueMs === undefined || isLate({ nowMs, dueMs });
      const looks = objects
        .list(NODES)
        .map((node) => look(node, objects, transaction, late))
        .filter((atMs) => atMs !== undefined);
      hasLooked = true;
      nextMs = looks.length > 0 ? Math.min(...looks) : undefined;
    },
  };
}
