/**
 * Reports of many minions that come at the same time become one transaction, and one commit: each waits for the same timer,
 * and is then applied in a savepoint of its own, so that one that fails takes no other with it. A minion hears nothing of its
 * report before that: the platform holds answers back until what was written before them is on disk.
 */
import type { Report } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import type { Caller } from '../registry/registry.ts';
import type { Synchronous } from '../store/store.ts';
import { userOfNode } from '../users.ts';
import { type Applied, applyReport } from './reports.ts';

interface Told {
  node: string;
  report: Report;
  /** What came of it: what was applied, or what was thrown; nothing of such a report stays. Called after the commit. */
  end(outcome: Outcome): void;
}

/** Of what the links are given (`minion-parts.ts`). */
interface ReportTurnParts {
  transact<T>(body: (objects: Objects) => Synchronous<T>, more?: Pick<Caller, 'shownUser'>): T;
  later(step: () => void): void;
}

/** Statuses in one commit, so that others get their turn: some tens of milliseconds. */
const MOST_TOGETHER = 1000;

export type Outcome = { applied: Applied } | { error: unknown };

export class ReportTurn {
  readonly #parts: ReportTurnParts;
  readonly #echoes: Set<number>;
  readonly #waiting: Told[] = [];

  /** @param echoes is told the revisions that a report wrote, before they are published, and rid of them afterwards. */
  constructor(parts: ReportTurnParts, echoes: Set<number>) {
    this.#parts = parts;
    this.#echoes = echoes;
  }

  /** Resolves once `end` was called; rejects with what that throws. */
  take(node: string, report: Report, end: Told['end']): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#parts.later(() => this.#turn());
      const told = (outcome: Outcome) => {
        try {
          resolve(end(outcome));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ node, report, end: told });
    });
  }

  /** Applies what waits, now: before anything is handled that came after it. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commit();
  }

  #turn(): void {
    this.#commit();
    if (this.#waiting.length > 0) this.#parts.later(() => this.#turn());
  }

  #commit(): void {
    const all = this.#next();
    if (all.length === 0) return;
    const outcomes = this.#applied(all);
    all.forEach(({ end }, index) => {
      end(outcomes[index] ?? { error: new Error('a report came to no end') });
    });
  }

  /** Those that came first, at least one. */
  #next(): Told[] {
    let statuses = 0;
    const end = this.#waiting.findIndex(({ report }) => {
      statuses += report.pods?.length ?? 0;
      return statuses >= MOST_TOGETHER;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end + 1);
  }

  #applied(all: readonly Told[]): Outcome[] {
    const written: number[] = [];
    const apply = ({ node, report }: Told): Outcome => ({
      applied: this.#parts.transact(
        (objects: Objects) => {
          const applied = applyReport(objects, node, report);
          for (const revision of applied.echoes) {
            written.push(revision);
            this.#echoes.add(revision);
          }
          return applied;
        },
        { shownUser: userOfNode(node) },
      ),
    });
    try {
      return this.#parts.transact(() => all.map((told) => attempt(() => apply(told))));
    } catch (error) {
      return all.map(() => ({ error }));
    } finally {
      // Published by now, or dropped when nothing listens.
      for (const revision of written) this.#echoes.delete(revision);
    }
  }
}

function attempt(apply: () => Outcome): Outcome {
  try {
    return apply();
  } catch (error) {
    return { error };
  }
}
