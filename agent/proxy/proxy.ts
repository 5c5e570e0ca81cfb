/**
 * Services on this minion: a plain description in, one nftables table out. `translate.ts` (pure) turns Services and
 * EndpointSlices into ServiceRoutes, `table.ts` (pure) turns those into map elements, `nftables.ts` keeps the kernel so.
 */
export interface RouteEndpoint {
  ip: string;
  port: number;
  /** On this minion. */
  local: boolean;
}

export interface ServiceRoute {
  /** `namespace/name` */
  service: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Cluster IPs. */
  addresses: string[];
  /** External IPs and load balancer addresses that lead to this cluster's nodes. */
  externalAddresses: string[];
  port: number;
  nodePort?: number;
  /** Ready endpoints (or terminating ones that still serve, when there is no ready one), ordered, without duplicates. */
  endpoints: RouteEndpoint[];
  /** The same choice made among this minion's endpoints alone: what a `Local` policy may use. */
  localEndpoints: RouteEndpoint[];
  /** Seconds that a client sticks to its endpoint; undefined: no affinity. */
  affinitySeconds?: number;
  /** Cluster IPs lead to `localEndpoints` only. */
  internalLocalOnly: boolean;
  /** External addresses and node ports lead traffic from outside to `localEndpoints` only, with its source kept. */
  externalLocalOnly: boolean;
}

export interface ProxySettings {
  podCIDR: string;
  /** Where node ports are served; empty: every address of the machine but loopback. */
  nodeAddresses: string[];
  /** When given, what no Service claims in it is refused instead of sent to the default gateway. */
  serviceCIDR?: string;
}

export interface ServiceProxy {
  start(settings: ProxySettings): Promise<void>;
  /** Brings the kernel to exactly these routes with the least change; what comes while it is busy goes together after it. */
  apply(routes: readonly ServiceRoute[]): Promise<void>;
  /** The same for some Services, after an `apply`. @param changed `namespace/name` → all its routes; none: it is gone. */
  change(changed: ReadonlyMap<string, readonly ServiceRoute[]>): Promise<void>;
  purge(): Promise<void>;
}
