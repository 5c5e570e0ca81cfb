/** What the keeper is made of: handed over by `agent/main.ts`, so that tests can hand over doubles of each. */
import type { Pod, Service } from '../../shared/api/core.ts';
import type { AgentConfig } from '../config.ts';
import type { PodNetwork } from '../network/network.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { References, Reporter } from './pods.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once, that much later; the answer calls it off. */
  after(ms: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    // setTimeout takes at most 2^31 - 1 ms: whoever waits longer is woken in between, looks again, and waits on.
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), 0x7fffffff));
    return () => clearTimeout(timer);
  },
};

/** As pino's: fields first. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The cluster says that this token will not be given. */
export class TokenRefused extends Error {}

/**
 * Asks the cluster for a token of the pod's service account, or answers with the one that the pod's volume holds.
 * @throws TokenRefused, or another error where the cluster could not be asked
 */
export type TokenSource = (
  namespace: string,
  serviceAccount: string,
  audience: string,
  expirationSeconds: number,
  pod: Pod,
  held?: string,
) => Promise<string>;

export interface KeeperParts {
  runtime: Runtime;
  network: PodNetwork;
  references: References & { services(): Service[] };
  reporter: Reporter;
  config: Pick<AgentConfig, 'nodeName' | 'dataDir' | 'manifestDir'>;
  /** The node's InternalIP: hostIP of its pods, podIP of those on the host's network. */
  nodeIP: () => string;
  /** What the node has for pods, as quantities by resource. */
  allocatable: () => Record<string, string>;
  /** What the cluster told this minion; undefined before its first contact. */
  cluster: () => { domain: string; dnsIP: string } | undefined;
  clock: Clock;
  /** 0 to 1, as Math.random. */
  random: () => number;
  log: Log;
  /** Absent: volumes with a serviceAccountToken are refused by name. */
  tokens?: TokenSource;
}
