/**
 * The control socket between a minion and its Cluster object: every message, as two discriminated unions of JSON texts.
 * What carries bulk bytes (logs, exec, HTTP, pod traffic) is not here: that is `shared/tunnel`, on the data socket.
 *
 * Order: the minion sends `hello`; the cluster answers `welcome`, then one `delta` with `full` set (or, when the minion's
 * `epoch` and `revision` are still in history, the deltas since), then deltas as things change. The minion sends `report`s,
 * each answered by `reported` once it is committed; what was not answered is sent again after a reconnect.
 * Heartbeats are the text PING, answered by the platform's auto-response with PONG (or a `recall`): they wake nothing.
 */
import type { ConfigMap, Event, Node, NodeStatus, Pod, PodStatus, Secret, Service } from '../api/core.ts';
import type { EndpointSlice } from '../api/discovery.ts';
import type { Draft, Status } from '../api/meta.ts';

export const LINK_VERSION = 1;
/** Where the Worker serves the control socket, below the cluster's base path. */
export const LINK_PATH = '/longshore/link';
/** Where the Worker serves the data socket (to the minion's Relay object). */
export const DATA_PATH = '/longshore/data';
/** Where a join token is exchanged for a minion token: POST a JoinRequest, get a JoinReply. */
export const JOIN_PATH = '/longshore/join';
export const PING = 'ping';
export const PONG = 'pong';
export const HEARTBEAT_MS = 10_000;

/** What a minion is told about: its own pods, what they refer to, and what its network, proxy and DNS need. */
export type LinkedObject = Pod | ConfigMap | Secret | Service | EndpointSlice | Node;
/** The resources that travel down the link, as group resources. */
export type LinkedResource =
  | 'pods'
  | 'configmaps'
  | 'secrets'
  | 'services'
  | 'endpointslices.discovery.k8s.io'
  | 'nodes';

export interface Hello {
  type: 'hello';
  version: number;
  node: string;
  agentVersion: string;
  /** What the minion last acknowledged; absent on its first start. */
  resume?: { epoch: string; revision: number };
  /** Facts for the Node object: labels, annotations (flannel's), spec.taints at registration, and the whole status. */
  registration: {
    labels: Record<string, string>;
    annotations: Record<string, string>;
    taints?: Node['spec']['taints'];
    status: NodeStatus;
  };
  /** /etc/machine-id or like it: a second machine must not take over a node's name. */
  machineId: string;
}

export interface PodReport {
  namespace: string;
  name: string;
  uid: string;
  status: PodStatus;
  /** Every container has ended and is removed: a pod under deletion may now go. */
  gone?: boolean;
}

/** One batch from the minion; all of it commits in one transaction. */
export interface Report {
  type: 'report';
  /** Grows by one with each batch; echoed in `reported`. */
  id: number;
  node?: { status?: Partial<NodeStatus>; annotations?: Record<string, string>; labels?: Record<string, string> };
  pods?: PodReport[];
  events?: Draft<Event>[];
  /** All static pods of this minion (not a delta): mirror pods are made, replaced and removed to match. Absent: no change. */
  mirrors?: Draft<Pod>[];
}

/** Everything up to `revision` is on the minion's disk. */
export interface Acknowledge {
  type: 'acknowledge';
  epoch: string;
  revision: number;
}

/** The minion stops on purpose: NotReady at once, pods left running. */
export interface Goodbye {
  type: 'goodbye';
  reason: string;
}

export type UpMessage = Hello | Report | Acknowledge | Goodbye;

export interface Welcome {
  type: 'welcome';
  version: number;
  /** Changes when the store was restored from a snapshot: revisions of another epoch mean nothing. */
  epoch: string;
  cluster: { name: string; domain: string; dnsIP: string; serviceCIDR: string; podCIDR: string };
  /** This node's own share of the pod network, e.g. `10.244.3.0/24`. */
  nodeCIDR: string;
}

export interface Put {
  resource: LinkedResource;
  object: LinkedObject;
}
export interface Removal {
  resource: LinkedResource;
  namespace: string;
  name: string;
  uid: string;
}

export interface Delta {
  type: 'delta';
  revision: number;
  /** The puts are all there is: forget what is not among them. */
  full?: boolean;
  puts: Put[];
  removals: Removal[];
  /** Counts the messages of deltas on this socket, from 1: after a gap the minion dials anew. A cluster of before has none. */
  number?: number;
  /** The next message continues this delta: nothing of it counts before its last part is there. */
  more?: boolean;
}

export interface Reported {
  type: 'reported';
  id: number;
  /** Parts that were refused (a pod that is not this node's …); the rest is committed. */
  refused?: { namespace?: string; name?: string; status: Status }[];
}

/** The cluster will not have this minion (wrong version, name taken, token revoked); the socket closes after it. */
export interface Refused {
  type: 'refused';
  status: Status;
}

/**
 * In place of PONG, to every minion, as long as one of these is missed: they have their heartbeats answered, but not all that
 * they were told is acknowledged, and a socket that fails to carry the one may fail to carry its own end, too. Who is named
 * here after its welcome dials anew.
 */
export interface Recall {
  type: 'recall';
  nodes: string[];
}

export type DownMessage = Welcome | Delta | Reported | Refused | Recall;

/** Sent with the join token as bearer. */
export interface JoinRequest {
  node: string;
  machineId: string;
}
export interface JoinReply {
  /** The minion's own token, for this node name on this machine. */
  token: string;
}
