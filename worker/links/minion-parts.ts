/**
 * What the minion links are given by the composition root (`worker/cluster.ts`): the object's sockets, transactions, and
 * the rules about nodes that come and go (`worker/controllers/nodes.ts`), which this room may not import.
 */
import type { Welcome } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import type { Caller } from '../registry/registry.ts';
import type { Reader, Synchronous } from '../store/store.ts';
import type { JudgedParts } from './judged.ts';
import type { NodeLife } from './node-life.ts';

/** The part of DurableObjectState that the links use; tests give a fake. */
export type LinkSockets = Pick<
  DurableObjectState,
  | 'acceptWebSocket'
  | 'getWebSockets'
  | 'setWebSocketAutoResponse'
  | 'getWebSocketAutoResponse'
  | 'getWebSocketAutoResponseTimestamp'
>;

export interface MinionParts {
  sockets: LinkSockets;
  /** The store, for composing deltas from stored text. */
  reader: Reader;
  /** One store transaction with typed objects; within another one a savepoint. What it commits comes back through `publish`. */
  transact<T>(body: (objects: Objects) => Synchronous<T>, more?: Pick<Caller, 'journal' | 'shownUser'>): T;
  webhooks: JudgedParts;
  nodes: NodeLife;
  cluster: Welcome['cluster'];
  nowMs(): number;
  /** Calls this in a turn of its own, soon. */
  later(step: () => void): void;
}
