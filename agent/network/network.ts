/**
 * The pod network of this minion, in flannel's form: one bridge with the node's subnet, a VXLAN device (VNI 1, UDP 8472)
 * with a static route, neighbour and forwarding entry for each other node, and the rules that let it through the host's
 * firewall. `flannel.ts` keeps it with `ip`, `bridge` and `nft`; nothing else in the agent touches interfaces.
 */
import type { Node } from '../../shared/api/core.ts';

export interface NetworkSettings {
  /** e.g. `10.244.3.0/24`. */
  nodeCIDR: string;
  /** e.g. `10.244.0.0/16`. */
  podCIDR: string;
  /** The address that other minions of the same network can reach, for flannel's public-ip. */
  publicIP: string;
  /** Node-local addresses put on the bridge, e.g. the cluster DNS address. */
  localAddresses: string[];
}

export interface PodAttachment {
  ip: string;
  gateway: string;
  mac: string;
}

export interface PodNetwork {
  /** Makes or mends the bridge, VXLAN device and rules; idempotent, keeps what is right. */
  start(settings: NetworkSettings): Promise<void>;
  /** flannel's Node annotations for this minion; known after `start`. */
  annotations(): Record<string, string>;
  /** Routes to the other minions: exactly these nodes, from their flannel annotations and podCIDR. */
  setPeers(nodes: readonly Node[]): Promise<void>;
  /** Connects a sandbox (by the host pid of its pause process) and gives it an address; the same pod keeps the one it has. */
  attach(pod: {
    uid: string;
    pid: number;
    hostPorts: { hostPort: number; containerPort: number; protocol: 'TCP' | 'UDP' | 'SCTP'; hostIP?: string }[];
  }): Promise<PodAttachment>;
  detach(podUid: string): Promise<void>;
  /** Addresses in use, by pod uid; survives an agent restart. */
  attachments(): ReadonlyMap<string, PodAttachment>;
  /** Removes every interface, route and rule that `start` and `attach` made. */
  purge(): Promise<void>;
}
