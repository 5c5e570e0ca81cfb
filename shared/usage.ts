/**
 * What a minion and the containers on it use, as the minion says it when asked (`agent/node/usage.ts`) and as
 * metrics.k8s.io is answered from (`worker/http/pod-metrics.ts`). Pure data.
 */

/** Where the minion says it, on a stream of kind `http` to the kubelet. */
export const USAGE_PATH = '/longshore/usage';

export interface Usage {
  /** CPU time used a second, in nanoseconds, over the window. */
  cpuNanoCores: number;
  /** CPU time used since the start, in nanoseconds. */
  cpuNanoSeconds: number;
  /** What is used without the caches that the kernel could drop. */
  memoryBytes: number;
}

export interface PodUsage {
  namespace: string;
  name: string;
  uid: string;
  containers: ({ name: string; startedAt: string } & Usage)[];
}

export interface UsageReport {
  /** When it was seen, and over how long the rates were taken. */
  timeMs: number;
  windowMs: number;
  node: Usage & { memoryAvailableBytes: number };
  /** Running containers only; pods without one are left out. */
  pods: PodUsage[];
}
