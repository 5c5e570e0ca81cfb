/** The rules about nodes that come and go (`worker/controllers/nodes.ts`), as this room, which may not import them, calls them. */
import type { Node } from '../../shared/api/core.ts';
import type { Objects } from '../registry/objects.ts';

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
