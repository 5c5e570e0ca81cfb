/**
 * Services on this minion: a plain description in, one nftables table out. `translate.ts` (pure) turns Services and
 * EndpointSlices into ServiceRoutes; `nftables.ts` keeps one flat DNAT map keyed by address, protocol, port and slot.
 */
export interface ServiceRoute {
  /** `namespace/name:port`, for messages. */
  name: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Cluster IP, external IPs. */
  addresses: string[];
  port: number;
  nodePort?: number;
  /** Ready endpoints (or terminating ones that still serve, when there is no ready one), ordered, without duplicates. */
  endpoints: { ip: string; port: number; local: boolean }[];
  /** Seconds that a client sticks to its endpoint; undefined: no affinity. */
  affinitySeconds?: number;
  internalLocalOnly: boolean;
  externalLocalOnly: boolean;
}

export interface ServiceProxy {
  start(settings: { podCIDR: string; nodeAddresses: string[] }): Promise<void>;
  /** Brings the kernel to exactly these routes with the least change; calls are serialised, the newest wins. */
  apply(routes: readonly ServiceRoute[]): Promise<void>;
  purge(): Promise<void>;
}
