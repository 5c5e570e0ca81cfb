/**
 * ServiceRoutes as the contents of one nftables table, and what changed of them as nft commands. Pure; a change of one Service
 * costs that Service's elements, however many others there are.
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
export type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** `endpoints_tcp 10.96.0.1 . 80 false`: the flat map, its key but for the slot, whether they are the `Local` ones → endpoints. */
export type Slots = ReadonlyMap<string, readonly string[]>;

/** What a change moved of one group of slots. */
export interface MovedSlots {
  group: string;
  before: readonly string[];
  now: readonly string[];
}

export interface TableChange {
  /** nft commands, one transaction; '' when there is nothing to do. */
  script: string;
  moved: MovedSlots[];
}

export class ServiceTable {
  readonly #podCIDR: string;
  readonly #elements = new Map<string, Map<string, string>>();
  readonly #slots = new Map<string, string[]>();
  /** Chain name → its rules. Never removed singly: there are only as many as distinct numbers of endpoints. */
  readonly #chains = new Map<string, string[]>();
  readonly #claims = new Map<string, Claim[]>();
  /** Key of a claim → the Services that want it, by name. */
  readonly #claimants = new Map<string, string[]>();
  /** How many Services have this endpoint of the minion's own. */
  readonly #hairpins = new Map<string, number>();

  /** Since the last change was taken: what elements and slots were then, and the chains that were not. */
  #elementsBefore = new Map<string, Map<string, string | undefined>>();
  #slotsBefore = new Map<string, readonly string[]>();
  #newChains: string[] = [];

  constructor(podCIDR: string) {
    this.#podCIDR = podCIDR;
  }

  get elements(): Elements {
    return this.#elements;
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** The names of Services that lead somewhere. */
  get services(): Iterable<string> {
    return this.#claims.keys();
  }

  /** What a Service leads to from now on. @param routes of all its ports; none: it is gone. */
  set(service: string, routes: readonly ServiceRoute[]): void {
    const before = this.#claims.get(service) ?? [];
    const after = claimsOf(routes);
    if (after.length === 0) this.#claims.delete(service);
    else this.#claims.set(service, after);
    for (const { own } of after) for (const ip of own) this.#count(ip, 1);
    for (const { own } of before) for (const ip of own) this.#count(ip, -1);
    for (const key of new Set([...before, ...after].map((claim) => claim.key))) {
      const [was, is] = [before, after].map((claims) => claims.find((claim) => claim.key === key));
      this.#reclaim(service, key, was, is);
    }
  }

  /** What changed since this was last called. */
  take(table: string): TableChange {
    const gone: string[] = [];
    const come: string[] = [];
    for (const [map, before] of this.#elementsBefore) {
      const now = this.#elements.get(map);
      const differing = [...before].filter(([key, value]) => now?.get(key) !== value);
      const removed = differing.flatMap(([key, value]) => (value === undefined ? [] : [key]));
      const added = differing.flatMap(([key]) => elementText(key, now?.get(key)) ?? []);
      gone.push(...commands(`delete element ip ${table} ${map}`, removed));
      come.push(...commands(`add element ip ${table} ${map}`, added));
    }
    const chains = this.#newChains.flatMap((chain) => this.#chainCommands(table, chain));
    const moved = [...this.#slotsBefore].map(([group, before]) => ({
      group,
      before,
      now: this.#slots.get(group) ?? [],
    }));
    this.#settle();
    return { script: textOf([...chains, ...gone, ...come]), moved };
  }

  /** Everything, for a table that holds none of it; nothing has changed since. */
  takeWhole(table: string): string {
    const used = new Set([...this.#elements.values()].flatMap((map) => [...map.values()]));
    for (const chain of this.#chains.keys()) if (!used.has(`goto ${chain}`)) this.#chains.delete(chain);
    const chains = [...this.#chains.keys()].flatMap((chain) => this.#chainCommands(table, chain));
    const elements = [...this.#elements].flatMap(([map, entries]) =>
      commands(
        `add element ip ${table} ${map}`,
        [...entries].flatMap(([key, value]) => elementText(key, value) ?? []),
      ),
    );
    this.#settle();
    return textOf([...chains, ...elements]);
  }

  #settle(): void {
    this.#elementsBefore = new Map();
    this.#slotsBefore = new Map();
    this.#newChains = [];
  }

  /** Two Services may claim one external address; the first by name has it. */
  #reclaim(service: string, key: string, was: Claim | undefined, is: Claim | undefined): void {
    const claimants = this.#claimants.get(key) ?? [];
    const had = this.#holderOf(claimants, key, service, was);
    const others = claimants.filter((each) => each !== service);
    const now = is === undefined ? others : [...others, service].sort();
    if (now.length === 0) this.#claimants.delete(key);
    else this.#claimants.set(key, now);
    const has = this.#holderOf(now, key, service, is);
    if (had === has) return;
    const slots = new Map<string, readonly string[]>();
    if (had !== undefined) this.#withdraw(had, slots);
    if (has !== undefined) this.#grant(has, slots);
  }

  #holderOf(claimants: readonly string[], key: string, service: string, own: Claim | undefined): Claim | undefined {
    const [first] = claimants;
    if (first === undefined) return undefined;
    return first === service ? own : this.#claims.get(first)?.find((claim) => claim.key === key);
  }

  #withdraw({ verdicts, groups }: Claim, left: Map<string, readonly string[]>): void {
    for (const { map, key } of verdicts) this.#put(map, key, undefined);
    for (const group of groups) {
      const name = groupName(group);
      const slots = this.#slots.get(name) ?? [];
      left.set(name, slots);
      this.#putSlots(group, []);
    }
  }

  #grant({ verdicts, groups }: Claim, left: ReadonlyMap<string, readonly string[]>): void {
    for (const { map, key, chain, verdict } of verdicts) {
      if (chain !== undefined) this.#make(chain);
      this.#put(map, key, verdict);
    }
    for (const group of groups) this.#putSlots(group, assignSlots(left.get(groupName(group)) ?? [], group.endpoints));
  }

  #putSlots(group: Group, endpoints: string[]): void {
    const name = groupName(group);
    const before = this.#slots.get(name) ?? [];
    if (!this.#slotsBefore.has(name)) this.#slotsBefore.set(name, before);
    if (endpoints.length === 0) this.#slots.delete(name);
    else this.#slots.set(name, endpoints);
    for (let slot = 0; slot < Math.max(before.length, endpoints.length); slot++) {
      this.#put(group.flat, `${group.slotKey} . ${slot + (group.local ? LOCAL_SLOT : 0)}`, endpoints[slot]);
    }
  }

  #count(ip: string, more: 1 | -1): void {
    const count = (this.#hairpins.get(ip) ?? 0) + more;
    if (count === 0) this.#hairpins.delete(ip);
    else this.#hairpins.set(ip, count);
    this.#put('hairpin', `${ip} . ${ip}`, count === 0 ? undefined : '');
  }

  #put(map: string, key: string, value: string | undefined): void {
    const entries = this.#elements.get(map) ?? new Map<string, string>();
    const before = this.#elementsBefore.get(map) ?? new Map<string, string | undefined>();
    if (!before.has(key)) before.set(key, entries.get(key));
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
    this.#elementsBefore.set(map, before);
    if (entries.size === 0) this.#elements.delete(map);
    else this.#elements.set(map, entries);
  }

  #make(chain: Chain): void {
    const name = chainName(chain);
    if (this.#chains.has(name)) return;
    this.#chains.set(name, rulesOf(chain, this.#podCIDR));
    this.#newChains.push(name);
  }

  #chainCommands(table: string, chain: string): string[] {
    const rules = this.#chains.get(chain) ?? [];
    return [`add chain ip ${table} ${chain}`, ...rules.map((rule) => `add rule ip ${table} ${chain} ${rule}`)];
  }
}

