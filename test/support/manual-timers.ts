/** Timers that a test moves by hand; nothing happens between two calls of `advance`. */
import type { Timers } from '../../agent/link/kept-socket.ts';

export class ManualTimers implements Timers {
  private now = 0;
  private readonly due: { atMs: number; action: () => void }[] = [];

  nowMs(): number {
    return this.now;
  }

  after(ms: number, action: () => void): () => void {
    const entry = { atMs: this.now + ms, action };
    this.due.push(entry);
    return () => {
      const at = this.due.indexOf(entry);
      if (at >= 0) this.due.splice(at, 1);
    };
  }

  /** How long until the next action; undefined when there is none. */
  nextMs(): number | undefined {
    const times = this.due.map((each) => each.atMs - this.now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Lets time pass; actions run in order, those that they add too. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.due.filter((each) => each.atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.due.splice(this.due.indexOf(next), 1);
      this.now = next.atMs;
      next.action();
    }
    this.now = until;
  }
}
