/**
 * What the minion links are given by the composition root (`worker/cluster.ts`): the object's sockets, transactions, and
 * the rules about nodes that come and go (`worker/controllers/nodes.ts`), which this room may not import.
 */
import type { Node } from '../../shared/api/core.ts';
import type { Welcome } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import type { Reader, Synchronous } from '../store/store.ts';

/** The part of DurableObjectState that the links use; tests give a fake. */
export type LinkSockets = Pick<
  DurableObjectState,
  'acceptWebSocket' | 'getWebSockets' | 'setWebSocketAutoResponse' | 'getWebSocketAutoResponseTimestamp'
>;

/** What becomes of a Node as its minion comes and goes. Each call runs inside the transaction that is given. */
export interface NodeLife {
  /** A share of the pod network that no node has, e.g. `10.244.3.0/24`. @throws StatusError when none is left. */
  allocatePodCIDR(objects: Objects): string;
  /** The minion has said hello and its Node is written: what was set because it was away is taken back. */
  returned(objects: Objects, node: Node): void;
  /** The minion said goodbye: not ready at once. */
  goodbye(objects: Objects, nodeName: string, reason: string): void;
  /** The last socket of the minion broke: it has a while to come back. */
  socketLost(objects: Objects, nodeName: string): void;
}

export interface MinionParts {
  sockets: LinkSockets;
  /** The store, for composing deltas from stored text. */
  reader: Reader;
  /** One store transaction with typed objects. What it commits comes back through `publish`. */
  transact<T>(body: (objects: Objects) => Synchronous<T>): T;
  nodes: NodeLife;
  cluster: Welcome['cluster'];
  nowMs(): number;
}