// ---- Claims -----------------------------------------------------------------------------------------------------

/** A key that only one Service can have, and all that comes with it. */
interface Claim {
  key: string;
  verdicts: { map: string; key: string; verdict: string; chain?: Chain }[];
  groups: Group[];
  /** Addresses of the endpoints on this minion, which may reach themselves. */
  own: Set<string>;
}

interface Group {
  flat: string;
  slotKey: string;
  local: boolean;
  endpoints: string[];
}

const groupName = ({ flat, slotKey, local }: Group): string => `${flat} ${slotKey} ${local}`;

function claimsOf(routes: readonly ServiceRoute[]): Claim[] {
  const claims = new Map<string, Claim>();
  for (const route of routes) {
    for (const claim of claimsOfRoute(route)) if (!claims.has(claim.key)) claims.set(claim.key, claim);
  }
  return [...claims.values()];
}

function claimsOfRoute(route: ServiceRoute): Claim[] {
  const protocol = route.protocol.toLowerCase() as Protocol;
  const textsOf = (endpoints: ServiceRoute['endpoints']) => endpoints.map(({ ip, port }) => `${ip} . ${port}`);
  const [all, local] = [textsOf(route.endpoints), textsOf(route.localEndpoints)];
  const own = new Set([...route.endpoints, ...route.localEndpoints].filter((each) => each.local).map(({ ip }) => ip));
  const sticky = route.affinitySeconds !== undefined;

  /** Puts a key into a verdict map, and the endpoints behind it into the flat one. */
  const lead = (claim: Claim, map: string, of: Omit<Group, 'flat'> & { kind: 'service' | 'node'; key: string }) => {
    const { kind, key, slotKey, endpoints } = of;
    if (endpoints.length === 0) {
      // Nobody serves it: say so at once. Somebody does, but not here, and only here is allowed: be silent, as upstream.
      claim.verdicts.push({ map, key, verdict: all.length === 0 ? 'goto refuse' : 'drop' });
      return;
    }
    const chain: Pick = { does: 'pick', kind, protocol, count: endpoints.length, local: of.local, sticky };
    claim.verdicts.push({ map, key, verdict: `goto ${chainName(chain)}`, chain });
    const flat = `${kind === 'service' ? '' : 'node_'}endpoints_${protocol}`;
    claim.groups.push({ flat, slotKey, local: of.local, endpoints });
  };
  const claimed = (of: {
    kind: 'service' | 'node';
    maps: { all: string; local: string; sticky: string };
    key: string;
    slotKey: string;
    endpoints: string[];
    /** Traffic from outside may use only the endpoints here. */
    localOnly: boolean;
  }): Claim => {
    const { kind, maps, key, slotKey, endpoints } = of;
    const claim: Claim = { key: `${maps.all} ${key}`, verdicts: [], groups: [], own };
    lead(claim, maps.all, { kind, key, slotKey, local: false, endpoints });
    if (route.affinitySeconds !== undefined) {
      const chain: Remember = { does: 'remember', protocol, seconds: route.affinitySeconds };
      claim.verdicts.push({ map: maps.sticky, key: slotKey, verdict: `goto ${chainName(chain)}`, chain });
    }
    if (of.localOnly) lead(claim, maps.local, { kind, key, slotKey, local: true, endpoints: local });
    return claim;
  };

  const ofAddress = (address: string, endpoints: string[], localOnly: boolean): Claim =>
    claimed({
      kind: 'service',
      maps: { all: 'services', local: 'external_local', sticky: `sticky_${protocol}` },
      key: `${address} . ${protocol} . ${route.port}`,
      slotKey: `${address} . ${route.port}`,
      endpoints,
      localOnly,
    });
  return [
    ...route.addresses.map((address) => ofAddress(address, route.internalLocalOnly ? local : all, false)),
    ...route.externalAddresses.map((address) => ofAddress(address, all, route.externalLocalOnly)),
    ...(route.nodePort === undefined
      ? []
      : [
          claimed({
            kind: 'node',
            maps: { all: 'node_ports', local: 'node_local', sticky: `node_sticky_${protocol}` },
            key: `${protocol} . ${route.nodePort}`,
            slotKey: `${route.nodePort}`,
            endpoints: all,
            localOnly: route.externalLocalOnly,
          }),
        ]),
  ];
}

