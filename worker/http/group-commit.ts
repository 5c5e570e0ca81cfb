/**
 * Writes that are under way in one object at the same time become one commit. Each waits, with its body read and before its
 * transaction, for the same timer; all of them then run in one turn, each in a savepoint of its own, and the platform
 * commits a turn at once. Nobody hears of his write before that commit: Durable Objects hold every answer back until what
 * was written before it is on disk. A write that is alone waits for nobody.
 */
export class GroupCommit {
  #underWay = 0;
  #turn: Promise<void> | undefined;

  /** Counts a request as under way until it is answered. */
  async during<T>(answer: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await answer();
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Await this last of all before a transaction. */
  async turn(): Promise<void> {
    if (this.#underWay < 2) return;
    this.#turn ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#turn = undefined;
        resolve();
      }, 0);
    });
    await this.#turn;
  }
}
