/**
 * Objects as they were last written by those who write the same ones again and again (`status.ts`), parsed. Only a memory:
 * whether one is still what is stored, its revision says, which is read each time; and it may be lost at any time. Nobody
 * changes what is in here: what is written next shares the parts that stay.
 */
import type { ObjectKey, Transaction } from '../store/store.ts';
import { type Current, parseStored } from './current.ts';

/** Characters of their texts, together; parsed they take about four times as much. */
const MOST_LENGTH = 3_000_000;

const idOf = ({ resource, namespace, name }: ObjectKey): string => `${resource}\0${namespace}\0${name}`;

export class RecentObjects {
  /** The one that was kept longest ago comes first. */
  readonly #objects = new Map<string, Current>();
  #length = 0;

  /** What is stored, only to be read; undefined when there is none. */
  read(transaction: Transaction, key: ObjectKey): Current | undefined {
    const known = this.#objects.get(idOf(key));
    if (known !== undefined && known.revision === transaction.revisionOf(key)) return known;
    const stored = transaction.get(key);
    return stored === undefined ? undefined : parseStored(stored);
  }

  /** This was just written. */
  keep(key: ObjectKey, current: Current): void {
    const id = idOf(key);
    this.#drop(id);
    this.#objects.set(id, current);
    this.#length += current.text.length;
    for (const oldest of this.#objects.keys()) {
      if (this.#length <= MOST_LENGTH) break;
      this.#drop(oldest);
    }
  }

  /** Something was rolled back: its revisions will be given again, to other states. */
  clear(): void {
    this.#objects.clear();
    this.#length = 0;
  }

  #drop(id: string): void {
    this.#length -= this.#objects.get(id)?.text.length ?? 0;
    this.#objects.delete(id);
  }
}
