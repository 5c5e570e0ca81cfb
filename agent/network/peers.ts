/**
 * The other minions as the kernel must see them: one route, one neighbour and one forwarding entry each, exactly as
 * flanneld's VXLAN backend makes them. Pure: Nodes in, then what to tell `ip` and `bridge`, given what is there.
 * Source: https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md#vxlan
 */
import type { Node } from '../../shared/api/core.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { formatIPv4, parseCidr, parseIPv4 } from './addresses.ts';

export const FLANNEL = {
  backendType: 'flannel.alpha.coreos.com/backend-type',
  backendData: 'flannel.alpha.coreos.com/backend-data',
  publicIP: 'flannel.alpha.coreos.com/public-ip',
  subnetManager: 'flannel.alpha.coreos.com/kube-subnet-manager',
} as const;

export interface Peer {
  podCIDR: string;
  /** Address of the peer's VXLAN device: the first of its subnet. */
  vtepIP: string;
  vtepMac: string;
  publicIP: string;
}

export interface ObservedPeers {
  routes: { dst: string; gateway?: string }[];
  neighbours: { dst: string; lladdr?: string; state?: string[] }[];
  forwarding: { mac: string; dst?: string }[];
}

export interface PeerPlan {
  /** Lines for `ip -batch`. */
  ip: string[];
  /** Lines for `bridge -batch`. */
  bridge: string[];
}

export function annotationsOf(publicIP: string, vtepMac: string): Record<string, string> {
  return {
    [FLANNEL.backendType]: 'vxlan',
    [FLANNEL.backendData]: JSON.stringify({ VNI: DEFAULTS.vxlan.id, VtepMAC: vtepMac }),
    [FLANNEL.publicIP]: publicIP,
    [FLANNEL.subnetManager]: 'true',
  };
}

/** undefined: the node takes no part in the overlay (yet), or says something that no flannel would. */
export function peerOf(node: Node): Peer | undefined {
  const annotations = node.metadata.annotations ?? {};
  const publicIP = annotations[FLANNEL.publicIP];
  const podCIDR = node.spec.podCIDR;
  if (annotations[FLANNEL.backendType] !== 'vxlan' || publicIP === undefined || podCIDR === undefined) return undefined;
  const vtepMac = vtepMacIn(annotations[FLANNEL.backendData]);
  if (vtepMac === undefined || !isIPv4(publicIP)) return undefined;
  const [address = '', prefix] = podCIDR.split('/');
  if (!isIPv4(address) || !/^\d{1,2}$/.test(prefix ?? '')) return undefined;
  const cidr = parseCidr(podCIDR);
  const vtepIP = formatIPv4(cidr.base);
  return { podCIDR: `${vtepIP}/${cidr.prefix}`, vtepIP, vtepMac, publicIP };
}

/** Every node but this one, and none that claims this one's subnet or address. */
export function peersOf(nodes: readonly Node[], own: { nodeCIDR: string; publicIP: string }): Peer[] {
  const peers = nodes.map(peerOf).filter((peer) => peer !== undefined);
  return peers.filter((peer) => peer.podCIDR !== own.nodeCIDR && peer.publicIP !== own.publicIP);
}

/** Routes go before what they need goes, and come after it has come. What is right already is not touched. */
export function planPeers(desired: readonly Peer[], observed: ObservedPeers, device: string): PeerPlan {
  const byCidr = new Map(desired.map((peer) => [peer.podCIDR, peer]));
  const byVtep = new Map(desired.map((peer) => [peer.vtepIP, peer]));
  const byMac = new Map(desired.map((peer) => [peer.vtepMac, peer]));
  const staleRoutes = observed.routes.filter((route) => byCidr.get(route.dst)?.vtepIP !== route.gateway);
  const staleNeighbours = observed.neighbours.filter((entry) => !byVtep.has(entry.dst));
  const staleForwarding = observed.forwarding.filter((entry) => byMac.get(entry.mac)?.publicIP !== entry.dst);

  const routed = new Set(observed.routes.filter((route) => !staleRoutes.includes(route)).map((route) => route.dst));
  const known = new Set(
    observed.neighbours
      .filter((entry) => entry.state?.includes('PERMANENT') && byVtep.get(entry.dst)?.vtepMac === entry.lladdr)
      .map((entry) => entry.dst),
  );
  const forwarded = new Set(
    observed.forwarding.filter((entry) => !staleForwarding.includes(entry)).map((entry) => entry.mac),
  );

  return {
    bridge: [
      ...staleForwarding.map(
        (entry) => `fdb del ${entry.mac} dev ${device}${entry.dst === undefined ? '' : ` dst ${entry.dst}`} self`,
      ),
      ...desired
        .filter((peer) => !forwarded.has(peer.vtepMac))
        .map((peer) => `fdb append ${peer.vtepMac} dev ${device} dst ${peer.publicIP} self permanent`),
    ],
    ip: [
      ...staleRoutes.map((route) => `route del ${route.dst} dev ${device}`),
      ...staleNeighbours.map((entry) => `neigh del ${entry.dst} dev ${device}`),
      ...desired
        .filter((peer) => !known.has(peer.vtepIP))
        .map((peer) => `neigh replace ${peer.vtepIP} lladdr ${peer.vtepMac} dev ${device} nud permanent`),
      ...desired
        .filter((peer) => !routed.has(peer.podCIDR))
        .map((peer) => `route replace ${peer.podCIDR} via ${peer.vtepIP} dev ${device} onlink`),
    ],
  };
}

function vtepMacIn(backendData: string | undefined): string | undefined {
  const match = /"VtepMAC"\s*:\s*"([0-9a-f]{2}(?::[0-9a-f]{2}){5})"/i.exec(backendData ?? '');
  const vni = /"VNI"\s*:\s*(\d+)/.exec(backendData ?? '')?.[1];
  // Older flannels leave VNI out: they know only the default.
  if (vni !== undefined && Number(vni) !== DEFAULTS.vxlan.id) return undefined;
  return match?.[1]?.toLowerCase();
}

function isIPv4(text: string): boolean {
  try {
    return parseIPv4(text) >= 0;
  } catch {
    return false;
  }
}
