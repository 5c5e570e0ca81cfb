/**
 * What the sockets of minions tell the control plane: one came, said goodbye, or broke. Each function is called inside the
 * transaction in which the link handles it; the composition root hands them to `worker/links`, which may not look in here.
 * What follows later (grace periods, taints) is `nodes.ts`.
 */
import { NODES, type Node } from '../../shared/api/core.ts';
import type { Objects } from '../registry/objects.ts';
import type { Store, Transaction } from '../store/store.ts';
import { keyOf } from './controller.ts';
import { freeNodeCIDR } from './node-cidrs.ts';
import { stoppedConditions } from './node-conditions.ts';
import type { NodeRounds } from './node-rounds.ts';
import { lostKey, NODE_QUEUE, RECONNECT_MS } from './nodes.ts';

export interface NodeLife {
  /** A share of the pod network that no node has, e.g. `10.244.3.0/24`. @throws StatusError when none is left. */
  allocatePodCIDR(objects: Objects): string;
  /** The minion has said hello and its Node is written: from now on it is watched over. */
  returned(objects: Objects, node: Node): void;
  /** The minion said goodbye: not ready at once. */
  goodbye(objects: Objects, nodeName: string, reason: string): void;
  /** The last socket of the minion broke: it has a while to come back. */
  socketLost(objects: Objects, nodeName: string): void;
}

/**
 * @param enqueue puts work on a queue in the transaction that is open.
 * @param finishWork takes it off, in the same.
 */
export function createNodeLife(
  enqueue: Transaction['enqueue'],
  finishWork: Store['finishWork'],
  rounds: Pick<NodeRounds, 'arriving' | 'left'>,
): NodeLife {
  return {
    allocatePodCIDR: freeNodeCIDR,
    returned(objects, node) {
      rounds.arriving(objects.nowMs);
      // It is back: should its socket break again, unheard of, it has a whole while again.
      finishWork({ queue: NODE_QUEUE, key: lostKey(node.metadata.name), dueMs: objects.nowMs, attempts: 0 });
      enqueue(NODE_QUEUE, keyOf(node), objects.nowMs);
    },
    goodbye(objects, nodeName, reason) {
      rounds.left();
      const node = objects.get(NODES, '', nodeName);
      if (node === undefined) return;
      const conditions = stoppedConditions(node, reason, objects.nowMs);
      objects.updateStatus(NODES, { ...node, status: { ...node.status, conditions } });
    },
    socketLost(objects, nodeName) {
      rounds.left();
      enqueue(NODE_QUEUE, lostKey(nodeName), objects.nowMs + RECONNECT_MS);
    },
  };
}
