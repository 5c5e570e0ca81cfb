/**
 * Service account tokens for projected volumes: asked for once, kept in memory, and asked for again when they come of age
 * (`token-age.ts`). A token that lies in the pod's volume already is taken over after a restart of the agent, and stays where
 * the control plane cannot be reached, whatever its age: pods come back without it.
 */
import type { Pod } from '../../shared/api/core.ts';
import { type Clock, type Log, TokenRefused, type TokenSource } from './parts.ts';
import { claimsOf, dueAtMs, isFor, nextRoundMs } from './token-age.ts';

interface Kept {
  token: Promise<string>;
  /** Infinity while it is being asked for. */
  refreshAtMs: number;
}

/** After the control plane could not be asked. */
const RETRY_MS = 300_000;

export class PodTokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #startedMs: number;
  /** By pod uid, then by audience and life. */
  readonly #kept = new Map<string, Map<string, Kept>>();

  constructor(source: TokenSource, clock: Clock, log: Log) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#startedMs = clock.now();
  }

  readonly get: TokenSource = (namespace, serviceAccount, audience, expirationSeconds, pod, held) => {
    const { uid } = pod.metadata;
    const ofPod = this.#kept.get(uid) ?? new Map<string, Kept>();
    this.#kept.set(uid, ofPod);
    const key = JSON.stringify([audience, expirationSeconds]);
    const kept = ofPod.get(key) ?? this.#adopted(pod, audience, held);
    if (kept !== undefined && kept.refreshAtMs > this.#clock.now()) {
      ofPod.set(key, kept);
      return kept.token;
    }
    const fresh: Kept = {
      token: this.#source(namespace, serviceAccount, audience, expirationSeconds, pod).then(
        (token) => {
          fresh.refreshAtMs = this.#refreshAtMs(token, expirationSeconds);
          return token;
        },
        (error: unknown) => {
          // A failure is not kept; whoever asked for the token hears of it.
          if (held === undefined || error instanceof TokenRefused) {
            if (ofPod.get(key) === fresh) ofPod.delete(key);
            throw error;
          }
          this.#log.warn({ err: error, pod: `${namespace}/${pod.metadata.name}` }, 'a pod keeps its old token');
          fresh.refreshAtMs = this.#clock.now() + RETRY_MS;
          return held;
        },
      ),
      refreshAtMs: Number.POSITIVE_INFINITY,
    };
    ofPod.set(key, fresh);
    return fresh.token;
  };

  /** When the pod's first token wants to be asked for again. */
  refreshAtMs(podUid: string): number | undefined {
    const times = [...(this.#kept.get(podUid)?.values() ?? [])].map((each) => each.refreshAtMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  forget(podUid: string): void {
    this.#kept.delete(podUid);
  }

  /** What an earlier run of the agent got for this pod. */
  #adopted(pod: Pod, audience: string, held: string | undefined): Kept | undefined {
    const claims = held === undefined ? undefined : claimsOf(held);
    if (held === undefined || claims === undefined || !isFor(claims, pod.metadata.uid, audience)) return undefined;
    return { token: Promise.resolve(held), refreshAtMs: this.#refreshAtMs(held, 0) };
  }

  #refreshAtMs(token: string, expirationSeconds: number): number {
    const nowMs = this.#clock.now();
    const claims = claimsOf(token) ?? { issuedMs: nowMs, expiresMs: nowMs + expirationSeconds * 1000 };
    return Math.min(dueAtMs(claims), nextRoundMs(this.#startedMs, claims.issuedMs));
  }
}
