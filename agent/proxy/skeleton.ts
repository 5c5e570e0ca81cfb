/** The part of the table that does not depend on Services: hooks, lookups, masquerade, empty maps. Pure text. */
import type { ProxySettings } from './proxy.ts';
import { MASQUERADE_MARK, PROTOCOLS } from './table.ts';

/** Holds the number of the last change that came through a lasting nft (`nft-shell.ts`). */
export const RECEIPTS = 'receipts';

/** Clients that may be remembered at once, in each protocol. */
const AFFINITY_SIZE = 262_144;

/** Replaces whatever table of this name there is. */
export function skeletonOf(table: string, { podCIDR, nodeAddresses, serviceCIDR }: ProxySettings): string {
  const onNode =
    nodeAddresses.length > 0
      ? `ip daddr { ${nodeAddresses.join(', ')} }`
      : 'fib daddr type local ip daddr != 127.0.0.0/8';
  const maps = PROTOCOLS.map(
    (protocol) => `
  map endpoints_${protocol} { typeof ip daddr . ${protocol} dport . numgen random mod 2 : ip daddr . ${protocol} dport; }
  map node_endpoints_${protocol} { typeof ${protocol} dport . numgen random mod 2 : ip daddr . ${protocol} dport; }
  map sticky_${protocol} { type ipv4_addr . inet_service : verdict; }
  map node_sticky_${protocol} { type inet_service : verdict; }
  map affinity_${protocol} {
    type ipv4_addr . ipv4_addr . inet_service : ipv4_addr . inet_service
    size ${AFFINITY_SIZE}
    flags dynamic, timeout
  }`,
  );
  const remember = PROTOCOLS.flatMap((protocol) => [
    `meta l4proto ${protocol} ct original ip daddr . ct original proto-dst vmap @sticky_${protocol}`,
    `meta l4proto ${protocol} ct original proto-dst vmap @node_sticky_${protocol}`,
  ]);
  return `
add table ip ${table}
delete table ip ${table}
table ip ${table} {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map external_local { type ipv4_addr . inet_proto . inet_service : verdict; }
  map node_ports { type inet_proto . inet_service : verdict; }
  map node_local { type inet_proto . inet_service : verdict; }
  set hairpin { type ipv4_addr . ipv4_addr; }
  set ${RECEIPTS} { type mark; }
  ${maps.join('')}
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmp type port-unreachable
  }
  chain lookup {
    ip daddr . meta l4proto . th dport vmap @services
    ${onNode} meta l4proto . th dport vmap @node_ports
    ${serviceCIDR === undefined ? '' : `ip daddr ${serviceCIDR} fib daddr type != local goto refuse`}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip saddr != ${podCIDR} ip daddr . meta l4proto . th dport vmap @external_local
    ip saddr != ${podCIDR} ${onNode} meta l4proto . th dport vmap @node_local
    goto lookup
  }
  chain output {
    type nat hook output priority -100; policy accept;
    goto lookup
  }
  chain remember {
    type filter hook postrouting priority srcnat - 10; policy accept;
    ct state != new return
    ct status & dnat == 0 return
    ${remember.join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . ip daddr @hairpin masquerade
    meta mark & ${MASQUERADE_MARK} == 0 return
    meta mark set meta mark xor ${MASQUERADE_MARK}
    masquerade fully-random
  }
}
`;
}
