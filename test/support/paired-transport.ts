/**
 * Two Sessions joined by wires that a test holds in its hand: nothing moves until `step`, which carries one message in a
 * direction that the test's randomness chooses. What is on the wires and in the readers can be counted at any moment.
 */
import { Session, type SessionParts } from '../../shared/tunnel/session.ts';

export interface Pair {
  opener: Session;
  answerer: Session;
  /** Moves one message; false when there is nothing to move. */
  step(random: () => number): boolean;
  /** Moves everything there is. */
  settle(random: () => number): void;
}

export function pairedSessions(opener: Partial<SessionParts> = {}, answerer: Partial<SessionParts> = {}): Pair {
  const left = new Session({ onOutput: () => undefined, ...opener });
  const right = new Session({ onOutput: () => undefined, ...answerer });
  const carry = (from: Session, to: Session): boolean => {
    const message = from.takeOutput();
    if (message === undefined) return false;
    to.receive(message);
    return true;
  };
  const pair: Pair = {
    opener: left,
    answerer: right,
    step: (random) =>
      random() < 0.5 ? carry(left, right) || carry(right, left) : carry(right, left) || carry(left, right),
    settle: (random) => {
      while (pair.step(random));
    },
  };
  return pair;
}
