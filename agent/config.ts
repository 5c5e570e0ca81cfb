/** Every setting of the minion with its default, in one table. `main.ts` reads flags and environment into it. */
export interface AgentConfig {
  /** Base URL of the cluster, e.g. `https://127.0.0.1:6443` or `https://host/clusters/name`. */
  server: string;
  /** The minion's own token, or a join token to exchange for one. */
  token: string;
  /** PEM of the CA that signed the server's certificate; undefined: the system's. */
  caFile?: string;
  nodeName: string;
  /** State that must survive a reboot: database, tokens, volumes. */
  dataDir: string;
  /** Pods from manifest files; as kubelet's --pod-manifest-path. */
  manifestDir: string;
  dockerSocket: string;
  /** undefined: the source address towards the server. */
  nodeIP?: string;
  /** Labels and names carry it: two agents on one engine never touch each other's containers. */
  instance: string;
  dnsPort: number;
  upstreamDns: string[];
  maxPods: number;
  nodeLabels: Record<string, string>;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export const AGENT_DEFAULTS = {
  dataDir: '/var/lib/longshore/agent',
  manifestDir: '/etc/longshore/manifests',
  dockerSocket: '/var/run/docker.sock',
  instance: 'longshore',
  dnsPort: 53,
  upstreamDns: [],
  maxPods: 110,
  nodeLabels: {},
  logLevel: 'info',
} as const satisfies Partial<AgentConfig>;
