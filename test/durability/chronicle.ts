/**
 * What a store says happened, in order, and what everybody else says of it: the judge of the crash suite. Pure. The chronicle
 * is read from the store after each restart; followers and writers bring what they were told before and after.
 *
 * A write that was never acknowledged may turn out to have been committed, or not. What may never be: an acknowledged write that
 * the store does not have, an event that somebody was shown and the store does not have, a revision used twice, a follower
 * that missed an event or got one twice.
 */

export interface Told {
  revision: number;
  type: string;
  name: string;
  value: string;
}

/** Of one uninterrupted watch, across any number of reconnections: everything after `from`, up to its last event. */
export interface Segment {
  from: number;
  events: Told[];
}

export interface Acknowledged {
  type: 'put' | 'delete';
  name: string;
  value: string;
  /** A deletion's answer does not say it. */
  revision?: number;
}

const lineOf = (told: Told): string => `${told.revision} ${told.type} ${told.name}=${told.value}`;

export class Chronicle {
  readonly events: Told[] = [];
  readonly violations: string[] = [];
  /** The newest revision that the store has told of. */
  revision: number;
  readonly #at = new Map<number, string>();
  readonly #deleted = new Set<string>();

  constructor(revision: number) {
    this.revision = revision;
  }

  /** The next event that the store tells after a restart, or without one. */
  add(told: Told): void {
    if (told.revision <= this.revision) this.violations.push(`${lineOf(told)} came after revision ${this.revision}`);
    this.revision = told.revision;
    this.events.push(told);
    this.#at.set(told.revision, lineOf(told));
    if (told.type === 'DELETED') this.#deleted.add(`${told.name}=${told.value}`);
  }

  /** The store now says that it is at this revision. */
  reached(revision: number, when: string): void {
    if (revision < this.revision)
      this.violations.push(`${when}: the store is at ${revision}, it was at ${this.revision}`);
  }

  has(write: Acknowledged): boolean {
    if (write.type === 'delete') return this.#deleted.has(`${write.name}=${write.value}`);
    const end = ` ${write.name}=${write.value}`;
    return (this.#at.get(write.revision ?? 0) ?? '').endsWith(end);
  }

  judgeWrites(writes: Iterable<Acknowledged>): void {
    for (const write of writes) {
      if (!this.has(write)) this.violations.push(`acknowledged and lost: ${JSON.stringify(write)}`);
    }
  }

  /** Every event once, in order, as the store has it. */
  judgeSegment(who: string, segment: Segment): void {
    const last = segment.events.at(-1)?.revision ?? segment.from;
    const expected = this.events.filter((each) => each.revision > segment.from && each.revision <= last).map(lineOf);
    const told = segment.events.map(lineOf);
    if (expected.length === told.length && expected.every((line, index) => line === told[index])) return;
    const [has, was] = [new Set(expected), new Set(told)];
    const phantoms = told.filter((line) => !has.has(line));
    const missing = expected.filter((line) => !was.has(line));
    this.violations.push(
      `${who}, from revision ${segment.from}: ${told.length} events for ${expected.length}; ` +
        `never so: ${phantoms.slice(0, 3).join(', ') || 'none'}; missing: ${missing.slice(0, 3).join(', ') || 'none'}`,
    );
  }

  /** The last state of each name, from the events alone. */
  state(): Map<string, Told> {
    const state = new Map<string, Told>();
    for (const told of this.events) {
      if (told.type === 'DELETED') state.delete(told.name);
      else state.set(told.name, told);
    }
    return state;
  }

  /** What a list shows now must be what the events add up to. */
  judgeList(items: readonly Told[]): void {
    const state = this.state();
    for (const item of items) {
      const told = state.get(item.name);
      if (told?.revision !== item.revision || told.value !== item.value) {
        this.violations.push(
          `the list shows ${item.name} at ${item.revision}, the events ${told?.revision ?? 'never'}`,
        );
      }
      state.delete(item.name);
    }
    for (const told of state.values()) this.violations.push(`the list does not show ${lineOf(told)}`);
  }
}
