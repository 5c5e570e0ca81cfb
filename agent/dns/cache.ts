/** Answers from upstream, for as long as they say they hold, but not long: a laptop changes networks. Bounded. */
import { HEADER_BYTES, idOf, isTruncated, type Lifetime, lifetimeOf, questionOf, rcodeOf } from './message.ts';

interface Kept {
  message: Buffer;
  lifetime: Lifetime;
  atMs: number;
}

const MAX_ENTRIES = 4096;
const MAX_SECONDS = 30;
const NXDOMAIN = 3;

export class AnswerCache {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The answer under the query's own id, question spelling and with what is left of its TTLs. */
  get(key: string, query: Buffer): Buffer | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const age = Math.floor((this.#now() - kept.atMs) / 1000);
    if (age >= Math.min(kept.lifetime.seconds, MAX_SECONDS)) {
      this.#kept.delete(key);
      return undefined;
    }
    const answer = Buffer.from(kept.message);
    answer.writeUInt16BE(idOf(query), 0);
    questionOf(query)?.copy(answer, HEADER_BYTES);
    for (const offset of kept.lifetime.offsets) answer.writeUInt32BE(answer.readUInt32BE(offset) - age, offset);
    return answer;
  }

  put(key: string, answer: Buffer): void {
    if (isTruncated(answer) || (rcodeOf(answer) !== 0 && rcodeOf(answer) !== NXDOMAIN)) return;
    const lifetime = lifetimeOf(answer);
    if (lifetime === undefined || lifetime.seconds === 0) return;
    const oldest = this.#kept.size >= MAX_ENTRIES ? this.#kept.keys().next().value : undefined;
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, { message: answer, lifetime, atMs: this.#now() });
  }

  clear(): void {
    this.#kept.clear();
  }
}
