/**
 * Service account tokens for projected volumes: asked for once and kept in memory until four fifths of their life are over,
 * as kubelet does, so that bringing a volume up to date does not cost a request each time.
 */
import type { Clock, TokenSource } from './parts.ts';

interface Kept {
  token: Promise<string>;
  refreshAtMs: number;
}

const LIFE_BEFORE_REFRESH = 0.8;

export class PodTokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  /** By pod uid, then by audience and life. */
  readonly #kept = new Map<string, Map<string, Kept>>();

  constructor(source: TokenSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  readonly get: TokenSource = (namespace, serviceAccount, audience, expirationSeconds, pod) => {
    const { uid } = pod.metadata;
    const ofPod = this.#kept.get(uid) ?? new Map<string, Kept>();
    this.#kept.set(uid, ofPod);
    const key = JSON.stringify([audience, expirationSeconds]);
    const kept = ofPod.get(key);
    if (kept !== undefined && kept.refreshAtMs > this.#clock.now()) return kept.token;
    const token = this.#source(namespace, serviceAccount, audience, expirationSeconds, pod);
    const refreshAtMs = this.#clock.now() + expirationSeconds * 1000 * LIFE_BEFORE_REFRESH;
    ofPod.set(key, { token, refreshAtMs });
    // A failure is not kept; whoever asked for the token hears of it.
    token.catch(() => {
      if (ofPod.get(key)?.token === token) ofPod.delete(key);
    });
    return token;
  };

  /** When the pod's first token wants to be asked for again. */
  refreshAtMs(podUid: string): number | undefined {
    const times = [...(this.#kept.get(podUid)?.values() ?? [])].map((each) => each.refreshAtMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  forget(podUid: string): void {
    this.#kept.delete(podUid);
  }
}
