/**
 * The minion's two sockets to the control plane and what they keep on disk. `control.ts` speaks `shared/link` (the only
 * state is the last acknowledged revision and unanswered reports), `data.ts` hosts the tunnel's streams, `replica.ts` is
 * the minion's copy of the objects it needs (node:sqlite), from which pods, DNS and Services come back with no network.
 */
import type { ConfigMap, Node, Pod, Secret, Service } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';
import type { Welcome } from '../../shared/link/protocol.ts';

export interface Replica {
  pods(): Pod[];
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  services(): Service[];
  endpointSlices(): EndpointSlice[];
  nodes(): Node[];
  /** What the cluster told this minion about itself; undefined before its first contact. */
  welcome(): Welcome | undefined;
}

/** Which parts a delta touched, so that each consumer is woken only for its own. */
export type ReplicaListener = (touched: ReadonlySet<'pods' | 'references' | 'services' | 'nodes' | 'welcome'>) => void;
