/**
 * ServiceRoutes as the contents of one nftables table, and the difference between two such contents as nft commands. Pure.
 *
 * A connection is looked up once by address, protocol and port (`services`, `node_ports`); the verdict is a chain named
 * after the *number* of endpoints, shared by all Services with that many, which draws a slot and looks up
 * address, port and slot in one flat map. So a Service costs its elements and nothing else, and no lookup grows with the
 * number of Services. Each protocol has its own flat map, because nft 1.0.6 cannot type `th dport` beside a random number.
 */
import type { ServiceRoute } from './proxy.ts';

type Protocol = Lowercase<ServiceRoute['protocol']>;
export const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

/** Slots of `Local` traffic from outside, beside those of everyone else under the same key. */
export const LOCAL_SLOT = 65_536;

/** Map (or set) name → element key → what it maps to ('' in a set). */
export type Elements = Map<string, Map<string, string>>;

export interface TableContents {
  elements: Elements;
  /** Chain name → its rules. Chains are never removed singly: there are only as many as distinct numbers of endpoints. */
  chains: Map<string, string[]>;
  /** What each group of slots holds, so that the next contents move as few as they can. */
  slots: Map<string, string[]>;
}

export const emptyContents = (): TableContents => ({ elements: new Map(), chains: new Map(), slots: new Map() });

export function contentsOf(routes: readonly ServiceRoute[], podCIDR: string, previous: TableContents): TableContents {
  const contents = emptyContents();
  for (const route of routes) addRoute(contents, route, podCIDR, previous);
  return contents;
}

function addRoute(contents: TableContents, route: ServiceRoute, podCIDR: string, previous: TableContents): void {
  const protocol = route.protocol.toLowerCase() as Protocol;
  const all = route.endpoints.map(({ ip, port }) => `${ip} . ${port}`);
  const local = route.localEndpoints.map(({ ip, port }) => `${ip} . ${port}`);

  /** Puts a Service's key into a verdict map, and its endpoints into the flat one. @returns whether the key was free. */
  const publish = (input: {
    map: string;
    kind: 'service' | 'node';
    key: string;
    slotKey: string;
    local: boolean;
    endpoints: string[];
  }) => {
    const map = elementsOf(contents, input.map);
    // Two Services may claim one external address; the first by name has it.
    if (map.has(input.key)) return false;
    if (input.endpoints.length === 0) {
      // Nobody serves it: say so at once. Somebody does, but not here, and only here is allowed: be silent, as upstream.
      map.set(input.key, all.length === 0 ? 'goto refuse' : 'drop');
      return true;
    }
    const pick: Pick = {
      kind: input.kind,
      protocol,
      count: input.endpoints.length,
      local: input.local,
      sticky: route.affinitySeconds !== undefined,
    };
    map.set(input.key, `goto ${nameOf(pick)}`);
    if (!contents.chains.has(nameOf(pick))) contents.chains.set(nameOf(pick), rulesOf(pick, podCIDR));
    const flat = `${input.kind === 'service' ? '' : 'node_'}endpoints_${protocol}`;
    const group = `${flat} ${input.slotKey} ${input.local}`;
    const slots = assignSlots(previous.slots.get(group) ?? [], input.endpoints);
    contents.slots.set(group, slots);
    for (const [slot, endpoint] of slots.entries()) {
      elementsOf(contents, flat).set(`${input.slotKey} . ${slot + (input.local ? LOCAL_SLOT : 0)}`, endpoint);
    }
    return true;
  };
  const stick = (map: string, key: string) => {
    if (route.affinitySeconds === undefined) return;
    const chain = `remember_${protocol}_${route.affinitySeconds}`;
    contents.chains.set(chain, [rememberRule(protocol, route.affinitySeconds)]);
    elementsOf(contents, map).set(key, `goto ${chain}`);
  };

  for (const address of route.addresses) {
    const [key, slotKey] = [`${address} . ${protocol} . ${route.port}`, `${address} . ${route.port}`];
    const endpoints = route.internalLocalOnly ? local : all;
    if (publish({ map: 'services', kind: 'service', key, slotKey, local: false, endpoints }))
      stick(`sticky_${protocol}`, slotKey);
  }
  for (const address of route.externalAddresses) {
    const [key, slotKey] = [`${address} . ${protocol} . ${route.port}`, `${address} . ${route.port}`];
    if (!publish({ map: 'services', kind: 'service', key, slotKey, local: false, endpoints: all })) continue;
    stick(`sticky_${protocol}`, slotKey);
    if (route.externalLocalOnly)
      publish({ map: 'external_local', kind: 'service', key, slotKey, local: true, endpoints: local });
  }
  if (route.nodePort !== undefined) {
    const [key, slotKey] = [`${protocol} . ${route.nodePort}`, `${route.nodePort}`];
    if (publish({ map: 'node_ports', kind: 'node', key, slotKey, local: false, endpoints: all })) {
      stick(`node_sticky_${protocol}`, slotKey);
      if (route.externalLocalOnly)
        publish({ map: 'node_local', kind: 'node', key, slotKey, local: true, endpoints: local });
    }
  }
  for (const { ip } of [...route.endpoints, ...route.localEndpoints].filter((each) => each.local)) {
    elementsOf(contents, 'hairpin').set(`${ip} . ${ip}`, '');
  }
}

