/** A test host with a started pod network and pretended pods on it: what tests of the proxy and of DNS begin with. */
import { join } from 'node:path';
import { FlannelNetwork } from '../../agent/network/flannel.ts';
import type { NetworkSettings } from '../../agent/network/network.ts';
import type { Node } from '../../shared/api/core.ts';
import type { TestHost } from './hosts.ts';
import { NetworkPeer } from './network-peer.ts';

export const POD_CIDR = '10.244.0.0/16';
export const DNS_IP = '10.96.0.10';

export interface TestPod {
  uid: string;
  pid: number;
  ip: string;
  peer: NetworkPeer;
}

export interface PodHost {
  host: TestHost;
  overlay: FlannelNetwork;
  settings: NetworkSettings;
  /** As the control plane would tell the other nodes. */
  node(): Node;
  pod(
    uid: string,
    hostPorts?: { hostPort: number; containerPort: number; protocol: 'TCP' | 'UDP' }[],
  ): Promise<TestPod>;
  /** In the host's own namespace. */
  peer(): NetworkPeer;
  /** Ends the helpers; the host's own end is the network's `dispose`. */
  close(): Promise<void>;
}

export async function startPodHost(host: TestHost, nodeCIDR: string, directory: string): Promise<PodHost> {
  const settings = { nodeCIDR, podCIDR: POD_CIDR, publicIP: host.ip, localAddresses: [DNS_IP] };
  const stateDir = join(directory, host.name);
  const overlay = new FlannelNetwork({ instance: 'longshore', stateDir, exec: host.exec, log: () => undefined });
  await overlay.start(settings);
  const peers: NetworkPeer[] = [];
  const peerIn = (netns: string) => {
    const peer = new NetworkPeer(netns);
    peers.push(peer);
    return peer;
  };
  return {
    host,
    overlay,
    settings,
    node: () => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: host.name,
        uid: host.name,
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T00:00:00Z',
        annotations: overlay.annotations(),
      },
      spec: { podCIDR: nodeCIDR },
    }),
    pod: async (uid, hostPorts = []) => {
      const pid = await host.sandbox();
      const { ip } = await overlay.attach({ uid, pid, hostPorts });
      return { uid, pid, ip, peer: peerIn(`/proc/${pid}/ns/net`) };
    },
    peer: () => peerIn(host.netns),
    close: async () => {
      for (const peer of peers) await peer.close();
      overlay.close();
    },
  };
}
