/** What this agent calls its devices and tables. The instance is in each name, so two agents never touch each other's. */
import { createHash } from 'node:crypto';

/** The instance that has the plain names, which people know from flannel. */
const DEFAULT_INSTANCE = 'longshore';

export interface NetworkNames {
  bridge: string;
  vxlan: string;
  /** nft table of family `ip`; also the comment on iptables rules. */
  table: string;
}

/** Interface names hold at most 15 characters. */
const digest = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length);

export function networkNamesOf(instance: string): NetworkNames {
  if (instance === DEFAULT_INSTANCE) return { bridge: 'lsh0', vxlan: 'flannel.1', table: 'longshore_network' };
  const mark = digest(instance, 6);
  return { bridge: `lsh-${mark}`, vxlan: `flannel-${mark}`, table: `longshore_network_${mark}` };
}

/** The host's end of a pod's veth. */
export const vethNameOf = (podUid: string): string => `veth${digest(podUid, 11)}`;

/** flannel keeps the device's address over restarts; deriving it from what names the node needs no file. */
export function vtepMacOf(publicIP: string, nodeCIDR: string): string {
  const bytes = createHash('sha256').update(`${publicIP} ${nodeCIDR}`).digest().subarray(0, 6);
  // Locally administered, unicast.
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
