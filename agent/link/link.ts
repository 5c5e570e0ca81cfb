/**
 * The minion's two sockets to the control plane and what they keep on disk. `control.ts` speaks `shared/link` (the only
 * state is the last acknowledged revision and unanswered reports), `data.ts` hosts the tunnel's streams, `replica.ts` is
 * the minion's copy of the objects it needs (node:sqlite), from which pods, DNS and Services come back with no network.
 * `minion-link.ts` puts them together: `new MinionLink(settings, log)`.
 */
import type { ConfigMap, Node, Pod, Secret, Service } from '../../shared/api/core.ts';
import type { Hello, Report, Welcome } from '../../shared/link/protocol.ts';
import type { KubeletEndpoints } from '../node/kubelet-endpoints.ts';
import type { PodStreams, Reporter } from '../pods/pods.ts';
import type { ServiceParts } from './service-objects.ts';

export interface Replica {
  pods(): Pod[];
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  services(): Service[];
  /** `namespace/name` of every Service that is known, or has EndpointSlices. */
  serviceNames(): string[];
  serviceParts(name: string): ServiceParts;
  nodes(): Node[];
  /** What the cluster told this minion about itself; undefined before its first contact. */
  welcome(): Welcome | undefined;
}

export type ReplicaPart = 'pods' | 'references' | 'services' | 'nodes' | 'welcome';

/** What deltas touched, so that each consumer is woken only for its own. */
export interface Touched {
  parts: ReadonlySet<ReplicaPart>;
  /** `namespace/name` of Services that changed, or whose EndpointSlices did. */
  services: ReadonlySet<string>;
}

export type ReplicaListener = (touched: Touched) => void;

export interface LinkSettings {
  /** Base URL of the cluster, e.g. `https://host/clusters/name`. */
  server: string;
  /** The minion's own token, or a join token, which is exchanged once for one. */
  token: string;
  /** PEM text of the CA that signed the server's certificate; undefined: the system's. */
  ca?: string;
  nodeName: string;
  /** Holds `replica.db` and `minion.token`. Made when missing. */
  dataDir: string;
  agentVersion: string;
  machineId: string;
  /** What the minion serves by itself, through `nodes/NAME/proxy`. */
  endpoints: KubeletEndpoints;
  /** Asked at each hello, so it may change while the agent runs. */
  registration(): Hello['registration'];
}

export interface Link extends Replica, Reporter {
  /** Any number of listeners; called after the change is on disk. */
  onChange(listener: ReplicaListener): void;
  /** Sends what changed about this node. */
  nodeChanged(change: NonNullable<Report['node']>): void;
  /** Dials, and keeps dialling until `stop`. Returns at once; the replica is readable before any contact. */
  start(streams: PodStreams): void;
  /** Whether the control socket is up and has been welcomed. */
  connected(): boolean;
  /** Resolves at the first welcome of this run; rejects when the cluster refuses the minion for good (wrong token, name taken). */
  ready(): Promise<void>;
  /** With a reason: says goodbye first (NotReady at once). Without: just closes, as a restart does. */
  stop(goodbye?: string): Promise<void>;
}
