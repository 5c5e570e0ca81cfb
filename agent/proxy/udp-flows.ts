/**
 * UDP flows that the kernel would keep sending to an endpoint that has gone: a client that never pauses keeps its
 * translation alive for ever. Pure: which flows to end, as arguments of `conntrack -D -p udp`.
 */
import type { MovedSlots } from './table.ts';

export type LostFlow = string[];

export function lostFlows(moved: readonly MovedSlots[]): LostFlow[] {
  const flows: LostFlow[] = [];
  for (const { group, before, now } of moved) {
    const [flat = '', ...rest] = group.split(' ');
    if (!flat.endsWith('endpoints_udp')) continue;
    const stays = new Set(now);
    for (const endpoint of new Set(before)) {
      if (stays.has(endpoint)) continue;
      const target = ['--dst-nat', endpoint.split(' . ')[0] ?? ''];
      // `node_endpoints_udp 30053 false` or `endpoints_udp 10.96.0.1 . 53 false`
      if (flat.startsWith('node_')) flows.push(['--orig-port-dst', rest[0] ?? '', ...target]);
      else flows.push(['--orig-dst', rest[0] ?? '', '--orig-port-dst', rest[2] ?? '', ...target]);
    }
  }
  return flows;
}
