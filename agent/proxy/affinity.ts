/**
 * Which client sticks to which endpoint, as the kernel remembers it (`affinity_PROTOCOL` maps, filled by packets): read from
 * nft's listing, carried over into a new table, and pruned when an endpoint has gone. Pure.
 */
import type { Slots } from './table.ts';

export interface AffinityEntry {
  protocol: string;
  client: string;
  address: string;
  port: number;
  /** `ip . port` */
  endpoint: string;
  timeoutSeconds: number;
  expiresSeconds: number;
}

interface Concatenation {
  concat: (string | number)[];
}

interface ListedMap {
  nftables: {
    map?: { elem?: [{ elem?: { val: Concatenation; timeout?: number; expires?: number } }, Concatenation][] };
  }[];
}

/** `nft -j list map` → entries. */
export function affinityIn(json: string, protocol: string): AffinityEntry[] {
  const listing = JSON.parse(json) as ListedMap;
  return listing.nftables
    .flatMap((each) => each.map?.elem ?? [])
    .flatMap(([key, data]) => {
      const [client, address, port] = key.elem?.val.concat ?? [];
      if (client === undefined || address === undefined || port === undefined) return [];
      return {
        protocol,
        client: String(client),
        address: String(address),
        port: Number(port),
        endpoint: data.concat.join(' . '),
        timeoutSeconds: key.elem?.timeout ?? 0,
        expiresSeconds: key.elem?.expires ?? 0,
      };
    });
}

/** Whether the endpoint still serves that address and port. */
function holds(slots: Slots, entry: AffinityEntry): boolean {
  const { protocol, address, port, endpoint } = entry;
  const groups = [
    `endpoints_${protocol} ${address} . ${port} false`,
    `endpoints_${protocol} ${address} . ${port} true`,
    `node_endpoints_${protocol} ${port} false`,
    `node_endpoints_${protocol} ${port} true`,
  ];
  return groups.some((group) => slots.get(group)?.includes(endpoint));
}

const keyOf = ({ client, address, port }: AffinityEntry): string => `${client} . ${address} . ${port}`;

export function restoreAffinity(table: string, slots: Slots, entries: readonly AffinityEntry[]): string {
  return entries
    .filter((entry) => entry.expiresSeconds > 0 && holds(slots, entry))
    .map(
      (entry) =>
        `add element ip ${table} affinity_${entry.protocol} { ${keyOf(entry)} timeout ${entry.timeoutSeconds}s ` +
        `expires ${entry.expiresSeconds}s : ${entry.endpoint} }\n`,
    )
    .join('');
}

/** One command for each entry whose endpoint has gone. */
export function staleAffinity(table: string, slots: Slots, entries: readonly AffinityEntry[]): string[] {
  return entries
    .filter((entry) => !holds(slots, entry))
    .map((entry) => `delete element ip ${table} affinity_${entry.protocol} { ${keyOf(entry)} }\n`);
}