/** Endpoints that stay keep their slot where it still exists; the others fill the gaps. */
export function assignSlots(previous: readonly string[], desired: readonly string[]): string[] {
  const wanted = new Set(desired);
  const kept = previous.slice(0, desired.length).map((endpoint) => (wanted.delete(endpoint) ? endpoint : undefined));
  const rest = [...wanted];
  return desired.map((_, slot) => kept[slot] ?? (rest.shift() as string));
}

// ---- Chains -----------------------------------------------------------------------------------------------------

type Chain = Pick | Remember;

/** Draws an endpoint. */
interface Pick {
  does: 'pick';
  kind: 'service' | 'node';
  protocol: Protocol;
  count: number;
  /** Among the `Local` slots, with the source kept. */
  local: boolean;
  sticky: boolean;
}

/** Notes who was led where. */
interface Remember {
  does: 'remember';
  protocol: Protocol;
  seconds: number;
}

function chainName(chain: Chain): string {
  if (chain.does === 'remember') return `remember_${chain.protocol}_${chain.seconds}`;
  const { kind, protocol, count, local, sticky } = chain;
  return `${kind}_${protocol}_${count}${local ? '_local' : ''}${sticky ? '_sticky' : ''}`;
}

/** kube-proxy's own mark: "masquerade me". */
export const MASQUERADE_MARK = '0x4000';

const rulesOf = (chain: Chain, podCIDR: string): string[] =>
  chain.does === 'remember' ? [rememberRule(chain)] : pickRules(chain, podCIDR);

function pickRules({ kind, protocol, count, local, sticky }: Pick, podCIDR: string): string[] {
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
const rememberRule = ({ protocol, seconds }: Remember): string =>
  `meta l4proto ${protocol} update @affinity_${protocol} { ct original ip saddr . ct original ip daddr . ` +
  `ct original proto-dst timeout ${seconds}s : ip daddr . ${protocol} dport }`;

// ---- Commands ---------------------------------------------------------------------------------------------------

const ELEMENTS_A_LINE = 500;

const textOf = (lines: readonly string[]): string => (lines.length === 0 ? '' : `${lines.join('\n')}\n`);

/** Undefined for what is none. */
function elementText(key: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value === '' ? key : `${key} : ${value}`;
}

function commands(command: string, elements: readonly string[]): string[] {
  const lines: string[] = [];
  for (let index = 0; index < elements.length; index += ELEMENTS_A_LINE) {
    lines.push(`${command} { ${elements.slice(index, index + ELEMENTS_A_LINE).join(', ')} }`);
  }
  return lines;
}
