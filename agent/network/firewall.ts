/**
 * The pod network's packet rules as one nft table, replaced as a whole in one transaction: masquerade towards the outside,
 * host ports, hairpin. Service rules are not here: they are `agent/proxy`'s. Pure text.
 */
import type { Lease } from './address-pool.ts';
import type { NetworkNames } from './names.ts';

export interface FirewallInput {
  names: NetworkNames;
  nodeCIDR: string;
  podCIDR: string;
  leases: readonly Lease[];
}

const elements = (lines: string[]): string => (lines.length === 0 ? '' : `elements = { ${lines.join(', ')} }`);

export function networkTableOf({ names, nodeCIDR, podCIDR, leases }: FirewallInput): string {
  const ports = leases.flatMap((lease) => lease.hostPorts.map((port) => ({ ...port, ip: lease.ip })));
  const isAny = (hostIP: string | undefined) => hostIP === undefined || hostIP === '' || hostIP === '0.0.0.0';
  // A port is given once; the scheduler sees to that, and a second claim must not make the whole table fail.
  const anywhere = new Map<string, string>();
  const bound = new Map<string, string>();
  for (const port of ports) {
    const key = `${port.protocol.toLowerCase()} . ${port.hostPort}`;
    const target = `${port.ip} . ${port.containerPort}`;
    if (isAny(port.hostIP)) anywhere.set(key, target);
    else bound.set(`${port.hostIP} . ${key}`, target);
  }
  const hairpin = new Set(ports.map((port) => `${port.ip} . ${port.ip}`));
  const pairs = (map: Map<string, string>) => [...map].map(([key, target]) => `${key} : ${target}`);
  return `
add table ip ${names.table}
delete table ip ${names.table}
table ip ${names.table} {
  map host_ports {
    type inet_proto . inet_service : ipv4_addr . inet_service
    ${elements(pairs(anywhere))}
  }
  map bound_host_ports {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
    ${elements(pairs(bound))}
  }
  set hairpin {
    type ipv4_addr . ipv4_addr
    ${elements([...hairpin])}
  }
  chain to_host_ports {
    dnat ip to ip daddr . meta l4proto . th dport map @bound_host_ports
    dnat ip to meta l4proto . th dport map @host_ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump to_host_ports
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local ip daddr != 127.0.0.0/8 jump to_host_ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . ip daddr @hairpin masquerade
    oifname "${names.vxlan}" ip saddr != ${podCIDR} masquerade
    ip saddr ${nodeCIDR} ip daddr != ${podCIDR} ip daddr != 224.0.0.0/4 oifname != "${names.bridge}" masquerade fully-random
  }
}
`;
}

export const removeTable = (table: string): string => `add table ip ${table}\ndelete table ip ${table}\n`;

/** What must be in iptables' FORWARD chain where its policy is DROP: Docker sets that, and an accept in nft cannot undo it. */
export const forwardRulesOf = (names: NetworkNames): string[][] =>
  ['-i', '-o'].map((direction) => [
    ...['FORWARD', direction, names.bridge],
    ...['-m', 'comment', '--comment', names.table, '-j', 'ACCEPT'],
  ]);
