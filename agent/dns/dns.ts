/**
 * Cluster DNS on this minion: answers for the cluster domain from the Services and EndpointSlices at hand (so it works
 * with no control plane), forwards the rest. `records.ts` (pure) makes the answers; `server.ts` owns the sockets.
 * Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md
 */
import type { Service } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';

export interface DnsSettings {
  /** `cluster.local`. */
  domain: string;
  /** Where to listen, UDP and TCP. */
  addresses: string[];
  port: number;
  /** Upstream servers `ip` or `ip:port`; empty: the host's resolv.conf, own addresses left out. */
  upstreams: string[];
}

/** Without the Service itself there is nothing to answer. */
export interface DnsService {
  service: Service | undefined;
  slices: readonly EndpointSlice[];
}

export interface ClusterDns {
  start(settings: DnsSettings): Promise<void>;
  /** What is known of a Service from now on. @param name `namespace/name` */
  update(name: string, known: DnsService): void;
  stop(): Promise<void>;
}
