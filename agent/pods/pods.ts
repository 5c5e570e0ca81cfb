/**
 * The kubelet's face towards the rest of the agent: pods in, statuses out, streams on demand. `worker.ts` runs one loop a
 * pod (`plan.ts` decides, the runtime acts); `agent/link` feeds it from the control plane, `static-pods.ts` from files.
 */
import type { ConfigMap, Event, Pod, PodStatus, Secret } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import type { ExecSession } from '../runtime/runtime.ts';

/** What pods may refer to; kept on the minion's disk by `agent/link`. */
export interface References {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
}

/** Where the kubelet's findings go; `agent/link` batches and re-sends them. */
export interface Reporter {
  podStatus(pod: { namespace: string; name: string; uid: string }, status: PodStatus, gone: boolean): void;
  event(event: Draft<Event>): void;
  /** All static pods, whenever the set changes. */
  mirrors(pods: Draft<Pod>[]): void;
}

export interface LogQuery {
  container: string;
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  sinceMs?: number;
}

/** Errors are StatusErrors with the texts that a kubelet gives. */
export interface PodStreams {
  logs(podUid: string, query: LogQuery, signal: AbortSignal): AsyncIterable<Uint8Array>;
  exec(
    podUid: string,
    container: string,
    options: { command: string[]; tty: boolean; stdin: boolean },
  ): Promise<ExecSession>;
  attach(podUid: string, container: string, options: { tty: boolean; stdin: boolean }): Promise<ExecSession>;
  /** Host pid of the pod's network namespace, for port-forward to the pod's own loopback; undefined on the host network. */
  sandboxPid(podUid: string): number | undefined;
}

export interface PodKeeper extends PodStreams {
  /** Adopts what runs, then begins. */
  start(): Promise<void>;
  /** Exactly these pods are wanted here (static ones apart). Calls may come at any time; newest wins. */
  setPods(pods: readonly Pod[]): void;
  /** A configmap or secret changed: volumes follow. */
  referencesChanged(): void;
  /** The cluster may not have what was said before: it was restored, or is another one. */
  reportAgain(): void;
  /** Stops watching; containers stay. */
  stop(): Promise<void>;
}