function elementsOf(contents: TableContents, map: string): Map<string, string> {
  const current = contents.elements.get(map);
  if (current !== undefined) return current;
  const made = new Map<string, string>();
  contents.elements.set(map, made);
  return made;
}

/** Endpoints that stay keep their slot where it still exists; the others fill the gaps. */
export function assignSlots(previous: readonly string[], desired: readonly string[]): string[] {
  const wanted = new Set(desired);
  const kept = previous.slice(0, desired.length).map((endpoint) => (wanted.delete(endpoint) ? endpoint : undefined));
  const rest = [...wanted];
  return desired.map((_, slot) => kept[slot] ?? (rest.shift() as string));
}

// ---- Chains -----------------------------------------------------------------------------------------------------

/** What distinguishes the chains that draw an endpoint. */
interface Pick {
  kind: 'service' | 'node';
  protocol: Protocol;
  count: number;
  /** Among the `Local` slots, with the source kept. */
  local: boolean;
  sticky: boolean;
}

const nameOf = ({ kind, protocol, count, local, sticky }: Pick): string =>
  `${kind}_${protocol}_${count}${local ? '_local' : ''}${sticky ? '_sticky' : ''}`;

/** kube-proxy's own mark: "masquerade me". */
export const MASQUERADE_MARK = '0x4000';

function rulesOf({ kind, protocol, count, local, sticky }: Pick, podCIDR: string): string[] {
  const draw = `numgen random mod ${count}${local ? ` offset ${LOCAL_SLOT}` : ''}`;
  const key = kind === 'service' ? `ip daddr . ${protocol} dport` : `${protocol} dport`;
  const flat = `${kind === 'service' ? '' : 'node_'}endpoints_${protocol}`;
  return [
    ...(local ? [] : [`ip saddr != ${podCIDR} meta mark set meta mark or ${MASQUERADE_MARK}`]),
    ...(sticky
      ? [`meta l4proto ${protocol} dnat ip to ip saddr . ip daddr . ${protocol} dport map @affinity_${protocol}`]
      : []),
    `meta l4proto ${protocol} dnat ip to ${key} . ${draw} map @${flat}`,
  ];
}

/** Runs after the endpoint is chosen; `update` also winds up the clock of a client that is remembered already. */
const rememberRule = (protocol: Protocol, seconds: number): string =>
  `meta l4proto ${protocol} update @affinity_${protocol} { ct original ip saddr . ct original ip daddr . ` +
  `ct original proto-dst timeout ${seconds}s : ip daddr . ${protocol} dport }`;

// ---- Commands ---------------------------------------------------------------------------------------------------

const ELEMENTS_A_LINE = 500;

/** nft commands that turn `from` into `to`; '' when there is nothing to do. One transaction. */
export function difference(table: string, from: TableContents, to: TableContents): string {
  const lines: string[] = [];
  for (const [chain, rules] of to.chains) {
    if (from.chains.has(chain)) continue;
    lines.push(`add chain ip ${table} ${chain}`, ...rules.map((rule) => `add rule ip ${table} ${chain} ${rule}`));
  }
  const additions: string[] = [];
  for (const map of new Set([...from.elements.keys(), ...to.elements.keys()])) {
    const before = from.elements.get(map) ?? new Map<string, string>();
    const after = to.elements.get(map) ?? new Map<string, string>();
    const gone: string[] = [];
    const come: string[] = [];
    for (const [key, value] of before) if (after.get(key) !== value) gone.push(key);
    for (const [key, value] of after) {
      if (before.get(key) !== value) come.push(value === '' ? key : `${key} : ${value}`);
    }
    lines.push(...commands(`delete element ip ${table} ${map}`, gone));
    additions.push(...commands(`add element ip ${table} ${map}`, come));
  }
  const all = [...lines, ...additions];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}

export function commands(command: string, elements: readonly string[]): string[] {
  const lines: string[] = [];
  for (let index = 0; index < elements.length; index += ELEMENTS_A_LINE) {
    lines.push(`${command} { ${elements.slice(index, index + ELEMENTS_A_LINE).join(', ')} }`);
  }
  return lines;
}
